"""`weir worker`: the stream itself, under a supervisor."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from ops.exits import MISUSED
from ops.targets import resolve
from policies import PolicyErrors

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

    Exit codes: 0 stopped by a signal; 2 settings or policies are wrong; 3 no Kafka or Triton is configured;
    70 crashed (without a supervisor); 78 too many events break Weir's own code.
    """
    from streams.telemetry import set_up_logging

    settings = resolve(kafka=True, triton=True)
    set_up_logging(settings.log_level, settings.log_format)
    from streams.app import build_followed_policies

    try:
        build_followed_policies(settings)
    except PolicyErrors as exc:
        Console(stderr=True).print(str(exc), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(MISUSED) from exc
    if supervisor:
        from ops.supervisor import Supervisor

        command = [sys.executable, "-m", "ops.cli", "worker", "--no-supervisor"]
        raise typer.Exit(Supervisor(command, grace_s=settings.drain_s + 10).run())
    from ops.parent import die_with_parent
    from streams.worker import run

    die_with_parent()
    raise typer.Exit(run(settings))
