"""The text tower's `tokenizer.json`, built from the vocabulary inside the part.

XLM-RoBERTa's Unigram model after `nmt_nfkc` normalisation. The prefix, truncation and padding are the caller's.
"""

from __future__ import annotations

from typing import Final

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from triton_models.parts.e5 import Vocabulary
from triton_models.parts.text_rules import BLANK, DROPPED, SPACE

NEVER: Final = -1_000.0
"""A score that keeps special pieces from matching what a person typed: `</s>` in a post is five characters."""


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer; `encode(PREFIX + text)` (`text_rules.py`) gives bos, pieces, eos."""
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
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    bos, eos = vocabulary.pieces[vocabulary.bos], vocabulary.pieces[vocabulary.eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)]
    )
    return tokenizer
