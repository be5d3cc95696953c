"""The model repository for a server that is about to start: assembled if it is not, with words about the progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ops.local.errors import LocalStackError
from triton_models.assemble import AssembleError, AssembleOptions, assemble_release

MIB = 2**20


def assembled_repository(home: Path, tell: Callable[[str], None]) -> Path:
    """The repository under `home`; fetches (about 130 MB) and builds what is missing. Blocks.

    LocalStackError when it cannot be fetched or built.
    """

    def fetching(name: str, done: int, total: int) -> None:
        tell(f"fetching {name}: {done // MIB} of {total // MIB} MiB")

    try:
        return assemble_release(home, AssembleOptions(step=tell, fetching=fetching)).repository
    except AssembleError as exc:
        raise LocalStackError(str(exc), hint="weir model assemble shows each step") from exc
