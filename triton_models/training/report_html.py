"""The pieces of the report's page: escaped text, tables, tiles, and plots as SVG. They know nothing of the report.

Everything from outside passes through `esc`. The page's policy forbids style attributes and scripts: colours come from
classes, sizes from SVG attributes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

SIDE = 220
"""Edge of a reliability plot in pixels."""
ROW = 24
NAMES = 190
LENGTH = 340


def esc(value: object) -> str:
    """`value` as text that is safe inside elements and quoted attributes; control characters become U+FFFD."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in str(value)), quote=True)


def number(value: object, digits: int = 3) -> str:
    """A figure as people read it: `0.874`, `1,204`, `–` for what is not there."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else esc(value)


def with_interval(figures: Mapping[str, object], name: str) -> str:
    """A figure with its 95 % interval where it has one."""
    around = figures.get(f"{name}_95")
    shown = number(figures.get(name))
    if not isinstance(around, list):
        return shown
    return f"{shown}<small>{number(around[0])}–{number(around[1])}</small>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = "", text: int = 1) -> str:
    """A table of cells that are HTML already; all but the first `text` columns are figures, set to the right."""
    kinds = ["" if at < text else ' class="n"' for at in range(len(columns))]
    head = "".join(f'<th scope="col"{kind}>{esc(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    lines = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>" for row in rows
    )
    named = f"<caption>{esc(caption)}</caption>" if caption else ""
    return f'<div class="wide"><table>{named}<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def folded(title: str, body: str) -> str:
    """What only some want to see; opens without a script."""
    return f"<details><summary>{esc(title)}</summary>{body}</details>"


def tiles(entries: Sequence[tuple[str, str, str]]) -> str:
    """Figures set large: name, figure, what it is."""
    made = "".join(
        f"<li><span>{esc(name)}</span><b>{esc(figure)}</b><span>{esc(under)}</span></li>"
        for name, figure, under in entries
    )
    return f'<ul class="tiles">{made}</ul>'


def verdict(met: bool | None) -> str:  # noqa: FBT001 - the one thing it shows
    """Met, falls short, or not measured; a sign and a word, never a colour alone."""
    if met is None:
        return '<span class="none">– not measured</span>'
    return '<span class="good">✓ met</span>' if met else '<span class="bad">✗ falls short</span>'


def reliability_plot(bins: Sequence[Mapping[str, float]], title: str, caption: str) -> str:
    """What was promised (across) against what happened (up); the dashed line is a probability that keeps its word."""
    points = [(SIDE * one["promised"], SIDE * (1 - one["happened"])) for one in bins]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    return (
        f'<figure><svg viewBox="-26 -8 {SIDE + 40} {SIDE + 34}" width="{SIDE + 40}" height="{SIDE + 34}" role="img" '
        f'aria-label="{esc(f"Reliability of {title}: {caption}")}">'
        f'<rect class="frame" width="{SIDE}" height="{SIDE}"/>'
        f'<line class="ideal" x1="0" y1="{SIDE}" x2="{SIDE}" y2="0"/><polyline class="line" points="{path}"/>{dots}'
        f'<text x="0" y="{SIDE + 14}">0</text><text x="{SIDE}" y="{SIDE + 14}" text-anchor="end">1</text>'
        f'<text x="{SIDE / 2}" y="{SIDE + 22}" text-anchor="middle">promised</text>'
        f'<text x="-6" y="10" text-anchor="end">1</text><text x="-6" y="{SIDE}" text-anchor="end">0</text>'
        f'<text transform="translate(-10 {SIDE / 2}) rotate(-90)" text-anchor="middle">happened</text></svg>'
        f"<figcaption><b>{esc(title)}</b><br>{esc(caption)}</figcaption></figure>"
    )


def interval_plot(rows: Sequence[tuple[str, float, float, float]], *, label: str) -> str:
    """Figures between 0.5 and 1 with their intervals, a line each: name, figure, low, high."""

    def at(value: float) -> float:
        return NAMES + LENGTH * (min(1.0, max(0.5, value)) - 0.5) / 0.5

    drawn = []
    for place, (name, value, low, high) in enumerate(rows):
        y = ROW * place + 14
        drawn.append(
            f'<text x="{NAMES - 10}" y="{y + 4}" text-anchor="end">{esc(name)}</text>'
            f'<rect class="track" x="{NAMES}" y="{y - 1}" width="{LENGTH}" height="2"/>'
            f'<line class="span" x1="{at(low):.1f}" y1="{y}" x2="{at(high):.1f}" y2="{y}"/>'
            f'<circle class="dot" cx="{at(value):.1f}" cy="{y}" r="4"/>'
            f'<text x="{NAMES + LENGTH + 8}" y="{y + 4}">{number(value)}</text>'
        )
    return _drawing(drawn, label, "0.5", "1")


def bar_plot(rows: Sequence[tuple[str, float]], *, label: str) -> str:
    """Shares between 0 and 1 as bars."""
    drawn = [
        f'<text x="{NAMES - 10}" y="{ROW * place + 18}" text-anchor="end">{esc(name)}</text>'
        f'<rect class="track" x="{NAMES}" y="{ROW * place + 9}" width="{LENGTH}" height="10"/>'
        f'<rect class="bar" x="{NAMES}" y="{ROW * place + 9}" width="{LENGTH * share:.1f}" height="10"/>'
        f'<text x="{NAMES + LENGTH + 8}" y="{ROW * place + 18}">{number(share, 2)}</text>'
        for place, (name, share) in enumerate(rows)
    ]
    return _drawing(drawn, label, "0", "1")


def _drawing(drawn: Sequence[str], label: str, low: str, high: str) -> str:
    width, height = NAMES + LENGTH + 50, ROW * len(drawn) + 20
    ends = (
        f'<text x="{NAMES}" y="{height - 3}">{low}</text>'
        f'<text x="{NAMES + LENGTH}" y="{height - 3}" text-anchor="end">{high}</text>'
    )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{esc(label)}">'
        f"{''.join(drawn)}{ends}</svg>"
    )
