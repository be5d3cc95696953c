"""`weir kafka start|stop|status|topics|group`: a broker on this machine, and what a cluster must have for Weir."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from ops.exits import NO
from ops.local.groups import group_status
from ops.local.services import KafkaKind, Service, health, start_kafka, stop_service
from ops.local.show import progress, show, warn_embedded
from ops.local.state import RunFolder
from ops.local.topics import create_topics, standard_topics
from ops.targets import read_settings, resolve

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def kafka() -> None:
    """Run Kafka on this machine: real Apache Kafka (Java 17 and Maven needed), or the embedded broker."""


@app.command(
    epilog="Examples: `weir kafka start` · `weir kafka start --brokers 3 --json` · `weir kafka start --kind embedded`"
)
def start(
    *,
    kind: Annotated[KafkaKind, typer.Option(help="real: Apache Kafka, durable; embedded: in memory.")] = KafkaKind.REAL,
    brokers: Annotated[int, typer.Option(help="1 or 3 (real only).")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="Partitions of each topic.")] = 4,
    as_json: Json = False,
) -> None:
    """Start it, if it does not run, and create Weir's topics. The first time, its artifacts are fetched (45 MB)."""
    if brokers not in (1, 3) or (brokers == 3 and kind is not KafkaKind.REAL):
        raise typer.BadParameter("1, or 3 with --kind real", param_hint="--brokers")
    settings = read_settings()
    with progress() as tell, RunFolder(settings.home).lock():
        tell(f"starting Kafka ({kind})")
        start_kafka(settings.home, kind, standard_topics(settings.topic_prefix, partitions), brokers=brokers)
    if kind is KafkaKind.EMBEDDED:
        warn_embedded()
    status(as_json=as_json)


@app.command(epilog="Example: `weir kafka stop`")
def stop() -> None:
    """Stop it. A real Kafka keeps its data; the embedded broker forgets."""
    settings = read_settings()
    with progress() as tell, RunFolder(settings.home).lock():
        tell("stopping Kafka")
        stop_service(settings.home, Service.KAFKA)


@app.command(epilog="Example: `weir kafka status --json`")
def status(*, as_json: Json = False) -> None:
    """Say whether it runs, and where. Exit code 0 when it does, else 1."""
    told = health(read_settings().home, Service.KAFKA)
    show([told], as_json=as_json)
    if not told.well:
        raise typer.Exit(NO)


@app.command(
    epilog="Examples: `weir kafka topics` · `WEIR_KAFKA_BOOTSTRAP=broker:9092 weir kafka topics --partitions 24`"
)
def topics(
    *,
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="Partitions of each topic.")] = 4,
    as_json: Json = False,
) -> None:
    """Create Weir's topics where they are missing, on the cluster of WEIR_KAFKA_BOOTSTRAP or the one that runs here."""
    settings = resolve(kafka=True)
    created = create_topics(settings.kafka_bootstrap, standard_topics(settings.topic_prefix, partitions))
    typer.echo(json.dumps({"created": created}) if as_json else "\n".join(created) or "all topics are there")


@app.command(epilog="Examples: `weir kafka group` · `weir kafka group --json` (a health check: exit code 0 or 1)")
def group(*, as_json: Json = False) -> None:
    """Say how many workers are in the consumer group and how many events wait. Exit code 0 when there is one, else 1.

    Needs a real Kafka: the embedded broker cannot be asked.
    """
    settings = resolve(kafka=True)
    told = asyncio.run(group_status(settings.kafka_bootstrap, settings.group, settings.topic("incoming")))
    if as_json:
        typer.echo(json.dumps({**asdict(told), "total_waiting": sum(told.waiting.values())}))
    else:
        waiting = ", ".join(f"{partition}: {count}" for partition, count in told.waiting.items())
        typer.echo(f"group {told.group}: {told.state}, {told.members} members; waiting by partition: {waiting}")
    if not told.well:
        raise typer.Exit(NO)
