"""The mapping table, line by line: a change of what a label means must be made here too, on purpose."""

from __future__ import annotations

import pytest

from policies.engine.taxonomy import CATEGORIES, NEVER_MODELLED
from triton_models.training.datasets import mapping

TABLES = {
    "davidson": mapping.DAVIDSON,
    "edos": mapping.EDOS,
    "hatemoji_build": mapping.HATEMOJI,
    "cold_zh": mapping.COLD,
    "germeval2018_de": mapping.GERMEVAL,
}
REVIEWED = {
    ("davidson", "0"): (1, 0.85),
    ("davidson", "1"): (0.4, 1),
    ("davidson", "2"): (0, 0),
    ("edos", "none"): (0, 0.2),
    ("edos", "1.1 threats of harm"): (1, 1),
    ("edos", "1.2 incitement and encouragement of harm"): (1, 1),
    ("edos", "2.1 descriptive attacks"): (1, None),
    ("edos", "2.2 aggressive and emotive attacks"): (1, 1),
    ("edos", "2.3 dehumanising attacks & overt sexual objectification"): (1, 1),
    ("edos", "3.1 casual use of gendered slurs, profanities, and insults"): (0.85, 1),
    ("edos", "3.2 immutable gender differences and gender stereotypes"): (0.85, None),
    ("edos", "3.3 backhanded gendered compliments"): (None, None),
    ("edos", "3.4 condescending explanations or unwelcome advice"): (None, None),
    ("edos", "4.1 supporting mistreatment of individual women"): (1, None),
    ("edos", "4.2 supporting systemic discrimination against women as a group"): (1, None),
    ("hatemoji_build", "0"): (0, None),
    ("hatemoji_build", "1"): (1, None),
    ("cold_zh", "0"): (None, 0),
    ("cold_zh", "1"): (None, 1),
    ("germeval2018_de", "OTHER"): (0, 0),
    ("germeval2018_de", "PROFANITY"): (0, 1),
    ("germeval2018_de", "INSULT"): (None, 1),
    ("germeval2018_de", "ABUSE"): (0.85, 1),
}
LINES = [(name, label) for name, table in TABLES.items() for label in table]


@pytest.mark.parametrize(("name", "label"), LINES)
def test_each_label_means_what_was_reviewed(name: str, label: str) -> None:
    """A label's hate and harassment are the reviewed pair; None means that the set does not say."""
    labels = TABLES[name][label]
    assert (labels.get("hate"), labels.get("harassment")) == REVIEWED[name, label]


@pytest.mark.parametrize(("name", "label"), LINES)
def test_no_label_speaks_of_a_category_that_is_never_modelled(name: str, label: str) -> None:
    """Labels name known categories, with values in 0..1, and never sexual_minors."""
    labels = TABLES[name][label]
    assert set(labels) <= set(CATEGORIES) - NEVER_MODELLED
    assert all(0 <= value <= 1 for value in labels.values())


@pytest.mark.parametrize(
    ("hazard", "category"), [("hte", "hate"), ("iwp", "weapons"), ("ssh", "self_harm"), ("vcr", "violence")]
)
def test_hazard_codes_teach_their_own_category(hazard: str, category: str) -> None:
    """A hazard's prompts are positives of exactly its category."""
    labels = mapping.ailuminate_labels(hazard, "unskilled")
    assert [name for name, value in labels.items() if value == 1] == [category]


def test_a_skilled_writers_prompt_says_nothing_about_attacks_on_the_assistant() -> None:
    """Only plainly asked prompts are negatives of prompt_attack."""
    assert "prompt_attack" not in mapping.ailuminate_labels("prv", "skilled")
    assert mapping.ailuminate_labels("prv", "unskilled")["prompt_attack"] == 0


def test_related_hazards_leave_a_category_open() -> None:
    """Prompts about other crimes may be about weapons too, so they are no negatives of it."""
    assert "weapons" not in mapping.ailuminate_labels("ncr", "unskilled")


def test_our_own_sentences_speak_for_their_category() -> None:
    """A harmful one is a positive of its topic alone; an ordinary one is a negative of all that may be modelled."""
    assert mapping.written_labels("drugs", harmful=True) == {"drugs": 1, "prompt_attack": 0}
    assert mapping.written_labels("drugs", harmful=False)["drugs"] == 0
    ordinary = mapping.written_labels("ordinary", harmful=False)
    assert set(ordinary) == set(CATEGORIES) - NEVER_MODELLED
    assert set(ordinary.values()) == {0}
