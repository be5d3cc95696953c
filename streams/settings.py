"""Settings of a deployment, read once from the environment (prefix `WEIR_`) by the composition root.

Everything else receives plain values. `weir config` lists these with their values and where they came from.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.core.topics import policy_topic

PositiveInt = Annotated[int, Ge(1)]
Seconds = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]


def default_home() -> Path:
    """Where state, parts and the assembled model live: `$XDG_DATA_HOME/weir`, else `~/.local/share/weir`."""
    root = os.environ.get("XDG_DATA_HOME")
    return (Path(root) if root else Path.home() / ".local" / "share") / "weir"


class Settings(BaseSettings):
    """All that a deployment sets."""

    model_config = SettingsConfigDict(env_prefix="WEIR_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=default_home, description="state, pretrained parts, assembled model")
    kafka_bootstrap: str = Field("", description="host:port[,host:port]; empty: the stack that `weir up` started")
    triton_url: str = Field("", description="host:port of Triton's gRPC; empty: the stack that `weir up` started")
    policies: Path | None = Field(None, description="folder of policies; empty: the bundled library")
    policy_source: Literal["folder", "topic"] = Field(
        "folder", description="folder: follow `policies`; topic: follow the fleet's pointer on policy.bundles"
    )
    policy_key: SecretStr = Field(
        SecretStr(""), description="key that pointers on policy.bundles are signed with; empty: they are not signed"
    )
    group: str = Field("weir", description="Kafka consumer group")
    topic_prefix: str = Field("content.", description="put before incoming, verdicts, flagged, novel, deadletter")
    worker_id: str = Field("", description="name of this worker in headers and logs; empty: host and pid")

    session_timeout_s: Annotated[float, Ge(1)] = Field(
        10.0, description="a worker that is silent for this long is dead to Kafka; brokers allow 6 and above"
    )
    consumer: Literal["direct", "agent"] = Field(
        "direct", description="direct: a consumer of our own; agent: a Faust agent, slower, with Faust's tables"
    )
    batch_size: PositiveInt = Field(16, description="events judged together")
    batch_wait_s: Annotated[float, Ge(0)] = Field(0.005, description="how long a batch waits to fill")
    batches_in_flight: PositiveInt = Field(4, description="batches judged at the same time")
    backlog: PositiveInt = Field(512, description="events taken from Kafka and not yet acknowledged, at most")
    deadline_s: Seconds = Field(30.0, description="time for all signals of a batch; what is late is missing")
    publish_timeout_s: Seconds = Field(120.0, description="time for the broker's ack, then the worker restarts")
    drain_s: Seconds = Field(30.0, description="time to finish what is in flight after SIGTERM")
    stall_s: Seconds = Field(180.0, description="no progress for this long with events waiting: the worker restarts")
    lag_warn_s: Seconds = Field(
        60.0, description="lag grows and nothing is finished for this long: a warning in the log"
    )

    deadletter_share: Share = Field(
        0.5, description="dead letters that are our own fault among recent events: above it, stop"
    )
    deadletter_window: PositiveInt = Field(200, description="how many recent events that share is taken over")

    media_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="folders that `file://` media may come from, separated by `:`"
    )
    media_max_bytes: PositiveInt = Field(20 * 1024 * 1024, description="largest media file")
    image_max_pixels: PositiveInt = Field(40_000_000, description="largest picture, checked before it is decoded")
    image_text: bool = Field(True, description="read the text in pictures, where the release can")
    image_threads: PositiveInt = Field(2, description="threads that decode pictures")

    record: Path | None = Field(None, description="folder for recordings of judged events; empty: none are kept")
    record_format: Literal["jsonl", "parquet"] = Field(
        "jsonl", description="jsonl: gzipped JSON lines; parquet: tables, with the extra `record`"
    )
    record_share: Share = Field(0.01, description="share of the contents that are recorded")

    banks: Path | None = Field(None, description="folder of hash banks; empty: `banks` under home")

    counters: bool = Field(True, description="count events by author and text, in two topics beside the policies'")
    counter_facts: PositiveInt = Field(400_000, description="events of the last hour that counters remember, at most")

    triton_deadline_s: Seconds = Field(25.0, description="time for one inference; a full machine is slow, not down")
    triton_in_flight: PositiveInt = Field(8, description="inference requests at the same time")

    status_address: str = Field(
        "127.0.0.1:0", description="where /status and /metrics are served; port 0: a free one, see the log; empty: no"
    )
    log_level: str = Field("info", description="debug | info | warning | error")
    log_format: str = Field("auto", description="json | console | auto (console on a terminal)")

    def __init__(self, **values: object) -> None:
        roots = values.get("media_roots", os.environ.get("WEIR_MEDIA_ROOTS"))
        if isinstance(roots, str):
            values["media_roots"] = tuple(Path(p) for p in roots.split(os.pathsep) if p)
        super().__init__(**values)  # type: ignore[arg-type]  # pydantic validates them

    def topic(self, name: str) -> str:
        """The full name of the topic `name` (`incoming`, `verdicts`, …)."""
        return f"{self.topic_prefix}{name}"

    def policy_topic(self, name: str) -> str:
        """The full name of a topic of the policies' side (`facts`, `strikes`, …): `policy.facts`."""
        return policy_topic(self.topic_prefix, name)
