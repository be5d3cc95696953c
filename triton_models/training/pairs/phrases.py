"""The sentences of generated pairs (`phrases.yaml`), checked; and which of them each split may use."""

from __future__ import annotations

from importlib import resources
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from policies.engine.taxonomy import Category
from triton_models.training.datasets.rows import Split

HELD_OUT_LANGUAGES: Final = ("tr", "hi", "ko")
"""No generated pair in these is for training; one script each of their own, and one Latin."""

Kind = Literal["joint", "explicit", "neutral"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Family(_Strict):
    """Sentences that harm in one way, and the pictures with which they do or do not."""

    category: Category
    shows: tuple[str, ...] = Field(min_length=1)
    instead: tuple[str, ...] = Field(min_length=1)
    joint: tuple[tuple[str, ...], ...] = Field(min_length=3)
    explicit: tuple[tuple[str, ...], ...] = Field(min_length=2)
    more: tuple[str, ...] = ()  # English, train only


class Phrases(_Strict):
    """All sentences; each is a tuple in the order of `languages`."""

    languages: tuple[str, ...] = Field(min_length=1)
    families: dict[str, Family]
    neutral: tuple[tuple[str, ...], ...] = Field(min_length=3)
    more_neutral: tuple[str, ...] = ()  # English, train only

    @model_validator(mode="after")
    def _complete(self) -> Phrases:
        lists = [("neutral", self.neutral)]
        for name, family in self.families.items():
            lists += [(f"{name}.joint", family.joint), (f"{name}.explicit", family.explicit)]
        for name, sentences in lists:
            for number, sentence in enumerate(sentences):
                if len(sentence) != len(self.languages) or not all(one.strip() for one in sentence):
                    raise ValueError(
                        f"{name}[{number}] has not one sentence in each of {len(self.languages)} languages"
                    )
        return self

    def usable(self, family: str | None, kind: Kind, split: Split) -> tuple[int, ...]:
        """The numbers of the sentences that a split may use: the last is for test, the one before it for dev.

        Of two explicit sentences the first is for training and the second for test; dev has none.
        """
        count = len(self._sentences(family, kind))
        if kind == "explicit":
            return {"train": tuple(range(count - 1)), "dev": (), "test": (count - 1,)}[split]
        held = {"train": range(count - 2), "dev": range(count - 2, count - 1), "test": range(count - 1, count)}
        return tuple(held[split])

    def text(self, family: str | None, kind: Kind, number: int, language: str) -> str:
        """One sentence."""
        return self._sentences(family, kind)[number][self.languages.index(language)]

    def further(self, family: str | None, kind: Kind, split: Split, language: str) -> tuple[str, ...]:
        """Further sentences that a post in `language` may use: English ones, in train only."""
        if split != "train" or language != "en" or kind == "explicit":
            return ()
        return self.more_neutral if family is None else self.families[family].more

    def languages_of(self, split: Split) -> tuple[str, ...]:
        """The languages that a split uses; test has them all, the held-out ones too."""
        return tuple(one for one in self.languages if split == "test" or one not in HELD_OUT_LANGUAGES)

    def _sentences(self, family: str | None, kind: Kind) -> tuple[tuple[str, ...], ...]:
        if family is None:
            return self.neutral
        own = self.families[family]
        return own.joint if kind == "joint" else own.explicit


def load_phrases() -> Phrases:
    """The shipped sentences; pydantic's ValidationError when the file is wrong."""
    text = (resources.files("triton_models.training.pairs") / "phrases.yaml").read_text(encoding="utf-8")
    return Phrases.model_validate(yaml.safe_load(text))
