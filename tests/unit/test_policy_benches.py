"""The policy benches run, compare like with like, and print what every bench prints."""

from __future__ import annotations

import json
import random

import pytest

from ops.bench import policy, policy_agreement, policy_cel, policy_fuzz, policy_others, policy_replay
from policies.engine.leaves import All, Any, Leaf, Not, Threshold
from policies.engine.signals import SignalSet

FIELDS = {"name", "ratio", "ours", "reference", "unit"}


def test_the_rules_by_hand_are_the_rules_in_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench stops when the two sides find different rules."""
    monkeypatch.setattr(policy, "SECONDS", 0.01)
    monkeypatch.setattr(policy, "EVENTS", 20)
    made = policy.run()
    assert made.ours > 0
    assert made.reference > 0
    assert made.cel_us is not None
    assert made.simpleeval_us is not None
    assert set(vars(made)) >= FIELDS


def test_rules_that_another_language_reads_otherwise_stop_the_bench() -> None:
    """No figure is printed beside rules that mean something else."""
    event = SignalSet({"bench.n0": 0.5})
    with pytest.raises(RuntimeError, match="disagree"):
        policy_others.cel_us(["bench.n0 >= 0.4"], policy.SPECS, [event], [[]])
    assert policy_others.cel_us(["bench.n0 >= 0.4 || bench.n1 >= 0.1"], policy.SPECS, [event], [[0]])


def test_cel_agrees_with_ours_where_they_coincide() -> None:
    """The second oracle, on few rules; the bench takes many."""
    made = policy_cel.measure(800, seed=3)
    assert (made.evaluations, made.disagreements) == (800, 0)
    assert 0.1 < made.true_share < 0.9


def test_the_replay_bench_replays_what_it_wrote() -> None:
    """Every event is judged by both bundles."""
    made = policy_replay.run(300)
    assert made.events == 300
    assert made.ours > 0


@pytest.mark.parametrize("module", [policy_agreement, policy_fuzz])
def test_the_command_line_prints_one_json_object(
    module: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the fields that `weir bench` promises."""
    count = "--files" if module is policy_fuzz else "--evaluations"
    monkeypatch.setattr("sys.argv", ["bench", count, "50", "--json"])
    main = module.main  # type: ignore[attr-defined]  # both modules have one
    assert main() == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) >= FIELDS
    assert found["ratio"] == 1.0


def test_conditions_are_written_in_cel() -> None:
    """Numbers as doubles, words quoted, sets by `exists`."""
    score, words = Leaf("score.0", ">=", Threshold("p/t.3")), Leaf("words.0", "in", ("a", 'b"c'))
    made = policy_cel.to_cel(All((score, Not(Any((words, Leaf("flag.0", "==", True)))))))
    names = policy_cel.NAMES
    assert made == (
        f'(({names["score.0"]} >= 0.5) && !(({names["words.0"]}.exists(w, w in ["a", "b\\"c"]) || '
        f"({names['flag.0']} == true))))"
    )


def test_events_for_cel_have_nothing_missing() -> None:
    """That is where the two languages mean the same."""
    made = policy_cel.full_signals(random.Random(1))
    assert set(made.values) == set(policy_agreement.TYPES)
    assert made.missing == {}
