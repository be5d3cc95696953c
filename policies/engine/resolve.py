"""Written files → the checked policy set: names found, types fitting, ids unique. Every problem is reported.

What can be used at all is decided here; what is merely unwise is `checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from policies.engine.conditions import ConditionReader, LeafSite, map_leaves
from policies.engine.dates import end_of
from policies.engine.errors import Problem, choices_hint
from policies.engine.evidence import SPECIAL, template_names
from policies.engine.globs import glob_matches
from policies.engine.leaves import Condition, Leaf
from policies.engine.loader import Folder, Written
from policies.engine.meaning import check_leaf, qualify
from policies.engine.resolve_overrides import read_overrides, read_scope
from policies.engine.rules import Exemption, OnUnknown, PolicySet, Profile, Quota, Rule, Site, WhenDown
from policies.engine.schema import ExceptionFile, PolicyFile, QuotaFile, RuleFile
from policies.engine.signals import Catalogue
from policies.engine.taxonomy import CATEGORIES, Action
from policies.engine.yaml_nodes import Document, Path

DEFAULT_QUEUES: Final = ("urgent", "high", "normal", "low")


@dataclass(slots=True)
class Resolution:
    """What came out, and what `checks` may want to look at again."""

    policies: PolicySet
    problems: list[Problem] = field(default_factory=list)
    sites: dict[str, list[LeafSite]] = field(default_factory=dict)  # rule or exception id -> its leaves
    documents: dict[str, Document] = field(default_factory=dict)  # policy -> its document
    rule_paths: dict[str, Path] = field(default_factory=dict)


def resolve(folder: Folder, catalogue: Catalogue) -> Resolution:
    """The policy set of the folder; problems say what is not in it."""
    reader = _Reader(folder, catalogue)
    return reader.read()


class _Reader:
    """One pass over the files."""

    def __init__(self, folder: Folder, catalogue: Catalogue) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self.queues: tuple[str, ...] = DEFAULT_QUEUES
        self.lists = {w.file.name for w in folder.lists}
        self.rules: dict[str, Rule] = {}
        self.exemptions: dict[str, Exemption] = {}
        self.thresholds: dict[str, float] = {}
        self.sites: dict[str, list[LeafSite]] = {}
        self.documents: dict[str, Document] = {}
        self.rule_paths: dict[str, Path] = {}

    def read(self) -> Resolution:
        profiles = self._profiles()
        for written in self.folder.policies:
            self._policy(written)
        for written in self.folder.policies:
            self._exceptions(written)
        overrides = tuple(
            o for w in self.folder.policies for o in read_overrides(w, rules=self.rules, thresholds=self.thresholds)
        )
        head = self.folder.bundle.file if self.folder.bundle else None
        policies = PolicySet(
            name=head.bundle if head else self.folder.path.resolve().name or "bundle",
            version=head.version if head else "0",
            rules=tuple(self.rules[r] for r in sorted(self.rules)),
            exemptions=tuple(self.exemptions[e] for e in sorted(self.exemptions)),
            overrides=tuple(sorted(overrides, key=lambda o: (o.scope.specificity, o.id))),
            thresholds=self.thresholds,
            profiles=profiles,
            queues=self.queues,
            policy_versions={w.file.policy: w.file.version for w in self.folder.policies},
            cost_limit_us=head.limits.cost_us if head else 500.0,
            size_limit_bytes=head.limits.size_bytes if head else 8_000_000,
        )
        problems = list(self.folder.problems)
        for doc in [*self.documents.values(), *([self.folder.profiles.doc] if self.folder.profiles else [])]:
            problems += doc.problems
        return Resolution(policies, problems, self.sites, self.documents, self.rule_paths)

    def _profiles(self) -> tuple[Profile, ...]:
        written = self.folder.profiles
        if written is None:
            return ()
        if written.file.queues:
            self.queues = tuple(written.file.queues)
        owners = {spec.owner for spec in self.catalogue.values()} | {"*"}
        made: list[Profile] = []
        for n, item in enumerate(written.file.profiles):
            answers: dict[str, WhenDown] = {}
            for owner, down in item.when_down.items():
                path: Path = ("profiles", n, "when_down", owner)
                if owner not in owners:
                    hint = choices_hint(owner, sorted(owners))
                    written.doc.report(
                        path, "UNKNOWN-DETECTOR", f"no detector is called {owner!r}", hint=hint, key=True
                    )
                self._check_queue(written.doc, down.review, (*path, "review"))
                answers[owner] = WhenDown(Action.parse(down.action), tuple(down.labels), down.review, down.reason)
            made.append(Profile(item.id, read_scope(item.match), answers))
        return tuple(made)

    def _check_queue(self, doc: Document, queue: str | None, path: Path) -> None:
        if queue is not None and queue not in self.queues:
            doc.report(
                path, "UNKNOWN-QUEUE", f"there is no review queue {queue!r}", hint=choices_hint(queue, self.queues)
            )

    def _policy(self, written: Written[PolicyFile]) -> None:
        doc, file = written.doc, written.file
        if file.policy in self.documents:
            doc.report(
                ("policy",), "DUPLICATE-POLICY", f"policy {file.policy!r} is also in {self.documents[file.policy].file}"
            )
            self.documents[f"{file.policy} in {doc.file}"] = doc
        else:
            self.documents[file.policy] = doc
        for name, points in file.thresholds.items():
            for point, value in points.items():
                self.thresholds[qualify(file.policy, f"{name}.{point}")] = value
        for n, rule in enumerate(file.rules):
            self._rule(written, rule, ("rules", n))

    def _rule(self, written: Written[PolicyFile], rule: RuleFile, path: Path) -> None:
        doc, policy = written.doc, written.file.policy
        if rule.id in self.rules:
            where = self.rules[rule.id].site
            doc.report((*path, "id"), "DUPLICATE-ID", f"rule {rule.id!r} is already in {where.file}:{where.line}")
            return
        top = rule.category.partition(".")[0]
        if top not in CATEGORIES:
            doc.report(
                (*path, "category"),
                "UNKNOWN-CATEGORY",
                f"{rule.category!r} is not a category",
                hint=choices_hint(top, CATEGORIES),
            )
        condition = self._condition(written, rule, path)
        if condition is None:
            return
        redact = [rule.then.redact] if isinstance(rule.then.redact, str) else list(rule.then.redact or ())
        for item in redact:
            if not item.startswith("list.") or item.removeprefix("list.") not in self.lists:
                known = [f"list.{name}" for name in sorted(self.lists)]
                doc.report(
                    (*path, "then", "redact"), "UNKNOWN-LIST", f"{item!r} is not a list", hint=choices_hint(item, known)
                )
        self._check_queue(doc, rule.then.review, (*path, "then", "review"))
        self._check_template(doc, rule, path)
        on_unknown: OnUnknown = rule.on_unknown or ("review" if rule.floor else "skip")
        self._check_floor(doc, rule, path, on_unknown=on_unknown)
        mark = doc.mark((*path, "id"))
        self.rule_paths[rule.id] = path
        self.rules[rule.id] = Rule(
            policy=policy,
            id=rule.id,
            title=rule.title,
            category=rule.category,
            severity=rule.severity,
            mode=rule.mode,
            when=condition,
            action=Action.parse(rule.then.action),
            reason=rule.then.reason,
            labels=tuple(sorted(set(rule.then.labels))),
            review=rule.then.review,
            redact=tuple(item.removeprefix("list.") for item in redact),
            blur=rule.then.blur or rule.then.action == "blur",
            evidence=rule.evidence,
            on_unknown=on_unknown,
            floor=rule.floor,
            rollout_percent=rule.rollout.percent if rule.rollout else 100.0,
            rollout_by=rule.rollout.by if rule.rollout else "author.id",
            quota=self._quota(doc, rule, (*path, "quota")),
            expires_at=end_of(rule.expires) if rule.expires else None,
            site=Site(doc.file, mark.line, mark.column),
        )

    def _condition(self, written: Written[PolicyFile], rule: RuleFile, path: Path) -> Condition | None:
        doc = written.doc
        reader = ConditionReader(doc)
        condition: Condition | None = None
        if (rule.when is None) == (rule.points is None):
            doc.report(
                path, "BAD-CONDITION", f"rule {rule.id!r} needs when:, or points: with at_least:", hint="one of the two"
            )
        elif rule.points is not None:
            if rule.at_least is None:
                doc.report((*path, "points"), "MISSING-KEY", "points: needs at_least:", key=True)
            else:
                condition = reader.read_points(rule.points, (*path, "points"), at_least=rule.at_least)
        elif rule.at_least is not None:
            doc.report((*path, "at_least"), "BAD-CONDITION", "at_least: belongs to points:", key=True)
        else:
            condition = reader.read(rule.when, (*path, "when"))
        return self._typed(written, condition, reader, owner=rule.id)

    def _typed(
        self, written: Written[PolicyFile], condition: Condition | None, reader: ConditionReader, *, owner: str
    ) -> Condition | None:
        """The condition with qualified thresholds, or None when a leaf cannot be meant."""
        policy = written.file.policy
        good: dict[Leaf, Leaf] = {}
        for site in reader.sites:
            fixed = check_leaf(self.catalogue, self.thresholds, policy, doc=written.doc, site=site)
            if fixed is not None:
                good[site.leaf] = fixed
        self.sites[owner] = reader.sites
        if condition is None or any(site.leaf not in good for site in reader.sites):
            return None
        return map_leaves(condition, good.__getitem__)

    def _quota(self, doc: Document, rule: RuleFile, path: Path) -> Quota | None:
        quota: QuotaFile | None = rule.quota
        if quota is None:
            return None
        limits = {w: getattr(quota, f"{w}_per_hour") for w in ("label", "blur", "limit", "block")}
        given = {word: limit for word, limit in limits.items() if limit is not None}
        if list(given) != [rule.then.action]:
            doc.report(path, "BAD-QUOTA", f"the quota must limit the rule's own action: {rule.then.action}_per_hour")
            return None
        return Quota(given[rule.then.action], f"quota.{rule.id}")

    def _check_floor(self, doc: Document, rule: RuleFile, path: Path, *, on_unknown: OnUnknown) -> None:
        if not rule.floor:
            return
        for bad, key in (
            (rule.mode != "enforce", "mode"),
            (rule.rollout is not None and rule.rollout.percent < 100, "rollout"),
            (rule.quota is not None, "quota"),
            (rule.expires is not None, "expires"),
            (on_unknown == "skip", "on_unknown"),
        ):
            if bad:
                doc.report(
                    (*path, key),
                    "WEAK-FLOOR",
                    f"a floor cannot be weakened by {key}:",
                    hint="remove it, or floor:",
                    key=True,
                )

    def _check_template(self, doc: Document, rule: RuleFile, path: Path) -> None:
        names, faults = template_names(rule.evidence)
        for fault in faults:
            doc.report((*path, "evidence"), "BAD-EVIDENCE", fault.message, hint=fault.hint)
        for name in names:
            if name not in SPECIAL and name not in self.catalogue and not name.startswith("labels."):
                hint = choices_hint(name, [*self.catalogue, *SPECIAL])
                doc.report(
                    (*path, "evidence"),
                    "UNKNOWN-SIGNAL",
                    f"the evidence quotes {name!r}, which no detector provides",
                    hint=hint,
                )

    def _exceptions(self, written: Written[PolicyFile]) -> None:
        for n, item in enumerate(written.file.exceptions):
            self._exception(written, item, ("exceptions", n))

    def _exception(self, written: Written[PolicyFile], item: ExceptionFile, path: Path) -> None:
        doc = written.doc
        if item.id in self.exemptions:
            doc.report(
                (*path, "id"),
                "DUPLICATE-ID",
                f"exception {item.id!r} is already in {self.exemptions[item.id].site.file}",
            )
            return
        for k, glob in enumerate(item.suppresses):
            hit = [r for r in self.rules.values() if glob_matches(glob, r.id)]
            if not hit:
                doc.report(
                    (*path, "suppresses", k),
                    "UNKNOWN-RULE",
                    f"{glob!r} names no rule",
                    hint=choices_hint(glob, list(self.rules)),
                )
            for rule in hit:
                if rule.floor and "*" not in glob:
                    doc.report(
                        (*path, "suppresses", k), "WEAK-FLOOR", f"{rule.id!r} is a floor: no exception reaches it"
                    )
        reader = ConditionReader(doc)
        condition = self._typed(written, reader.read(item.when, (*path, "when")), reader, owner=item.id)
        if condition is None:
            return
        mark = doc.mark((*path, "id"))
        self.exemptions[item.id] = Exemption(
            written.file.policy,
            item.id,
            tuple(item.suppresses),
            condition,
            item.reason,
            end_of(item.expires),
            Site(doc.file, mark.line, mark.column),
        )
