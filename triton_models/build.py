"""The files of one version directory: towers filled from the parts, members copied, prompts encoded, card written.

Where it is put, under which number and whether it is needed at all is `assemble.py`'s business.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from triton_models.deltas import DRAWINGS_FILE, read_quality, with_deltas
from triton_models.fill import FillError, FillPlan, fill
from triton_models.parts import IMAGE_TOWER, NSFW, OCR_DETECTOR, OCR_READER, PARTS, TEXT_TOWER, E5Model, read_e5
from triton_models.parts.lite0 import read_lite0
from triton_models.parts.tokenizer import build_tokenizer
from triton_models.prompts import Modality, PromptFile, read_prompts
from triton_models.serving import (
    fuse,
    heads,
    image_tower,
    joint_fusion,
    joint_space,
    members,
    ngrams,
    nsfw,
    ocr,
    text_tower,
)

ALIGNMENT: Final = "align.npz"
SHIPPED: Final = (heads.FILE, ngrams.FILE, fuse.FILE, joint_fusion.FILE)
"""What training puts into a release; a release without one has no such member."""


@dataclass(frozen=True, slots=True)
class BuildInputs:
    """Everything that a version directory is made of."""

    release: Path  # folder under triton_models/releases
    parts: Mapping[str, Path]  # part name -> file
    prompts: Path
    template: Path  # triton_models/repository/clip_safety

    @property
    def code(self) -> list[Path]:
        """The code that travels into the directory."""
        return [self.template / "1" / "model.py"]


def build_version(inputs: BuildInputs, target: Path, step: Callable[[str], None]) -> dict[str, Any]:
    """Fills the empty folder `target`; what its card says. FillError, PromptFileError or OSError when it cannot."""
    release = yaml.safe_load((inputs.release / "release.yaml").read_text(encoding="utf-8"))
    step("reading the text tower")
    text = read_e5(inputs.parts[TEXT_TOWER.name])
    _build_text_tower(inputs, text, target)
    step("filling the image towers")
    _build_image_towers(inputs, target)
    for part, file in ((NSFW, nsfw.GRAPH), (OCR_DETECTOR, ocr.DETECTOR), (OCR_READER, ocr.RECOGNISER)):
        shutil.copyfile(inputs.parts[part.name], target / file)
    left_out = _other_towers(inputs.release)
    for file in SHIPPED:
        if file in left_out:
            step(f"leaving out {file}: {left_out[file]}")
        elif (inputs.release / file).is_file():
            shutil.copyfile(inputs.release / file, target / file)
    step("encoding the prompts")
    prompts = read_prompts(inputs.prompts)
    _build_prompts(prompts, target)
    for path in inputs.code:
        shutil.copyfile(path, target / path.name)
    return _card(inputs, release, prompts, target) | ({"left_out": left_out} if left_out else {})


def _other_towers(release: Path) -> dict[str, str]:
    """The joint head, and why it cannot be served, where it was taught on other image towers than the release's."""
    if not (release / joint_fusion.FILE).is_file():
        return {}
    try:
        taught = joint_fusion.JointHead.load(release).image_inputs // image_tower.FEATURES
    except (KeyError, ValueError, zipfile.BadZipFile) as exc:
        raise FillError(f"{release / joint_fusion.FILE} is no joint head: {exc}") from exc
    own = 2 if (release / DRAWINGS_FILE).is_file() else 1
    if taught == own:
        return {}
    return {joint_fusion.FILE: f"taught on {taught} image towers, the release has {own}; hint: weir model joint"}


def _build_text_tower(inputs: BuildInputs, text: E5Model, target: Path) -> None:
    _fill_graph(inputs.release / "graphs", "text", with_deltas(inputs.release, text.array), target)
    write_text_tables(text, target)


def write_text_tables(text: E5Model, target: Path) -> None:
    """What the text tower reads beside its graph: the words' 4-bit vectors, the places' vectors, the vocabulary."""
    text.blocks("emb.word").tofile(target / text_tower.WORDS)
    np.save(target / text_tower.PLACES, text.array("emb.pos") + text.array("emb.type")[0])
    build_tokenizer(text.vocabulary).save(str(target / text_tower.TOKENIZER), pretty=False)


def _build_image_towers(inputs: BuildInputs, target: Path) -> None:
    weights = read_lite0(inputs.parts[IMAGE_TOWER.name])
    _fill_graph(inputs.release / "graphs", "image", weights.__getitem__, target)
    if (inputs.release / DRAWINGS_FILE).is_file():
        seen = with_deltas(inputs.release, weights.__getitem__, file=DRAWINGS_FILE)
        _fill_graph(inputs.release / "graphs", "drawings", seen, target)
    with np.load(inputs.release / ALIGNMENT, allow_pickle=False) as aligned:
        joint_space.JointSpace(
            text_centre=aligned["text_centre"].astype(np.float32),
            image_map=aligned["image_map"].astype(np.float32),
            classifier=weights["classifier.weight"],
            classifier_bias=weights["classifier.bias"],
            class_vectors=aligned["class_vectors"].astype(np.float32),
        ).save(target)


def _fill_graph(graphs: Path, name: str, source: Callable[[str], Any], target: Path) -> None:
    plan = FillPlan.load(graphs / f"{name}.plan.json")
    shutil.copyfile(graphs / plan.graph, target / plan.graph)
    fill(plan, source, target / plan.data)


def _build_prompts(prompts: PromptFile, target: Path) -> None:
    tower, space = text_tower.TextTower.load(target), joint_space.JointSpace.load(target)
    modalities: tuple[tuple[Modality, str], ...] = (("text", members.TEXT_PROMPTS), ("image", members.IMAGE_PROMPTS))
    for modality, folder in modalities:
        bank = prompts.of(modality)
        (target / folder).mkdir()
        heads.PromptBank(
            harmful={name: space.text(tower.encode(contrast.harmful)) for name, contrast in bank.items()},
            benign={name: space.text(tower.encode(contrast.benign)) for name, contrast in bank.items()},
        ).save(target / folder)


def _card(inputs: BuildInputs, release: Mapping[str, Any], prompts: PromptFile, target: Path) -> dict[str, Any]:
    return {
        "format": members.FORMAT,
        "release": f"{release['name']}-{release['version']}",
        "tier": str(release["tier"]),
        "members": _present(target),
        "prompts": prompts.version,
        "quality": read_quality(inputs.release),
        "parts": [
            {"name": part.name, "package": part.package, "version": part.version, "licence": part.licence}
            for part in PARTS
        ],
    }


def _present(target: Path) -> list[str]:
    """The members, in the contract's words, that have what they need."""
    files = {
        "towers": (heads.FILE, text_tower.GRAPH, image_tower.GRAPH),
        "ngrams": (ngrams.FILE,),
        "prompts": (f"{members.TEXT_PROMPTS}/{heads.PROMPTS_FILE}",),
        "nsfw": (nsfw.GRAPH,),
        "ocr": (ocr.DETECTOR, ocr.RECOGNISER),
    }
    return [name for name, needed in files.items() if all((target / file).is_file() for file in needed)]
