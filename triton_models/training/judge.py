"""Offline judgement of texts by the very members that are served: what stacking and the report measure.

It holds loaded members and an encoder with a cache; it fits nothing and reports nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triton_models.contract import ROWS
from triton_models.serving.fuse import FuseInput, Fuser
from triton_models.serving.heads import Heads
from triton_models.serving.ngrams import Ngrams
from triton_models.training.embed import Encoder, embed_texts
from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TextMembers:
    """The text members of a release, with the tower that the heads read."""

    heads: Heads
    ngrams: Ngrams
    encoder: Encoder
    cache: Path

    def opinions(self, texts: Sequence[str], *, advance: Advance | None = None) -> dict[str, FloatArray]:
        """Member -> `[N, C]` raw logits."""
        embedded = embed_texts(self.encoder, texts, self.cache, advance=advance)
        return {"towers": self.heads.text(embedded), "ngrams": self.ngrams.score(texts)}


def fused_text(fuser: Fuser, opinions: dict[str, FloatArray]) -> FloatArray:
    """`[N, C]` calibrated probabilities of the text row; NaN where the release abstains."""
    scores: FloatArray = fuser.fuse(FuseInput(text=opinions)).scores[:, ROWS.index("text")]
    return scores
