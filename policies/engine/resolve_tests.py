"""Written tests → examples that can be run: signals and rules exist, values have the right type.

A test that names what is not there is an error: it would pass for the wrong reason.
"""

from __future__ import annotations

from policies.engine.dates import start_of
from policies.engine.errors import choices_hint, suggest
from policies.engine.event_signals import find_spec
from policies.engine.judgement import fits_type
from policies.engine.loader import Written
from policies.engine.resolve_rules import Known
from policies.engine.rules import Example, Expectation, Site
from policies.engine.schema import ExpectFile, PolicyFile, TestFile
from policies.engine.signals import MissingSignal, SignalSet, SignalStatus, SignalValue
from policies.engine.subject import Subject, TextPart
from policies.engine.yaml_nodes import Document, Path

WHY = "set by the test"


def read_tests(known: Known, written: Written[PolicyFile]) -> list[Example]:
    """The file's examples; what cannot be meant is reported."""
    made: list[Example] = []
    names: set[str] = set()
    for n, test in enumerate(written.file.tests):
        path: Path = ("tests", n)
        if test.name in names:
            written.doc.report((*path, "name"), "DUPLICATE-ID", f"test {test.name[:60]!r} is there twice")
        names.add(test.name)
        made.append(_example(known, written, test, path=path))
    return made


def _example(known: Known, written: Written[PolicyFile], test: TestFile, *, path: Path) -> Example:
    doc, event = written.doc, test.event
    signals = SignalSet()
    for name, value in test.signals.items():
        _set_value(known, doc, signals, name=name, value=value, path=(*path, "signals", name))
    for name, word in test.status.items():
        _check_name(known, doc, name, path=(*path, "status", name))
        signals.missing[name] = MissingSignal(SignalStatus(word), WHY)
        if name in signals.values:
            doc.report((*path, "status", name), "BAD-TEST", f"{name!r} has a value and is {word} at once", key=True)
    _check_rules(known, doc, test.expect, path=(*path, "expect"))
    mark = doc.mark((*path, "name"))
    subject = Subject(
        event_id="test",
        content_id="test",
        kind=event.kind,
        surface=event.surface,
        locale=event.locale,
        tenant=event.tenant,
        created_at=start_of(event.on) if event.on else 0.0,
        texts=(TextPart(0, test.text),) if test.text is not None else (),
        author_id=event.author,
        audience_minors=event.minors,
    )
    expect = Expectation(**test.expect.model_dump())
    return Example(written.file.policy, test.name, subject, signals, expect, Site(doc.file, mark.line, mark.column))


def _set_value(
    known: Known, doc: Document, signals: SignalSet, *, name: str, value: bool | float | str | list[str], path: Path
) -> None:
    if not _check_name(known, doc, name, path=path):
        return
    spec = find_spec(known.catalogue, name)
    held: SignalValue = tuple(value) if isinstance(value, list) else value
    if spec is not None and not fits_type(held, spec.type):
        doc.report(path, "WRONG-TYPE", f"{name!r} is {spec.type}, {value!r} is not")
    elif spec is not None and spec.enum and held not in spec.enum:
        doc.report(path, "BAD-TEST", f"{name!r} is never {held!r}", hint=choices_hint(str(held), spec.enum))
    elif spec is not None and isinstance(held, (int, float)) and not _in_range(held, spec.minimum, spec.maximum):
        doc.report(path, "BAD-TEST", f"{name!r} is never {held:g}")
    signals.values[name] = held


def _in_range(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _check_name(known: Known, doc: Document, name: str, *, path: Path) -> bool:
    quotas = {rule.quota.signal for rule in known.rules.values() if rule.quota is not None}
    if find_spec(known.catalogue, name) is not None or name in quotas:
        return True
    hint = choices_hint(name, [*known.catalogue, *quotas])
    doc.report(path, "UNKNOWN-SIGNAL", f"no detector or list provides {name[:60]!r}", hint=hint, key=True)
    return False


def _check_rules(known: Known, doc: Document, expect: ExpectFile, *, path: Path) -> None:
    groups = {
        "rules": expect.rules,
        "shadow": expect.shadow,
        "suppressed": expect.suppressed,
        "undecided": expect.undecided,
    }
    for key, names in groups.items():
        for k, name in enumerate(names or ()):
            if name not in known.rules:
                hint = suggest(name, known.rules)
                doc.report((*path, key, k), "UNKNOWN-RULE", f"there is no rule {name[:60]!r}", hint=hint)
    reasons = {rule.reason for rule in known.rules.values()} | {"UNDECIDED", "QUOTA_TRIPPED"}
    for k, name in enumerate(expect.reasons or ()):
        if name not in reasons:
            hint = suggest(name, reasons)
            doc.report((*path, "reasons", k), "UNKNOWN-REASON", f"no rule gives the reason {name[:60]!r}", hint=hint)
