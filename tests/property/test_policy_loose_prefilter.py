"""The cheap looks before the loose view: each may say yes for nothing, none may say no wrongly."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.engine.text_views import (
    _LEET,
    _LEET_SPOT,
    _SPACED,
    _STRETCH,
    folded_view,
    may_be_spaced,
    may_be_stretched,
)

_PIECES = st.sampled_from(
    ["a", "b", "é", "ß", "中", "1", "4", "$", "!", " ", ".", "_", "-", "\u0301", "aaa", "h e l l o", "²"]
)
_TEXT = st.text(max_size=40) | st.lists(_PIECES, max_size=30).map("".join)


@given(_TEXT)
@example("a5$0")
@example("l a t e")
@example("bb8b")
@settings(max_examples=500, deadline=None)
def test_no_loose_text_is_overlooked(text: str) -> None:
    """Whatever the slow patterns find after folding, the quick looks have seen before it."""
    folded = folded_view(text).text
    loose = _LEET_SPOT.sub(lambda found: _LEET[found[0]], folded)
    if _SPACED.search(loose):
        assert may_be_spaced(folded)
    if _STRETCH.search(loose):
        assert may_be_stretched(folded)
