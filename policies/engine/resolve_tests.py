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

WrittenValue = bool | float | str | list[str]


def read_tests(known: Known, written: Written[PolicyFile]) -> list[Example]:
    """The file's examples; what cannot be meant is reported."""
    reader = _TestReader(known, written)
    names: set[str] = set()
    made: list[Example] = []
    for n, test in enumerate(written.file.tests):
        path: Path = ("tests", n)
        if test.name in names:
            written.doc.report((*path, "name"), "DUPLICATE-ID", f"test {test.name[:60]!r} is there twice")
        names.add(test.name)
        made.append(reader.read(test, path))
    return made


class _TestReader:
    """Reads the examples of one file."""

    def __init__(self, known: Known, written: Written[PolicyFile]) -> None:
        self._known = known
        self._doc: Document = written.doc
        self._policy = written.file.policy
        self._quotas = {rule.quota.signal for rule in known.rules.values() if rule.quota is not None}
        self._reasons = {rule.reason for rule in known.rules.values()} | {"UNDECIDED", "QUOTA_TRIPPED"}

    def read(self, test: TestFile, path: Path) -> Example:
        signals = SignalSet()
        for name, value in test.signals.items():
            self._set_value(signals, name, value, path=(*path, "signals", name))
        for name, word in test.status.items():
            self._check_name(name, path=(*path, "status", name))
            signals.missing[name] = MissingSignal(SignalStatus(word), WHY)
            if name in signals.values:
                message = f"{name!r} has a value and is {word} at once"
                self._doc.report((*path, "status", name), "BAD-TEST", message, key=True)
        self._check_expectation(test.expect, path=(*path, "expect"))
        mark = self._doc.mark((*path, "name"))
        site = Site(self._doc.file, mark.line, mark.column)
        return Example(self._policy, test.name, _subject(test), signals, Expectation(**test.expect.model_dump()), site)

    def _set_value(self, signals: SignalSet, name: str, value: WrittenValue, *, path: Path) -> None:
        if not self._check_name(name, path=path):
            return
        spec = find_spec(self._known.catalogue, name)
        held: SignalValue = tuple(value) if isinstance(value, list) else value
        signals.values[name] = held
        if spec is None:
            return
        if not fits_type(held, spec.type):
            self._doc.report(path, "WRONG-TYPE", f"{name!r} is {spec.type}, {value!r} is not")
        elif spec.enum and held not in spec.enum:
            hint = choices_hint(str(held), spec.enum)
            self._doc.report(path, "BAD-TEST", f"{name!r} is never {held!r}", hint=hint)
        elif isinstance(held, (int, float)) and not _in_range(held, spec.minimum, spec.maximum):
            self._doc.report(path, "BAD-TEST", f"{name!r} is never {held:g}")

    def _check_name(self, name: str, *, path: Path) -> bool:
        if find_spec(self._known.catalogue, name) is not None or name in self._quotas:
            return True
        hint = choices_hint(name, [*self._known.catalogue, *self._quotas])
        self._doc.report(path, "UNKNOWN-SIGNAL", f"no detector or list provides {name[:60]!r}", hint=hint, key=True)
        return False

    def _check_expectation(self, expect: ExpectFile, *, path: Path) -> None:
        for key in ("rules", "shadow", "suppressed", "undecided"):
            for k, name in enumerate(getattr(expect, key) or ()):
                if name not in self._known.rules:
                    hint = suggest(name, self._known.rules)
                    message = f"there is no rule {name[:60]!r}"
                    self._doc.report((*path, key, k), "UNKNOWN-RULE", message, hint=hint)
        for k, name in enumerate(expect.reasons or ()):
            if name not in self._reasons:
                hint = suggest(name, self._reasons)
                message = f"no rule gives the reason {name[:60]!r}"
                self._doc.report((*path, "reasons", k), "UNKNOWN-REASON", message, hint=hint)


def _subject(test: TestFile) -> Subject:
    event = test.event
    return Subject(
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


def _in_range(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)
