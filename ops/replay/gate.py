"""The gate file: limits that a change of policies must keep, as YAML; what is broken is said with its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from ops.replay.compare import Replay
from ops.replay.stats import Share
from policies.engine.errors import PolicyErrors
from policies.engine.schema import Name, Written
from policies.engine.shape import read_shape
from policies.engine.yaml_nodes import read_yaml


class GateFile(Written):
    """What a replay may show. A key that is left out is not looked at."""

    min_events: int = Field(default=1, ge=0)
    max_changed_share: float | None = Field(default=None, ge=0, le=1)
    max_stricter_share: float | None = Field(default=None, ge=0, le=1)
    max_looser_share: float | None = Field(default=None, ge=0, le=1)
    max_rule_share: dict[str, float] = Field(default_factory=dict, description="rule id, or * for every rule")
    max_queue_per_hour: dict[Name, int] = Field(default_factory=dict, description="the fullest hour of a review queue")
    max_slice_share: dict[str, float] = Field(default_factory=dict, description="locale, surface or tenant")
    min_precision: dict[str, float] = Field(default_factory=dict, description="category: share of hits that are right")
    min_recall: dict[str, float] = Field(default_factory=dict, description="category: share of harm that is found")


def read_gate(path: Path) -> GateFile:
    """The gate; PolicyErrors with every problem of the file."""
    doc = read_yaml(path.read_bytes(), str(path))
    made = read_shape(doc, GateFile)
    if made is None or doc.problems:
        raise PolicyErrors(doc.problems)
    return made


def broken_limits(gate: GateFile, replay: Replay) -> list[str]:
    """Every limit that the replay breaks; empty when it passes."""
    return [*_shares(gate, replay), *_rules(gate, replay), *_queues(gate, replay), *_quality(gate, replay)]


def _shares(gate: GateFile, replay: Replay) -> Iterator[str]:
    if replay.events < gate.min_events:
        yield f"only {replay.events} events were replayed, {gate.min_events} are wanted"
    for name, count, limit in (
        ("changed", replay.changed, gate.max_changed_share),
        ("stricter", replay.stricter, gate.max_stricter_share),
        ("looser", replay.looser, gate.max_looser_share),
    ):
        share = Share(count, replay.events)
        if limit is not None and share.value is not None and share.value > limit:
            yield f"{name}: {share}, the limit is {limit:g}"
    for dimension, limit in gate.max_slice_share.items():
        for value, found in replay.slices.get(dimension, {}).items():
            share = Share(found.stricter + found.looser, found.events)
            if share.interval is not None and share.interval[0] > limit:
                yield f"{dimension} {value}: {share} changed, surely above the limit {limit:g}"


def _rules(gate: GateFile, replay: Replay) -> Iterator[str]:
    for name, found in sorted(replay.rules.items()):
        limit = gate.max_rule_share.get(name, gate.max_rule_share.get("*"))
        share = Share(found.new, replay.events)
        if limit is not None and share.value is not None and share.value > limit:
            yield f"rule {name} matches {share}, the limit is {limit:g}"


def _queues(gate: GateFile, replay: Replay) -> Iterator[str]:
    for name, limit in sorted(gate.max_queue_per_hour.items()):
        fullest = max(replay.new_queues.get(name, {}).values(), default=0)
        if fullest > limit:
            yield f"queue {name} gets {fullest} events in its fullest hour, the limit is {limit}"


def _quality(gate: GateFile, replay: Replay) -> Iterator[str]:
    for kind, limits in (("precision", gate.min_precision), ("recall", gate.min_recall)):
        for category, limit in sorted(limits.items()):
            quality = replay.new_quality.get(category)
            share = Share(0, 0) if quality is None else getattr(quality, kind)
            if share.value is None:
                yield f"{kind} of {category}: no labels to measure it by"
            elif share.value < limit:
                yield f"{kind} of {category}: {share}, the limit is {limit:g}"
