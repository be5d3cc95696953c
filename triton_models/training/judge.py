"""Offline judgement of texts by the very members that are served: what stacking and the report measure.

It holds loaded members and an encoder with a cache; it fits nothing and reports nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triton_models.contract import EMBEDDING_WIDTH, ROWS
from triton_models.serving import joint_space, text_tower
from triton_models.serving.fuse import FuseInput, Fuser
from triton_models.serving.heads import PROMPTS_FILE, Heads, PromptBank
from triton_models.serving.members import TEXT_PROMPTS
from triton_models.serving.ngrams import Ngrams
from triton_models.training.embed import Encoder, embed_texts
from triton_models.training.progress import Advance

FloatArray = npt.NDArray[np.float32]
ZeroShot = Callable[[FloatArray], FloatArray]
"""`[N, D]` text vectors -> `[N, C]` margins of the prompt bank; NaN where it has no opinion."""


@dataclass(frozen=True, slots=True)
class TextMembers:
    """The text members of a release, with the tower that the heads read."""

    heads: Heads
    ngrams: Ngrams
    encoder: Encoder
    cache: Path
    zero_shot: ZeroShot | None = None  # the prompt bank on text, where there is one; no stacker weighs it

    def embed(self, texts: Sequence[str], *, advance: Advance | None = None) -> FloatArray:
        """`[N, D]` the text vectors that the heads read."""
        return embed_texts(self.encoder, texts, self.cache, advance=advance)

    def opinions(self, texts: Sequence[str], *, advance: Advance | None = None) -> dict[str, FloatArray]:
        """Member -> `[N, C]` raw logits (zero-shot prompts: margins)."""
        embedded = self.embed(texts, advance=advance)
        found = {"towers": self.heads.text(embedded), "ngrams": self.ngrams.score(texts)}
        if self.zero_shot is not None and len(texts):
            found["prompts"] = self.zero_shot(embedded)
        return found


def read_zero_shot(version: Path) -> ZeroShot | None:
    """The text prompt bank of an assembled version as it is served; None when the version has none."""
    folder = version / TEXT_PROMPTS
    if not (folder / PROMPTS_FILE).is_file():
        return None
    bank = PromptBank.load(folder)
    if not (version / joint_space.FILE).is_file():
        return bank.score
    space = joint_space.JointSpace.load(version)
    return lambda vectors: bank.score(space.text(vectors))


def timed_members(members: TextMembers, version: Path) -> dict[str, Callable[[Sequence[str]], object]]:
    """Member -> what it does with texts, in this process, where its CPU time is seen; without the encoder's store.

    The towers are not in it when `version` is not whole. The prompts read the towers' vectors, so theirs is what comes
    on top, and costs the same whatever the vectors are.
    """
    timed: dict[str, Callable[[Sequence[str]], object]] = {"ngrams": members.ngrams.score}
    if (version / text_tower.WORDS).is_file():
        tower = text_tower.TextTower.load(version)
        timed["towers"] = lambda texts: members.heads.text(tower.encode(texts))
    bank = members.zero_shot
    if bank is not None:
        timed["prompts"] = lambda texts: bank(np.ones((len(texts), EMBEDDING_WIDTH), np.float32))
    return timed


def fused_text(fuser: Fuser, opinions: Mapping[str, FloatArray]) -> FloatArray:
    """`[N, C]` calibrated probabilities of the text row; NaN where the release abstains.

    A member that is left out of `opinions` did not answer; the stacker of those that did is used.
    """
    scores: FloatArray = fuser.fuse(FuseInput(text=opinions)).scores[:, ROWS.index("text")]
    return scores
