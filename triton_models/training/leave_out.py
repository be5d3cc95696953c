"""What a language gets that nobody taught: a linear head trained without it, measured on its held-out rows.

Only the head is trained anew: of a fine-tuned tower the layers have seen the language, so there the figure says what
the head needs and not what the tower knows. On the frozen start it is the whole truth. Texts are not opened here.

What was found may be kept in a release folder, as `leave_out.json`, for the report to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.engine.taxonomy import Category
from triton_models.training.datasets import DataError, Row
from triton_models.training.linear_fit import fit_linear
from triton_models.training.metrics import auroc
from triton_models.training.targets import target_of, weights_of

Array = npt.NDArray[np.float32]
FEWEST: Final = 10
FILE: Final = "leave_out.json"


class LeftOut(BaseModel):
    """What `leave_out.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tower: str  # whose vectors the heads read
    locales: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)  # AUROC where nobody taught it
    how: str  # what was left out of which training, in a sentence


def leave_language_out(
    train: tuple[Sequence[Row], Array], test: tuple[Sequence[Row], Array], category: Category
) -> list[dict[str, Any]]:
    """A line per language of `test` rows: its AUROC with and without the language's own train rows.

    `train` and `test` are rows and their `[N, D]` vectors. Languages with fewer than FEWEST positives or negatives are
    left out, and so are those that `train` does not have (nothing is left out there).
    """
    (rows, vectors), (held, held_vectors) = train, test
    target, weights = target_of(rows, category), weights_of(rows, category)
    locales = np.array([row.locale for row in rows])
    truth, asked = target_of(held, category), np.array([row.locale for row in held])
    whole = fit_linear(vectors, target, weights)
    found = []
    for locale in sorted(set(asked.tolist()) & set(locales.tolist())):
        mine = (asked == locale) & ((truth == 0) | (truth == 1))
        right = truth[mine] == 1
        if min(int(right.sum()), int((~right).sum())) < FEWEST:
            continue
        without = fit_linear(vectors[locales != locale], target[locales != locale], weights[locales != locale])
        line: dict[str, Any] = {"language": locale, "rows": int(mine.sum())}
        for name, head in (("taught", whole), ("never taught", without)):
            scores = held_vectors[mine] @ head.weight + head.bias
            line[name] = round(auroc(right, scores.astype(np.float64)), 4)
        found.append(line)
    return found


def write_left_out(folder: Path, lines: Sequence[dict[str, Any]], *, tower: str, how: str) -> Path:
    """Keeps the lines of `leave_language_out` in the release folder; the file. ValueError without a line."""
    found = LeftOut(tower=tower, locales={line["language"]: line["never taught"] for line in lines}, how=how)
    path = folder / FILE
    path.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return path


def read_left_out(folder: Path) -> LeftOut | None:
    """What the release folder says of languages left out; None without the file, DataError for one in another form."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return LeftOut.model_validate_json(path.read_bytes())
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"])) or "file"
        hint = 'expected {"tower": "…", "locales": {"es": 0.81}, "how": "…"}'
        raise DataError(path, f"{where}: {first['msg']}", hint) from exc
