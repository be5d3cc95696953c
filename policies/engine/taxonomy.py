"""The level-one harm categories and the actions, in their fixed order.

The order is part of the wire contract and of the served model's label order; it is never changed, only appended to.
Level two (`hate.identity_attack`) is data: `policies/library/taxonomies/`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal, get_args

Category = Literal[
    "hate",
    "harassment",
    "violence",
    "weapons",
    "self_harm",
    "sexual",
    "drugs",
    "spam_scam",
    "prompt_attack",
    "sexual_minors",
]

CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)

#: Judged by known hashes and text rules only. A model that guesses here would need data that must not exist.
NEVER_MODELLED: Final[frozenset[Category]] = frozenset({"sexual_minors"})

#: What a post's judgement may come from.
MODALITIES: Final[tuple[str, ...]] = ("text", "image", "joint")

MAX_SEVERITY: Final = 7


class Action(IntEnum):
    """What the platform should do; a greater value is more severe."""

    ALLOW = 0
    LABEL = 1
    BLUR = 2
    LIMIT = 3
    REVIEW = 4
    BLOCK = 5

    @property
    def word(self) -> str:
        """The name on the wire and in YAML: `limit`."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Action:
        """The action that `word` names; KeyError for a word that is none."""
        return cls[word.upper()]
