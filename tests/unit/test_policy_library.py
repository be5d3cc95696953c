"""The shipped policies: their own tests pass, every rule in force has a hit and a near miss, lists hold their word."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import policies
from policies import load_bundle, scan_lists
from policies.engine.check import check_folder
from policies.engine.coverage import measure_coverage
from policies.engine.list_scan import scan
from policies.engine.loader import read_folder
from policies.engine.selftest import run_examples
from policies.engine.subject import TextPart
from tests.policy_folders import NOON_S, catalogue

LIBRARY = Path(policies.__file__).parent / "library"
BUNDLE = load_bundle(LIBRARY, catalogue())
LISTS = {w.file.name: w.file for w in read_folder(LIBRARY).lists}


def test_the_library_has_nothing_to_complain_about() -> None:
    """No error, and no advice either."""
    assert [str(p) for p in check_folder(LIBRARY, catalogue(), today=date(2026, 11, 24)).problems] == []


def test_its_own_tests_pass_and_cover_it() -> None:
    """The gate that CI holds policies to."""
    results = run_examples(BUNDLE, now=NOON_S)
    assert [(r.example.name, r.faults) for r in results if not r.passed] == []
    covered = measure_coverage(BUNDLE, results, now=NOON_S)
    assert [c.rule.id for c in covered if not c.complete] == []
    assert [c.rule.id for c in covered if c.leaves_covered < len(c.leaves)] == []
    assert [c.boundary_faults for c in covered if c.boundary_faults] == []


def test_it_is_ten_policies_with_owners_and_references() -> None:
    """One file each, and each says whom to ask and what it rests on."""
    files = [w.file for w in read_folder(LIBRARY).policies]
    assert len(files) == 10
    assert all(f.owner and f.references and f.tests and f.description for f in files)


@pytest.mark.parametrize(("name", "term"), [(n, t) for n, f in LISTS.items() for t in f.removed])
def test_a_false_friend_that_was_removed_is_not_found(name: str, term: str) -> None:
    """In no language, whatever its neighbours in the list are."""
    signals = scan_lists(BUNDLE, [TextPart(0, f"so {term} it is")], "und")
    assert signals.values[f"list.{name}.hits"] == 0


@pytest.mark.parametrize(("name", "phrase"), [(n, a) for n, f in LISTS.items() for a in f.allow])
def test_an_innocent_phrase_is_not_found(name: str, phrase: str) -> None:
    """What `allow` excuses is excused."""
    signals = scan_lists(BUNDLE, [TextPart(0, f"well, {phrase}!")], "und")
    assert signals.values[f"list.{name}.hits"] == 0


def test_every_keyword_finds_itself() -> None:
    """In its own language, inside of a sentence."""
    lost = []
    for item in BUNDLE.lists.lists:
        if item.kind == "keywords":
            for entry in item.entries:
                text = f"x, {entry.term}. x" if entry.term.isascii() else f"「{entry.term}」"
                signals = scan(BUNDLE.lists, [TextPart(0, text)], entry.language if entry.language != "*" else "en")
                if not signals.values[item.hits_signal]:
                    lost.append((item.name, entry.language, entry.term))
    assert lost == []
