"""The sentences of generated pairs (`phrases.yaml`, `further/*.yaml`), checked; which of them each split may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    more: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)  # language -> `joint` sentences, train only


class Phrases(_Strict):
    """All sentences; each is a tuple in the order of `languages`."""

    languages: tuple[str, ...] = Field(min_length=1)
    families: dict[str, Family]
    neutral: tuple[tuple[str, ...], ...] = Field(min_length=3)
    more_neutral: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)  # language -> sentences, train only

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

    @model_validator(mode="after")
    def _further_is_for_training(self) -> Phrases:
        """Further sentences are in training languages, each only once, and none is held out for dev or test."""
        places: dict[str, str] = {}
        held = {_bare(one) for one in self.held_out()}
        for name, language, sentences in self._all_further():
            where = f"{name}.{language}"
            if language not in self.languages_of("train"):
                raise ValueError(f"{where}: further sentences are for training, and {language} is no training language")
            if not sentences:
                raise ValueError(f"{where} is empty; leave the language out instead")
            for number, sentence in enumerate(sentences):
                bare = _bare(sentence)
                if not bare:
                    raise ValueError(f"{where}[{number}] is blank")
                if bare in held:
                    raise ValueError(f"{where}[{number}] is held out for dev or test: {sentence!r}")
                if bare in places:
                    raise ValueError(f"{where}[{number}] stands in {places[bare]} already: {sentence!r}")
                places[bare] = f"{where}[{number}]"
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
        """Further sentences that a post in `language` may use, in train only."""
        if split != "train" or kind == "explicit":
            return ()
        return (self.more_neutral if family is None else self.families[family].more).get(language, ())

    def lines(self, family: str | None, kind: Kind, split: Split, language: str) -> list[str]:
        """Every sentence of a kind that a split may use in a language, further ones too."""
        own = [self.text(family, kind, number, language) for number in self.usable(family, kind, split)]
        return own + list(self.further(family, kind, split, language))

    def held_out(self) -> Iterator[str]:
        """Every sentence of dev and test, in all languages."""
        kinds: tuple[tuple[str | None, Kind], ...] = ((None, "neutral"),)
        kinds += tuple((name, kind) for name in self.families for kind in ("joint", "explicit"))
        for family, kind in kinds:
            for split in ("dev", "test"):
                for number in self.usable(family, kind, split):
                    yield from self._sentences(family, kind)[number]

    def languages_of(self, split: Split) -> tuple[str, ...]:
        """The languages that a split uses; test has them all, the held-out ones too."""
        return tuple(one for one in self.languages if split == "test" or one not in HELD_OUT_LANGUAGES)

    def _all_further(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Where a list of further sentences stands, its language, and the list."""
        for name, family in self.families.items():
            yield from ((f"{name}.more", language, sentences) for language, sentences in family.more.items())
        yield from (("more_neutral", language, sentences) for language, sentences in self.more_neutral.items())

    def _sentences(self, family: str | None, kind: Kind) -> tuple[tuple[str, ...], ...]:
        if family is None:
            return self.neutral
        own = self.families[family]
        return own.joint if kind == "joint" else own.explicit


def _bare(sentence: str) -> str:
    """A sentence without case and outer space, for comparing."""
    return sentence.strip().casefold()


def load_phrases() -> Phrases:
    """The shipped sentences; pydantic's ValidationError when a file is wrong."""
    package = resources.files("triton_models.training.pairs")
    raw = yaml.safe_load((package / "phrases.yaml").read_text(encoding="utf-8"))
    for file in sorted((package / "further").iterdir(), key=lambda one: one.name):
        language = file.name.removesuffix(".yaml")
        for name, sentences in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            lists = raw["more_neutral"] if name == "neutral" else raw["families"][name]["more"]
            lists[language] = [*lists.get(language, ()), *sentences]
    return Phrases.model_validate(raw)
