"""`weir worker`: the stream itself, under a supervisor."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from ops.exits import MISUSED
from ops.targets import resolve
from policies import PolicyErrors
from streams.settings import Settings

EPILOG = """
Examples:

  weir worker                                             # the stack that `weir up` started

  WEIR_KAFKA_BOOTSTRAP=broker:9092 WEIR_TRITON_URL=triton:8001 weir worker

  weir worker --no-supervisor                             # under a container runtime that restarts it
"""


def worker(
    *,
    supervisor: Annotated[
        bool, typer.Option("--supervisor/--no-supervisor", help="Start the worker again when it crashes.")
    ] = True,
) -> None:
    """Judge the events of `content.incoming` until SIGTERM; what is in flight is finished first.

    Exit codes: 0 stopped by a signal; 2 settings or policies are wrong; 3 no Kafka or Triton is configured, or
    recordings in Parquet want a package that is not there; 70 crashed (without a supervisor); 78 too many events
    break Weir's own code.
    """
    from streams.app import build_recorder
    from streams.telemetry import set_up_logging

    settings = resolve(kafka=True, triton=True)
    set_up_logging(settings.log_level, settings.log_format)
    _check_policies(settings)
    build_recorder(settings)  # says now, before anything starts, what it lacks
    if supervisor:
        from ops.supervisor import Supervisor

        command = [sys.executable, "-m", "ops.cli", "worker", "--no-supervisor"]
        raise typer.Exit(Supervisor(command, grace_s=settings.drain_s + 10).run())
    from ops.parent import die_with_parent
    from streams.worker import run

    die_with_parent()
    raise typer.Exit(run(settings))


def _check_policies(settings: Settings) -> None:
    """Say what is wrong with the policies before anything is started; a last good bundle is enough to start."""
    from streams.app import build_followed_policies, build_policies

    try:
        build_policies(settings)  # much cheaper than with its tests, and nearly always fine
    except PolicyErrors as broken:
        Console(stderr=True).print(str(broken), markup=False, highlight=False, soft_wrap=True)
        try:
            build_followed_policies(settings)
        except PolicyErrors as exc:
            raise typer.Exit(MISUSED) from exc
