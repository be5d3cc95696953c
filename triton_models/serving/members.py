"""The members of a release, loaded from its version directory; one whose file the release does not have is None.

A file that is there but damaged stops the loading: Triton then keeps the version that it serves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from triton_models.serving import fuse, heads, image_tower, joint_fusion, joint_space, ngrams, nsfw, ocr, text_tower
from triton_models.serving.fuse import Fuser
from triton_models.serving.heads import PROMPTS_FILE, Heads, PromptBank
from triton_models.serving.image_tower import ImageTower
from triton_models.serving.joint_fusion import JointHead
from triton_models.serving.joint_space import JointSpace
from triton_models.serving.ngrams import Ngrams
from triton_models.serving.nsfw import NsfwClassifier
from triton_models.serving.ocr import OcrReader
from triton_models.serving.text_tower import TextTower

CARD: Final = "card.json"
FORMAT: Final = 3
"""Raised when versions are built or read differently: a version of another format is not loaded, and built anew."""
TEXT_PROMPTS: Final = "prompts_text"
IMAGE_PROMPTS: Final = "prompts_image"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Members:
    """Everything that one release judges with."""

    card: dict[str, Any]
    text_tower: TextTower | None
    image_tower: ImageTower | None
    drawings_tower: ImageTower | None  # asked only where text and picture are read together
    joint_space: JointSpace | None
    heads: Heads | None
    ngrams: Ngrams | None
    text_prompts: PromptBank | None
    image_prompts: PromptBank | None
    nsfw: NsfwClassifier | None
    ocr: OcrReader | None
    joint: JointHead | None
    fuser: Fuser | None

    def __post_init__(self) -> None:
        """ValueError when the joint head was taught on other towers than these."""
        if self.joint is None:
            return
        seen = image_tower.FEATURES * (1 if self.drawings_tower is None else 2)
        if self.joint.image_inputs != seen:
            raise ValueError(
                f"{joint_fusion.FILE} reads {self.joint.image_inputs} features of a picture, the towers give {seen}; "
                "hint: weir model joint"
            )

    @property
    def release(self) -> bytes:
        """`name tier`, as the contract's RELEASE wants it."""
        return f"{self.card['release']} {self.card['tier']}".encode()


def load_members(directory: Path) -> Members:
    """The members in an assembled version directory; OSError, ValueError or onnxruntime's exceptions when damaged."""

    def optional(file: str, load: Callable[[Path], T]) -> T | None:
        path = directory / file
        return load(path.parent) if path.is_file() else None

    card = json.loads((directory / CARD).read_text(encoding="utf-8"))
    if card.get("format") != FORMAT:
        raise ValueError(
            f"{directory}: format {card.get('format')}, this Weir reads format {FORMAT}; hint: weir model assemble"
        )
    drawings = optional(image_tower.DRAWINGS, lambda folder: ImageTower.load(folder, image_tower.DRAWINGS))
    return Members(
        card=card,
        text_tower=optional(text_tower.GRAPH, TextTower.load),
        image_tower=optional(image_tower.GRAPH, ImageTower.load),
        drawings_tower=drawings,
        joint_space=optional(joint_space.FILE, JointSpace.load),
        heads=optional(heads.FILE, Heads.load),
        ngrams=optional(ngrams.FILE, Ngrams.load),
        text_prompts=optional(f"{TEXT_PROMPTS}/{PROMPTS_FILE}", PromptBank.load),
        image_prompts=optional(f"{IMAGE_PROMPTS}/{PROMPTS_FILE}", PromptBank.load),
        nsfw=optional(nsfw.GRAPH, NsfwClassifier.load),
        ocr=optional(ocr.DETECTOR, OcrReader.load),
        joint=optional(joint_fusion.FILE, JointHead.load),
        fuser=optional(fuse.FILE, Fuser.load),
    )
