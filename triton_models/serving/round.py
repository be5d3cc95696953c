"""One batch on its way through the members: who has an opinion on which item, and who failed on it.

A member that raises on a batch is tried on each item alone, so that one bad item costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import LABELS, MEMBERS, Status

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]
Run = Callable[[Rows], FloatArray]
"""Rows -> one line of values per row."""

Opinions = dict[str, FloatArray]
"""Member -> [N, C]."""

_PRECEDENCE: Final = (Status.ABSENT, Status.NOT_RUN, Status.OK, Status.TIMED_OUT, Status.FAILED)
"""A later word replaces an earlier one: an item whose text was read and whose picture failed has FAILED."""


class Round:
    """The state of one batch of `count` items."""

    def __init__(self, count: int, note: Callable[[str], None]) -> None:
        self.count: Final = count
        self.text: Opinions = {}
        self.image: Opinions = {}
        self.ocr: Opinions = {}
        self.text_vectors: FloatArray | None = None  # [N, D] the text tower's own, zeros where there is none
        self.image_features: FloatArray | None = None  # [N, F] likewise
        self.pixels: Pixels | None = None  # [N, 224, 224, 3] what the image members see
        self.status: npt.NDArray[np.uint8] = np.full((count, len(MEMBERS)), Status.ABSENT, dtype=np.uint8)
        self._note = note

    def mark(self, member: str, rows: Rows, status: Status) -> None:
        """Sets the member's status for `rows`, unless it already has one of higher precedence."""
        column = self.status[:, MEMBERS.index(member)]
        weaker = [int(word) for word in _PRECEDENCE[: _PRECEDENCE.index(status)]]
        column[rows[np.isin(column[rows], weaker)]] = status

    def attempt(self, members: tuple[str, ...], rows: Rows, run: Run, into: FloatArray) -> Rows:
        """Fills `into[rows]` with what `run` gives; the rows that worked. `members` are FAILED for the others."""
        if not len(rows):
            return rows
        try:
            into[rows] = run(rows)
        except Exception as exc:  # noqa: BLE001 - a member's failure, whatever it is, must not cost the others
            self._note(f"{'/'.join(members)} failed on {len(rows)} items: {type(exc).__name__}")
            good = [row for row in rows if len(rows) > 1 and self._alone(run, row, into)]
            bad = np.setdiff1d(rows, good)
            for member in members:
                self.mark(member, bad, Status.FAILED)
            return np.array(good, dtype=np.intp)
        return rows

    def opine(self, member: str, opinions: Opinions, rows: Rows, run: Run | None) -> None:
        """Asks a member about `rows`; `[n, C]` opinions go into `opinions`. None: the release has no such member."""
        if run is None:
            self.mark(member, rows, Status.NOT_RUN)
        elif len(rows):
            out = opinions.setdefault(member, np.full((self.count, len(LABELS)), np.nan, dtype=np.float32))
            self.mark(member, self.attempt((member,), rows, run, out), Status.OK)

    def keep_features(self, rows: Rows, features: FloatArray) -> FloatArray:
        """Remembers the image tower's features of `rows`, and gives them back."""
        if self.image_features is None:
            self.image_features = np.zeros((self.count, features.shape[1]), dtype=np.float32)
        self.image_features[rows] = features
        return features

    def _alone(self, run: Run, row: np.intp, into: FloatArray) -> bool:
        try:
            into[[row]] = run(np.array([row]))
        except Exception:  # noqa: BLE001 - as above; noted once for the batch
            return False
        return True
