"""The sections of the report that need rows with labels and nothing else: the same for our sets and a user's posts.

Takes opinions that were already given; opens no file and runs no member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from policies.engine.taxonomy import CATEGORIES
from triton_models.serving.fuse import TEXT_MEMBERS, Fuser
from triton_models.training.datasets import Row
from triton_models.training.evaluate_calibration import calibration_table
from triton_models.training.evaluate_locales import locale_table
from triton_models.training.evaluate_members import Timed, cost_ms, cost_texts, member_table, without_each
from triton_models.training.labelled import Labelled

FloatArray = npt.NDArray[np.float32]
Views = Mapping[str, FloatArray]

WHY_MISSING: Final[Mapping[str, str]] = {
    "prompts": "no text prompt bank in the version whose tower was used: run `weir model assemble`",
}


def row_sections(
    rows: Sequence[Row],
    fuser: Fuser,
    views: Views,
    *,
    functional: Mapping[str, Mapping[str, Any]],
    shares: Mapping[str, float],
) -> dict[str, Any]:
    """`calibration`, `locales` and `members` over `rows`; `functional`: locale -> fused figures of a functional set.

    `shares`: how common harm was among what the release learned from, where that is known.
    """
    opinions = opinions_of(views)
    return {
        "calibration": calibration_table(rows, views["fused"], shares),
        "locales": locale_table(rows, views["fused"], functional),
        "members": {"held_out": member_table(rows, fuser, opinions), "skipped": skipped(opinions)},
    }


def members_on_cases(hateful: npt.NDArray[np.bool_], fuser: Fuser, views: Views) -> dict[str, Any] | None:
    """What each member adds on a functional set, which asks about hate."""
    return without_each(hateful, fuser, opinions_of(views), CATEGORIES.index("hate"))


def cost_section(timed: Timed, texts: Sequence[str], *, clock: Callable[[], float] | None = None) -> dict[str, Any]:
    """What each member takes, in CPU milliseconds a text, over the same texts."""
    chosen = cost_texts(texts)
    costs = cost_ms(timed, chosen) if clock is None else cost_ms(timed, chosen, clock=clock)
    return {
        "texts": len(chosen),
        "mean_characters": round(float(np.mean([len(text) for text in chosen])), 1) if chosen else 0.0,
        "cost_ms": costs,
    }


def opinions_of(views: Views) -> dict[str, FloatArray]:
    """The members' own views, without the fused one."""
    return {name: scores for name, scores in views.items() if name != "fused"}


def skipped(opinions: Views) -> dict[str, str]:
    """Text members that said nothing, with the reason."""
    return {name: WHY_MISSING.get(name, "not in this release") for name in TEXT_MEMBERS if name not in opinions}


def rows_of_posts(posts: Sequence[Labelled], source: str) -> list[Row]:
    """A user's posts as rows of a set called `source`."""
    return [
        Row(
            id=f"{source}:{post.id}",
            text=post.text,
            locale=post.locale or "und",
            source=source,
            split="test",
            labels={name: value for name in CATEGORIES if (value := post.labels.get(name)) is not None},
        )
        for post in posts
    ]
