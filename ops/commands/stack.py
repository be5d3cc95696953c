"""`weir up`, `weir down`, `weir status`: the local stack in the background."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.exits import NO
from ops.local.assembled import assembled_repository
from ops.local.services import KafkaKind
from ops.local.show import progress, show, warn_embedded
from ops.local.stack import StackOptions
from ops.local.stack import down as stop_stack
from ops.local.stack import status as stack_status
from ops.local.stack import up as start_stack
from ops.targets import read_settings

EPILOG = """
Examples:

  weir up                                   # embedded broker, Triton, one worker

  weir up --kafka real --brokers 3          # real Apache Kafka on the local JVM

  weir status --json                        # exit code 0: all of it runs; 1: it does not

  weir down
"""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def up(
    *,
    kafka: Annotated[KafkaKind, typer.Option(help="Which broker to start.")] = KafkaKind.EMBEDDED,
    brokers: Annotated[int, typer.Option(help="How many brokers, with --kafka real: 1 or 3.")] = 1,
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="Partitions of each topic.")] = 4,
    as_json: Json = False,
) -> None:
    """Start the local stack in the background; what already runs is left alone.

    State and logs are in `$WEIR_HOME/run`. Addresses in WEIR_KAFKA_BOOTSTRAP and WEIR_TRITON_URL are used, not started.
    """
    if brokers not in (1, 3) or (brokers == 3 and kafka is not KafkaKind.REAL):
        raise typer.BadParameter("1, or 3 together with --kafka real", param_hint="--brokers")
    settings = read_settings()
    with progress() as tell:
        options = StackOptions(
            home=settings.home,
            repository=lambda: assembled_repository(settings.home, tell),
            kafka=kafka,
            brokers=brokers,
            partitions=partitions,
            topic_prefix=settings.topic_prefix,
            kafka_bootstrap=settings.kafka_bootstrap,
            triton_url=settings.triton_url,
            drain_s=settings.drain_s,
        )
        start_stack(options, tell)
    if kafka is KafkaKind.EMBEDDED and not settings.kafka_bootstrap:
        warn_embedded()
    status(as_json=as_json)


def down(*, as_json: Json = False) -> None:
    """Stop the local stack: the worker first, which finishes what it has in flight."""
    settings = read_settings()
    with progress() as tell:
        stop_stack(settings.home, tell)
    if as_json:
        show(stack_status(settings.home), as_json=True)


def status(*, as_json: Json = False) -> None:
    """Say what of the local stack runs, and where. Exit code 0 when all of it does, else 1."""
    settings = read_settings()
    told = stack_status(settings.home, kafka_bootstrap=settings.kafka_bootstrap, triton_url=settings.triton_url)
    show(told, as_json=as_json)
    if not all(one.well for one in told):
        raise typer.Exit(NO)
