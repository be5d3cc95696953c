"""The verdict and its pieces: exactly what goes on `content.verdicts`, in field order.

Free of clocks and worker names, so that the same judgement is the same bytes; those travel in record headers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from policies.engine.signals import SignalValue


class CategoryResult(msgspec.Struct, frozen=True, kw_only=True):
    """One level-one category. `score` and `severity` are None and `abstained` is true when nothing judged it."""

    name: str
    score: float | None
    severity: int | None
    sources: tuple[str, ...] = msgspec.field(name="from", default=())  # of text | image | joint
    abstained: bool


class Evidence(msgspec.Struct, frozen=True):
    """One comparison that held: the signal, its value, and the test as written."""

    signal: str
    value: SignalValue | None
    test: str


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A rule in force that matched."""

    policy: str
    rule: str
    action: str
    evidence: tuple[Evidence, ...] = ()
    text: str = ""


class ShadowMatch(msgspec.Struct, frozen=True):
    """What a rule in shadow, or outside its rollout bucket, would have done."""

    policy: str
    rule: str
    action: str


class Suppressed(msgspec.Struct, frozen=True):
    """A match that an exception took back."""

    policy: str
    rule: str
    action: str
    exception: str


class Undecided(msgspec.Struct, frozen=True):
    """A rule whose answer depends on signals that broke."""

    policy: str
    rule: str
    missing: tuple[str, ...]
    why: str


class Redaction(msgspec.Struct, frozen=True):
    """A piece of a text part to hide: `[start, end)` in code points."""

    part: int
    start: int
    end: int
    replacement: str = "█"


class Blur(msgspec.Struct, frozen=True):
    """Regions of an image part to blur; no boxes means all of it. Boxes are x0, y0, x1, y1 in 0..1."""

    part: int
    boxes: tuple[tuple[float, float, float, float], ...] = ()


class Modify(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to show the content safely."""

    redact: tuple[Redaction, ...] = ()
    blur: tuple[Blur, ...] = ()


class Joint(msgspec.Struct, frozen=True):
    """Text and image read together; None where it could not be told."""

    alignment: float | None = None
    contradiction: float | None = None
    interaction_gain: float | None = None


class Neighbour(msgspec.Struct, frozen=True):
    """A known example near this content."""

    id: str
    distance: float
    label: str


class Novelty(msgspec.Struct, frozen=True):
    """How unlike anything known the content is, 0..1."""

    score: float
    nearest: tuple[Neighbour, ...] = ()


class Versions(msgspec.Struct, frozen=True):
    """What judged: the bundle as `name@version#hash`, each model's release, and the tier."""

    policy: str
    models: Mapping[str, str]
    tier: str


class Degraded(msgspec.Struct, frozen=True):
    """Signals that were wanted and missing, grouped by reason."""

    signals: tuple[str, ...]
    status: str
    why: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement of one event (`weir.verdict/1`)."""

    verdict_id: str
    event_id: str
    content_id: str
    kind: str
    surface: str
    locale: str
    tenant: str | None
    key: str
    action: str
    severity: int
    labels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    review_queue: str | None = None
    categories: tuple[CategoryResult, ...] = ()
    matches: tuple[Match, ...] = ()
    shadow: tuple[ShadowMatch, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    modify: Modify | None = None
    joint: Joint | None = None
    novelty: Novelty | None = None
    versions: Versions
    degraded: tuple[Degraded, ...] = ()


def verdict_id(event_id: str, policy_hash: str, models: Mapping[str, str]) -> str:
    """The id that the same event judged by the same policies and models always gets: 32 hex digits."""
    digest = hashlib.sha256()
    for piece in (event_id, policy_hash, *(f"{name}={models[name]}" for name in sorted(models))):
        raw = piece.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()[:32]
