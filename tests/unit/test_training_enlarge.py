"""Train rows multiplied: old recipes give the very same rows, and each kind of copy keeps labels and its own draw."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from triton_models.training.datasets import Row
from triton_models.training.enlarge import DISGUISED_CHARS, enlarge
from triton_models.training.recipe import Augment, load_recipe, shipped_recipes

SENTENCE = "Nobody expected the martians to arrive before breakfast on Tuesday"
NOTHING = Augment(disguised_share=0.0, ordinary_long=0, jailbreak_pieces=0)
#: What the rows below come to since 2026.11.3, which copies no disguise that comes off before a member reads.
BEFORE = "d96982105c512292"


def rows(*, text: str = SENTENCE, locale: str = "en", count: int = 60) -> list[Row]:
    """Train rows, every second one harmful."""
    return [
        Row(f"edos:{n}", f"{text} {n}", locale, "edos", "train", {"hate": n % 2, "prompt_attack": 0})
        for n in range(count)
    ]


def old_rows() -> list[Row]:
    """Rows that every old kind of copy is made of."""
    long = " ".join(f"word{n}" for n in range(400))
    prompt = Row("jailbreaks_in_the_wild:1", long, "en", "jailbreaks_in_the_wild", "train", {"prompt_attack": 1})
    return [*rows(), prompt]


def digest(some: list[Row]) -> str:
    """A short hash of everything that training sees."""
    lines = [f"{row.id}\t{row.text}\t{row.locale}\t{row.labels}" for row in some]
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def test_an_old_recipe_gives_the_very_same_rows() -> None:
    """A recipe that names no new share draws what it drew when this was pinned: a seed is a promise."""
    assert digest(enlarge(old_rows(), Augment(ordinary_long=3), seed=20261124)) == BEFORE


def test_the_starter_recipe_asks_for_nothing_new() -> None:
    """The shipped release can be made again from its recipe."""
    augment = load_recipe("starter").augment
    assert "starter" in shipped_recipes()
    assert augment.romanised_share == augment.mixed_share == augment.framed_share == 0.0


def test_new_copies_come_after_the_old_and_change_none() -> None:
    """Raising the new shares adds rows at the end."""
    before = enlarge(old_rows(), Augment(ordinary_long=3), seed=20261124)
    after = enlarge(old_rows(), Augment(ordinary_long=3, mixed_share=0.5, framed_share=0.5), seed=20261124)
    assert after[: len(before)] == before
    assert len(after) > len(before) + 30


def test_one_share_changes_no_other_kind() -> None:
    """Framed copies are the same rows whether or not there are mixed ones."""
    framed = enlarge(rows(), NOTHING.model_copy(update={"framed_share": 0.3}), seed=5)[60:]
    both = enlarge(rows(), NOTHING.model_copy(update={"framed_share": 0.3, "mixed_share": 0.7}), seed=5)[60:]
    assert [row for row in both if row.id.endswith("~framed")] == framed


@pytest.mark.parametrize(
    ("share", "locale", "text", "suffix", "copy_locale"),
    [
        ("romanised_share", "ru", "Завтра мы едем на море", "~romanised", "ru-Latn"),
        ("mixed_share", "zh", "今天我们去学校", "~mixed-", "zh"),
        ("framed_share", "de", "Morgen fahren wir ans Meer", "~framed", "de"),
    ],
)
def test_copies_keep_labels_and_say_what_was_done(
    share: str, locale: str, text: str, suffix: str, copy_locale: str
) -> None:
    """About the asked share is copied; id, locale and labels tell what a copy is and of which row."""
    given = rows(text=text, locale=locale, count=300)
    copies = enlarge(given, NOTHING.model_copy(update={share: 0.5}), seed=1)[300:]
    by_id = {row.id: row for row in given}
    assert 110 < len(copies) < 190
    for copy in copies:
        own = by_id[copy.id.split("~")[0]]
        assert suffix in copy.id
        assert (copy.labels, copy.source, copy.split, copy.locale) == (own.labels, own.source, "train", copy_locale)
        assert copy.text != own.text


def test_latin_rows_are_not_romanised_and_long_ones_not_copied() -> None:
    """There is nothing to romanise in English, and long texts cost too much to be read twice."""
    assert enlarge(rows(), NOTHING.model_copy(update={"romanised_share": 1.0}), seed=1) == rows()
    long = rows(text="w" * DISGUISED_CHARS)
    assert enlarge(long, NOTHING.model_copy(update={"mixed_share": 1.0, "framed_share": 1.0}), seed=1) == long


def test_a_share_is_a_share() -> None:
    """More than all rows cannot be copied."""
    with pytest.raises(ValidationError, match="mixed_share"):
        Augment(mixed_share=1.5)


def test_romanised_rows_are_respelled_once_and_copies_too() -> None:
    """Rows of hi-Latn and fresh romanised copies get another spelling beside them; no respelled row is respelled."""
    some = [*rows(locale="hi-Latn", text="main tumhare saath hoon phir bhi"), *rows(locale="hi", text="मैं तुम्हारे साथ हूँ")]
    found = enlarge(some, Augment(**{**NOTHING.model_dump(), "romanised_share": 1.0, "respelled_share": 1.0}), seed=5)
    names = [row.id.partition("~")[2] for row in found]
    assert names.count("romanised") == 60
    assert names.count("respelled") > 40
    assert names.count("romanised~respelled") > 40
    assert not any("respelled~respelled" in name for name in names)
    assert {row.locale for row in found if "~" in row.id} == {"hi-Latn"}
