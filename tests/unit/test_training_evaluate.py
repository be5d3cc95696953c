"""The report as data: calibration, members, locales, severity, novelty, swaps and goals from hand-made opinions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.release_factory import labelled_rows, tiny_fuser, tiny_members
from tests.training_factory import GROUPS, HARSH, write_data
from triton_models.contract import LABELS
from triton_models.training.evaluate import evaluate_posts, evaluate_release
from triton_models.training.evaluate_rows import cost_section, skipped
from triton_models.training.labelled import Labelled
from triton_models.training.progress import Silent

HATE = LABELS.index("hate")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The whole report of the hand-made release."""
    folder = tmp_path_factory.mktemp("evaluate")
    data = write_data(folder / "data")
    lines = ["template,toxicity,phrase", *(f"am_hate_adj,nontoxic,I am {group}" for group in GROUPS)]
    lines += [f"verb_adj,toxic,{HARSH[n % 4]} {group} {n}" for group in GROUPS for n in range(6)]
    lines += [f"verb_adj,nontoxic,greet {group} {n}" for group in GROUPS for n in range(6)]
    (data / "text" / "jigsaw_identity_templates" / "en.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    members = tiny_members(folder / "cache", zero_shot=True)
    return evaluate_release(members, tiny_fuser(), rows=labelled_rows(), data=data, progress=Silent())


def test_the_report_keeps_what_gates_and_cards_read(report: dict[str, Any]) -> None:
    """Every path that the shipped gates and the card ask for is still there."""
    assert report["held_out"]["all sets"]["hate"]["fused"]["auroc"] > 0.9
    assert report["held_out_toxic"]["davidson"]["fused"]["auroc"] > 0.9
    assert set(report["hatecheck"]["functionality"]) == {"derog_h", "ident_nh"}
    assert {"Disguised texts", "Bias towards identity terms"} <= set(report["tables"])
    assert {"recall_ratio", "false_positives"} <= set(report["obfuscation"])
    assert report["threshold"] == 0.5


def test_functional_sets_are_resampled_by_template(report: dict[str, Any]) -> None:
    """Intervals of HateCheck are over its templates, and every figure of the fused view has one."""
    assert report["hatecheck"]["templates"] == 15
    fused = report["hatecheck"]["hate"]["fused"]
    for name in ("auroc", "ap", "recall_at_1pct_fpr", "recall_at_5pct_fpr", "f1"):
        low, high = fused[f"{name}_95"]
        assert low <= fused[name] <= high


def test_every_view_is_a_baseline(report: dict[str, Any]) -> None:
    """The n-grams, the towers and the zero-shot prompts alone stand beside the fused release."""
    assert set(report["held_out"]["all sets"]["hate"]) == {"fused", "towers", "ngrams", "prompts"}
    hate = report["members"]["held_out"]["hate"]
    assert set(hate["alone"]) == {"towers", "ngrams", "prompts"}
    assert hate["adds"]["towers"] > 0.05
    assert report["members"]["hatecheck"]["adds"]["towers"] > 0.05
    assert report["members"]["skipped"] == {}


def test_locales_have_held_out_and_functional_figures(report: dict[str, Any]) -> None:
    """English has both kinds for hate, Chinese only HateCheck's; harassment has no functional set."""
    hate, harassment = report["locales"]["hate"], report["locales"]["harassment"]
    assert set(hate["en"]) == {"held_out", "functional"}
    assert set(hate["zh"]) == {"functional"}
    assert set(harassment) == {"de", "en", "zh"}
    assert {"auroc", "ap", "recall_at_1pct_fpr", "recall_at_5pct_fpr", "f1"} <= set(harassment["zh"]["held_out"])


def test_calibration_is_overall_and_per_locale(report: dict[str, Any]) -> None:
    """Each category has the fifteen bins of its reliability plot, and each locale its own."""
    hate = report["calibration"]["hate"]
    assert len(hate["overall"]["bins"]) == 15
    assert set(hate["locales"]) == {"de", "en"}


def test_swapped_terms_and_gaps_are_per_language(report: dict[str, Any]) -> None:
    """A judge that reads only the abuse has no gap on harmless mentions and flips none when names are swapped."""
    english = report["identity"]["en"]
    assert english["swaps"]["pairs"] == 13  # six frames of each kind, and the one that names the terms
    assert english["swaps"]["flips_harmless"] == 0.0
    assert english["gaps"]["terms"] == len(GROUPS)
    assert english["gaps"]["max_gap"] == 0.0


def test_attacks_are_measured_at_two_percent(report: dict[str, Any]) -> None:
    """Attacks are told from other prompts at the threshold that 2 % of those pass."""
    assert report["attacks"]["attacks"] == 30
    assert report["attacks"]["caught_at_2pct"] > 0.8


def test_our_sets_say_nothing_of_gravity(report: dict[str, Any]) -> None:
    """Without graded rows the section says so instead of showing a figure."""
    assert "No set here labels" in report["severity"]["note"]


def test_own_posts_are_measured_with_their_grades(tmp_path: Path) -> None:
    """A user's file has the same sections; severities that follow the abuse agree with what is served."""
    rng = random.Random(1)
    posts = []
    for number in range(60):
        words = rng.sample(HARSH, 4)[: 4 * (number % 2)]
        text = " ".join([f"letter {number}", *words])
        posts.append(Labelled(str(number), text, "en", {"hate": number % 2}, {"hate": 6 * (number % 2)}))
    found = evaluate_posts(tiny_members(tmp_path), tiny_fuser(), posts=posts, name="mine.jsonl", progress=Silent())
    assert found["held_out"]["mine.jsonl"]["hate"]["fused"]["auroc"] == 1.0
    assert found["severity"]["categories"]["hate"]["kappa"] > 0.8
    assert found["calibration"]["hate"]["overall"]["rows"] == 60
    assert found["members"]["skipped"]["prompts"].startswith("no text prompt bank")


def test_what_a_member_costs_is_cpu_time_per_text() -> None:
    """The clock is read around the same texts for every member; warming up is not counted."""
    now = [0.0]
    seen: list[int] = []

    def slow(texts: Sequence[str]) -> None:
        seen.append(len(texts))
        now[0] += 0.002 * len(texts)

    section = cost_section({"towers": slow, "free": len}, [f"text {n}" for n in range(1_000)], clock=lambda: now[0])
    assert section["cost_ms"] == {"towers": pytest.approx(2.0), "free": 0.0}
    assert seen == [4, section["texts"]]
    assert section["texts"] == 256


def test_a_missing_member_is_named() -> None:
    """What did not answer is in the report with the reason."""
    assert set(skipped({"towers": np.zeros((1, 1), np.float32)})) == {"ngrams", "prompts"}
