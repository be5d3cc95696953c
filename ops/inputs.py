"""Files that a person names on the command line: opened, `-` for standard input, and the pictures that they name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import typer
from rich.console import Console

from ops.exits import MISUSED


@contextmanager
def opened(file: str, command: str) -> Iterator[IO[bytes]]:
    """The file's bytes; a message of `command` and exit code 2 when it cannot be read."""
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        handle = Path(file).open("rb")  # noqa: SIM115  # closed below; a missing file is a message, not a traceback
    except OSError as exc:
        Console(stderr=True).print(f"{command}: cannot read {file}: {exc.strerror}", style="red", markup=False)
        raise typer.Exit(MISUSED) from exc
    with handle:
        yield handle


def folder_of(file: str) -> Path:
    """Where paths inside the file start from: its own folder; the working folder for standard input."""
    return Path.cwd() if file == "-" else Path(file).parent


def read_image(path: str, folder: Path) -> bytes:
    """The image at `path`, which is relative to the working folder, else to the file that names it."""
    given = Path(path)
    return (given if given.is_absolute() or given.exists() else folder / given).read_bytes()
