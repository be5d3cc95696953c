"""Paraphrase by template: a sentence in a frame of small words that says no more and no less (`frames.yaml`).

The sentence itself stays to the letter, so its label does. Texts of other languages are given back as they came.
"""

from __future__ import annotations

import random
from functools import cache
from importlib import resources
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

BOTH_SHARE: Final = 0.25
"""How often there is something before and after."""


class Frame(BaseModel):
    """What one language may put around a sentence."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: tuple[str, ...] = Field(min_length=2)
    after: tuple[str, ...] = Field(min_length=2)


@cache
def frames() -> dict[str, Frame]:
    """Language -> its frames; pydantic's ValidationError when the file is wrong."""
    text = (resources.files("triton_models.training.augment") / "frames.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Frame]).validate_python(yaml.safe_load(text))


def frame(text: str, locale: str, *, rng: random.Random) -> str:
    """`text` with a remark before it, after it or both."""
    whole = locale.replace("_", "-")
    known = frames().get(whole) or frames().get(whole.partition("-")[0].lower() if "Latn" not in whole else "")
    if known is None or not text.strip():
        return text
    drawn = rng.random()
    before = drawn < BOTH_SHARE or drawn >= (1 + BOTH_SHARE) / 2
    after = drawn < (1 + BOTH_SHARE) / 2
    space = "" if whole.startswith(("zh", "ja")) else " "
    head = rng.choice(known.before) + rng.choice((space, "\n")) if before else ""
    tail = rng.choice((" ", "\n")) + rng.choice(known.after) if after else ""
    return head + text + tail
