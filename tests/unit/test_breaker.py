"""The circuit breaker: when calls pass while the model is down."""

from __future__ import annotations

from streams.adapters.breaker import PROBE_S, THRESHOLD, Breaker


def opened(now_s: float = 100.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(now_s)
    return breaker


def test_a_slow_call_is_no_outage() -> None:
    """It takes several failures in a row."""
    breaker = Breaker()
    for _ in range(THRESHOLD - 1):
        breaker.failed(0)
    breaker.succeeded()
    breaker.failed(0)
    assert not breaker.open
    assert breaker.admits(0)


def test_while_open_one_probe_at_a_time_passes() -> None:
    """Everyone else is answered at once."""
    breaker = opened(100.0)
    assert not breaker.admits(100.0 + PROBE_S / 2)
    assert breaker.admits(100.0 + PROBE_S)
    assert not breaker.admits(100.0 + PROBE_S)
    assert breaker.admits(100.0 + 2 * PROBE_S)


def test_an_answered_probe_closes_it() -> None:
    """Calls pass again at once."""
    breaker = opened()
    breaker.succeeded()
    assert not breaker.open
    assert breaker.admits(0)
    assert breaker.admits(0)
