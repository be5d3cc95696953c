"""The ensemble with stand-in members: what is gathered, scattered, fused and reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from triton_models.contract import EMBEDDING_WIDTH, IMAGE_BYTES, LABELS, MEMBERS, ROWS, Status
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.fuse import Fuser, Stacker
from triton_models.serving.items import Item
from triton_models.serving.members import Members
from triton_models.serving.ocr import Budget, Line
from triton_models.serving.round import FloatArray

IMAGE = bytes(IMAGE_BYTES)
HATE, SEXUAL = LABELS.index("hate"), LABELS.index("sexual")


def _vectors(count: int) -> FloatArray:
    out = np.zeros((count, EMBEDDING_WIDTH), dtype=np.float32)
    out[:, 0] = 1.0
    return out


class Tower:
    """A text and image tower that counts its calls and refuses the text `poison`."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """The same unit vector for every text."""
        self.calls.append(len(texts))
        if "poison" in texts:
            raise RuntimeError("poison")
        return _vectors(len(texts))

    def features(self, pixels: Any) -> FloatArray:
        """No features."""
        self.calls.append(len(pixels))
        return np.zeros((len(pixels), 1280), dtype=np.float32)


class Space:
    """A joint space in which everything is the same."""

    def text(self, vectors: FloatArray) -> FloatArray:
        """The vectors as they are."""
        return vectors

    def image(self, features: FloatArray) -> FloatArray:
        """The same unit vector for every picture."""
        return _vectors(len(features))


class Reader:
    """Reads the words that the bytes of a picture spell; refuses `poison`, and spells it from `a poison`.

    One called `late`, and all with a spent budget, are not begun.
    """

    def __init__(self) -> None:
        self.budgets: list[Budget] = []

    def read(self, pictures: Sequence[bytes], budget: Budget) -> list[list[Line] | None]:
        """One line a picture, or none for a blank one."""
        self.budgets.append(budget)
        if b"poison" in pictures:
            raise ValueError("no picture")
        texts = [picture.decode().removeprefix("a ").strip() for picture in pictures]
        lines = [[Line(text, (0.0, 0.0, 1.0, 1.0), 0.9)] if text else [] for text in texts]
        return [None if budget.spent or text == "late" else line for text, line in zip(texts, lines, strict=True)]


class Opinion:
    """A member with one logit for one category, whatever it is shown."""

    def __init__(self, column: int, logit: float) -> None:
        self._column, self._logit = column, logit
        self.text_head = self.image_head = self

    def score(self, shown: Sequence[Any]) -> FloatArray:
        """`[N, C]`, NaN but for the one category."""
        out = np.full((len(shown), len(LABELS)), np.nan, dtype=np.float32)
        out[:, self._column] = self._logit
        return out

    text = image = score


def _fuser() -> Fuser:
    def alone(member: str) -> tuple[Stacker, ...]:
        return (Stacker((member,), (1.0,), 0.0),)

    return Fuser(
        text={"hate": (Stacker(("ngrams", "towers"), (0.5, 0.5), 0.0), *alone("towers"), *alone("ngrams"))},
        image={"sexual": alone("nsfw")},
    )


def members(**changes: Any) -> Members:
    """A release with every member, or with some replaced or missing."""
    whole: dict[str, Any] = {
        "card": {"release": "test-1", "tier": "reference"},
        "text_tower": Tower(),
        "image_tower": Tower(),
        "drawings_tower": None,
        "joint_space": Space(),
        "heads": Opinion(HATE, 2.0),
        "ngrams": Opinion(HATE, 4.0),
        "text_prompts": Opinion(HATE, 0.1),
        "image_prompts": Opinion(HATE, 0.1),
        "nsfw": Opinion(SEXUAL, 3.0),
        "ocr": Reader(),
        "joint": None,
        "fuser": _fuser(),
    }
    return Members(**{**whole, **changes})


def words(outputs: Any, member: str) -> list[Status]:
    """The member's status per item."""
    return [Status(word) for word in outputs.member_status[:, MEMBERS.index(member)]]


def test_each_tower_runs_once_for_what_is_present() -> None:
    """Of five items the text tower sees the three texts and the image tower the two images, each in one call."""
    own = members()
    items = [Item("a"), Item(image=IMAGE), Item("b", IMAGE), Item("c"), Item()]
    outputs = Ensemble(own).infer(items)
    assert cast("Tower", own.text_tower).calls == [3]
    assert cast("Tower", own.image_tower).calls == [2]
    assert outputs.text_embedding.any(axis=1).tolist() == [True, False, True, True, False]
    assert outputs.image_embedding.any(axis=1).tolist() == [False, True, True, False, False]
    assert outputs.release == b"test-1 reference"


def test_scores_are_fused_per_item_and_the_rest_abstains() -> None:
    """Text is judged by its members, image by its own; what nothing judges is NaN with severity -1."""
    outputs = Ensemble(members()).infer([Item("a"), Item(image=IMAGE), Item()])
    fused = outputs.scores[:, ROWS.index("fused")]
    assert fused[0, HATE] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert fused[1, SEXUAL] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert np.isnan(fused[0, SEXUAL])
    assert np.isnan(fused[2]).all()
    assert (outputs.severity[2] == -1).all()
    assert outputs.severity[0, HATE] > 0


def test_blank_text_is_absent() -> None:
    """Nothing but blanks is no text: no member is asked."""
    outputs = Ensemble(members()).infer([Item(" \n\t")])
    assert words(outputs, "towers") == [Status.ABSENT]
    assert not outputs.text_embedding.any()


def test_a_failing_tower_leaves_the_other_members() -> None:
    """The item that breaks the text tower is FAILED there and still judged by n-grams; its neighbour is untouched."""
    outputs = Ensemble(members()).infer([Item("fine"), Item("poison")])
    assert words(outputs, "towers") == [Status.OK, Status.FAILED]
    assert words(outputs, "prompts") == [Status.OK, Status.FAILED]
    assert words(outputs, "ngrams") == [Status.OK, Status.OK]
    fused = outputs.scores[:, ROWS.index("fused"), HATE]
    assert fused[1] == pytest.approx(1 / (1 + np.exp(-4.0)))
    assert fused[0] == pytest.approx(1 / (1 + np.exp(-3.0)))


def test_an_image_of_another_size_fails_alone() -> None:
    """Bytes that are no whole picture fail the image members of that item and nothing else."""
    ensemble = Ensemble(members())
    outputs = ensemble.infer([Item("a", b"short"), Item(image=IMAGE)])
    assert words(outputs, "nsfw") == [Status.FAILED, Status.OK]
    assert words(outputs, "ngrams") == [Status.OK, Status.ABSENT]
    assert outputs.scores[0, ROWS.index("text"), HATE] > 0.5
    assert list(ensemble.notes) == [f"1 images are not of {IMAGE_BYTES} bytes"]


@pytest.mark.parametrize(
    ("missing", "member"),
    [
        ("ngrams", "ngrams"),
        ("nsfw", "nsfw"),
        ("text_prompts", "prompts"),
        ("heads", "towers"),
        ("text_tower", "towers"),
    ],
)
def test_a_release_without_a_member_says_not_run(missing: str, member: str) -> None:
    """What the release does not have is NOT_RUN where it would have judged, and the others go on."""
    item = Item(image=IMAGE) if missing == "nsfw" else Item("a")
    outputs = Ensemble(members(**{missing: None})).infer([item])
    assert words(outputs, member) == [Status.NOT_RUN]


def test_without_a_fuser_everything_abstains() -> None:
    """A release that was never trained gives embeddings and no judgement."""
    outputs = Ensemble(members(fuser=None)).infer([Item("a", IMAGE)])
    assert np.isnan(outputs.scores).all()
    assert (outputs.severity == -1).all()
    assert outputs.text_embedding.any()


def test_text_read_in_a_picture_is_judged_by_the_text_members() -> None:
    """The words in a picture get the text members' opinions, and come back with their boxes."""
    outputs = Ensemble(members()).infer([Item(image=IMAGE, ocr_image=b"hello"), Item("a"), Item(ocr_image=b"")])
    assert words(outputs, "ocr") == [Status.OK, Status.ABSENT, Status.ABSENT]
    assert json.loads(outputs.ocr_text[0]) == [{"text": "hello", "box": [0.0, 0.0, 1.0, 1.0], "score": 0.9}]
    assert outputs.members[0, MEMBERS.index("ocr"), HATE] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert outputs.scores[0, ROWS.index("image"), HATE] == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert words(outputs, "towers")[0] == Status.OK
    assert not outputs.text_embedding[0].any()


def test_a_picture_without_words_was_read() -> None:
    """Nothing to read is an answer: OK, and no text."""
    outputs = Ensemble(members()).infer([Item(image=IMAGE, ocr_image=b" ")])
    assert words(outputs, "ocr") == [Status.OK]
    assert outputs.ocr_text == (b"",)
    assert np.isnan(outputs.members[0, MEMBERS.index("ocr")]).all()


def test_a_picture_that_cannot_be_read_fails_alone() -> None:
    """Bytes that are no picture fail the reading for their item only."""
    outputs = Ensemble(members()).infer([Item("a", ocr_image=b"poison"), Item(ocr_image=b"hello")])
    assert words(outputs, "ocr") == [Status.FAILED, Status.OK]
    assert outputs.scores[0, ROWS.index("text"), HATE] > 0.5
    assert outputs.ocr_text[1]


def test_a_picture_that_was_not_begun_has_timed_out() -> None:
    """Not OK and not without text: TIMED_OUT, no opinion, and its own text is judged all the same."""
    outputs = Ensemble(members()).infer([Item(ocr_image=b"hello"), Item("a", ocr_image=b"late"), Item(ocr_image=b" ")])
    assert words(outputs, "ocr") == [Status.OK, Status.TIMED_OUT, Status.OK]
    assert np.isnan(outputs.members[1, MEMBERS.index("ocr")]).all()
    assert np.isnan(outputs.scores[1, ROWS.index("image"), HATE])
    assert outputs.scores[1, ROWS.index("text"), HATE] > 0.5
    assert outputs.ocr_text[1] == b""


def test_the_budget_is_the_ensembles() -> None:
    """Without any time nothing is begun."""
    outputs = Ensemble(members(), ocr_budget_ms=0).infer([Item(ocr_image=b"hello")])
    assert words(outputs, "ocr") == [Status.TIMED_OUT]


def test_trying_pictures_alone_gets_no_new_budget() -> None:
    """A broken picture in the batch does not give the others time over again."""
    own = members()
    Ensemble(own).infer([Item(ocr_image=b"poison"), Item(ocr_image=b"hello")])
    first, *others = cast("Reader", own.ocr).budgets
    assert len(others) == 2
    assert all(budget is first for budget in others)


def test_words_that_break_the_tower_fail_the_reading_only() -> None:
    """A text member that fails on words from a picture is a failure of `ocr`, not of the item's own text."""
    outputs = Ensemble(members()).infer([Item("a", ocr_image=b"a poison")])
    assert words(outputs, "ocr") == [Status.FAILED]
    assert words(outputs, "towers") == [Status.OK]


def test_without_a_reader_pictures_are_not_read() -> None:
    """A release that cannot read says NOT_RUN where it was asked to."""
    outputs = Ensemble(members(ocr=None)).infer([Item(image=IMAGE, ocr_image=b"hello"), Item("a")])
    assert words(outputs, "ocr") == [Status.NOT_RUN, Status.ABSENT]
    assert outputs.ocr_text == (b"", b"")


def test_no_items_are_no_error() -> None:
    """An empty batch gives empty outputs of the right shapes."""
    outputs = Ensemble(members()).infer([])
    assert outputs.scores.shape == (0, len(ROWS), len(LABELS))
    assert outputs.member_status.shape == (0, len(MEMBERS))
