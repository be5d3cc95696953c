"""Counts, gauges and histograms in memory, and their text form for Prometheus. Pure; no clock, no server.

Owned by one event loop. The names are a closed set (`telemetry.MetricName`), given by the callers as plain strings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Labels = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "histogram"]

#: Seconds. From a rule-only event (a millisecond) to the deadline of all signals.
BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Label combinations of one metric that are kept; a bug that puts an id into a label must not eat the memory.
MAX_SERIES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One value now."""

    name: str
    value: float
    labels: Labels = ()
    kind: Kind = "gauge"


class Counts:
    """Counters and histograms that only grow."""

    def __init__(self) -> None:
        self._counters: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, list[float]]] = {}  # per bucket, then the rest, then the sum

    def add(self, name: str, amount: float = 1.0, **labels: str) -> None:
        """Count."""
        series = self._counters.setdefault(name, {})
        key = tuple(sorted(labels.items()))
        if key in series or len(series) < MAX_SERIES:
            series[key] = series.get(key, 0.0) + amount

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Put a duration into its bucket."""
        series = self._histograms.setdefault(name, {})
        key = tuple(sorted(labels.items()))
        if key not in series:
            if len(series) >= MAX_SERIES:
                return
            series[key] = [0.0] * (len(BUCKETS_S) + 2)
        series[key][bisect_left(BUCKETS_S, seconds)] += 1
        series[key][-1] += seconds

    def samples(self) -> list[Sample]:
        """Everything that was counted."""
        made = [
            Sample(name, value, labels, "counter")
            for name, series in self._counters.items()
            for labels, value in series.items()
        ]
        for name, histograms in self._histograms.items():
            for labels, cells in histograms.items():
                made += _histogram(name, labels, cells)
        return made


def _histogram(name: str, labels: Labels, cells: list[float]) -> list[Sample]:
    made: list[Sample] = []
    total = 0.0
    for bound, count in zip((*(f"{b:g}" for b in BUCKETS_S), "+Inf"), cells, strict=False):
        total += count
        made.append(Sample(f"{name}_bucket", total, (*labels, ("le", bound)), "histogram"))
    made.append(Sample(f"{name}_sum", cells[-1], labels, "histogram"))
    made.append(Sample(f"{name}_count", total, labels, "histogram"))
    return made


def render(samples: Iterable[Sample], help_of: Mapping[str, str] | None = None) -> str:
    """The samples in Prometheus' text format, version 0.0.4, grouped by metric."""
    groups: dict[str, list[Sample]] = {}
    kinds: dict[str, Kind] = {}
    for sample in samples:
        base = _base(sample)
        groups.setdefault(base, []).append(sample)
        kinds[base] = sample.kind
    lines: list[str] = []
    for base in sorted(groups):
        if help_of and base in help_of:
            lines.append(f"# HELP {base} {help_of[base]}")
        lines.append(f"# TYPE {base} {kinds[base]}")
        lines += [f"{one.name}{_labels(one.labels)} {one.value:.10g}" for one in groups[base]]
    return "\n".join(lines) + "\n"


def _base(sample: Sample) -> str:
    if sample.kind != "histogram":
        return sample.name
    return sample.name.rsplit("_", 1)[0]


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = ((name, text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")) for name, text in labels)
    return "{" + ",".join(f'{name}="{text}"' for name, text in escaped) + "}"
