"""Any bytes as a policy file: problems come out, never an exception, and nothing in them runs."""

from __future__ import annotations

import builtins

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ops.bench.policy_fuzz import CANARY, measure
from policies.engine.text_views import folded_view, loose_view, plain_view
from policies.engine.yaml_nodes import read_yaml


def test_wounded_policies_never_crash_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutations of the library and random signs (`python -m ops.bench.policy_fuzz`: 200,000)."""
    ran: list[object] = []
    monkeypatch.setattr(builtins, CANARY, ran.append, raising=False)
    made = measure(400, seed=11, lint=True)
    assert (made.crashes, ran) == (0, []), made.examples


@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"a: &x [*x]")
@example(b"[" * 5_000)
@example(b"{" * 5_000)
@example(b"? ? ? a")
@example(b"a: 1\n---\nb: 2")
@example(b"\x00")
@example("\ufeffa: 1".encode())
@settings(max_examples=300)
def test_reading_yaml_is_total(raw: bytes) -> None:
    """Any bytes give a value or a problem with a place."""
    doc = read_yaml(raw, "f")
    assert all(p.line >= 1 and p.column >= 1 for p in doc.problems)


def test_a_bomb_of_aliases_is_refused_quickly() -> None:
    """Nine levels of nine references would be 400 million values."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    doc = read_yaml("\n".join(lines).encode(), "f")
    assert {p.code for p in doc.problems} == {"YAML-ALIAS"}


@given(st.text(max_size=120), st.sampled_from(["en", "de", "ru", "und"]))
@example("ﬃ ß İ ŉ ǰ ΐ", "en")
@example("e\u0301" * 20, "en")
@example("a\u0336\u0336b", "de")
@settings(max_examples=300)
def test_every_view_points_into_the_text(text: str, locale: str) -> None:
    """Each character of a view has a place in the original, in order."""
    folded = folded_view(text)
    plain = plain_view(folded, locale)
    for view in (folded, plain, loose_view(plain)):
        places = [view.span(n, n + 1) for n in range(len(view.text))]
        assert all(0 <= start < end <= len(text) for start, end in places)
        assert [p[0] for p in places] == sorted(p[0] for p in places)
