"""Gates: what a candidate must reach before it is served, as data. Each gives its value, its limit and a yes or no.

A gate reads one number out of the candidate's figures (its card's `quality`, what was measured about its files and its
canary) by a path; `*` in the path means every key or place, and the worst one counts. A figure that is not there is a
no, unless the gate is marked optional: what was not measured is not known to be good. Nothing here runs a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Stage = Literal["figures", "canary"]


class GateError(ValueError):
    """A file of gates is wrong: which file, which gate, what to do."""


class Gate(BaseModel):
    """One demand. Exactly one of the limits is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    why: str = Field(min_length=1)
    value: tuple[str, ...] = Field(min_length=1)  # path into the figures
    stage: Stage = "figures"
    at_least: float | None = None
    at_most: float | None = None
    keeps: float | None = Field(default=None, gt=0)  # share of the serving version's figure that must be kept
    optional: bool = False

    @model_validator(mode="after")
    def _one_limit(self) -> Gate:
        given = [limit for limit in (self.at_least, self.at_most, self.keeps) if limit is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of at_least, at_most, keeps")
        return self


class GateFile(BaseModel):
    """A file of gates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gates: tuple[Gate, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> GateFile:
        names = [gate.name for gate in self.gates]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two gates have the name {', '.join(repeated)}")
        return self


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate said."""

    name: str
    passed: bool
    value: float | None
    limit: str  # "≥ 0.85"
    where: str  # the path of the worst figure
    why: str

    def line(self) -> str:
        """One line for people: `no   hate recall  0.41 (≥ 0.50)  at held_out/…`."""
        value = "not measured" if self.value is None else f"{self.value:.4g}"
        return f"{'ok' if self.passed else 'NO':3} {self.name}: {value} ({self.limit}) at {self.where}"


def load_gates(path: Path | None = None) -> GateFile:
    """The gates in `path`, or the shipped ones; GateError names every problem."""
    if path is None:
        text = (resources.files("triton_models.training") / "gates.yaml").read_text(encoding="utf-8")
        name = "gates.yaml"
    else:
        name = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as exc:
            raise GateError(f"{path}: {exc.strerror}") from exc
    try:
        return GateFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as exc:
        raise GateError(f"{name}: not YAML: {exc}") from exc
    except ValidationError as exc:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors())
        raise GateError(f"{name}: {problems}") from exc


def check_gates(
    gates: GateFile, figures: Mapping[str, Any], serving: Mapping[str, Any] | None = None, *, stage: Stage = "figures"
) -> list[GateResult]:
    """The results of the gates of one stage; `serving` holds the figures of the version that is served now."""
    return [_check(gate, figures, serving or {}) for gate in gates.gates if gate.stage == stage]


def _check(gate: Gate, figures: Mapping[str, Any], serving: Mapping[str, Any]) -> GateResult:
    where = "/".join(gate.value)
    found = list(_numbers(figures, gate.value))
    if gate.keeps is not None:
        return _check_kept(gate, found, dict(_numbers(serving, gate.value)))
    limit = f"≥ {gate.at_least:g}" if gate.at_least is not None else f"≤ {gate.at_most:g}"
    if not found:
        return GateResult(gate.name, gate.optional, None, limit, where, gate.why)
    if gate.at_least is not None:
        place, value = min(found, key=lambda one: one[1])
        passed = value >= gate.at_least
    else:
        place, value = max(found, key=lambda one: one[1])
        passed = value <= (gate.at_most if gate.at_most is not None else math.inf)
    return GateResult(gate.name, passed, value, limit, "/".join(place), gate.why)


def _check_kept(
    gate: Gate, found: list[tuple[tuple[str, ...], float]], before: Mapping[tuple[str, ...], float]
) -> GateResult:
    """Candidate over serving, the worst over all paths that the serving version has; a figure it lost counts as 0."""
    limit = f"≥ {gate.keeps:g} of the serving version's"
    where = "/".join(gate.value)
    if not before:
        return GateResult(gate.name, True, None, f"{limit}, which has none", where, gate.why)
    now = dict(found)
    shares = {path: now.get(path, 0.0) / value for path, value in before.items() if value > 0}
    if not shares:
        return GateResult(gate.name, gate.optional, None, limit, where, gate.why)
    place = min(shares, key=lambda path: shares[path])
    return GateResult(gate.name, shares[place] >= (gate.keeps or 0.0), shares[place], limit, "/".join(place), gate.why)


def _numbers(tree: object, path: tuple[str, ...], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every number that the path reaches, with where it is."""
    if not path:
        if isinstance(tree, int | float) and not isinstance(tree, bool) and not math.isnan(tree):
            yield at, float(tree)
        return
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        tree = {str(number): item for number, item in enumerate(tree)}
    if not isinstance(tree, Mapping):
        return
    head, rest = path[0], path[1:]
    keys = list(tree) if head == "*" else [head] if head in tree else []
    for key in keys:
        yield from _numbers(tree[key], rest, (*at, str(key)))
