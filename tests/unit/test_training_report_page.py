"""The report's page: complete, self-contained, escaped, without script and without the text of any judged row."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.release_factory import labelled_rows, tiny_fuser, tiny_members
from tests.training_factory import HARSH, write_data
from triton_models.training.evaluate import evaluate_release
from triton_models.training.evaluate_against import compare_figures
from triton_models.training.evaluate_goals import goal_rows
from triton_models.training.progress import Silent
from triton_models.training.report_html import number, reliability_plot, table, verdict
from triton_models.training.report_page import render_page, write_report
from triton_models.training.report_sections import against

VOID = {"meta", "br", "rect", "line", "circle", "polyline"}


class Balanced(HTMLParser):
    """Complains about an element that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps what is open; a style attribute would be refused by the page's own policy."""
        assert "style" not in dict(attrs)
        if tag == "section":
            self.sections.append(dict(attrs)["id"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Only the last that was opened may be closed."""
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A whole report, with goals and a comparison."""
    folder = tmp_path_factory.mktemp("page")
    data = write_data(folder / "data")
    found = evaluate_release(
        tiny_members(folder / "cache"), tiny_fuser(), rows=labelled_rows(), data=data, progress=Silent()
    )
    found["goals"] = goal_rows(found)
    worse = {"held_out": {"all sets": {"hate": {"fused": {"auroc": 0.5}}}}}
    found["against"] = {"release": "older-1", **compare_figures(found, worse)}
    found["made"] = {"release": "<b>tiny</b>-1", "measured on": "the data sets"}
    return found


def test_the_page_is_whole_and_loads_nothing(report: dict[str, Any]) -> None:
    """Elements nest, the summary comes first, and there is no script and no address to fetch anything from."""
    page = render_page(report)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert parser.sections[:3] == ["summary", "categories", "against"]
    assert {"functional", "locales", "members", "calibration", "disguises", "severity"} <= set(parser.sections)
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "prefers-color-scheme: dark" in page


def test_names_from_outside_are_escaped(report: dict[str, Any]) -> None:
    """A release called like an element is shown, not obeyed."""
    page = render_page(report)
    assert "<b>tiny" not in page
    assert "&lt;b&gt;tiny" in page


def test_no_text_of_a_judged_row_is_on_the_page(report: dict[str, Any], tmp_path: Path) -> None:
    """Neither the page nor the JSON holds a held-out text or the abuse in it."""
    page, data = write_report(report, tmp_path)
    written = page.read_text(encoding="utf-8") + data.read_text(encoding="utf-8")
    assert not any(word in written for word in HARSH)
    assert not any(row.text in written for row in labelled_rows())


def test_the_data_is_json_that_any_reader_takes(tmp_path: Path) -> None:
    """NaN is no JSON: what was not measured is null."""
    _, data = write_report({"a": float("nan"), "b": [1.0, float("inf")], "bias": {}}, tmp_path / "new")
    assert json.loads(data.read_text(encoding="utf-8")) == {"a": None, "b": [1.0, None], "bias": {}}


def test_a_report_of_own_posts_has_no_goals(report: dict[str, Any]) -> None:
    """Sections whose part is missing are left out, the summary too."""
    page = render_page({"held_out": report["held_out"], "severity": report["severity"]})
    assert 'id="summary"' not in page
    assert 'id="categories"' in page
    assert 'id="identity"' not in page


def test_figures_read_as_people_write_them() -> None:
    """Three places, thousands apart, a dash for what is not there, and verdicts in words."""
    assert [number(0.8765), number(1204), number(None), number(float("nan"))] == ["0.876", "1,204", "–", "–"]
    assert ["not measured" in verdict(None), "met" in verdict(met=True), "falls short" in verdict(met=False)] == [
        True
    ] * 3


def test_a_plot_draws_a_point_per_bin() -> None:
    """Promised goes right, happened goes up."""
    bins = [{"promised": 0.0, "happened": 0.0}, {"promised": 1.0, "happened": 0.5}]
    drawn = reliability_plot(bins, "hate", "ECE 0.1")
    assert drawn.count("<circle") == 2
    assert 'points="0.0,220.0 220.0,110.0"' in drawn


def test_a_table_needs_a_cell_for_each_column() -> None:
    """A row that is too short is a mistake of ours, not a table with a hole."""
    with pytest.raises(ValueError, match="zip"):
        table(("a", "b"), [["only one"]])


def test_a_release_without_figures_is_not_called_equal() -> None:
    """Nothing to compare is said in words, not as three zeros."""
    page = against({"against": {"release": "older-1", "better": 0, "worse": 0, "same": 0, "figures": []}})
    assert "older-1 has no figures on its card" in page
    assert "0 figures better" not in page
