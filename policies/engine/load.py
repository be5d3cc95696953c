"""The way from a folder to a bundle: read, resolve, compile. Raises `PolicyErrors` with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from policies.engine.banks import bank_signal_specs, read_banks
from policies.engine.bundle import PolicyBundle, compile_policies, find_suppressors
from policies.engine.counters import counter_signal_specs, read_counters
from policies.engine.errors import PolicyErrors, Problem, errors_only
from policies.engine.event_signals import EVENT_SIGNALS
from policies.engine.list_files import read_lists
from policies.engine.list_scan import scan
from policies.engine.lists import compile_lists, list_signal_specs
from policies.engine.loader import Folder, read_bundle_files, read_folder
from policies.engine.resolve import Resolution, resolve
from policies.engine.signals import Catalogue, SignalSet, SignalSpec
from policies.engine.subject import TextPart


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle with what the checks and reports want to see of its making."""

    bundle: PolicyBundle
    folder: Folder
    resolution: Resolution
    problems: tuple[Problem, ...]  # warnings; there are no errors


def load_bundle(folder: Path, catalogue: Catalogue) -> PolicyBundle:
    """The compiled bundle of the folder, checked against the detectors' catalogue.

    `EVENT_SIGNALS` and the folder's own lists are added to the catalogue. Blocks for some milliseconds per hundred
    rules. PolicyErrors holds every problem of every file.
    """
    return load(read_folder(folder), catalogue).bundle


def load_files(files: Mapping[str, bytes], catalogue: Catalogue, *, name: str = "bundle") -> PolicyBundle:
    """The same from bytes, as a bundle travels: relative path → content."""
    return load(read_bundle_files(dict(files), folder=Path(name)), catalogue).bundle


def load(folder: Folder, catalogue: Catalogue) -> Loaded:
    """The bundle of a folder that was read; PolicyErrors when it cannot be used."""
    lists, list_problems = read_lists(folder)
    banks, bank_problems = read_banks(folder)
    counters, counter_problems = read_counters(folder)
    full = Catalogue(catalogue)
    for spec in (*EVENT_SIGNALS, *list_signal_specs(lists), *bank_signal_specs(banks), *counter_signal_specs(counters)):
        full[spec.name] = spec
    resolution = resolve(folder, full)
    problems = [*resolution.problems, *list_problems, *bank_problems, *counter_problems]
    if errors_only(problems):
        raise PolicyErrors(problems)
    bundle = PolicyBundle(
        policies=resolution.policies,
        hash=folder.hash,
        catalogue=full,
        lists=compile_lists(lists),
        banks=tuple(banks),
        counters=counters,
        program=compile_policies(resolution.policies, full),
        size_bytes=folder.size_bytes,
        suppressors=find_suppressors(resolution.policies),
    )
    return Loaded(bundle, folder, resolution, tuple(sorted(set(problems))))


def list_specs(bundle: PolicyBundle) -> tuple[SignalSpec, ...]:
    """The `list.*` signals that the bundle's lists provide."""
    return list_signal_specs(bundle.lists.lists)


def scan_lists(bundle: PolicyBundle, texts: Sequence[TextPart], locale: str) -> SignalSet:
    """The `list.*` signals of the texts. Pure; tens of microseconds for a post."""
    return scan(bundle.lists, texts, locale)
