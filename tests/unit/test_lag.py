"""Lag: one warning when it grows and nothing is finished, one word when that is over, silence otherwise."""

from __future__ import annotations

import pytest

from streams.core.lag import LagGrew, LagRecovered, LagWatch, Place


def watch(*looks: tuple[float, dict[int, Place]]) -> list[LagGrew | LagRecovered | None]:
    """What a watch that warns after a minute says at each look."""
    watching = LagWatch(60.0)
    return [watching.look(now_s, places) for now_s, places in looks]


def test_growing_lag_without_progress_is_warned_of_once() -> None:
    """At the minute, not before; and only once, however long it goes on."""
    said = watch(*((now, {0: Place(5, int(now))}) for now in (0.0, 30.0, 59.0, 60.0, 90.0, 600.0)))
    assert said == [None, None, None, LagGrew({0: 60}, 60.0), None, None]


@pytest.mark.parametrize(
    "last",
    [Place(5, 10), Place(5, 0), Place(6, 1_000)],
    ids=["as long as before", "shorter", "longer, and something was finished"],
)
def test_other_lag_is_not_spoken_of(last: Place) -> None:
    """A long queue that does not grow, and a slow consumer, are what metrics are for."""
    assert watch((0.0, {0: Place(5, 10)}), (600.0, {0: last})) == [None, None]


def test_recovery_is_told_once_all_partitions_go_on() -> None:
    """A warning and a recovery, though two partitions were stuck and came back one after the other."""
    said = watch(
        (0.0, {0: Place(5, 1), 1: Place(7, 1), 2: Place(9, 1)}),
        (60.0, {0: Place(5, 2), 1: Place(7, 1), 2: Place(10, 0)}),
        (70.0, {0: Place(5, 3), 1: Place(7, 2), 2: Place(11, 0)}),
        (80.0, {0: Place(6, 3), 1: Place(7, 3), 2: Place(11, 0)}),
        (90.0, {0: Place(6, 3), 1: Place(8, 2), 2: Place(11, 0)}),
        (99.0, {0: Place(9, 0), 1: Place(9, 1), 2: Place(11, 0)}),
    )
    assert said == [None, LagGrew({0: 2}, 60.0), None, None, LagRecovered({0: 3, 1: 2, 2: 0}), None]


def test_it_warns_again_when_it_is_stuck_again() -> None:
    """Each time is counted from the last progress."""
    said = watch(
        (0.0, {0: Place(5, 1)}),
        (60.0, {0: Place(5, 2)}),
        (61.0, {0: Place(6, 1)}),
        (120.0, {0: Place(6, 9)}),
        (121.0, {0: Place(6, 9)}),
    )
    assert [type(one) for one in said] == [type(None), LagGrew, LagRecovered, type(None), LagGrew]


def test_a_rebalance_hides_nothing() -> None:
    """While no partition is known nothing is said; one that comes back where it was has waited all the time."""
    said = watch((0.0, {0: Place(5, 1)}), (30.0, {}), (70.0, {0: Place(5, 2)}), (80.0, {}), (90.0, {1: Place(3, 0)}))
    assert said == [None, None, LagGrew({0: 2}, 70.0), None, LagRecovered({1: 0})]
