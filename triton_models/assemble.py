"""Building the version directory that Triton serves, from the pinned parts and what the repository ships.

Runs in the install without torch and without onnx: numpy writes the weights beside the exported graphs. The result is
a pure function of its inputs, whose digest is in `card.json`; what is already built is found and not built again. It
appears in the repository by one rename, so a server never sees half of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triton_models.build import BuildInputs, build_version
from triton_models.contract import MODEL_NAME
from triton_models.files import digest_files, locked, sha256_of
from triton_models.fill import FillError
from triton_models.parts import PARTS, PartsError, ensure_parts
from triton_models.parts.fetch import Report
from triton_models.prompts import PromptFileError
from triton_models.release_store import CONFIG, ReleaseStore, pinned_versions, with_pin
from triton_models.serving.members import FORMAT
from triton_models.serving.sessions import Device, device_of

HERE: Final = Path(__file__).parent
RELEASES: Final = HERE / "releases"
DEFAULT_RELEASE: Final = "reference"
TEMPLATE: Final = HERE / "repository" / MODEL_NAME
PROMPTS: Final = HERE.parent / "policies" / "library" / "prompts.yaml"
CARD: Final = "card.json"
_TEMPORARY: Final = ".assembling-"
_PARAMETER: Final = re.compile(r'key: "(\w+)" value: \{ string_value: "([^"]*)" \}')
KEPT_VERSIONS: Final = 3
"""The served one and two to go back to; each takes about 140 MB."""

Step = Callable[[str], None]
"""Called with what is being done, for people to read."""


class AssembleError(Exception):
    """The version directory cannot be built; the message says what is missing or wrong, and the remedy."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """What is ready to be served."""

    repository: Path  # what tritonserver mounts
    version_dir: Path
    built: bool  # False: it was there already
    card: dict[str, Any]


def assemble(home: Path, *, release: str = DEFAULT_RELEASE, force: bool = False) -> Path:
    """The model repository under `home`, with the release in it; blocks and raises as `assemble_release`."""
    return assemble_release(home, AssembleOptions(release=release, force=force)).repository


@dataclass(frozen=True, slots=True)
class AssembleOptions:
    """What to build and who hears about it."""

    release: str = DEFAULT_RELEASE  # a name below `releases`, or a folder of one's own
    force: bool = False  # build even if it is there
    instances: int | None = None  # None: one per core that this process may use; one per GPU with `cuda`
    device: Device | None = None  # None: as the repository's configuration says; the CPU in a new one
    prompts: Path = PROMPTS
    step: Step | None = None
    fetching: Report | None = None


def assemble_release(home: Path, options: AssembleOptions | None = None) -> Assembled:
    """Fetches what is missing, builds what is not built; AssembleError says what cannot be done. Blocks for seconds.

    One process at a time; a second waits and finds the work done.
    """
    given = options or AssembleOptions()
    step = given.step if given.step is not None else _silent
    folder = release_folder(given.release)
    try:
        step("fetching pretrained parts")
        files = {one.part.name: one.path for one in ensure_parts(home, PARTS, report=given.fetching)}
        inputs = BuildInputs(folder, files, given.prompts, TEMPLATE)
        with locked(home / "repository" / ".lock"):
            return _find_or_build(home / "repository", inputs, given, step)
    except (PartsError, PromptFileError, FillError) as exc:
        raise AssembleError(str(exc)) from exc
    except OSError as exc:
        raise AssembleError(f"{exc.filename or home}: {exc.strerror or exc}") from exc


def _find_or_build(repository: Path, inputs: BuildInputs, given: AssembleOptions, step: Step) -> Assembled:
    model = repository / MODEL_NAME
    model.mkdir(parents=True, exist_ok=True)
    for left in repository.glob(f"{_TEMPORARY}*"):  # of a run that was killed: nobody else is at work here
        shutil.rmtree(left, ignore_errors=True)
    digest = _digest(inputs)
    present = versions(model)
    # Unpinned, a server takes the highest version, so only that one can be "there already".
    candidates = present if pinned_versions(model / CONFIG) else present[-1:]
    for version in () if given.force else reversed(candidates):
        card = read_card(version)
        if card.get("digest") == digest and is_whole(version, card):
            _write_config(model, given)
            return Assembled(repository, version, built=False, card=card)
    target = model / str(int(present[-1].name) + 1 if present else 1)
    card = _build(inputs, target, digest, step)
    _write_config(model, given)
    in_use = ReleaseStore(repository).in_use()
    for old in present[: -(KEPT_VERSIONS - 1)]:
        if int(old.name) not in in_use:
            shutil.rmtree(old, ignore_errors=True)
    return Assembled(repository, target, built=True, card=card)


def _build(inputs: BuildInputs, target: Path, digest: str, step: Step) -> dict[str, Any]:
    """Builds aside, writes everything through to the disk, and renames."""
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=target.parents[1]) as temporary:
        building = Path(temporary) / target.name
        building.mkdir()
        card = build_version(inputs, building, step)
        step("checking and putting in place")
        card |= {"digest": digest, "files": _hashes(building)}
        (building / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        for path in building.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        building.replace(target)
    return card


def is_whole(version_dir: Path, card: dict[str, Any]) -> bool:
    """Whether every file of the version is there with the bytes that it was built with."""
    try:
        return bool(card["files"]) and _hashes(version_dir, set(card["files"])) == card["files"]
    except (KeyError, TypeError, OSError):
        return False


def _hashes(version_dir: Path, names: set[str] | None = None) -> dict[str, str]:
    """Name -> SHA-256 of the given files, or of all but the card."""
    found = names
    if found is None:
        found = {str(path.relative_to(version_dir)) for path in version_dir.rglob("*") if path.is_file()} - {CARD}
    return {name: sha256_of(version_dir / name) for name in sorted(found)}


def versions(model: Path) -> list[Path]:
    """The version directories of a model, oldest first."""
    found = [entry for entry in model.iterdir() if entry.is_dir() and entry.name.isdigit()]
    return sorted(found, key=lambda entry: int(entry.name))


def read_card(version_dir: Path) -> dict[str, Any]:
    """The version's card; empty when it has none that can be read."""
    try:
        card = json.loads((version_dir / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def release_folder(release: str) -> Path:
    """A shipped release by its name, or a folder of one's own that has a `release.yaml`."""
    known = sorted(entry.name for entry in RELEASES.iterdir() if (entry / "release.yaml").is_file())
    if release in known:
        return RELEASES / release
    if (Path(release) / "release.yaml").is_file():
        return Path(release)
    raise AssembleError(f"no release {release!r}; known: {', '.join(known)}, or a folder that has a release.yaml")


def _digest(inputs: BuildInputs) -> str:
    """Changes whenever the built directory would."""
    shipped = sorted(path for path in inputs.release.rglob("*") if path.is_file())
    pinned = " ".join(part.sha256 for part in PARTS)
    return f"{FORMAT}-{digest_files([*shipped, inputs.prompts, *inputs.code])}-{_short(pinned)}"


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def configured_device(config: Path) -> Device:
    """The device that a `config.pbtxt` asks for; the CPU when it names none or is not there."""
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    parameters = {name: {"string_value": value} for name, value in _PARAMETER.findall(text)}
    return device_of(parameters, "0")


def config_for(template: str, instances: int, device: Device) -> str:
    """The template with that many instances on that device; for the CPU nothing else changes."""
    text = re.sub(r"count: \d+", f"count: {instances}", template)
    if device.name == "cpu":
        return text
    # KIND_AUTO: with the CPU allowed, a server that sees no GPU must still be able to make an instance.
    text = text.replace("kind: KIND_CPU", "kind: KIND_AUTO" if device.allow_cpu else "kind: KIND_GPU")
    values = {"device": device.name, "allow_cpu": "true" if device.allow_cpu else "false"}
    told = "".join(f'parameters {{ key: "{k}" value: {{ string_value: "{v}" }} }}\n' for k, v in values.items())
    return f"{text.rstrip()}\n\n{told}"


def _write_config(model: Path, given: AssembleOptions) -> None:
    """`config.pbtxt` for the device, with the promoted version still pinned; untouched when it is so already."""
    target = model / CONFIG
    device = given.device if given.device is not None else configured_device(target)
    usual = len(os.sched_getaffinity(0)) if device.name == "cpu" else 1
    count = given.instances if given.instances is not None else usual
    text = config_for((TEMPLATE / "config.pbtxt").read_text(encoding="utf-8"), count, device)
    pinned = pinned_versions(target)
    if pinned:
        text = with_pin(text, pinned)
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    temporary = model / ".config.pbtxt"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)


def _silent(_what: str) -> None:
    """The listener of a caller who wants none."""
