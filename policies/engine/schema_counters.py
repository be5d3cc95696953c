"""The shape of `counters.yaml`, as pydantic models. Shape only; meaning is `counters`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from policies.engine.schema import Written

CounterName = Annotated[str, StringConstraints(pattern=r"^(velocity|author)\.[a-z0-9][a-z0-9_\-]*$", max_length=80)]


class CounterFile(Written):
    """One counter: a window over earlier events, or strikes that fade."""

    counter: CounterName
    description: str = ""
    count: Literal["events", "authors", "threads", "strikes"]
    by: Literal["author", "text"] = Field(description="the same author, or the same text by anybody")
    minutes: int | None = Field(default=None, ge=1, le=60, description="length of the window")
    half_life_days: float | None = Field(
        default=None, gt=0, le=365, description="for strikes: half of one is left then"
    )
    at_least: Literal["limit", "review", "block"] | None = Field(
        default=None, description="for strikes: the mildest action of a rule that is one"
    )


class CountersFile(Written):
    """`counters.yaml`: replaces the counters that every bundle has by itself."""

    counters: list[CounterFile]
