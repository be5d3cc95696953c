"""Hash banks as values: what a policy may ask about known pictures, and how near counts.

Declarations only. The hashes themselves are a deployment's secret, imported with `weir bank import`; matching them is
the worker's (`streams/detectors/hashes.py`), because it needs pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from policies.engine.errors import Problem, choices_hint
from policies.engine.loader import Folder
from policies.engine.schema_banks import BankFile
from policies.engine.signals import SignalSpec

BANKS_OWNER: Final = "hashes"


@dataclass(frozen=True, slots=True)
class Bank:
    """One declared bank."""

    name: str
    version: str
    distance: int = 31
    min_quality: int = 50
    unless: tuple[str, ...] = ()
    quarantine_per_hour: int | None = None
    quarantine_s: float = 86_400.0
    required: bool = False

    @property
    def hits_signal(self) -> str:
        """`hash.<name>.hits`: entries of the bank that the event's pictures match; 0 is a miss."""
        return f"hash.{self.name}.hits"

    @property
    def distance_signal(self) -> str:
        """`hash.<name>.distance`: of the nearest hit; 0 for the very same file. Absent without a hit."""
        return f"hash.{self.name}.distance"

    @property
    def id_signal(self) -> str:
        """`hash.<name>.id`: the opaque id of the nearest hit. Absent without a hit."""
        return f"hash.{self.name}.id"

    @property
    def quarantined_signal(self) -> str:
        """`hash.<name>.quarantined`: matches of entries that match too much to be trusted."""
        return f"hash.{self.name}.quarantined"

    @property
    def signals(self) -> tuple[str, ...]:
        """All of them."""
        return (self.hits_signal, self.distance_signal, self.id_signal, self.quarantined_signal)


def read_banks(folder: Folder) -> tuple[list[Bank], list[Problem]]:
    """The folder's banks and what is wrong with them."""
    made: dict[str, Bank] = {}
    problems: list[Problem] = []
    names = sorted({written.file.name for written in folder.banks})
    for written in folder.banks:
        doc, file = written.doc, written.file
        if file.name in made:
            doc.report(("bank",), "DUPLICATE-BANK", f"bank {file.name!r} is there twice")
        for n, other in enumerate(file.unless):
            if other == file.name or other not in names:
                hint = choices_hint(other, [name for name in names if name != file.name])
                doc.report(("unless", n), "UNKNOWN-BANK", f"there is no other bank {other!r}", hint=hint)
        made.setdefault(file.name, _bank(file))
        problems += doc.problems
        doc.problems = []
    return [made[name] for name in sorted(made)], problems


def _bank(file: BankFile) -> Bank:
    limit = file.quarantine
    return Bank(
        name=file.name,
        version=file.version,
        distance=file.distance,
        min_quality=file.min_quality,
        unless=tuple(file.unless),
        quarantine_per_hour=limit.pictures_per_hour if limit else None,
        quarantine_s=(limit.hours if limit else 24.0) * 3600.0,
        required=file.required,
    )


def bank_signal_specs(banks: Iterable[Bank]) -> tuple[SignalSpec, ...]:
    """The signals that matching provides."""
    made: list[SignalSpec] = []
    for bank in banks:
        what = f"bank {bank.name}"
        made += [
            SignalSpec(bank.hits_signal, "int", f"entries of {what} found", BANKS_OWNER, 0, modality="image"),
            SignalSpec(
                bank.distance_signal, "int", f"PDQ distance of the nearest hit in {what}", BANKS_OWNER, 0, 31,
                modality="image",
            ),
            SignalSpec(
                bank.id_signal, "str", f"opaque id of the nearest hit in {what}", BANKS_OWNER, modality="image"
            ),
            SignalSpec(
                bank.quarantined_signal, "int", f"matches of quarantined entries of {what}", BANKS_OWNER, 0,
                modality="image",
            ),
        ]  # fmt: skip
    return tuple(made)
