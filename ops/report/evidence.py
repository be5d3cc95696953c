"""Evidence in words that may be shown: signals, tests and numbers. Texts that lists found in content are masked."""

from __future__ import annotations

from ops.samples.mask import mask_text
from policies.engine.signals import SignalValue
from policies.engine.verdict import Match

#: Strings that come from the platform's own vocabulary, not from what somebody wrote.
_OPEN = ("kind", "surface", "locale", "author.kind", "tenant")


def evidence_words(match: Match) -> list[str]:
    """One line a comparison. `match.text` is left out: it may quote what lists found."""
    return [f"{piece.test} (was {_shown(piece.signal, piece.value)})" for piece in match.evidence] or [match.rule]


def _shown(signal: str, value: SignalValue | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, str):
        return value if signal in _OPEN else mask_text(value)
    return ", ".join(mask_text(one) for one in value) or "none"
