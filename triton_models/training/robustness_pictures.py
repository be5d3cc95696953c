"""What changes of pictures cost: the same held-out pictures plain and changed, judged at one threshold. Trains nothing.

The twin of `robustness.py`, which does it for texts. The threshold is the one that lets 5 % of the plain harmless
pictures pass. A change that loses recall hides harm; one that raises the false positives punishes people whose pictures
were merely saved, cropped or forwarded. Both are in the table.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from policies.engine.taxonomy import Category
from triton_models.training.augment.images import CHANGES, Change
from triton_models.training.metrics import auroc
from triton_models.training.pairs import Icon, Style, render_icon

Scores = npt.NDArray[np.float64]
Truth = npt.NDArray[np.bool_]
Judge = Callable[[Sequence[Image.Image]], Scores]
"""Pictures -> `[N]` how harmful."""

FALSE_POSITIVES: Final = 0.05
PER_SIDE: Final = 200
STYLES: Final = 4
"""Renderings of an icon before the next one is drawn a fifth time: few icons are held out."""


def held_out_pictures(
    icons: Mapping[str, Sequence[Icon]], category: Category, *, per_side: int = PER_SIDE, seed: int = 0
) -> tuple[list[Image.Image], Truth]:
    """At most `per_side` pictures that show `category` and as many that show nothing, of icons kept for test.

    SvgError or OSError when an icon cannot be drawn.
    """
    rng = random.Random(f"{seed}:{category}")  # noqa: S311 - a repeatable choice
    held: dict[str, Icon] = {}
    shown: dict[str, set[Category]] = {}
    for icon in (one for some in icons.values() for one in some):  # an icon may stand in several concepts
        shown.setdefault(icon.name, set()).update(icon.labels)
        if icon.split == "test":
            held[icon.name] = icon
    sides = [
        sorted(name for name in held if category in shown[name]),
        sorted(name for name in held if not shown[name]),
    ]
    pictures: list[Image.Image] = []
    truth: list[bool] = []
    for harmful, names in zip((True, False), sides, strict=True):
        drawn = [(name, style) for name in names for style in range(STYLES)]
        for name, style in rng.sample(drawn, min(per_side, len(drawn))):
            jpeg = render_icon(held[name], Style(f"robustness/{seed}/{name}/{style}"))
            with Image.open(io.BytesIO(jpeg)) as source:
                pictures.append(source.convert("RGB"))
            truth.append(harmful)
    return pictures, np.array(truth, dtype=np.bool_)


def measure_picture_changes(
    pictures: Sequence[Image.Image],
    truth: Truth,
    judge: Judge,
    *,
    changes: Mapping[str, Change] = CHANGES,
    seed: int = 0,
) -> dict[str, Any]:
    """A report section: per change AUROC, recall, its ratio to plain, and false positives, at the plain threshold.

    ValueError unless both sides have a picture and `truth` is as long as `pictures`.
    """
    if len(pictures) != len(truth) or not truth.any() or truth.all():
        raise ValueError(f"{len(pictures)} pictures, {int(truth.sum())} of {len(truth)} harmful: both sides are needed")
    plain = judge(pictures)
    threshold = float(np.quantile(plain[~truth], 1.0 - FALSE_POSITIVES))
    table = [_line("plain", truth, plain, threshold)]
    for name, change in changes.items():
        changed = [
            change(one, random.Random(f"{seed}:{name}:{number}"))  # noqa: S311 - a repeatable choice
            for number, one in enumerate(pictures)
        ]
        table.append(_line(name, truth, judge(changed), threshold))
    base = table[0]["recall"]
    for line in table:
        line["recall / plain"] = round(line["recall"] / base, 3) if base else float("nan")
    keys = [key for key in table[0] if key != "change"]
    mean = {key: round(float(np.mean([line[key] for line in table[1:]])), 4) for key in keys} if changes else {}
    if mean:
        table.append({"change": "mean of changes", **mean})
    what = (
        f"{int(truth.sum())} harmful and {int((~truth).sum())} harmless generated pictures of icons kept from "
        "training, at the threshold that passes 5 % of the plain harmless ones."
    )
    return {"what": what, "rows": table}


def lossless(picture: Image.Image) -> bytes:
    """The picture as a file that loses nothing more of it, for whatever takes files as the server does."""
    out = io.BytesIO()
    picture.save(out, "BMP")
    return out.getvalue()


def _line(name: str, truth: Truth, scores: Scores, threshold: float) -> dict[str, Any]:
    return {
        "change": name,
        "AUROC": round(auroc(truth, scores), 4),
        "recall": round(float((scores[truth] > threshold).mean()), 4),
        "false positives": round(float((scores[~truth] > threshold).mean()), 4),
    }
