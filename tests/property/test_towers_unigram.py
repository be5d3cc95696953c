"""Our own Unigram cutter and the `tokenizers` package give the same ids for every text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.towers_factory import write_e5
from triton_models.parts.e5 import read_e5
from triton_models.parts.text_rules import PREFIX
from triton_models.parts.tokenizer import build_tokenizer
from triton_models.serving.unigram import Unigram

ODD = "\u0000\t\n \u2581\u00a0\u200b\u200d\ufeff\u0301e\u0308\ufb01ｶﾞ①Ⅷ½한\u1100\u1161"
ODD += '\U0001f600\U000e0041<s></s><mask>\\"你好'


@cache
def both() -> tuple[Unigram, Tokenizer]:
    """The two readers of one vocabulary file."""
    with TemporaryDirectory() as folder:
        model = read_e5(write_e5(Path(folder) / "tiny.bin"))
        path = Path(folder) / "tokenizer.json"
        build_tokenizer(model.vocabulary).save(str(path), pretty=False)
        theirs = Tokenizer.from_file(str(path))
        return Unigram.load(path), theirs


texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="abc é<s>/:hellowrd ry你好", max_size=80),
    st.text(alphabet=ODD + "ab ", max_size=40),
)


@given(texts)
def test_ids_are_those_of_the_library(text: str) -> None:
    """Normalising, word edges, the likeliest cut and unknown characters agree."""
    ours, theirs = both()
    assert ours.encode(text, max_pieces=10_000) == theirs.encode(PREFIX + text).ids


@given(st.text(st.characters(), max_size=40), st.integers(3, 12))
def test_any_str_is_cut_to_the_limit(text: str, limit: int) -> None:
    """Lone surrogates included, the ids are within the limit, begin with bos and end with eos."""
    ours, _ = both()
    ids = ours.encode(text, max_pieces=limit)
    assert len(ids) <= limit
    assert (ids[0], ids[-1]) == (0, 2)


@given(st.lists(st.sampled_from(["<s>", "</s>", "<pad>", "<unk>", "<mask>", " ", "ab"]), max_size=12))
def test_typed_special_pieces_are_only_characters(parts: list[str]) -> None:
    """A person who writes `</s>` gets its characters, never the special piece."""
    ours, _ = both()
    assert not {0, 1, 2} & set(ours.encode("".join(parts), max_pieces=500)[1:-1])
