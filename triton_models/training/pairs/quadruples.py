"""Quadruples: two sentences times two pictures, where exactly one of the four posts is harmful only together.

    (harmful picture, pointing sentence)   harm, and neither half says so alone      corner 11
    (harmful picture, neutral sentence)    no harm                                   corner 10
    (harmless picture, pointing sentence)  no harm                                   corner 01
    (harmless picture, neutral sentence)   no harm                                   corner 00

So neither half tells the answer: each sentence and each picture stands in as many harmful as harmless posts of its
kind, and only their interaction does (Kiela et al. 2020, "The Hateful Memes Challenge": benign confounders). Beside
them, posts whose sentence is harmful outright (corner T), whatever they show. Splits share no sentence, no icon, and
three languages are in test only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from policies.engine.taxonomy import Category
from triton_models.training.datasets.rows import Split
from triton_models.training.pairs.icons import Icon
from triton_models.training.pairs.phrases import Family, Kind, Phrases

Corner = Literal["11", "10", "01", "00", "T"]
JOINT_SEVERITY: Final = 4
TEXT_SEVERITY: Final = 5
STYLES: Final = 16
"""Renderings of each icon; fewer than posts, so that a picture is seen with many sentences and is stored once."""
SAME_KIND_SHARE: Final = 0.5
"""How often the harmless picture is of the harmful one's kind, icon or emoji: emoji are coloured and mostly harmless,
and colour should be no sign."""
ENGLISH_SHARE: Final = 0.1
"""Of the training posts, beyond English's part as one of ten languages. It has twice as many sentences as any other, so
with this every sentence is drawn about as often."""
NAMED_SHARE: Final = 0.35
"""How often a neutral sentence is the picture's own name where one is known in the language: captions are neutral."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One generated post."""

    id: str  # `pairs/<split>/<quadruple>/<corner>`
    group: str  # the four corners of a quadruple share it
    corner: Corner
    family: str
    category: Category
    locale: str
    text: str
    template: str  # what it was made from: `threat/joint/3`, `neutral/0`, `name`
    icon: Icon
    style: int  # which of STYLES renderings of the icon
    split: Split
    labels: Mapping[Category, int]  # severity 0..7; what is not named is 0

    @property
    def harmful(self) -> bool:
        """Whether the post is harmful in the way of its family."""
        return self.labels.get(self.category, 0) >= JOINT_SEVERITY


@dataclass(frozen=True, slots=True)
class PairPlan:
    """How many to make."""

    quadruples: int  # per family and split of "train"; dev and test get a quarter and a half of it
    seed: int = 0
    explicit_share: float = 0.25  # posts with a harmful sentence, per quadruple


def build_pairs(phrases: Phrases, icons: Mapping[str, Sequence[Icon]], plan: PairPlan) -> list[Pair]:
    """All generated posts; the same phrases, icons and plan give the same posts in the same order."""
    shares: tuple[tuple[Split, float], ...] = (("train", 1.0), ("dev", 0.25), ("test", 0.5))
    made: list[Pair] = []
    for split, share in shares:
        for name in phrases.families:
            rng = random.Random(f"{plan.seed}/{split}/{name}")  # noqa: S311 - a repeatable choice
            maker = _Maker(phrases, icons, name, split, rng)
            for number in range(max(1, round(plan.quadruples * share))):
                made += maker.quadruple(number)
                if phrases.usable(name, "explicit", split) and rng.random() < plan.explicit_share:
                    made.append(maker.explicit(number))
    return made


def pair_label(pair: Pair) -> int:
    """1 for a harmful post, else 0."""
    return int(pair.harmful)


class _Maker:
    """Draws posts of one family in one split."""

    def __init__(
        self, phrases: Phrases, icons: Mapping[str, Sequence[Icon]], name: str, split: Split, rng: random.Random
    ) -> None:
        self._phrases, self._name, self._split, self._rng = phrases, name, split, rng
        self._family: Family = phrases.families[name]
        self._shows = [icon for one in self._family.shows for icon in icons[one] if icon.split == split]
        self._instead = [icon for one in self._family.instead for icon in icons[one] if icon.split == split]
        self._languages = phrases.languages_of(split)

    def quadruple(self, number: int) -> Iterator[Pair]:
        """The four posts of one quadruple."""
        language = self._language()
        harmful = self._rng.choice(self._shows)
        harmless = self._harmless_beside(harmful)
        pointing, template = self._sentence("joint", language)
        plain, neutral = self._neutral(language, (harmful, harmless))
        group = f"pairs/{self._split}/{self._name}-{number}"
        corners: tuple[tuple[Corner, Icon, str, str], ...] = (
            ("11", harmful, pointing, template),
            ("10", harmful, plain, neutral),
            ("01", harmless, pointing, template),
            ("00", harmless, plain, neutral),
        )
        styles = {icon.name: self._rng.randrange(STYLES) for icon in (harmful, harmless)}
        for corner, icon, text, made_from in corners:
            yield self._pair(group, corner, language, (text, made_from), (icon, styles[icon.name]))

    def _harmless_beside(self, harmful: Icon) -> Icon:
        """A harmless picture for a quadruple, half the time drawn as the harmful one is."""
        alike = [icon for icon in self._instead if icon.path.suffix == harmful.path.suffix]
        return self._rng.choice(alike if alike and self._rng.random() < SAME_KIND_SHARE else self._instead)

    def explicit(self, number: int) -> Pair:
        """A post whose sentence is harmful with any picture."""
        language = self._language()
        icon = self._rng.choice(self._rng.choice((self._shows, self._instead)))
        group = f"pairs/{self._split}/{self._name}-text-{number}"
        shown = (icon, self._rng.randrange(STYLES))
        return self._pair(group, "T", language, self._sentence("explicit", language), shown)

    def _language(self) -> str:
        """A language of the split; in train English, which has most sentences, more often than the others."""
        if self._split == "train" and self._rng.random() < ENGLISH_SHARE:
            return "en"
        return self._rng.choice(self._languages)

    def _sentence(self, kind: Literal["joint", "explicit"], language: str) -> tuple[str, str]:
        return self._drawn(self._name, kind, language)

    def _neutral(self, language: str, shown: tuple[Icon, Icon]) -> tuple[str, str]:
        """A neutral sentence for both pictures: one of ours, or what one of the two is called."""
        names = [icon.captions[language] for icon in shown if language in icon.captions]
        if names and self._rng.random() < NAMED_SHARE:
            return self._rng.choice(names), "name"
        return self._drawn(None, "neutral", language)

    def _drawn(self, family: str | None, kind: Kind, language: str) -> tuple[str, str]:
        """A sentence and what it was made from."""
        numbers = self._phrases.usable(family, kind, self._split)
        extra = self._phrases.further(family, kind, self._split, language)
        index = self._rng.randrange(len(numbers) + len(extra))
        made_from = f"{family}/{kind}" if family else kind
        if index >= len(numbers):
            return extra[index - len(numbers)], f"{made_from}/more-{index - len(numbers)}"
        return self._phrases.text(family, kind, numbers[index], language), f"{made_from}/{numbers[index]}"

    def _pair(self, group: str, corner: Corner, language: str, said: tuple[str, str], shown: tuple[Icon, int]) -> Pair:
        icon, style = shown
        labels = dict(icon.labels)
        own = self._family.category
        if corner == "T":
            labels[own] = max(labels.get(own, 0), TEXT_SEVERITY)
        elif corner == "11":
            labels[own] = max(labels.get(own, 0), JOINT_SEVERITY)
        return Pair(
            id=f"{group}/{corner}",
            group=group,
            corner=corner,
            family=self._name,
            category=own,
            locale=language,
            text=said[0],
            template=said[1],
            icon=icon,
            style=style,
            split=self._split,
            labels=labels,
        )
