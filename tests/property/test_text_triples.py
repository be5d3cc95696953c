"""The cheap look for stretched letters agrees with the obvious one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from policies.engine.text_views import has_triple

TEXTS = st.text(st.sampled_from("ab\x00é👋\U00010000 ")) | st.text(st.sampled_from("ab c")) | st.text()


@given(TEXTS)
def test_a_triple_is_never_missed(text: str) -> None:
    """Whatever the script; on ASCII it is exact."""
    obvious = any(char * 3 in text for char in set(text))
    assert has_triple(text) or not obvious
    if text.isascii():
        assert has_triple(text) == obvious
