"""The versions of the served model below a model repository: added whole, switched by one file, never lost.

    <repository>/clip_safety/config.pbtxt     its `version_policy` names the version that is served, and its standby
    <repository>/clip_safety/<N>/             a version; written aside and renamed, so it is whole or not there
    <repository>/.clip_safety.journal.jsonl   what was promoted, refused and rolled back, and why; outside the model's
                                              folder, where a changed file makes Triton load all versions anew
    <repository>/clip_safety_canary/          a candidate under a name of its own, while it is compared

The served version is pinned by name: a server that restarts in the middle of a promotion loads what was served before,
never a candidate. A standby is an older version that stays loaded beside it, so that going back takes no loading; of
the versions that are loaded, Triton answers with the highest. This module talks to no server and judges
nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triton_models.contract import MODEL_NAME

CANARY_NAME: Final = f"{MODEL_NAME}_canary"
CONFIG: Final = "config.pbtxt"
CARD: Final = "card.json"
JOURNAL: Final = "journal.jsonl"
_POLICY: Final = re.compile(r"version_policy\s*:?\s*\{(?:[^{}]|\{[^{}]*\})*\}\s*")
_PINNED: Final = re.compile(r"specific\s*:?\s*\{\s*versions\s*:\s*\[?\s*(\d+(?:\s*,\s*\d+)*)")
_NAME: Final = re.compile(r'^name\s*:\s*"[^"]*"', re.MULTILINE)


class StoreError(Exception):
    """A version or the store is not what it must be: which, what was found, what to do."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version directory."""

    number: int
    path: Path
    card: Mapping[str, Any]  # empty when the directory has none
    size_bytes: int

    @property
    def release(self) -> str:
        """The release's own name, `unnamed` when its card does not say."""
        return str(self.card.get("release", "unnamed"))


class ReleaseStore:
    """The versions of one model in a repository folder."""

    def __init__(self, repository: Path, model: str = MODEL_NAME) -> None:
        self.repository = repository
        self.folder = repository / model
        self._journal = repository / f".{model}.{JOURNAL}"
        if not (self.folder / CONFIG).is_file():
            raise StoreError(f"no model {model!r} in {repository}; hint: weir model assemble makes the first version")

    def versions(self) -> list[StoredVersion]:
        """All versions, oldest first."""
        numbers = sorted(int(path.name) for path in self.folder.iterdir() if path.is_dir() and path.name.isdigit())
        return [self.version(number) for number in numbers]

    def version(self, number: int) -> StoredVersion:
        """One version; StoreError when there is none of that number."""
        path = self.folder / str(number)
        if not path.is_dir():
            have = ", ".join(path.name for path in sorted(self.folder.iterdir()) if path.name.isdigit()) or "none"
            raise StoreError(f"no version {number} in {self.folder}; it has {have}")
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return StoredVersion(number, path, read_card(path), size)

    def current(self) -> int:
        """The version that a server loads: the pinned one, else the highest; StoreError when there is none."""
        pinned = self.pinned()
        if pinned is not None:
            return pinned
        versions = self.versions()
        if not versions:
            raise StoreError(f"{self.folder} has no version; hint: weir model assemble")
        return versions[-1].number

    def pinned(self) -> int | None:
        """The version that the configuration names; None before the first promotion."""
        pinned = pinned_versions(self.folder / CONFIG)
        return max(pinned) if pinned else None

    def in_use(self) -> set[int]:
        """The versions that must stay: the current one and the one to go back to."""
        return {number for number in (self.current(), self.previous()) if number is not None}

    def previous(self) -> int | None:
        """The version that was served before the current one and is still there; None when there is none."""
        served = [entry["serving"] for entry in self.journal() if entry.get("serving")]
        for number in reversed(served):
            if number != self.current() and (self.folder / str(number)).is_dir():
                return int(number)
        older = [version.number for version in self.versions() if version.number < self.current()]
        return older[-1] if older else None

    def add(self, candidate: Path) -> int:
        """Copies an assembled version in under the next number, whole or not at all; the number.

        It is not served by this: what is served now is pinned first. StoreError when the folder cannot be a version.
        """
        if not (candidate / "model.py").is_file():
            raise StoreError(f"{candidate} is no assembled version (it has no model.py); hint: weir model assemble")
        if self.pinned() is None and self.versions():
            self.switch(self.current())
        aside = self.folder / f".adding-{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        try:
            # A copy, not hard links: whoever rewrites a candidate's file in place must not change what is served.
            shutil.copytree(candidate, aside, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            _sync(aside)
            # Numbers are never reused, so that a journal entry always means one thing.
            used = [version.number for version in self.versions()]
            used += [int(entry["version"]) for entry in self.journal() if entry.get("version")]
            number = max(used, default=0) + 1
            aside.rename(self.folder / str(number))
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return number

    def discard(self, number: int) -> None:
        """Removes a version that is not served; StoreError for the served one."""
        if number == self.current():
            raise StoreError(f"version {number} is being served and stays")
        shutil.rmtree(self.folder / str(number), ignore_errors=True)

    def switch(self, number: int, *, standby: int | None = None) -> None:
        """Pins the version to be served from the next load on, with a lower one kept loaded: one atomic rename."""
        self.version(number)
        # A higher standby would be what Triton answers with.
        versions = (standby, number) if standby is not None and standby < number else (number,)
        _write(self.folder / CONFIG, with_pin(self._config(), versions))

    def open_canary(self, number: int) -> str:
        """Shows a version under a name of its own, which is given back; production does not see it."""
        self.close_canary()
        folder = self.repository / CANARY_NAME
        folder.mkdir()
        config = _NAME.sub(f'name: "{CANARY_NAME}"', _POLICY.sub("", self._config()), count=1)
        _write(folder / CONFIG, config)
        (folder / "1").symlink_to(self.version(number).path.resolve(), target_is_directory=True)
        return CANARY_NAME

    def close_canary(self) -> None:
        """Takes the canary's name out of the repository; the version itself stays."""
        shutil.rmtree(self.repository / CANARY_NAME, ignore_errors=True)

    def journal(self) -> list[dict[str, Any]]:
        """What was done, oldest first; a last line that was cut off by a crash is left out."""
        path = self._journal
        if not path.is_file():
            return []
        entries = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def note(self, **entry: object) -> None:
        """Adds an entry with the time to the journal. `serving` names the version that is served after it."""
        line = json.dumps({"at": round(time.time(), 3), **entry}, ensure_ascii=False)
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _config(self) -> str:
        return (self.folder / CONFIG).read_text(encoding="utf-8")


def pinned_versions(config: Path) -> tuple[int, ...]:
    """The versions that a configuration file pins, the served one last; none when it pins none or is not there."""
    found = _POLICY.search(config.read_text(encoding="utf-8")) if config.is_file() else None
    pinned = _PINNED.search(found.group()) if found else None
    return tuple(sorted(int(number) for number in pinned.group(1).split(","))) if pinned else ()


def with_pin(config: str, versions: Sequence[int]) -> str:
    """The configuration with those versions, and no others, to be loaded."""
    listed = ", ".join(map(str, versions))
    return f"{_POLICY.sub('', config).rstrip()}\nversion_policy: {{ specific: {{ versions: [ {listed} ] }} }}\n"


def read_card(version: Path) -> dict[str, Any]:
    """The card in a version directory; empty when there is none; StoreError when it cannot be read."""
    path = version / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise StoreError(f"{path}: not JSON: {exc}; hint: write it again with weir model evaluate") from exc
    if not isinstance(card, dict):
        raise StoreError(f"{path}: expected an object, found {type(card).__name__}")
    return card


def _write(path: Path, text: str) -> None:
    """Readers see the old file or the new one, on disk before it is seen."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _sync(folder: Path) -> None:
    """Every file of the folder on disk, so that a rename never shows half a version after a power cut."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
