"""The ordered watermark: what may be acknowledged, and when."""

from __future__ import annotations

from streams.agents.watermark import Watermark


def test_nothing_is_acknowledged_while_an_older_event_is_at_work() -> None:
    """Events that finish out of order wait for the head."""
    mark: Watermark[int] = Watermark()
    first, second, third = (mark.add("p", 1, n) for n in (1, 2, 3))
    assert mark.done(third) == []
    assert mark.done(second) == []
    assert mark.pending == 3
    assert mark.done(first) == [1, 2, 3]
    assert mark.pending == 0


def test_partitions_do_not_wait_for_each_other() -> None:
    """A slow event holds back its own partition only."""
    mark: Watermark[str] = Watermark()
    mark.add("p", 1, "slow")
    other = mark.add("q", 1, "quick")
    assert mark.done(other) == ["quick"]
    assert mark.pending == 1


def test_a_newer_generation_drops_what_the_old_one_left() -> None:
    """After a partition was taken away and given back, its old events are never acknowledged: they are read again."""
    mark: Watermark[str] = Watermark()
    old = mark.add("p", 1, "old")
    new = mark.add("p", 2, "new")
    assert mark.pending == 1
    assert mark.done(old) == []
    assert mark.done(new) == ["new"]
    assert mark.pending == 0


def test_an_old_event_that_finishes_late_does_not_release_a_new_one() -> None:
    """Entries of two generations never share a queue."""
    mark: Watermark[str] = Watermark()
    old = mark.add("p", 1, "old")
    mark.add("p", 2, "new head")
    behind = mark.add("p", 2, "new tail")
    assert mark.done(behind) == []
    assert mark.done(old) == []
    assert mark.pending == 2


def test_a_revoked_partition_leaves_nothing_pending() -> None:
    """What another worker owns is forgotten, and finishing it later does nothing."""
    mark: Watermark[str] = Watermark()
    gone = mark.add("p", 1, "gone")
    mark.add("q", 1, "kept")
    mark.revoke("p")
    mark.revoke("never seen")
    assert mark.pending == 1
    assert mark.done(gone) == []


def test_finishing_twice_acknowledges_once() -> None:
    """A second `done` for the same entry hands nothing back."""
    mark: Watermark[str] = Watermark()
    entry = mark.add("p", 1, "once")
    assert mark.done(entry) == ["once"]
    assert mark.done(entry) == []
    assert mark.pending == 0
