"""One writer's spelling habits: which of a letter's spellings was drawn, kept for the whole text. Knows no script."""

from __future__ import annotations

import random
from typing import Final

from triton_models.training.augment.scripts import Spellings

FIRST_SHARE: Final = 0.55
"""How often the commonest spelling, the first of its list, is taken without looking at the others."""


class Habit:
    """Draws a spelling the first time that a letter is met and stays with it."""

    def __init__(self, table: Spellings, rng: random.Random) -> None:
        self._table, self._rng = table, rng
        self._kept: dict[str, str] = {}

    def spell(self, letter: str) -> str:
        """The spelling; a letter that the table has not is given back."""
        if letter not in self._kept:
            known = self._table.get(letter, (letter,))
            first = len(known) == 1 or self._rng.random() < FIRST_SHARE
            self._kept[letter] = known[0] if first else self._rng.choice(known)
        return self._kept[letter]
