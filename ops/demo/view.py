"""What the demo shows while it runs: a live table on a terminal, plain lines elsewhere, nothing for `--json`."""

from __future__ import annotations

import re
from collections import Counter, deque
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.lines import ACTION_STYLES, score_words
from ops.report import DeadLetterRow, EventRow

SHOWN_ROWS = 14
_NUMBER = re.compile(r"\d+")


class View(Protocol):
    """Where the run is told."""

    def tell(self, what: str) -> None:
        """What is being done now."""

    def show(self, row: EventRow | DeadLetterRow) -> None:
        """An event has its answer."""

    def close(self) -> None:
        """Nothing more will come."""


class QuietView:
    """Shows nothing."""

    def tell(self, what: str) -> None:
        """Nothing."""

    def show(self, row: EventRow | DeadLetterRow) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class PlainView:
    """One line an answer, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = ""

    def tell(self, what: str) -> None:
        """A line of its own; a step that only counts on is not a new line."""
        step = _NUMBER.sub("#", what)
        if step != self._last:
            self._console.print(f"· {what}", highlight=False)
        self._last = step

    def show(self, row: EventRow | DeadLetterRow) -> None:
        """A line without colours or content."""
        self._console.print(row_line(row), highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing to take down."""


class LiveView:
    """A table that grows: the last answers, the counts so far, and how many are still to come."""

    def __init__(self, console: Console, total: int) -> None:
        self._total = total
        self._rows: deque[EventRow | DeadLetterRow] = deque(maxlen=SHOWN_ROWS)
        self._counts: Counter[str] = Counter()
        self._spinner = Spinner("dots", text="")
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render)
        self._live.start()

    def tell(self, what: str) -> None:
        """Beside the spinner."""
        self._spinner.update(text=Text(what))

    def show(self, row: EventRow | DeadLetterRow) -> None:
        """At the foot of the table."""
        self._rows.append(row)
        self._counts[action_of(row)] += 1

    def close(self) -> None:
        """The table stays on the screen as it is; the spinner goes."""
        self._spinner.update(text="")
        self._live.stop()

    def _render(self) -> RenderableType:
        if not self._rows:
            return self._spinner
        done = sum(self._counts.values())
        bar = Table.grid(padding=(0, 2))
        bar.add_row(ProgressBar(self._total, done, width=28), Text(f"{done}/{self._total}"), counts_text(self._counts))
        return Group(answers_table(self._rows), Text(), bar, *([self._spinner] if done < self._total else []))


def answers_table(rows: deque[EventRow | DeadLetterRow]) -> Table:
    """The rows as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold dim", expand=True)
    table.add_column("action", width=8, no_wrap=True)
    table.add_column("sample", ratio=4, no_wrap=True, overflow="ellipsis")
    table.add_column("scores from 0.5", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("rules", ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column("ms", justify="right", width=6, no_wrap=True)
    for row in rows:
        word = action_of(row)
        label = Text(f" {word} ", style=f"reverse {ACTION_STYLES[word]}" if word != "dead" else ACTION_STYLES[word])
        if isinstance(row, DeadLetterRow):
            table.add_row(label, Text(row.note), Text(row.code, "red"), Text(row.detail, "dim"), "")
            continue
        table.add_row(label, Text(row.note), Text(score_words(row.verdict)), Text(_rules(row), "bold"), _ms(row))
    return table


def row_line(row: EventRow | DeadLetterRow) -> Text:
    """One answer as a line."""
    word = action_of(row)
    line = Text.assemble((f"{word:<7}", ACTION_STYLES.get(word, "")), f" {row.note}")
    if isinstance(row, DeadLetterRow):
        return line.append(f"  {row.code}: {row.detail}", "dim")
    for piece in (score_words(row.verdict), _rules(row) and f"[{_rules(row)}]", f"{_ms(row)} ms" if _ms(row) else ""):
        line.append(f"  {piece}" if piece else "")
    return line


def counts_text(counts: Counter[str]) -> Text:
    """`12 allow  3 block  2 dead`, in the order of severity."""
    shown = [(f"{counts[word]} {word}", style) for word, style in ACTION_STYLES.items() if counts[word]]
    return Text("  ").join(Text(text, style) for text, style in shown)


def action_of(row: EventRow | DeadLetterRow) -> str:
    """The action, or `dead`."""
    return "dead" if isinstance(row, DeadLetterRow) else row.verdict.action


def _rules(row: EventRow) -> str:
    return ", ".join(match.rule for match in row.verdict.matches)


def _ms(row: EventRow) -> str:
    return "" if row.latency_ms is None else f"{row.latency_ms:.0f}"
