"""One batch on its way through the members: opinions are scattered, a failure costs only what failed."""

from __future__ import annotations

import numpy as np

from triton_models.contract import LABELS, MEMBERS, Status
from triton_models.serving.round import FloatArray, Round, Rows

C = len(LABELS)


def rows(*values: int) -> Rows:
    """Row numbers."""
    return np.array(values, dtype=np.intp)


def status(batch: Round, member: str) -> list[int]:
    """The member's status per item."""
    return [int(word) for word in batch.status[:, MEMBERS.index(member)]]


def ones(some: Rows) -> FloatArray:
    """An opinion that is the row's own number, in every category."""
    return np.repeat(some[:, None], C, axis=1).astype(np.float32)


def fails_on(bad: int) -> object:
    """A member that cannot stand one row."""

    def run(some: Rows) -> FloatArray:
        if bad in some:
            raise ValueError("a text that must not be logged")
        return ones(some)

    return run


def test_opinions_are_scattered_to_their_items() -> None:
    """A member that was asked about two of four items has an opinion on these and NaN on the others."""
    batch = Round(4, lambda _note: None)
    batch.opine("ngrams", batch.text, rows(1, 3), ones)
    assert np.isnan(batch.text["ngrams"][[0, 2]]).all()
    assert batch.text["ngrams"][3, 0] == 3
    assert status(batch, "ngrams") == [Status.ABSENT, Status.OK, Status.ABSENT, Status.OK]


def test_a_member_that_the_release_lacks_is_not_run() -> None:
    """Without a member there is no opinion, and the items that it would have judged say so."""
    batch = Round(2, lambda _note: None)
    batch.opine("nsfw", batch.image, rows(1), None)
    assert not batch.image
    assert status(batch, "nsfw") == [Status.ABSENT, Status.NOT_RUN]


def test_one_bad_item_costs_only_itself() -> None:
    """A batch that fails is tried item by item; the note names the member and the error, never its text."""
    notes: list[str] = []
    batch = Round(3, notes.append)
    batch.opine("ngrams", batch.text, rows(0, 1, 2), fails_on(1))  # type: ignore[arg-type]  # a Run, built above
    assert status(batch, "ngrams") == [Status.OK, Status.FAILED, Status.OK]
    assert np.isnan(batch.text["ngrams"][1]).all()
    assert batch.text["ngrams"][2, 0] == 2
    assert notes == ["ngrams failed on 3 items: ValueError"]


def test_failed_outweighs_ok_and_ok_outweighs_not_run() -> None:
    """With text and image in one item, the worse news stays, except that having judged beats not having run."""
    batch = Round(2, lambda _note: None)
    batch.mark("towers", rows(0, 1), Status.NOT_RUN)
    batch.mark("towers", rows(0, 1), Status.OK)
    batch.mark("towers", rows(1), Status.FAILED)
    batch.mark("towers", rows(0, 1), Status.OK)
    assert status(batch, "towers") == [Status.OK, Status.FAILED]


def test_no_rows_ask_nobody() -> None:
    """A batch without texts never calls the text members."""
    batch = Round(2, lambda _note: None)
    batch.opine("ngrams", batch.text, rows(), fails_on(0))  # type: ignore[arg-type]  # a Run, built above
    assert not batch.text
    assert status(batch, "ngrams") == [Status.ABSENT, Status.ABSENT]
