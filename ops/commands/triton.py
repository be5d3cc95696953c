"""`weir triton start|stop|status`: the bundled Triton server on this machine, in the background."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.exits import NO
from ops.local.assembled import assembled_repository
from ops.local.services import Service, health, start_triton, stop_service
from ops.local.show import progress, show
from ops.local.state import RunFolder
from ops.local.triton import TritonOptions, TritonPorts
from ops.targets import read_settings
from triton_models.contract import MODEL_NAME

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")]


@app.callback()
def triton() -> None:
    """Run Triton on this machine, on loopback only, with the assembled ensemble."""


@app.command(
    epilog="Examples: `weir triton start` · `weir triton start --grpc-port 8001 --http-port 8000 --json` · "
    "`weir triton start --repository FOLDER --model echo`"
)
def start(
    *,
    repository: Annotated[Path | None, typer.Option(help="Model repository; the assembled one if not given.")] = None,
    model: Annotated[str, typer.Option(help="The model to load.")] = MODEL_NAME,
    http_port: Port = 0,
    grpc_port: Port = 0,
    as_json: Json = False,
) -> None:
    """Start it, if it does not run, and wait until the model is ready."""
    settings = read_settings()
    with progress() as tell, RunFolder(settings.home).lock():
        tell("starting Triton")
        options = TritonOptions(model=model, ports=TritonPorts(http=http_port, grpc=grpc_port))
        start_triton(settings.home, lambda: repository or assembled_repository(settings.home, tell), options)
    status(as_json=as_json)


@app.command(epilog="Example: `weir triton stop`")
def stop() -> None:
    """Stop it, and remove what it and any dead server before it left in shared memory."""
    settings = read_settings()
    with progress() as tell, RunFolder(settings.home).lock():
        tell("stopping Triton")
        stop_service(settings.home, Service.TRITON)


@app.command(epilog="Example: `weir triton status --json`")
def status(*, as_json: Json = False) -> None:
    """Say whether it runs and its model is ready. Exit code 0 when it is, else 1."""
    told = health(read_settings().home, Service.TRITON)
    show([told], as_json=as_json)
    if not told.well:
        raise typer.Exit(NO)
