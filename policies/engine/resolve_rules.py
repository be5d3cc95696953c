"""Written rules and exceptions → checked ones: ids unique, names found, floors strong.

One file of policies at a time; what spans files (profiles, overrides) is `resolve` and `resolve_overrides`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policies.engine.conditions import ConditionReader, LeafSite, map_leaves
from policies.engine.dates import end_of
from policies.engine.errors import choices_hint
from policies.engine.evidence import SPECIAL, template_names
from policies.engine.globs import glob_matches
from policies.engine.leaves import Condition, Leaf
from policies.engine.loader import Written
from policies.engine.meaning import check_leaf
from policies.engine.rules import Exemption, OnUnknown, Quota, Rule, Site
from policies.engine.schema import ExceptionFile, PolicyFile, RuleFile
from policies.engine.signals import Catalogue
from policies.engine.taxonomy import CATEGORIES, Action
from policies.engine.yaml_nodes import Document, Path


@dataclass(slots=True)
class Known:
    """What names may be used, and what was read so far in all files."""

    catalogue: Catalogue
    queues: tuple[str, ...]
    lists: frozenset[str]
    kinds: Mapping[str, frozenset[str]] | None = None  # category -> level two; None: any name will do
    thresholds: dict[str, float] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    exemptions: dict[str, Exemption] = field(default_factory=dict)
    sites: dict[str, list[LeafSite]] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)  # rule or exception id -> where it stands in its file


def check_queue(doc: Document, queue: str | None, queues: tuple[str, ...], *, path: Path) -> None:
    """Report a review queue that profiles.yaml does not name."""
    if queue is not None and queue not in queues:
        doc.report(path, "UNKNOWN-QUEUE", f"there is no review queue {queue!r}", hint=choices_hint(queue, queues))


def read_rule(known: Known, written: Written[PolicyFile], rule: RuleFile, *, path: Path) -> None:
    """Check one rule and keep it when it can be used."""
    doc, policy = written.doc, written.file.policy
    if rule.id in known.rules:
        first = known.rules[rule.id].site
        doc.report((*path, "id"), "DUPLICATE-ID", f"rule {rule.id!r} is already in {first.file}:{first.line}")
        return
    _check_category(known, doc, rule.category, path=(*path, "category"))
    condition = _condition(known, written, rule, path=path)
    redact = _redacted_lists(known, doc, rule, path=(*path, "then", "redact"))
    check_queue(doc, rule.then.review, known.queues, path=(*path, "then", "review"))
    _check_template(known, doc, rule, path=(*path, "evidence"))
    on_unknown: OnUnknown = rule.on_unknown or ("review" if rule.floor else "skip")
    if rule.floor:
        _check_floor(doc, rule, path, on_unknown=on_unknown)
    quota = _quota(doc, rule, path=(*path, "quota"))
    if condition is None:
        return
    mark = doc.mark((*path, "id"))
    known.paths[rule.id] = path
    known.rules[rule.id] = Rule(
        policy=policy,
        id=rule.id,
        title=rule.title or rule.id,
        category=rule.category,
        severity=rule.severity,
        mode=rule.mode,
        when=condition,
        action=Action.parse(rule.then.action),
        reason=rule.then.reason,
        labels=tuple(sorted(set(rule.then.labels))),
        review=rule.then.review,
        redact=redact,
        blur=rule.then.blur or rule.then.action == "blur",
        evidence=rule.evidence,
        on_unknown=on_unknown,
        floor=rule.floor,
        rollout_percent=rule.rollout.percent if rule.rollout else 100.0,
        rollout_by=rule.rollout.by if rule.rollout else "author.id",
        quota=quota,
        expires_at=end_of(rule.expires) if rule.expires else None,
        site=Site(doc.file, mark.line, mark.column),
    )


def read_exception(known: Known, written: Written[PolicyFile], item: ExceptionFile, *, path: Path) -> None:
    """Check one exception and keep it when it can be used. All rules must have been read."""
    doc = written.doc
    if item.id in known.exemptions:
        first = known.exemptions[item.id].site
        doc.report((*path, "id"), "DUPLICATE-ID", f"exception {item.id!r} is already in {first.file}:{first.line}")
        return
    for k, glob in enumerate(item.suppresses):
        hit = [r for r in known.rules.values() if glob_matches(glob, r.id)]
        here = (*path, "suppresses", k)
        if not hit:
            doc.report(here, "UNKNOWN-RULE", f"{glob!r} names no rule", hint=choices_hint(glob, list(known.rules)))
        elif all(rule.floor for rule in hit):
            doc.report(here, "WEAK-FLOOR", f"{glob!r} names only floors: no exception reaches them")
    reader = ConditionReader(doc)
    condition = _typed(known, written, reader.read(item.when, (*path, "when")), reader=reader, owner=item.id)
    if condition is None:
        return
    mark = doc.mark((*path, "id"))
    known.paths[item.id] = path
    known.exemptions[item.id] = Exemption(
        policy=written.file.policy,
        id=item.id,
        suppresses=tuple(item.suppresses),
        when=condition,
        reason=item.reason,
        expires_at=end_of(item.expires),
        site=Site(doc.file, mark.line, mark.column),
    )


def _check_category(known: Known, doc: Document, category: str, *, path: Path) -> None:
    top, _, kind = category.partition(".")
    if top not in CATEGORIES:
        hint = choices_hint(top, CATEGORIES)
        doc.report(path, "UNKNOWN-CATEGORY", f"{category[:60]!r} is not a category", hint=hint)
    elif "." in category and known.kinds is not None and kind not in known.kinds.get(top, ()):
        hint = choices_hint(kind, sorted(known.kinds.get(top, ())))
        doc.report(path, "UNKNOWN-CATEGORY", f"{top!r} has no kind {kind[:60]!r}", hint=hint)


def _condition(known: Known, written: Written[PolicyFile], rule: RuleFile, *, path: Path) -> Condition | None:
    doc = written.doc
    reader = ConditionReader(doc)
    condition: Condition | None = None
    if (rule.when is None) == (rule.points is None):
        message = f"rule {rule.id!r} needs when:, or points: with at_least:"
        doc.report(path, "BAD-CONDITION", message, hint="one of the two")
    elif rule.points is not None:
        if rule.at_least is None:
            doc.report((*path, "points"), "MISSING-KEY", "points: needs at_least:", key=True)
        else:
            condition = reader.read_points(rule.points, (*path, "points"), at_least=rule.at_least)
    elif rule.at_least is not None:
        doc.report((*path, "at_least"), "BAD-CONDITION", "at_least: belongs to points:", key=True)
    else:
        condition = reader.read(rule.when, (*path, "when"))
    return _typed(known, written, condition, reader=reader, owner=rule.id)


def _typed(
    known: Known, written: Written[PolicyFile], condition: Condition | None, *, reader: ConditionReader, owner: str
) -> Condition | None:
    """The condition with qualified thresholds, or None when a leaf cannot be meant."""
    good: dict[Leaf, Leaf] = {}
    for site in reader.sites:
        fixed = check_leaf(known.catalogue, known.thresholds, written.file.policy, doc=written.doc, site=site)
        if fixed is not None:
            good[site.leaf] = fixed
    known.sites[owner] = reader.sites
    if condition is None or any(site.leaf not in good for site in reader.sites):
        return None
    return map_leaves(condition, good.__getitem__)


def _redacted_lists(known: Known, doc: Document, rule: RuleFile, *, path: Path) -> tuple[str, ...]:
    written = [rule.then.redact] if isinstance(rule.then.redact, str) else list(rule.then.redact or ())
    for item in written:
        if not item.startswith("list.") or item.removeprefix("list.") not in known.lists:
            names = [f"list.{name}" for name in sorted(known.lists)]
            doc.report(path, "UNKNOWN-LIST", f"{item[:60]!r} is not a list", hint=choices_hint(item, names))
    return tuple(item.removeprefix("list.") for item in written)


def _quota(doc: Document, rule: RuleFile, *, path: Path) -> Quota | None:
    if rule.quota is None:
        return None
    limits = {word: getattr(rule.quota, f"{word}_per_hour") for word in ("label", "blur", "limit", "block")}
    given = {word: limit for word, limit in limits.items() if limit is not None}
    action = rule.then.action
    if list(given) != [action]:
        doc.report(path, "BAD-QUOTA", f"the quota must limit the rule's own action: {action}_per_hour", key=True)
        return None
    return Quota(given[action], f"quota.{rule.id}")


def _check_floor(doc: Document, rule: RuleFile, path: Path, *, on_unknown: OnUnknown) -> None:
    for weak, key in (
        (rule.mode != "enforce", "mode"),
        (rule.rollout is not None and rule.rollout.percent < 100, "rollout"),
        (rule.quota is not None, "quota"),
        (rule.expires is not None, "expires"),
        (on_unknown == "skip", "on_unknown"),
    ):
        if weak:
            message = f"a floor cannot be weakened by {key}:"
            doc.report((*path, key), "WEAK-FLOOR", message, hint=f"remove {key}:, or floor:", key=True)


def _check_template(known: Known, doc: Document, rule: RuleFile, *, path: Path) -> None:
    names, faults = template_names(rule.evidence)
    for fault in faults:
        doc.report(path, "BAD-EVIDENCE", fault.message, hint=fault.hint)
    for name in names:
        if name not in SPECIAL and name not in known.catalogue and not name.startswith("labels."):
            hint = choices_hint(name, [*known.catalogue, *SPECIAL])
            doc.report(path, "UNKNOWN-SIGNAL", f"the evidence quotes {name!r}, which nothing provides", hint=hint)
