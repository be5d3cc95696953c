"""Writes the files of a release, whole or not at all, and reads them back to judge with."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from triton_models.serving import fuse, heads, ngrams
from triton_models.serving.fuse import Fuser
from triton_models.serving.heads import Heads
from triton_models.serving.ngrams import Ngrams
from triton_models.training.card import render_card
from triton_models.training.datasets import Row, build_rows
from triton_models.training.embed import Encoder
from triton_models.training.judge import TextMembers
from triton_models.training.recipe import Recipe
from triton_models.training.starter import Trained

LEARNED_FILES: Final = (heads.FILE, ngrams.FILE, fuse.FILE)
CARD: Final = "card.json"
MAX_BYTES: Final = 20_000_000
"""What we trained and keep in the repository (issue 3)."""


def write_learned(trained: Trained, folder: Path) -> dict[str, dict[str, Any]]:
    """Writes heads, n-grams and fuser into `folder`; gives each file's bytes and SHA-256. Other files there stay."""
    aside = folder.with_name(folder.name + ".new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    trained.members.heads.save(aside)
    trained.members.ngrams.save(aside)
    trained.fuser.save(aside)
    sizes = {name: (aside / name).stat().st_size for name in LEARNED_FILES}
    if sum(sizes.values()) > MAX_BYTES:
        raise ValueError(f"{folder}: {sum(sizes.values()):,} bytes is over the {MAX_BYTES:,} that a release may have")
    found = {
        name: {"bytes": size, "sha256": hashlib.sha256((aside / name).read_bytes()).hexdigest()}
        for name, size in sizes.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name in LEARNED_FILES:
        (aside / name).replace(folder / name)
    aside.rmdir()
    return found


def write_card(card: Mapping[str, Any], folder: Path) -> None:
    """Writes `card.json` and `card.md`."""
    (folder / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "card.md").write_text(render_card(card), encoding="utf-8")


def read_members(folder: Path, encoder: Encoder, cache: Path) -> tuple[TextMembers, Fuser]:
    """The text members and the fuser of a written release; OSError or ValueError for a broken one."""
    members = TextMembers(heads=Heads.load(folder), ngrams=Ngrams.load(folder), encoder=encoder, cache=cache)
    return members, Fuser.load(folder)


def rows_of_release(folder: Path, data: Path) -> list[Row]:
    """The rows with the very splits that the release in `folder` was trained with, from its card's recipe."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    recipe = Recipe.model_validate(card["recipe"])
    rows, _ = build_rows(data, sets=recipe.sets, seed=recipe.seed)
    return rows
