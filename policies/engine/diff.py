"""What changed between two bundles, in the words of those who must agree to it: stricter, looser, different.

Compares meaning where it can: a rule that was only written another way is not a change. Presentation is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from policies.engine.bundle import PolicyBundle
from policies.engine.diff_scopes import diff_exceptions, diff_lists, diff_overrides, diff_profiles
from policies.engine.rules import Rule
from policies.engine.semantics import compare_conditions

Direction = Literal["stricter", "looser", "different", "neutral"]
_RANK: Final = {"off": 0, "shadow": 1, "enforce": 2}
_UNKNOWN: Final = {"skip": 0, "review": 1, "match": 2}


@dataclass(frozen=True, slots=True)
class Difference:
    """One change."""

    kind: str  # rule | exception | override | list | profile
    name: str
    direction: Direction
    text: str


def diff_bundles(old: PolicyBundle, new: PolicyBundle) -> list[Difference]:
    """Every difference from `old` to `new`: rules first, by name."""
    return [
        *_rules(old, new),
        *(Difference("exception", *found) for found in diff_exceptions(old, new)),
        *(Difference("override", *found) for found in diff_overrides(old, new)),
        *(Difference("list", *found) for found in diff_lists(old, new)),
        *(Difference("profile", *found) for found in diff_profiles(old, new)),
    ]


def _rules(old: PolicyBundle, new: PolicyBundle) -> Iterator[Difference]:
    before = {r.id: r for r in old.policies.rules}
    after = {r.id: r for r in new.policies.rules}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            rule = after[name]
            direction: Direction = "stricter" if rule.mode == "enforce" else "neutral"
            yield Difference("rule", name, direction, f"new, {rule.mode}: {rule.title} → {rule.action.word}")
        elif name not in after:
            rule = before[name]
            direction = "looser" if rule.mode == "enforce" else "neutral"
            yield Difference("rule", name, direction, f"removed, was {rule.mode} → {rule.action.word}")
        else:
            for direction, text in _rule(old, new, before[name], after[name]):
                yield Difference("rule", name, direction, text)


def _rule(old: PolicyBundle, new: PolicyBundle, a: Rule, b: Rule) -> Iterator[tuple[Direction, str]]:
    yield from _condition(old, new, a, b)
    for name, was, now in (
        ("mode", a.mode, b.mode),
        ("action", a.action.word, b.action.word),
        ("severity", a.severity, b.severity),
        ("rollout", f"{a.rollout_percent:g} %", f"{b.rollout_percent:g} %"),
        ("on_unknown", a.on_unknown, b.on_unknown),
        ("floor", a.floor, b.floor),
        ("quota", a.quota.per_hour if a.quota else None, b.quota.per_hour if b.quota else None),
        ("labels", ", ".join(a.labels), ", ".join(b.labels)),
        ("review", a.review, b.review),
        ("reason", a.reason, b.reason),
        ("redact", ", ".join(a.redact), ", ".join(b.redact)),
        ("blur", a.blur, b.blur),
        ("category", a.category, b.category),
        ("evidence", a.evidence, b.evidence),
        ("ends", _day(a.expires_at), _day(b.expires_at)),
    ):
        if was != now:
            yield _direction(name, a, b), f"{name}: {_word(was)} → {_word(now)}"


def _condition(old: PolicyBundle, new: PolicyBundle, a: Rule, b: Rule) -> Iterator[tuple[Direction, str]]:
    before, after = (a.when, old.policies.thresholds), (b.when, new.policies.thresholds)
    if a.when == b.when and dict(before[1]) == dict(after[1]):
        return
    specs = {**old.catalogue, **new.catalogue}
    found = compare_conditions(before, after, specs)
    certain = "" if found.exact else f" (in {found.cases} sampled cases)"
    if found.verdict == "wider":
        yield "stricter", f"matches more{certain}{_numbers(old, new, a, b)}"
    elif found.verdict == "narrower":
        yield "looser", f"matches less{certain}{_numbers(old, new, a, b)}"
    elif found.verdict == "different":
        yield "different", f"matches other events{certain}{_numbers(old, new, a, b)}"


def _numbers(old: PolicyBundle, new: PolicyBundle, a: Rule, b: Rule) -> str:
    """The thresholds of the rule's policy that moved, since they are why, most of the time."""
    moved = []
    for name, value in sorted(new.policies.thresholds.items()):
        was = old.policies.thresholds.get(name)
        if name.startswith(f"{b.policy}/") and was is not None and was != value and f"{name}'" in f"{a.when}{b.when}":
            moved.append(f"{name.partition('/')[2]} {was:g} → {value:g}")
    return f": {', '.join(moved)}" if moved else ""


def _direction(name: str, a: Rule, b: Rule) -> Direction:
    low, high = {
        "mode": (_RANK[a.mode], _RANK[b.mode]),
        "action": (a.action, b.action),
        "severity": (a.severity, b.severity),
        "rollout": (a.rollout_percent, b.rollout_percent),
        "on_unknown": (_UNKNOWN[a.on_unknown], _UNKNOWN[b.on_unknown]),
        "floor": (a.floor, b.floor),
        "quota": (-1 if a.quota else 0, -1 if b.quota else 0),
        "redact": (len(a.redact), len(b.redact)),
        "blur": (a.blur, b.blur),
        "ends": (a.expires_at or float("inf"), b.expires_at or float("inf")),
    }.get(name, (0, 0))
    if name == "quota" and a.quota and b.quota:
        low, high = a.quota.per_hour, b.quota.per_hour
    if low == high:
        return "neutral"
    return "stricter" if high > low else "looser"


def _day(after: float | None) -> str | None:
    return None if after is None else datetime.fromtimestamp(after - 1, UTC).date().isoformat()


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else str(value)
