"""How well pictures find their words and words their pictures: recall at 1 and 10, by language, words seen or not.

Numbers only: vectors of the joint space in, shares out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

RANKS: Final = (1, 10)


def retrieval(pictures: Array, captions: Array, own: Sequence[int]) -> dict[str, float]:
    """Recall at RANKS of `[N, D]` pictures among `[M, D]` distinct captions, and of those captions among the pictures.

    `own` is each picture's caption. A caption of several pictures has found one as soon as it finds any.
    """
    likeness = pictures @ captions.T
    places = np.array(own)
    mine = likeness[np.arange(len(places)), places]
    to_words = (likeness > mine[:, None]).sum(axis=1)
    asked = np.unique(places)
    best = np.array([likeness[places == one, one].max() for one in asked])
    to_pictures = np.array([(likeness[:, one] > top).sum() for one, top in zip(asked, best, strict=True)])
    found: dict[str, float] = {"pictures": len(places), "captions": len(captions)}
    for name, ranks in (("picture_to_text", to_words), ("text_to_picture", to_pictures)):
        for rank in RANKS:
            found[f"{name}_at_{rank}"] = round(float((ranks < rank).mean()), 4) if len(ranks) else float("nan")
    return found


def rows_of(captions: Iterable[Mapping[str, str]], row_of: Mapping[str, int]) -> list[dict[str, int]]:
    """Each picture's captions by language as rows of the vectors, as `by_language` and training take them."""
    return [{language: row_of[caption] for language, caption in known.items()} for known in captions]


def by_language(
    pictures: Array, captions: Sequence[Mapping[str, int]], vectors: Array, *, languages: Sequence[str]
) -> dict[str, dict[str, float]]:
    """`retrieval` in each language, over the pictures that have a caption in it.

    `captions` gives each picture's row in `vectors` by language.
    """
    found = {}
    for language in languages:
        rows = [row for row, known in enumerate(captions) if language in known]
        if not rows:
            continue
        wanted = [captions[row][language] for row in rows]
        candidates = sorted(set(wanted))
        place = {caption: index for index, caption in enumerate(candidates)}
        found[language] = retrieval(pictures[rows], vectors[candidates], [place[one] for one in wanted])
    return found
