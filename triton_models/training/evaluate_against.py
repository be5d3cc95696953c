"""Another release's figures beside this one's: what got better, what got worse, and what only one of them has.

Reads a card; measures nothing. Counts of rows are no figures, and of an error or a gap less is better.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

CARD: Final = "card.json"
LESS_IS_BETTER: Final = frozenset(
    {
        *("ece", "cost_ms", "ordinary_alarms", "mean_distance"),
        *("false_positives", "false_positive_ratio", "false_positive_rate"),
        *("max_gap", "mean_gap", "flips", "flips_harmless", "flips_harmful"),
        *("mean shift", "95 % shift", "greatest shift", "lost opinions"),
    }
)
COUNTS: Final = frozenset(
    {
        *("rows", "positives", "pairs", "terms", "templates", "texts", "quadruples", "abstained"),
        *("harmful", "ordinary", "attacks", "ordinary_prompts", "threshold"),
        *("harmful_share", "mean_probability", "mean_characters"),
        *("compared", "posts_failed"),
    }
)
LEFT_OUT: Final = frozenset(("goals", "against", "tables", "members", "made"))
"""Parts that repeat figures of others, or are none."""


class CardError(ValueError):
    """The other release's card is not there or cannot be read: where, what, what to do."""


def read_card_of(folder: Path) -> dict[str, Any]:
    """The card in a release folder or an assembled version; CardError otherwise."""
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise CardError(f"{path}: {exc.strerror}; give a release folder, a version folder or a number") from exc
    except ValueError as exc:
        raise CardError(f"{path}: not JSON: {exc}") from exc
    if not isinstance(card, dict) or not isinstance(card.get("quality"), dict):
        raise CardError(f"{path}: holds no `quality`; that release was never measured")
    return card


def compare_figures(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """`figures`: those that both have and that differ, the greatest loss first; counts of the others."""
    mine, theirs = dict(_leaves(now)), dict(_leaves(before))
    shared = [path for path in mine if path in theirs]
    rows = [_row(path, mine[path], theirs[path]) for path in shared if mine[path] != theirs[path]]
    rows.sort(key=lambda row: (row["gain"], row["figure"]))
    return {
        "figures": rows,
        "better": sum(row["gain"] > 0 for row in rows),
        "worse": sum(row["gain"] < 0 for row in rows),
        "same": len(shared) - len(rows),
        "only_now": len(mine) - len(shared),
        "only_before": len(theirs) - len(shared),
    }


def _row(path: tuple[str, ...], now: float, before: float) -> dict[str, Any]:
    change = round(now - before, 5)
    less = bool(LESS_IS_BETTER & set(path[-2:]))
    return {
        "figure": "/".join(path),
        "now": now,
        "before": before,
        "change": change,
        "gain": -change if less else change,  # of whichever way is better
    }


def _leaves(tree: object, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if key not in COUNTS and not (key in LEFT_OUT and not at):
                yield from _leaves(value, (*at, str(key)))
    elif isinstance(tree, int | float) and not isinstance(tree, bool) and not math.isnan(tree):
        yield at, float(tree)
