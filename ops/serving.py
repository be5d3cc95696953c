"""A Triton to ask: the configured one, the one `weir up` started, or one that is started for this command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console

from ops.local.state import RunFolder
from streams.settings import Settings


@contextmanager
def served_model(settings: Settings) -> Iterator[str]:
    """The gRPC address of a Triton that serves the ensemble; one started here is stopped again at the end.

    LocalStackError when it cannot be started.
    """
    if settings.triton_url:
        yield settings.triton_url
        return
    running = RunFolder(settings.home).running("triton")
    if running is not None and "grpc" in running.addresses:
        yield running.addresses["grpc"]
        return
    from ops.local.assembled import assembled_repository
    from ops.local.triton import EmbeddedTriton

    console = Console(stderr=True)
    console.quiet = not console.is_terminal
    with ExitStack() as stack:
        with console.status("assembling the served model") as status:
            repository = assembled_repository(settings.home, status.update)
            status.update("starting Triton")
            triton = stack.enter_context(EmbeddedTriton(settings.home, repository))
        yield triton.grpc_url
