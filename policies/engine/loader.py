"""A folder of YAML files → written files with marks, the folder's hash, and every problem of their shape.

    bundle.yaml        the bundle's name and version
    profiles.yaml      surfaces and review queues
    counters.yaml      what is counted over earlier events
    *.yaml             one policy each
    lists/*.yaml       one list each
    banks/*.yaml       one bank of known pictures each
    taxonomies/        weir.yaml: the kinds of each category; the others are mappings, hashed here, not looked into
    prompts.yaml       read by the model; hashed here, not looked into

Reads files, nothing else; meaning is `resolve`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

from pydantic import BaseModel

from policies.engine.errors import Problem
from policies.engine.schema import BundleFile, ListFile, PolicyFile, ProfilesFile
from policies.engine.schema_banks import BankFile
from policies.engine.schema_counters import CountersFile
from policies.engine.schema_taxonomies import OwnFile
from policies.engine.shape import read_shape
from policies.engine.yaml_nodes import Document, read_yaml

MAX_FILES: Final = 1_000
NOT_POLICIES: Final = frozenset({"bundle.yaml", "counters.yaml", "profiles.yaml", "prompts.yaml"})
SUFFIXES: Final = (".yaml", ".yml")
_FOLDERS: Final = frozenset({"banks", "lists", "taxonomies"})

File = TypeVar("File", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Written(Generic[File]):
    """A file of the right shape and where its words stand."""

    doc: Document
    file: File


@dataclass(slots=True)
class Folder:
    """All that was read."""

    path: Path
    policies: list[Written[PolicyFile]] = field(default_factory=list)
    lists: list[Written[ListFile]] = field(default_factory=list)
    banks: list[Written[BankFile]] = field(default_factory=list)
    profiles: Written[ProfilesFile] | None = None
    bundle: Written[BundleFile] | None = None
    taxonomy: Written[OwnFile] | None = None
    counters: Written[CountersFile] | None = None
    problems: list[Problem] = field(default_factory=list)
    hash: str = ""
    size_bytes: int = 0


def read_folder(folder: Path) -> Folder:
    """Everything in the folder. Never raises for what is inside the files; a folder that is not there is a problem."""
    made = Folder(folder)
    files = read_files(folder)
    if files is None:
        made.problems.append(Problem(str(folder), 1, 1, "NO-FOLDER", "there is no such folder"))
        return made
    return read_bundle_files(files, folder=folder)


def read_files(folder: Path) -> dict[str, bytes] | None:
    """The bundle's files: relative POSIX path → bytes, in path order; None when the folder is not there."""
    if not folder.is_dir():
        return None
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith((".", "_")) for part in inside.parts)
        if path.suffix in SUFFIXES and path.is_file() and not hidden and len(found) < MAX_FILES:
            found[inside.as_posix()] = path.read_bytes()
    return found


def hash_files(files: dict[str, bytes]) -> str:
    """The bundle's address: 32 hex digits over names and contents, the same on every system's line ends."""
    digest = hashlib.sha256()
    for name in sorted(files):
        body = files[name].replace(b"\r\n", b"\n")
        for piece in (name.encode(), body):
            digest.update(len(piece).to_bytes(8, "big"))
            digest.update(piece)
    return digest.hexdigest()[:32]


def read_bundle_files(files: dict[str, bytes], *, folder: Path) -> Folder:
    """The files of a bundle, wherever they came from; `folder` only names them in problems."""
    made = Folder(folder, hash=hash_files(files), size_bytes=sum(map(len, files.values())))
    for name, raw in files.items():
        shown = str(folder / name)
        top, _, rest = name.rpartition("/")
        if top == "lists":
            _keep(made, read_yaml(raw, shown), ListFile, made.lists)
        elif top == "banks":
            _keep(made, read_yaml(raw, shown), BankFile, made.banks)
        elif name == "profiles.yaml":
            made.profiles = _one(made, read_yaml(raw, shown), ProfilesFile)
        elif name == "counters.yaml":
            made.counters = _one(made, read_yaml(raw, shown), CountersFile)
        elif name == "taxonomies/weir.yaml":
            made.taxonomy = _one(made, read_yaml(raw, shown), OwnFile)
        elif name == "bundle.yaml":
            made.bundle = _one(made, read_yaml(raw, shown), BundleFile)
        elif not top and name not in NOT_POLICIES:
            _keep(made, read_yaml(raw, shown), PolicyFile, made.policies)
        elif top and top.partition("/")[0] not in _FOLDERS:
            made.problems.append(
                Problem(
                    shown,
                    1,
                    1,
                    "STRAY-FILE",
                    f"{rest} is in a folder that is not read",
                    "put policies on the top level",
                    "warning",
                )
            )
    if not made.policies and not made.problems:
        made.problems.append(Problem(str(folder), 1, 1, "NO-POLICIES", "the folder has no policy files"))
    return made


def _one(folder: Folder, doc: Document, model: type[File]) -> Written[File] | None:
    shaped = read_shape(doc, model) if doc.value is not None or not doc.problems else None
    folder.problems += doc.problems
    doc.problems = []
    return Written(doc, shaped) if shaped is not None else None


def _keep(folder: Folder, doc: Document, model: type[File], into: list[Written[File]]) -> None:
    found = _one(folder, doc, model)
    if found is not None:
        into.append(found)
