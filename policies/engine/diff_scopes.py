"""The parts of a difference that are not rules: exceptions, overrides, lists, profiles.

Each yields (name, direction, text). List entries are counted, not quoted: they are offensive by nature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from policies.engine.bundle import PolicyBundle
from policies.engine.lists import TermList
from policies.engine.semantics import compare_conditions

Found = tuple[str, Literal["stricter", "looser", "different", "neutral"], str]


def diff_exceptions(old: PolicyBundle, new: PolicyBundle) -> Iterator[Found]:
    """A new exception is looser; a wider one too."""
    before = {e.id: e for e in old.policies.exemptions}
    after = {e.id: e for e in new.policies.exemptions}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield name, "looser", f"new: suppresses {', '.join(after[name].suppresses)}"
            continue
        if name not in after:
            yield name, "stricter", f"removed: suppressed {', '.join(before[name].suppresses)}"
            continue
        a, b = before[name], after[name]
        if set(a.suppresses) != set(b.suppresses):
            text = f"suppresses {', '.join(b.suppresses)}"
            yield name, "looser" if set(a.suppresses) < set(b.suppresses) else "different", text
        if a.expires_at != b.expires_at:
            yield name, "looser" if b.expires_at > a.expires_at else "stricter", "ends on another day"
        sides = (a.when, old.policies.thresholds), (b.when, new.policies.thresholds)
        found = compare_conditions(*sides, {**old.catalogue, **new.catalogue}).verdict
        if found == "wider":
            yield name, "looser", "excuses more"
        elif found == "narrower":
            yield name, "stricter", "excuses less"
        elif found == "different":
            yield name, "different", "excuses other events"


def diff_overrides(old: PolicyBundle, new: PolicyBundle) -> Iterator[Found]:
    """Overrides are told, not judged: whether a number is stricter depends on the rules that use it."""
    before = {(o.policy, o.id): o for o in old.policies.overrides}
    after = {(o.policy, o.id): o for o in new.policies.overrides}
    for key in sorted(before.keys() | after.keys()):
        a, b = before.get(key), after.get(key)
        if a is None and b is not None:
            yield key[1], "different", f"new: {_settings(b.thresholds, b.modes)}"
        elif b is None and a is not None:
            yield key[1], "different", f"removed: {_settings(a.thresholds, a.modes)}"
        elif a is not None and b is not None:
            if (a.thresholds, a.modes) != (b.thresholds, b.modes):
                was, now = _settings(a.thresholds, a.modes), _settings(b.thresholds, b.modes)
                yield key[1], "different", f"{was} → {now}"
            if a.scope != b.scope:
                yield key[1], "different", "fits elsewhere"
            if a.expires_at != b.expires_at:
                yield key[1], "neutral", "ends on another day"


def _settings(thresholds: Mapping[str, float], modes: Mapping[str, str]) -> str:
    numbers = [f"{name.partition('/')[2]} = {value:g}" for name, value in thresholds.items()]
    return ", ".join([*numbers, *(f"{rule} {mode}" for rule, mode in modes.items())])


def diff_lists(old: PolicyBundle, new: PolicyBundle) -> Iterator[Found]:
    """More entries are stricter, by language; terms are counted, not shown."""
    before = {item.name: item for item in old.lists.lists}
    after = {item.name: item for item in new.lists.lists}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield name, "stricter", f"new, {len(after[name].entries)} entries"
        elif name not in after:
            yield name, "looser", f"removed, had {len(before[name].entries)} entries"
        else:
            yield from _entries(before[name], after[name])


def _entries(a: TermList, b: TermList) -> Iterator[Found]:
    was = {(e.language, e.term) for e in a.entries}
    now = {(e.language, e.term) for e in b.entries}
    if now - was:
        yield a.name, "stricter", f"{len(now - was)} entries more ({_languages(now - was)})"
    if was - now:
        yield a.name, "looser", f"{len(was - now)} entries less ({_languages(was - now)})"
    if set(b.allow) - set(a.allow):
        yield a.name, "looser", f"{len(set(b.allow) - set(a.allow))} innocent phrases more"
    if set(a.allow) - set(b.allow):
        yield a.name, "stricter", f"{len(set(a.allow) - set(b.allow))} innocent phrases less"
    if a.explicit != b.explicit:
        yield a.name, "stricter" if b.explicit else "looser", f"looks through leet spelling: {b.explicit}".lower()


def _languages(entries: set[tuple[str, str]]) -> str:
    return ", ".join(sorted({language for language, _ in entries}))


def diff_profiles(old: PolicyBundle, new: PolicyBundle) -> Iterator[Found]:
    """What surfaces do while a detector is down."""
    before = {p.id: p for p in old.policies.profiles}
    after = {p.id: p for p in new.policies.profiles}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield name, "different", "new"
        elif name not in after:
            yield name, "different", "removed"
        elif before[name] != after[name]:
            yield name, "different", "answers outages in another way, or elsewhere"
