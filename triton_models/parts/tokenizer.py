"""The text tower's tokenizer, built from the vocabulary inside the part: the same one serves and trains.

XLM-RoBERTa's Unigram model after `nmt_nfkc` normalisation, with the "query: " prefix that multilingual-e5 expects.
Truncation and padding are the caller's.
"""

from __future__ import annotations

from typing import Final

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from triton_models.parts.e5 import Vocabulary

PREFIX: Final = "query: "
"""multilingual-e5 was trained with it on texts that are compared with each other."""

NEVER: Final = -1_000.0
"""A score that keeps special pieces from matching what a person typed: `</s>` in a post is five characters."""

DROPPED: Final = "[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"
BLANK: Final = "[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
"""Where sentencepiece's `nmt_nfkc` differs from NFKC; found by comparing all 4,837 entries of the part's own map."""


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer; `encode(PREFIX + text)` gives bos, pieces, eos."""
    special = {vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unk, len(vocabulary.pieces) - 1}  # and <mask>
    scored = [
        (piece, NEVER if index in special else score)
        for index, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores, strict=True))
    ]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(DROPPED), ""),
            normalizers.Replace(Regex(BLANK), " "),
            normalizers.NFKC(),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    bos, eos = vocabulary.pieces[vocabulary.bos], vocabulary.pieces[vocabulary.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)]
    )
    return tokenizer
