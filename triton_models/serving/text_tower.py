"""The text tower as served: strings in, unit vectors out.

Tokens' vectors come from the 4-bit table, mapped and not loaded; the layers run in ONNX Runtime. Texts of like length
share a batch, so that little is computed for padding, and a text's vector does not depend on its companions. Training
of heads uses this same code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from triton_models.contract import EMBEDDING_WIDTH
from triton_models.files import digest_files
from triton_models.parts.e5 import BLOCK, BLOCK_DTYPE, dequantise
from triton_models.serving.sessions import open_session
from triton_models.serving.undisguise import VERSION, undisguise
from triton_models.serving.unigram import Unigram

FloatArray = npt.NDArray[np.float32]

GRAPH: Final = "text.onnx"
WEIGHTS: Final = "text.bin"
WORDS: Final = "text_words.q4"
PLACES: Final = "text_places.npy"
"""Position vectors with the type vector added, [512, 384]."""
TOKENIZER: Final = "tokenizer.json"

MAX_TOKENS: Final = 512
BATCH_TOKENS: Final = 1_024
"""Past about a thousand tokens a bigger batch is no faster on one core and only takes memory."""
PADDING: Final = 1.25
"""The longest text of a batch has at most this many times the tokens of its shortest."""


class TextTower:
    """Encodes texts; one per process, not for several threads at once."""

    def __init__(
        self,
        tokenizer: Unigram,
        table: tuple[npt.NDArray[Any], FloatArray],
        session: ort.InferenceSession,
        identity: str,
    ) -> None:
        self._tokenizer, (self._words, self._places), self._session = tokenizer, table, session
        self.identity: Final = identity
        """Changes whenever the vector of a text would."""

    @classmethod
    def load(cls, directory: Path) -> TextTower:
        """The tower of an assembled version directory; OSError or onnxruntime's exceptions when it is incomplete."""
        words = np.memmap(directory / WORDS, BLOCK_DTYPE, mode="r").reshape(-1, EMBEDDING_WIDTH // BLOCK)
        return cls(
            Unigram.load(directory / TOKENIZER),
            (words, np.load(directory / PLACES, allow_pickle=False)),
            open_session(directory / GRAPH),
            f"{digest_files([directory / name for name in (GRAPH, WEIGHTS, TOKENIZER, PLACES)])}-{VERSION}",
        )

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """`[N, 384]` float32, unit length, in the order of `texts`; texts beyond MAX_TOKENS lose their end."""
        out = np.zeros((len(texts), EMBEDDING_WIDTH), dtype=np.float32)
        tokens = [self.pieces(text) for text in texts]
        for rows in batches([len(ids) for ids in tokens]):
            out[rows] = self._run([tokens[row] for row in rows])
        return out

    def pieces(self, text: str) -> list[int]:
        """The ids that the tower reads for `text`, its disguises taken off."""
        return self._tokenizer.encode(undisguise(text), max_pieces=MAX_TOKENS)

    def _run(self, batch: Sequence[Sequence[int]]) -> FloatArray:
        lengths = np.array([len(ids) for ids in batch], dtype=np.int32)
        width = int(lengths.max())
        ids = np.ones((len(batch), width), dtype=np.int64)  # 1 is the padding piece
        for row, one in enumerate(batch):
            ids[row, : len(one)] = one
        vectors = dequantise(self._words[ids]) + self._places[:width]
        shares = (np.arange(width)[None, :] < lengths[:, None]) / lengths[:, None]
        inputs = {"embeddings": vectors, "lengths": lengths, "weights": shares[:, None, :].astype(np.float32)}
        (embeddings,) = self._session.run(None, inputs)
        found: FloatArray = embeddings
        return found


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows grouped by like length: at most PADDING between the shortest and longest, about BATCH_TOKENS in all."""
    group: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[row]
        if group and (length > PADDING * lengths[group[0]] + 4 or (len(group) + 1) * length > BATCH_TOKENS):
            yield group
            group = []
        group.append(row)
    if group:
        yield group
