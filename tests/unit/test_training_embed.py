"""The embedding store: right order, nothing encoded twice, and a killed run loses at most the chunk in work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.training_factory import HashEncoder
from triton_models.training import embed
from triton_models.training.embed import embed_texts

TEXTS = [f"text number {number} {'long ' * (number % 7)}" for number in range(40)]


def test_vectors_come_in_the_order_of_the_texts(tmp_path: Path) -> None:
    """Whatever order the store encodes in, row i belongs to text i, repeats included."""
    texts = [*TEXTS, TEXTS[3]]
    found = embed_texts(HashEncoder(), texts, tmp_path)
    (plain,) = HashEncoder().encode([texts])
    np.testing.assert_allclose(found, plain, atol=1e-3)


def test_known_texts_are_not_encoded_again(tmp_path: Path) -> None:
    """A second call encodes only the texts that are new."""
    encoder = HashEncoder()
    embed_texts(encoder, TEXTS[:30], tmp_path)
    embed_texts(encoder, TEXTS, tmp_path)
    assert encoder.encoded == len(TEXTS)


def test_another_tower_has_its_own_store(tmp_path: Path) -> None:
    """A tower of another identity never gets the first one's vectors."""
    embed_texts(HashEncoder("a"), TEXTS, tmp_path)
    other = HashEncoder("b")
    embed_texts(other, TEXTS, tmp_path)
    assert other.encoded == len(TEXTS)


def test_a_killed_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was encoded before the interruption is on disk and is not encoded again; no half file remains."""
    monkeypatch.setattr(embed, "CHUNK", 8)

    class Dying(HashEncoder):
        def encode(self, chunks: Sequence[Sequence[str]]) -> Iterator[npt.NDArray[np.float32]]:
            for number, vectors in enumerate(super().encode(chunks)):
                if number == 3:
                    raise KeyboardInterrupt
                yield vectors

    with pytest.raises(KeyboardInterrupt):
        embed_texts(Dying(), TEXTS, tmp_path)
    encoder, told = HashEncoder(), list[int]()
    embed_texts(encoder, TEXTS, tmp_path, advance=told.append)
    assert encoder.encoded == len(TEXTS) - 24
    assert told[0] == 24
    assert sum(told) == len(TEXTS)
    assert not list(tmp_path.rglob("*.tmp"))


def test_no_texts_give_no_rows(tmp_path: Path) -> None:
    """An empty list is fine."""
    assert embed_texts(HashEncoder(), [], tmp_path).shape == (0, 0)
