"""The one table from the labels of data sets to Weir's categories. Reviewed by hand; a test holds every line of it.

Two questions are kept apart, because mixing them costs 5 to 8 points on HateCheck: `hate` is an attack on people for
who they are, `harassment` is offence, insult and profanity. What a set does not ask is left out, which is not 0.

A share between 0 and 1 says that only most rows with this label are such (it teaches, it never measures). `BACKGROUND`
is what ordinary social posts teach the categories that only prompts were written for: nearly always 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policies.engine.taxonomy import CATEGORIES, NEVER_MODELLED, Category

Labels = Mapping[Category, float]

MOSTLY: Final = 0.85
RARELY: Final = 0.02
SELDOM: Final = 0.20
UNSURE: Final = 0.40  # a hint against, a fifth as loud as a certain label

#: Social posts are no prompts to an assistant, and few of them are about these.
BACKGROUND: Final[Labels] = {
    "prompt_attack": 0,
    "violence": RARELY,
    "weapons": RARELY,
    "self_harm": RARELY,
    "spam_scam": RARELY,
}
#: The same where sex and drugs are rare talk too (not so in tweets collected by slang).
SOBER: Final[Labels] = {**BACKGROUND, "sexual": RARELY, "drugs": RARELY}

DAVIDSON: Final[Mapping[str, Labels]] = {
    # The crowd chose one of three, so "hate" does not say whether it was also rude. Nearly always it was.
    "0": {"hate": 1, "harassment": MOSTLY},
    # "Offensive, but not hate speech" was the choice's wording, for tweets full of what other sets call hateful: taught
    # as hate=0 they cost 12 points of AUROC on a set that was left out (EDOS .556; as UNSURE .676; unsaid .696).
    "1": {"hate": UNSURE, "harassment": 1},
    "2": {"hate": 0, "harassment": 0, **BACKGROUND},
}

EDOS: Final[Mapping[str, Labels]] = {
    # Keyed by label_vector. Sexism is an attack on women for who they are, in four strengths.
    # "Not sexist" was not asked about rudeness (some are rude) nor about hate of other kinds (rare).
    "none": {"hate": 0, "harassment": SELDOM, **SOBER},
    "1.1 threats of harm": {"hate": 1, "harassment": 1},
    "1.2 incitement and encouragement of harm": {"hate": 1, "harassment": 1},
    "2.1 descriptive attacks": {"hate": 1},
    "2.2 aggressive and emotive attacks": {"hate": 1, "harassment": 1},
    "2.3 dehumanising attacks & overt sexual objectification": {"hate": 1, "harassment": 1},
    # Gendered insults at one person are insults; whether they attack women as women is not what was asked.
    "3.1 casual use of gendered slurs, profanities, and insults": {"hate": MOSTLY, "harassment": 1},
    "3.2 immutable gender differences and gender stereotypes": {"hate": MOSTLY},
    "3.3 backhanded gendered compliments": {},
    "3.4 condescending explanations or unwelcome advice": {},
    "4.1 supporting mistreatment of individual women": {"hate": 1},
    "4.2 supporting systemic discrimination against women as a group": {"hate": 1},
}

HATEMOJI: Final[Mapping[str, Labels]] = {
    # Keyed by label_gold. The counterparts are harmless in what they say of people; rudeness was not asked.
    "0": {"hate": 0, "prompt_attack": 0},
    "1": {"hate": 1, "prompt_attack": 0},
}

COLD: Final[Mapping[str, Labels]] = {
    # It asked about offence. Collected with words for races, regions and genders, an offensive row is often an attack
    # on that group, but attacks on persons are labelled the same: of hate it says nothing.
    "0": {"harassment": 0, **SOBER},
    "1": {"harassment": 1, "prompt_attack": 0},
}

GERMEVAL: Final[Mapping[str, Labels]] = {
    # Keyed by the fine label. ABUSE "ascribes a negatively judged social identity to the person"; INSULT is personal.
    "OTHER": {"hate": 0, "harassment": 0, **SOBER},
    "PROFANITY": {"hate": 0, "harassment": 1, "prompt_attack": 0},
    "INSULT": {"harassment": 1, "prompt_attack": 0},
    "ABUSE": {"hate": MOSTLY, "harassment": 1, "prompt_attack": 0},
}

#: AILuminate hazards that are one of our categories. The others are topics we do not judge, or judge elsewhere.
HAZARDS: Final[Mapping[str, Category]] = {
    "hte": "hate",
    "iwp": "weapons",  # indiscriminate weapons
    "ssh": "self_harm",
    "vcr": "violence",  # violent crimes
}
#: Hazards whose prompts are often about the category too, so that they say nothing about it.
RELATED: Final[Mapping[str, tuple[Category, ...]]] = {
    "dfm": ("hate",),
    "hte": ("violence",),
    "iwp": ("violence",),
    "ncr": ("weapons", "violence"),  # non-violent crimes: theft, firearms trade, drugs
    "src": ("violence",),  # sex-related crimes
    "vcr": ("weapons", "hate"),
    "ssh": ("violence",),
}

_ATTACK: Final[Labels] = {"hate": 1, "harassment": MOSTLY, "prompt_attack": 0}
#: Sections of our contrast sentences. What quotes or answers hate is not hate; whether it is rude was not asked.
CONTRAST: Final[Mapping[str, Labels]] = {
    "hateful.statements": _ATTACK,
    "hateful.dehumanising": _ATTACK,
    "hateful.threats": {**_ATTACK, "violence": MOSTLY},
    "hateful.exclusion": _ATTACK,
    "hateful.implied": {"hate": 1, "prompt_attack": 0},
    "hateful.profane": {"hate": 1, "harassment": 1, "prompt_attack": 0},
    "hateful.framed": _ATTACK,
    "plain_hateful": _ATTACK,
    "harmless.neutral": {"hate": 0, "harassment": 0, **SOBER},
    "harmless.positive": {"hate": 0, "harassment": 0, **SOBER},
    "harmless.negated": {"hate": 0, "prompt_attack": 0},
    "harmless.quoted": {"hate": 0, "prompt_attack": 0},
    "harmless.self": {"hate": 0, "harassment": RARELY, **BACKGROUND},
    "harmless.rights": {"hate": 0, "harassment": 0, **BACKGROUND},
    "harmless.anger_elsewhere": {"hate": 0, "prompt_attack": 0},
    "plain_harmless": {"hate": 0, "prompt_attack": 0},
    "rude": {"hate": 0, "harassment": 1, "prompt_attack": 0},
    "profane_harmless": {"hate": 0, "prompt_attack": 0},
    "ordinary": {"hate": 0, "harassment": 0, **SOBER},
}

JAILBREAK: Final[Labels] = {"prompt_attack": 1}


def written_labels(topic: str, *, harmful: bool) -> dict[Category, float]:
    """What one of our own sentences says: its category for certain; a harmless one is rarely anything else.

    Sentences of the topic `ordinary` are harmless in every category that may be modelled.
    """
    if topic == "ordinary":
        return {name: 0.0 for name in CATEGORIES if name not in NEVER_MODELLED}
    category = next(name for name in CATEGORIES if name == topic)
    if harmful:
        return {category: 1.0, "prompt_attack": 0.0}
    return {**{name: float(value) for name, value in SOBER.items()}, category: 0.0}


def harm_labels(category: Category, *, harmful: bool) -> dict[Category, float]:
    """What one of our sentences about a harm, or one of its look-alikes, says.

    A look-alike attacks nobody. A harmful line says its own category, and that it is no hate where the category is
    not about people: whether a threat or an insult also attacks a group was not asked.
    """
    if not harmful:
        calm: dict[Category, float] = {"hate": 0.0, "harassment": RARELY, **SOBER}
        return {**calm, category: 0.0}
    said: dict[Category, float] = {category: 1.0, "prompt_attack": float(category == "prompt_attack")}
    if category not in ("violence", "harassment", "hate"):
        said["hate"] = 0.0
    if category == "harassment":
        said["hate"] = RARELY
    return said


def ailuminate_labels(hazard: str, persona: str) -> dict[Category, float]:
    """What a prompt's hazard code and the skill of its writer say.

    A "skilled" writer often wraps the request in an attack on the assistant's rules, so such a prompt says nothing
    about `prompt_attack`; an "unskilled" one asks plainly.
    """
    own = HAZARDS.get(hazard)
    unsure = RELATED.get(hazard, ())
    labels: dict[Category, float] = {
        category: float(category == own) for category in HAZARDS.values() if category not in unsure
    }
    if persona == "unskilled":
        labels["prompt_attack"] = 0.0
    return labels
