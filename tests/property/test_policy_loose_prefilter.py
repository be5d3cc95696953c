"""The cheap look before the loose view never says no where the view would differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.engine.text_views import _LOOSE_NEEDED, may_be_loose

PIECES = st.sampled_from(
    ["a", "b", "é", "ß", "я", "中", "1", "4", "$", "!", " ", ".", "_", "-", "́", "aaa", "h e l l o", "²"]
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=30).map("".join)))
def test_the_prefilter_is_never_wrongly_negative(text: str) -> None:
    """Whatever the patterns find, the prefilter has let through."""
    if _LOOSE_NEEDED.search(text):
        assert may_be_loose(text)
