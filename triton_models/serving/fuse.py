"""Fusion: from the members' raw opinions to calibrated probabilities, severities, the joint reading and abstention.

Pure numpy on plain arrays. It runs no model, reads no pixels and knows no policy. Its numbers come from `fuser.json`,
which `training/stack.py` fits on held-out rows:

* A **stacker** per category, modality and *set of members that have an opinion*: `p = sigmoid(w . x + b)`. One per
  set, so that a missing member changes the formula and never counts as 0. That of a single member is its calibration.
* The **joint** row adds the evidence of text and image as if they were independent given the category (naive Bayes):
  `logit p = logit p_text + clip(logit p_image - NEUTRAL_IMAGE)`; clipped, because photographs were never measured (see
  the card). Learned joint heads are to replace it.
* A category with no usable stacker abstains: NaN, severity -1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import JOINT_NAMES, LABELS, MEMBERS, ROWS

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

FILE: Final = "fuser.json"
FORMAT: Final = 1
TEXT_MEMBERS: Final = ("towers", "ngrams", "prompts")
IMAGE_MEMBERS: Final = ("towers", "prompts", "nsfw")
NEUTRAL_IMAGE: Final = -1.0
"""The logit at which an image says nothing about the text's category. On the scale of `training/picture_calibrate.py`
about 1 harmless picture in 60 reaches it: anything rarer is a sign."""
MAX_IMAGE_EVIDENCE: Final = 2.0
"""How far, in logits, an image may move the joint row away from the text's opinion, until real pairs are measured."""

SEVERITY_BANDS: Final = (0.30, 0.50, 0.65, 0.80, 0.90, 0.97)
"""Calibrated probability from which severity is 1, 2, .. 6. It is confidence, not gravity: no set at hand labels
gravity. 7 is never a model's guess; rules and hash banks give it."""


@dataclass(frozen=True, slots=True)
class FuseInput:
    """The members' raw opinions on N items. A member absent from a mapping did not run; NaN is no opinion."""

    text: Mapping[str, FloatArray]  # of TEXT_MEMBERS -> [N, C]; logits (prompts: cosine margins)
    image: Mapping[str, FloatArray] = field(default_factory=dict)  # of IMAGE_MEMBERS -> [N, C]; nsfw: a logit
    ocr: Mapping[str, FloatArray] = field(default_factory=dict)  # the text members' opinions on text read in the image
    text_embedding: FloatArray | None = None  # [N, D] unit length in the joint space, zeros when absent
    image_embedding: FloatArray | None = None  # [N, D] likewise
    joint: FloatArray | None = None  # [N, C] logits of a head that reads text and picture together


@dataclass(frozen=True, slots=True)
class FuseOutput:
    """What the contract's outputs of the same names hold."""

    scores: FloatArray  # [N, 4, C]
    severity: npt.NDArray[np.int32]  # [N, C]
    joint: FloatArray  # [N, 3]
    disagreement: FloatArray  # [N, C]
    members: FloatArray  # [N, M, C]


@dataclass(frozen=True, slots=True)
class Stacker:
    """One logistic formula over the raw opinions of `members`, in that order."""

    members: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float

    def logit(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """`[N]` logits for per-member `[N]` raw opinions."""
        total = np.float32(self.bias) + np.zeros_like(columns[self.members[0]])
        for name, weight in zip(self.members, self.weights, strict=True):
            total = total + np.float32(weight) * columns[name]
        return total


Stackers = Mapping[str, tuple[Stacker, ...]]
"""Category -> its stackers, those of more members first."""


@dataclass(frozen=True, slots=True)
class Fuser:
    """The fitted numbers of a release."""

    text: Stackers
    image: Stackers
    alignment_quantiles: tuple[float, ...] = ()  # cosines of unrelated text-image pairs at equal steps of probability

    @classmethod
    def load(cls, directory: Path) -> Fuser:
        """The fuser in `directory/fuser.json`; OSError, ValueError or TypeError says what is wrong."""
        path = directory / FILE
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw.get("format") != FORMAT:
            raise ValueError(f"{path}: format {raw.get('format')!r} is not {FORMAT}; assemble the release again")
        return cls(
            text=_read_stackers(raw["text"]),
            image=_read_stackers(raw["image"]),
            alignment_quantiles=tuple(float(value) for value in raw["alignment_quantiles"]),
        )

    def save(self, directory: Path) -> Path:
        """Writes `directory/fuser.json`, the same bytes for the same numbers."""
        path = directory / FILE
        raw = {
            "format": FORMAT,
            "text": _write_stackers(self.text),
            "image": _write_stackers(self.image),
            "alignment_quantiles": [round(value, 5) for value in self.alignment_quantiles],
        }
        path.write_text(json.dumps(raw, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return path

    def fuse(self, opinions: FuseInput) -> FuseOutput:
        """Judges N items; see the module's head for the formulae."""
        count = _count(opinions)
        text_logit = _stack(self.text, opinions.text, count)
        ocr_logit = _stack(self.text, opinions.ocr, count)
        image_logit = np.fmax(_stack(self.image, opinions.image, count), ocr_logit)
        evidence = np.clip(image_logit - NEUTRAL_IMAGE, -MAX_IMAGE_EVIDENCE, MAX_IMAGE_EVIDENCE)
        joint_logit = text_logit + evidence  # NaN wherever either has no opinion
        if opinions.joint is not None:
            joint_logit = np.fmax(joint_logit, opinions.joint)  # harm that only the two together have
        fused_logit = np.fmax(np.fmax(text_logit, image_logit), joint_logit)
        scores = _sigmoid(np.stack((text_logit, image_logit, joint_logit, fused_logit), axis=1))
        members = self._members(opinions, ocr_logit)
        return FuseOutput(
            scores=scores,
            severity=severity_of(scores[:, ROWS.index("fused")]),
            joint=self._joint(opinions, scores),
            disagreement=_spread(members),
            members=members,
        )

    def _members(self, opinions: FuseInput, ocr_logit: FloatArray) -> FloatArray:
        count = len(ocr_logit)
        out = np.full((count, len(MEMBERS), len(LABELS)), np.nan, dtype=np.float32)
        for index, name in enumerate(MEMBERS):
            if name == "ocr":
                out[:, index] = _sigmoid(ocr_logit)
                continue
            alone = _stack(self.text, {name: opinions.text[name]} if name in opinions.text else {}, count)
            seen = _stack(self.image, {name: opinions.image[name]} if name in opinions.image else {}, count)
            out[:, index] = _sigmoid(np.fmax(alone, seen))
        return out

    def _joint(self, opinions: FuseInput, scores: FloatArray) -> FloatArray:
        out = np.full((len(scores), len(JOINT_NAMES)), np.nan, dtype=np.float32)
        text, image = opinions.text_embedding, opinions.image_embedding
        if text is None or image is None or not self.alignment_quantiles:
            return out
        both = text.any(axis=1) & image.any(axis=1)
        cosine = np.einsum("nd,nd->n", text, image)
        steps = np.linspace(0.0, 1.0, len(self.alignment_quantiles))
        out[:, 0] = np.interp(cosine, self.alignment_quantiles, steps)
        said, shown, together = (scores[:, ROWS.index(row)] for row in ("text", "image", "joint"))
        apart = np.nan_to_num(np.abs(said - shown), nan=0.0).max(axis=1)
        out[:, 1] = (1.0 - out[:, 0]) * apart
        out[:, 2] = np.nan_to_num(together - np.fmax(said, shown), nan=0.0).max(axis=1).clip(min=0.0)
        out[~both] = np.nan
        return out


def severity_of(probability: FloatArray) -> npt.NDArray[np.int32]:
    """Severity 0..6 by SEVERITY_BANDS; -1 where the probability is NaN (abstained)."""
    banded = np.searchsorted(np.array(SEVERITY_BANDS, dtype=np.float32), np.nan_to_num(probability), side="right")
    return np.where(np.isnan(probability), -1, banded).astype(np.int32)


def _count(opinions: FuseInput) -> int:
    for arrays in (opinions.text, opinions.image, opinions.ocr):
        for array in arrays.values():
            return len(array)
    return 0 if opinions.text_embedding is None else len(opinions.text_embedding)


def _stack(stackers: Stackers, opinions: Mapping[str, FloatArray], count: int) -> FloatArray:
    """`[N, C]` logits: for each row and category the stacker of exactly the members that have an opinion there.

    Where no stacker knows that very set, the one of most members among its subsets answers.
    """
    out = np.full((count, len(LABELS)), np.nan, dtype=np.float32)
    for name, options in stackers.items():
        column = LABELS.index(name)
        have = {member: np.asarray(array[:, column], dtype=np.float32) for member, array in opinions.items()}
        present = {member: ~np.isnan(values) for member, values in have.items()}
        for stacker in options:
            if all(member in have for member in stacker.members):
                rows: BoolArray = np.isnan(out[:, column])
                for member in stacker.members:
                    rows = rows & present[member]
                out[rows, column] = stacker.logit({member: have[member][rows] for member in stacker.members})
    return out


def _sigmoid(logits: FloatArray) -> FloatArray:
    probabilities: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
    return probabilities


def _spread(members: FloatArray) -> FloatArray:
    """`[N, C]` greatest minus least opinion of the members; NaN where fewer than two have one."""
    enough = (~np.isnan(members)).sum(axis=1) >= 2
    high = np.fmax.reduce(members, axis=1)
    low = np.fmin.reduce(members, axis=1)
    return np.where(enough, high - low, np.nan).astype(np.float32)


def _read_stackers(raw: Mapping[str, list[dict[str, object]]]) -> Stackers:
    found = {}
    for name, options in raw.items():
        if name not in LABELS:
            raise ValueError(f"{FILE}: {name!r} is no category; expected one of {', '.join(LABELS)}")
        found[name] = _order(tuple(_read_stacker(option) for option in options))
    return found


def _read_stacker(raw: dict[str, object]) -> Stacker:
    members, weights, bias = raw["members"], raw["weights"], raw["bias"]
    if not isinstance(members, list) or not isinstance(weights, list) or not isinstance(bias, int | float):
        raise TypeError(f"{FILE}: a stacker has lists 'members' and 'weights' and a number 'bias'; found {raw!r}")
    return Stacker(tuple(str(name) for name in members), tuple(float(weight) for weight in weights), float(bias))


def _write_stackers(stackers: Stackers) -> dict[str, list[dict[str, object]]]:
    return {
        name: [
            {
                "members": list(stacker.members),
                "weights": [round(weight, 5) for weight in stacker.weights],
                "bias": round(stacker.bias, 5),
            }
            for stacker in _order(options)
        ]
        for name, options in stackers.items()
    }


def _order(options: tuple[Stacker, ...]) -> tuple[Stacker, ...]:
    return tuple(sorted(options, key=lambda stacker: (-len(stacker.members), stacker.members)))
