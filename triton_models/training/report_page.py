"""The report as one HTML file and one JSON: summary first, readable in light and dark, no script, no outside file.

No text of a judged row is in either. The page's Content-Security-Policy names its style by hash; all else is refused.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from triton_models.training import report_pictures as picture_sections
from triton_models.training import report_sections as sections
from triton_models.training.report_html import esc, number, table, tiles, verdict

PAGE: Final = "report.html"
DATA: Final = "report.json"

Section = tuple[str, str, str, Callable[[Mapping[str, Any]], str]]
SECTIONS: Final[tuple[Section, ...]] = (
    ("categories", "What it finds", "Held-out rows; small print is the bootstrap 95 % interval.", sections.categories),
    ("against", "Against another release", "Of errors, gaps and costs less is better.", sections.against),
    ("functional", "Functional tests", "Never trained or tuned on; intervals over templates.", sections.functional),
    ("locales", "Languages", "Fused release, hate and harassment.", sections.locales),
    (
        "members",
        "Members",
        "Average precision alone; what all lose without it is what it adds (–: nothing is judged without it).",
        sections.members,
    ),
    ("calibration", "Calibration", "15 bins of equal mass: promised against happened.", sections.calibration),
    ("disguises", "Disguises", "", sections.disguises),
    (
        "identity",
        "Identity terms",
        "Power means (p = −5) over terms; false positives on harmless mentions; decisions that change with the term.",
        sections.identity,
    ),
    ("severity", "Severity", "Quadratic weighted κ with people's grades.", sections.severity),
    ("novelty", "Harms nobody taught", "", sections.novelty),
    ("pictures", "Changed pictures", "Generated pictures, judged as served.", picture_sections.pictures),
    (
        "pairs",
        "Text and picture together",
        "Generated quadruples: one of four posts is harmful.",
        picture_sections.pairs,
    ),
)


def write_report(report: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Writes both files into `folder`; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / PAGE, folder / DATA
    page.write_text(render_page(report), encoding="utf-8")
    data.write_text(json.dumps(plain(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return page, data


def render_page(report: Mapping[str, Any]) -> str:
    """The whole file, to be written as UTF-8."""
    style = Path(__file__).with_name("report_page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    made = {key: str(value) for key, value in report.get("made", {}).items()}
    title = f"{made.pop('release', 'A release')}, measured"
    bodies = [(name, head, what, render(report)) for name, head, what, render in SECTIONS]
    kept = [(name, head, what, body) for name, head, what, body in bodies if body]
    links = "".join(f'<a href="#{name}">{esc(head)}</a>' for name, head, *_ in kept)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{esc(title)} · Weir</title>\n<style>{style}</style>\n</head>\n<body>\n<header>\n"
        f"<h1>{esc(title)}</h1>\n"
        f'{_setting(made)}<nav aria-label="Sections">{links}</nav>\n</header>\n<main>\n{_summary(report)}'
        + "".join(
            f'<section id="{name}"><h2>{esc(head)}</h2><p class="quiet">{esc(what)}</p>{body}</section>\n'
            for name, head, what, body in kept
        )
        + "</main>\n<footer><p>No text of a judged row is shown. A dash is what was not measured: too few rows, or the "
        "release abstains. The same figures, with the points of every plot, are in the JSON beside this page.</p>"
        "</footer>\n</body>\n</html>\n"
    )


def plain(value: Any) -> Any:
    """The same as JSON can say it: NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _setting(made: Mapping[str, str]) -> str:
    entries = "".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in made.items())
    return f'<dl class="setting">{entries}</dl>' if entries else ""


def _summary(report: Mapping[str, Any]) -> str:
    goals = report.get("goals", [])
    if not goals:
        return ""
    met = sum(goal["met"] is True for goal in goals)
    measured = sum(goal["met"] is not None for goal in goals)
    shown = [("Goals met", f"{met} of {measured}", f"{len(goals) - measured} not measured")]
    wanted = ("HateCheck", "identity terms", "calibration", "disguised text is found")
    shown += [
        (goal["goal"], number(goal["reached"]), f"goal {goal['limit']}") for goal in goals if goal["goal"] in wanted
    ]
    rows = [
        [
            f"{esc(goal['goal'])}<small>{esc(goal['why'])}</small>{_worst(goal)}",
            verdict(goal["met"]),
            number(goal["reached"]),
            esc(goal["limit"]),
        ]
        for goal in goals
    ]
    return (
        f'<section id="summary"><h2>Summary</h2>{tiles(shown)}'
        f"{table(('goal', 'verdict', 'reached', 'goal is'), rows, text=2)}</section>\n"
    )


def _worst(goal: Mapping[str, Any]) -> str:
    """Where the figure is, which for a goal over many is the worst of them."""
    return "" if goal["met"] is None else f"<small>{esc(goal['where'])}</small>"
