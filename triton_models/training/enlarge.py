"""Makes more train rows out of train rows: changed copies, long ordinary texts, pieces of long prompts.

Pure and seeded. Only `train` rows go in and come out; the changes themselves are in the package `augment`. Every kind
of copy draws from its own generator, by row: a share that is raised changes none of the other kinds' copies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from triton_models.serving.undisguise import undisguise
from triton_models.training.augment import disguise, frame, mix, respell, roman_locale, romanise
from triton_models.training.datasets import Row
from triton_models.training.datasets.mapping import MOSTLY
from triton_models.training.recipe import Augment

DISGUISED_CHARS: Final = 160
"""Longer texts are not copied, in disguise or otherwise: it costs several times the tokens for the same trick."""
PIECE_CHARS: Final = (80, 500)
LONG_CHARS: Final = (400, 3000)
Change = Callable[[Row, random.Random], tuple[str, str, str]]
"""A row -> the changed text, the name of what was done, the locale of the changed text."""
_JAILBREAKS: Final = "jailbreaks_in_the_wild"


def enlarge(rows: Sequence[Row], augment: Augment, seed: int) -> list[Row]:
    """`rows` (all of them `train`) and what `augment` makes of them; ids say what was done (`edos:17~leet`)."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets: a repeatable choice
    out = list(rows)
    out.extend(_disguised(rows, augment.disguised_share, seed))
    out.extend(_pieces(rows, augment.jailbreak_pieces, rng))
    out.extend(_ordinary_long(rows, augment.ordinary_long, rng))
    out.extend(_changed(rows, augment.romanised_share, f"{seed}:romanised", _romanised))
    out.extend(_changed(tuple(out), augment.respelled_share, f"{seed}:respelled", _respelled))
    out.extend(_changed(rows, augment.mixed_share, f"{seed}:mixed", _mixed))
    out.extend(_changed(rows, augment.framed_share, f"{seed}:framed", _framed))
    return out


def _disguised(rows: Sequence[Row], share: float, seed: int) -> Iterator[Row]:
    """Copies in a disguise that does not come off before a member reads: the others would be the same row twice."""
    for row in rows:
        rng = random.Random(f"{seed}:{row.id}")  # noqa: S311 - as above; by row, so that one more set changes no other
        if rng.random() < share and len(row.text) <= DISGUISED_CHARS:
            text, name = disguise(row.text, f"{seed}:{row.id}:disguise")
            if undisguise(text) != undisguise(row.text):
                yield _copy(row, f"{row.id}~{name}", text)


def _changed(rows: Sequence[Row], share: float, seed: str, change: Change) -> Iterator[Row]:
    """Copies of about `share` of the rows that `change` can change."""
    for row in rows if share > 0 else ():
        rng = random.Random(f"{seed}:{row.id}")  # noqa: S311 - a repeatable choice, by row
        if rng.random() < share and len(row.text) <= DISGUISED_CHARS:
            text, name, locale = change(row, rng)
            if text != row.text:
                yield Row(f"{row.id}~{name}", text, locale, row.source, "train", row.labels)


def _romanised(row: Row, rng: random.Random) -> tuple[str, str, str]:
    return romanise(row.text, row.locale, rng=rng), "romanised", roman_locale(row.locale)


def _respelled(row: Row, rng: random.Random) -> tuple[str, str, str]:
    return respell(row.text, row.locale, rng=rng), "respelled", row.locale


def _mixed(row: Row, rng: random.Random) -> tuple[str, str, str]:
    text, name = mix(row.text, row.locale, rng=rng)
    return text, f"mixed-{name}", row.locale


def _framed(row: Row, rng: random.Random) -> tuple[str, str, str]:
    return frame(row.text, row.locale, rng=rng), "framed", row.locale


def _pieces(rows: Sequence[Row], count: int, rng: random.Random) -> Iterator[Row]:
    for row in rows:
        if row.source != _JAILBREAKS or len(row.text) < 2 * PIECE_CHARS[1]:
            continue
        for number in range(count):
            size = rng.randint(*PIECE_CHARS)
            # The first piece is the opening, where the attack usually is; the others may be anywhere.
            at = 0 if number == 0 else rng.randrange(0, len(row.text) - size)
            piece = row.text[at : at + size]
            yield Row(f"{row.id}~piece{number}", piece, row.locale, row.source, "train", {"prompt_attack": MOSTLY})


def _ordinary_long(rows: Sequence[Row], count: int, rng: random.Random) -> Iterator[Row]:
    ordinary = [row for row in rows if row.labels.get("prompt_attack") == 0]
    by_source = {name: [row for row in ordinary if row.source == name] for name in sorted({r.source for r in ordinary})}
    for number in range(count if by_source else 0):
        source = rng.choice(tuple(by_source))
        wanted, joined = rng.randint(*LONG_CHARS), ""
        while len(joined) < wanted:
            joined += rng.choice(by_source[source]).text.strip() + rng.choice((" ", "\n", "\n\n"))
        locale = by_source[source][0].locale
        yield Row(f"{source}:long{number}", joined.strip(), locale, source, "train", {"prompt_attack": 0.0})


def _copy(row: Row, name: str, text: str) -> Row:
    return Row(name, text, row.locale, row.source, "train", row.labels)
