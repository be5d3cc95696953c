"""Written files → the checked policy set: names found, types fitting, ids unique. Every problem is reported.

What can be used at all is decided here; what is merely unwise is `checks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from policies.engine.conditions import LeafSite
from policies.engine.errors import Problem, choices_hint
from policies.engine.loader import Folder
from policies.engine.meaning import qualify
from policies.engine.resolve_overrides import read_overrides, read_scope
from policies.engine.resolve_rules import Known, check_queue, read_exception, read_rule
from policies.engine.resolve_tests import read_tests
from policies.engine.rules import PolicySet, Profile, WhenDown
from policies.engine.schema import BundleFile, LimitsFile
from policies.engine.signals import Catalogue
from policies.engine.taxonomy import Action
from policies.engine.yaml_nodes import Document, Path

DEFAULT_QUEUES: Final = ("urgent", "high", "normal", "low")


@dataclass(slots=True)
class Resolution:
    """What came out, and what `checks` may want to look at again."""

    policies: PolicySet
    problems: list[Problem] = field(default_factory=list)
    sites: dict[str, list[LeafSite]] = field(default_factory=dict)  # rule or exception id -> its leaves
    paths: dict[str, Path] = field(default_factory=dict)  # rule or exception id -> where it stands in its file
    documents: dict[str, Document] = field(default_factory=dict)  # policy -> its file


def resolve(folder: Folder, catalogue: Catalogue) -> Resolution:
    """The policy set of the folder; problems say what is not in it."""
    written = folder.profiles
    queues = tuple(written.file.queues) if written is not None and written.file.queues else DEFAULT_QUEUES
    known = Known(catalogue, queues, frozenset(w.file.name for w in folder.lists), kinds=_kinds(folder))
    profiles = _read_profiles(folder, known)
    documents = _documents(folder)
    for policy in folder.policies:
        for name, points in policy.file.thresholds.items():
            for point, value in points.items():
                known.thresholds[qualify(policy.file.policy, f"{name}.{point}")] = value
    for policy in folder.policies:
        for n, rule in enumerate(policy.file.rules):
            read_rule(known, policy, rule, path=("rules", n))
    for policy in folder.policies:
        for n, item in enumerate(policy.file.exceptions):
            read_exception(known, policy, item, path=("exceptions", n))
    overrides = [o for p in folder.policies for o in read_overrides(p, rules=known.rules, thresholds=known.thresholds)]
    examples = [e for p in folder.policies for e in read_tests(known, p)]
    head = folder.bundle.file if folder.bundle else None
    limits = head.limits if head else LimitsFile()
    name, version = _identity(folder, head)
    policies = PolicySet(
        name=name,
        version=version,
        rules=tuple(known.rules[r] for r in sorted(known.rules)),
        exemptions=tuple(known.exemptions[e] for e in sorted(known.exemptions)),
        overrides=tuple(sorted(overrides, key=lambda o: (o.scope.specificity, o.policy, o.id))),
        thresholds=known.thresholds,
        profiles=profiles,
        queues=queues,
        examples=tuple(examples),
        policy_versions={p.file.policy: p.file.version for p in folder.policies},
        cost_limit_us=limits.cost_us,
        size_limit_bytes=limits.size_bytes,
    )
    problems = list(folder.problems)
    for doc in [*(p.doc for p in folder.policies), *([written.doc] if written else [])]:
        problems += doc.problems
    return Resolution(policies, problems, known.sites, known.paths, documents)


def _kinds(folder: Folder) -> dict[str, frozenset[str]] | None:
    own = folder.taxonomy
    return None if own is None else {name: frozenset(item.kinds) for name, item in own.file.categories.items()}


def _identity(folder: Folder, head: BundleFile | None) -> tuple[str, str]:
    if head is not None:
        return head.bundle, head.version
    return folder.path.resolve().name or "bundle", "0"


def _documents(folder: Folder) -> dict[str, Document]:
    made: dict[str, Document] = {}
    for written in folder.policies:
        name = written.file.policy
        if name in made:
            message = f"policy {name!r} is also in {made[name].file}"
            written.doc.report(("policy",), "DUPLICATE-POLICY", message)
        else:
            made[name] = written.doc
    return made


def _read_profiles(folder: Folder, known: Known) -> tuple[Profile, ...]:
    written = folder.profiles
    if written is None:
        return ()
    owners = {spec.owner for spec in known.catalogue.values()} | {"*"}
    made: list[Profile] = []
    for n, item in enumerate(written.file.profiles):
        answers: dict[str, WhenDown] = {}
        for owner, down in item.when_down.items():
            path: Path = ("profiles", n, "when_down", owner)
            if owner not in owners:
                hint = choices_hint(owner, sorted(owners))
                message = f"no detector is called {owner[:60]!r}"
                written.doc.report(path, "UNKNOWN-DETECTOR", message, hint=hint, key=True)
            check_queue(written.doc, down.review, known.queues, path=(*path, "review"))
            answers[owner] = WhenDown(Action.parse(down.action), tuple(down.labels), down.review, down.reason)
        made.append(Profile(item.id, read_scope(item.match), answers))
    return tuple(made)
