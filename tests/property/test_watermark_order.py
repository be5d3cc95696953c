"""The law of the watermark: per partition and generation, what is acknowledged is always a prefix of what came."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from streams.agents.watermark import Entry, Watermark

Step = tuple[str, int, int]  # what to do, partition, which of the open entries


@given(st.lists(st.tuples(st.sampled_from(["add", "done", "rebalance"]), st.integers(0, 2), st.integers(0, 50))))
def test_acknowledged_events_are_a_prefix(steps: list[Step]) -> None:
    """Whatever the interleaving: no gap, no repeat, no event of an older assignment, and `pending` adds up."""
    mark: Watermark[tuple[int, int, int]] = Watermark()
    generation: dict[int, int] = defaultdict(lambda: 1)
    added: dict[tuple[int, int], int] = defaultdict(int)
    acked: dict[tuple[int, int], list[int]] = defaultdict(list)
    open_entries: list[Entry[tuple[int, int, int]]] = []
    for what, partition, pick in steps:
        lane = (partition, generation[partition])
        if what == "add":
            open_entries.append(mark.add(partition, lane[1], (*lane, added[lane])))
            added[lane] += 1
        elif what == "rebalance":
            mark.revoke(partition)
            generation[partition] += 1
        elif open_entries:
            for item in mark.done(open_entries.pop(pick % len(open_entries))):
                acked[item[:2]].append(item[2])
                assert item[1] == generation[item[0]]
        assert all(numbers == list(range(len(numbers))) for numbers in acked.values())
        current = {(p, g) for p, g in added if g == generation[p]}
        assert mark.pending == sum(added[lane] - len(acked[lane]) for lane in current)
