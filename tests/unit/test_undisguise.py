"""Disguises come off, and what only looks like one stays."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triton_models.serving.undisguise import is_shouted, undisguise
from triton_models.training.augment import DISGUISES

UNDONE = ("homoglyphs", "zero_width", "space_out", "shout")
SENTENCE = "people who really think that words like these were never written down"


@pytest.mark.parametrize(
    ("worn", "face"),
    [
        ("h4te you all", "hate you all"),
        ("k1ll them", "kill them"),
        ("rea1ly b1ack", "really black"),
        ("w0m3n and p30ple", "women and people"),
        ("7h3y 5hould", "they should"),
        ("l33t R0m4", "leet Roma"),
        ("sh!t happens!", "shit happens!"),
        ("cla$$ $ave", "class save"),
        ("h a t e you", "hate you"),
        ("s-t-u-p-i-d t.a.l.k", "stupid talk"),
        ("st\u200bup\u2060id", "stupid"),
        ("n\u0430z\u0456", "nazi"),
        ("soooooo coooool", "soo cool"),
        ("I HATE MONDAYS", "i hate mondays"),
        ("hElLo wOrLd tHeRe", "hello world there"),
    ],
)
def test_disguises_come_off(worn: str, face: str) -> None:
    """What a person reads."""
    assert undisguise(worn) == face


@pytest.mark.parametrize(
    "text",
    [
        "mp3, i18n and h264 in 2024, covid19 at the G20",
        "1st, 2nd and 4th of 10",
        "it costs $1000 or 50€!",
        "write to foo@bar.com or https://e.org/a4b?c=3d",
        "ask @us3r5 in #l33t",
        "Привет, как дела",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
        "می\u200cخواهم",
        "NASA and the EU",
        "iPhone McDonald JavaScript",
        "I a m ok",
        "好好学习",
    ],
)
def test_what_only_looks_so_stays(text: str) -> None:
    """Numbers, addresses, names, other scripts, acronyms and emoji are no disguise."""
    assert undisguise(text) == text


@pytest.mark.parametrize("name", UNDONE)
def test_the_training_disguises_that_can_be_undone_are(name: str) -> None:
    """Whatever the seed, but for the space between two words that were both spaced out; the others must be learned."""
    for seed in range(40):
        worn = DISGUISES[name](SENTENCE, random.Random(seed))
        assert undisguise(worn).replace(" ", "") == SENTENCE.replace(" ", "")


@given(st.text(max_size=300))
def test_any_text_is_taken(text: str) -> None:
    """No text is too odd, none grows, and a second look changes nothing more about shouting."""
    found = undisguise(text)
    assert len(found) <= 3 * len(text)
    assert not (is_shouted(found) and found != found.lower())
