"""The page: fills `page.html` with what `pieces.py` renders.

Self-contained: style and script are inside and named by hash in its Content-Security-Policy, so that nothing else in
the page can run or load, whatever a record said.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from string import Template

from ops.report.pieces import (
    action_bar,
    category_overview,
    dead_letter_table,
    esc,
    filters,
    tiles,
    verdict_table,
)
from ops.report.run import RunReport

FOLDER = Path(__file__).parent


def render_report(report: RunReport) -> str:
    """The whole file, to be written as UTF-8."""
    page, style, script = ((FOLDER / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    outcomes = report.outcomes()
    span = f"{report.took_s:.1f} s from the first event to the last verdict"
    return Template(page).substitute(
        policy=esc(_policy(style, script)),
        style=style,
        script=script,
        title=esc(report.title),
        lede=esc(f"{outcomes.events} events on {report.started}, {span}."),
        setting="".join(f"<div><dt>{esc(name)}</dt><dd>{esc(value)}</dd></div>" for name, value in report.setting),
        tiles=tiles(outcomes),
        overview=action_bar(outcomes) + category_overview(outcomes),
        notes=_notes(report.notes),
        filters=filters(outcomes),
        verdicts=verdict_table(report.events),
        deadletters=dead_letter_table(report.dead_letters),
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _notes(notes: Sequence[str]) -> str:
    lines = "".join(f"<li>{esc(note)}</li>" for note in notes)
    return f'<aside class="notes" aria-label="Notes"><ul>{lines}</ul></aside>' if notes else ""
