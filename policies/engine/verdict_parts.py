"""The parts of a verdict that come straight from the signals: categories, joint reading, what was degraded.

Floats are rounded to four decimals, so that the same judgement is the same bytes. No policy is looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from policies.engine.signals import BROKEN, SignalSet, SignalStatus, SignalValue
from policies.engine.subject import Subject
from policies.engine.taxonomy import CATEGORIES, MAX_SEVERITY, MODALITIES
from policies.engine.verdict import Blur, CategoryResult, Degraded, Joint, Novelty, Redaction

DECIMALS: Final = 4

_ABSTAINED: Final = {
    c: CategoryResult(name=c, score=None, severity=None, sources=(), abstained=True) for c in CATEGORIES
}
_NAMES: Final = tuple(
    (c, f"score.{c}", f"severity.{c}", tuple((m, f"score.{c}.{m}") for m in MODALITIES)) for c in CATEGORIES
)


def number(value: SignalValue | None) -> float | None:
    """The value as a rounded float, or None when it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(float(value), DECIMALS) + 0.0  # -0.0 becomes 0.0


def rounded(value: SignalValue | None) -> SignalValue | None:
    """The value as evidence shows it."""
    return round(value, DECIMALS) if isinstance(value, float) and math.isfinite(value) else value


def categories(values: Mapping[str, SignalValue]) -> tuple[CategoryResult, ...]:
    """Every level-one category in its fixed order; abstained where nothing gave a score."""
    made: list[CategoryResult] = []
    for category, score_name, severity_name, sources in _NAMES:
        score = number(values.get(score_name))
        if score is None:
            made.append(_ABSTAINED[category])
            continue
        severity = number(values.get(severity_name))
        made.append(
            CategoryResult(
                name=category,
                score=min(1.0, max(0.0, score)),
                severity=None if severity is None else min(MAX_SEVERITY, max(0, int(severity))),
                sources=tuple(m for m, name in sources if number(values.get(name)) is not None),
                abstained=False,
            )
        )
    return tuple(made)


def joint(values: Mapping[str, SignalValue]) -> Joint | None:
    """Text and image read together; None when no part of it is known."""
    parts = (values.get("joint.alignment"), values.get("joint.contradiction"), values.get("joint.interaction_gain"))
    numbers = tuple(number(p) for p in parts)
    return None if numbers == (None, None, None) else Joint(*numbers)


def novelty(values: Mapping[str, SignalValue]) -> Novelty | None:
    """How new the content is, when something judged it."""
    score = number(values.get("novelty.score"))
    return None if score is None else Novelty(score)


def degraded(signals: SignalSet) -> tuple[Degraded, ...]:
    """Broken signals grouped by what happened, in a fixed order."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, gone in signals.missing.items():
        if gone.status in BROKEN and name not in signals.values:
            groups.setdefault((gone.status.value, gone.why), []).append(name)
    return tuple(Degraded(tuple(sorted(names)), status, why) for (status, why), names in sorted(groups.items()))


def redactions(signals: SignalSet, lists: Iterable[str]) -> tuple[Redaction, ...]:
    """What the lists found, as pieces to hide; overlapping pieces are joined."""
    spans = sorted({(s.part, s.start, s.end) for name in lists for s in signals.spans.get(f"list.{name}.hits", ())})
    made: list[Redaction] = []
    for part, start, end in spans:
        if made and made[-1].part == part and start <= made[-1].end:
            made[-1] = Redaction(part, made[-1].start, max(end, made[-1].end))
        else:
            made.append(Redaction(part, start, end))
    return tuple(made)


def blurs(subject: Subject, signals: SignalSet, names: Iterable[str]) -> tuple[Blur, ...]:
    """The image parts behind the signals `names`; every image part when that is not known."""
    total = len(subject.texts) + subject.image_count
    texts = {t.index for t in subject.texts}
    images = [n for n in range(total + len(texts)) if n not in texts][: subject.image_count]
    deciding = {signals.origin[name] for name in names if name in signals.origin} - texts
    return tuple(Blur(part) for part in sorted(deciding)) or tuple(Blur(part) for part in images)


def is_broken(status: SignalStatus) -> bool:
    """Whether the status means that something failed."""
    return status is SignalStatus.FAILED or status is SignalStatus.TIMEOUT or status is SignalStatus.STALE
