"""How a text is prepared for multilingual-e5's vocabulary: what the tokenizer's file says, and what serving does."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "query: "
"""multilingual-e5 was trained with it on texts that are compared with each other."""

SPACE: Final = "\u2581"
"""What a space is in the vocabulary."""

DROPPED: Final = "[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]"
BLANK: Final = "[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
"""Where sentencepiece's `nmt_nfkc` differs from NFKC; found by comparing all 4,837 entries of the part's own map."""
