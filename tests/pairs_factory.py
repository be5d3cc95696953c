"""A small data folder with icons, emoji and names, enough for generated pairs to be built from."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import yaml
from PIL import Image

_SQUARE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512"><path d="M0 0h512v512H0z"/>'
    '<path fill="#fff" d="M100 100h312v312H100z"/></svg>'
)


def write_pair_data(folder: Path) -> Path:
    """Every icon and emoji of concepts.yaml as a square, and names for the emoji in two languages; the folder."""
    text = (resources.files("triton_models.training.pairs") / "concepts.yaml").read_text(encoding="utf-8")
    concepts = yaml.load(text, Loader=yaml.BaseLoader)["concepts"]
    icons, emoji = folder / "images/game_icons/somebody", folder / "images/noto_emoji/png/72"
    names = folder / "images/cldr_annotations"
    for one in (icons, emoji, names):
        one.mkdir(parents=True)
    codes: list[str] = []
    for concept in concepts.values():
        for name in concept["icons"]:
            (icons / f"{name}.svg").write_text(_SQUARE, encoding="utf-8")
        codes += concept["emoji"]
    for code in codes:
        Image.new("RGBA", (8, 8), (200, 30, 30, 255)).save(emoji / f"emoji_u{code}.png")
    for language in ("en", "de"):
        table = {chr(int(code, 16)): {"tts": [f"{language} {code}"]} for code in codes}
        raw = {"annotations": {"annotations": table}}
        (names / f"{language}.json").write_text(json.dumps(raw), encoding="utf-8")
    return folder
