"""Building the version directory: whole or not at all, once per input, without the parts' real size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.towers_factory import lite0_state, write_e5
from triton_models import assemble as assembling
from triton_models.assemble import AssembleError, AssembleOptions, assemble, assemble_release, versions
from triton_models.parts import IMAGE_TOWER, PARTS, TEXT_TOWER, Fetched, read_e5
from triton_models.prompts import PromptFileError, read_prompts
from triton_models.serving.heads import PromptBank
from triton_models.serving.joint_fusion import JointHead
from triton_models.serving.members import TEXT_PROMPTS, load_members
from triton_models.training.align import align
from triton_models.training.export import build_image_tower, export_graphs

PROMPTS = """version: "1"
prompts:
  weapons:
    text: {harmful: [ab, hello ab], benign: [hello]}
    image: {harmful: [a], benign: [hello world]}
"""


class Parts:
    """Small parts in place of the pinned ones, and how often they were asked for."""

    def __init__(self, folder: Path, image: dict[str, Any]) -> None:
        self.text = write_e5(folder / "tiny.bin")
        self.image = folder / "lite0.pth"
        torch.save(_old_names(image), self.image, _use_new_zipfile_serialization=False)
        self.graph = folder / "graph.onnx"
        self.graph.write_bytes(b"stands in for a graph")

    def ensure(self, _home: Path, _parts: object, **_options: object) -> list[Fetched]:
        """What `ensure_parts` would give."""
        own = {TEXT_TOWER.name: self.text, IMAGE_TOWER.name: self.image}
        return [Fetched(part, own.get(part.name, self.graph), fetched=False) for part in PARTS]


def _old_names(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Timm's names turned back into the checkpoint's."""
    from triton_models.parts.lite0 import _BLOCK, _ENDS, _FIRST_BLOCK, STAGE_BLOCKS

    found = {}
    for name, values in state.items():
        if not name.startswith("blocks."):
            layer, leaf = name.split(".", 1)
            old = next(key for key, word in _ENDS.items() if word == layer)
            found[f"{old}.{leaf}"] = torch.from_numpy(np.array(values))
            continue
        _, stage, block, layer, leaf = name.split(".", 4)
        names = _BLOCK if int(stage) else _FIRST_BLOCK
        old = next(key for key, word in names.items() if word == layer)
        number = sum(STAGE_BLOCKS[: int(stage)]) + int(block)
        found[f"_blocks.{number}.{old}.{leaf}"] = torch.from_numpy(np.array(values))
    return found


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Parts, Path]:
    """The small parts, and a releases folder whose `reference` fits them."""
    folder = tmp_path_factory.mktemp("stand-ins")
    image = lite0_state()
    parts = Parts(folder, image)
    release = folder / "releases" / "reference"
    export_graphs(read_e5(parts.text), release / "graphs")
    rng = np.random.default_rng(0)
    align(image["classifier.weight"], rng.normal(size=(1000, 384)).astype(np.float32)).save(release)
    (release / "release.yaml").write_text('name: reference\nversion: "7"\ntier: reference\n')
    return parts, folder / "releases"


@pytest.fixture
def options(stand_ins: tuple[Parts, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AssembleOptions:
    """Assembling with the stand-ins, from a release and prompts that a test may change."""
    parts, releases = stand_ins
    shutil.copytree(releases, tmp_path / "releases")
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    monkeypatch.setattr(assembling, "ensure_parts", parts.ensure)
    monkeypatch.setattr(assembling, "RELEASES", tmp_path / "releases")
    return AssembleOptions(prompts=tmp_path / "prompts.yaml", instances=3)


def test_a_version_is_built_with_its_card(tmp_path: Path, options: AssembleOptions) -> None:
    """The directory has everything to load, the card says what it is, the configuration says how many instances."""
    done = assemble_release(tmp_path / "home", options)
    assert done.built
    assert done.version_dir == tmp_path / "home" / "repository" / "clip_safety" / "1"
    card = json.loads((done.version_dir / "card.json").read_text())
    assert (card["release"], card["tier"], card["members"]) == ("reference-7", "reference", ["prompts", "nsfw", "ocr"])
    assert (done.version_dir / "model.py").is_file()
    assert "count: 3 " in (done.repository / "clip_safety" / "config.pbtxt").read_text()


def test_the_towers_and_prompts_of_a_built_version_load(tmp_path: Path, options: AssembleOptions) -> None:
    """The text tower reads, and the prompt bank holds unit vectors of the joint space."""
    version = assemble_release(tmp_path / "home", options).version_dir
    for graph in ("nsfw.onnx", "ocr_detect.onnx"):
        (version / graph).unlink()  # the stand-ins are no graphs
    loaded = load_members(version)
    assert loaded.text_tower is not None
    assert loaded.text_tower.encode(["hello"]).shape == (1, 384)
    assert (loaded.nsfw, loaded.ocr, loaded.fuser) == (None, None, None)
    bank = PromptBank.load(version / TEXT_PROMPTS)
    assert np.allclose(np.linalg.norm(bank.harmful["weapons"], axis=1), 1.0, atol=1e-2)
    assert bank.harmful["weapons"].shape == (2, 384)


def test_what_is_built_is_not_built_again(tmp_path: Path, options: AssembleOptions) -> None:
    """The same inputs find the version that is there; `force` builds the next one."""
    first = assemble_release(tmp_path / "home", options)
    again = assemble_release(tmp_path / "home", options)
    assert (again.built, again.version_dir) == (False, first.version_dir)
    forced = assemble_release(tmp_path / "home", _with(options, force=True))
    assert (forced.built, forced.version_dir.name) == (True, "2")
    assert forced.card["digest"] == first.card["digest"]


def test_a_version_of_another_format_is_not_loaded(tmp_path: Path, options: AssembleOptions) -> None:
    """What another Weir built is refused with the remedy, not read as if it were ours."""
    version = assemble_release(tmp_path / "home", options).version_dir
    card = json.loads((version / "card.json").read_text())
    (version / "card.json").write_text(json.dumps({**card, "format": 1}))
    with pytest.raises(ValueError, match="format 1, this Weir reads format"):
        load_members(version)


def test_a_damaged_version_is_replaced(tmp_path: Path, options: AssembleOptions) -> None:
    """A version whose bytes changed on the disk is not taken for the one that was built."""
    first = assemble_release(tmp_path / "home", options)
    (first.version_dir / "text.bin").write_bytes(b"\0" * 100)
    again = assemble_release(tmp_path / "home", options)
    assert (again.built, again.version_dir.name) == (True, "2")


def test_what_a_killed_run_left_is_removed(tmp_path: Path, options: AssembleOptions) -> None:
    """Half-built folders of an earlier run do not pile up."""
    (tmp_path / "home" / "repository" / ".assembling-x" / "1").mkdir(parents=True)
    done = assemble_release(tmp_path / "home", options)
    assert sorted(path.name for path in done.repository.iterdir()) == [".lock", "clip_safety"]


def test_edited_prompts_make_a_new_version(tmp_path: Path, options: AssembleOptions) -> None:
    """After an edit the next number is built, and the newest three are kept."""
    for edit in range(5):
        options.prompts.write_text(PROMPTS.replace("hello world", f"hello {'a' * (edit + 1)}"))
        assert assemble_release(tmp_path / "home", options).built
    kept = versions(tmp_path / "home" / "repository" / "clip_safety")
    assert [version.name for version in kept] == ["3", "4", "5"]


def test_a_failed_build_leaves_what_was_there(tmp_path: Path, options: AssembleOptions) -> None:
    """Prompts that cannot be read are an error, and neither a half version nor a temporary folder stays behind."""
    assemble_release(tmp_path / "home", options)
    options.prompts.write_text("version: '1'\nprompts: {weapons: {text: {harmful: []}}}\n")
    with pytest.raises(AssembleError, match=r"prompts\.yaml: prompts\.weapons\.text"):
        assemble_release(tmp_path / "home", options)
    repository = tmp_path / "home" / "repository"
    assert [path.name for path in sorted(repository.iterdir())] == [".lock", "clip_safety"]
    assert [version.name for version in versions(repository / "clip_safety")] == ["1"]


def test_a_plan_that_does_not_fit_the_part_is_named(tmp_path: Path, options: AssembleOptions) -> None:
    """A graph exported from other weights fails with the name of the weight."""
    plan = tmp_path / "releases" / "reference" / "graphs" / "text.plan.json"
    plan.write_text(plan.read_text().replace('"l0.fo.w"', '"l9.fo.w"'))
    with pytest.raises(AssembleError, match=r"l9\.fo\.w"):
        assemble_release(tmp_path / "home", options)


@pytest.mark.usefixtures("options")
def test_an_unknown_release_names_the_known(tmp_path: Path) -> None:
    """A release that is not there is an error that lists those that are."""
    with pytest.raises(AssembleError, match="no release 'finisher'; known: reference"):
        assemble(tmp_path / "home", release="finisher")


def test_a_release_of_ones_own_is_a_folder(tmp_path: Path, options: AssembleOptions) -> None:
    """A folder with a `release.yaml` is assembled like a shipped release; one without is named as unknown."""
    own = tmp_path / "mine"
    shutil.copytree(tmp_path / "releases" / "reference", own)
    (own / "release.yaml").write_text('name: mine\nversion: "1"\ntier: reference\n')
    assert assemble_release(tmp_path / "home", _with(options, release=str(own))).card["release"] == "mine-1"
    (own / "release.yaml").unlink()
    with pytest.raises(AssembleError, match="or a folder that has a"):
        assemble_release(tmp_path / "home", _with(options, release=str(own)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompts: [", "prompts.yaml:"),
        ("version: '1'\nprompts: {sexual_minors: {}}", "known hashes and text rules only"),
        ("version: '1'\nprompts: {guns: {}}", "'guns' is no category"),
        ("version: '1'\nprompts: {weapons: {video: {}}}", r"prompts\.weapons\.video"),
    ],
)
def test_a_wrong_prompt_file_says_where(tmp_path: Path, text: str, message: str) -> None:
    """Broken YAML, forbidden and unknown categories and unknown keys are named."""
    path = tmp_path / "prompts.yaml"
    path.write_text(text)
    with pytest.raises(PromptFileError, match=message):
        read_prompts(path)


def test_the_shipped_prompts_are_sound() -> None:
    """The library's own file can be read, and has prompts for pictures and for texts."""
    prompts = read_prompts(assembling.PROMPTS)
    assert "weapons" in prompts.of("image")
    assert "weapons" in prompts.of("text")


def _with(options: AssembleOptions, **changes: Any) -> AssembleOptions:
    from dataclasses import replace

    return replace(options, **changes)


def test_a_second_tower_is_built_where_the_release_has_one(tmp_path: Path, options: AssembleOptions) -> None:
    """Its weights are the part's with the release's changes; the first tower stays the part's."""
    from triton_models.deltas import DRAWINGS_FILE, save_deltas
    from triton_models.training.graph_image import export_image_graph

    release = tmp_path / "releases" / "reference"
    weights = lite0_state()
    export_image_graph(release / "graphs", name="drawings")
    save_deltas({"conv_head.weight": weights["conv_head.weight"] + 0.5}, weights, release, file=DRAWINGS_FILE)
    version = assemble_release(tmp_path / "home", options).version_dir
    for graph in ("nsfw.onnx", "ocr_detect.onnx"):
        (version / graph).unlink()  # the stand-ins are no graphs
    loaded = load_members(version)
    assert loaded.image_tower is not None
    assert loaded.drawings_tower is not None
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    first, second = (tower.features(pixels) for tower in (loaded.image_tower, loaded.drawings_tower))
    changed = {**weights, "conv_head.weight": weights["conv_head.weight"] + 0.5}
    wanted = build_image_tower(changed.__getitem__, tmp_path).features(pixels)
    assert np.allclose(second, wanted, rtol=1e-3, atol=1e-4)
    assert not np.allclose(first, second, rtol=0.1)


def test_a_joint_head_of_other_towers_is_left_out(tmp_path: Path, options: AssembleOptions) -> None:
    """Between training a second tower and a head for it the release can be served, and says what is missing."""
    release, heard = tmp_path / "releases" / "reference", list[str]()
    save_head(release, image_inputs=2560)
    done = assemble_release(tmp_path / "home", _with(options, step=heard.append))
    assert not (done.version_dir / "joint.npz").exists()
    assert "taught on 2 image towers, the release has 1" in done.card["left_out"]["joint.npz"]
    assert any("leaving out joint.npz" in line for line in heard)
    save_head(release, image_inputs=1280)
    again = assemble_release(tmp_path / "home", options)
    assert (again.version_dir / "joint.npz").is_file()
    assert "left_out" not in again.card


def test_a_broken_joint_head_is_named(tmp_path: Path, options: AssembleOptions) -> None:
    """Bytes that are no joint head stop the building with the file's name."""
    (tmp_path / "releases" / "reference" / "joint.npz").write_bytes(b"no")
    with pytest.raises(AssembleError, match=r"joint\.npz is no joint head"):
        assemble_release(tmp_path / "home", options)


def save_head(release: Path, *, image_inputs: int) -> None:
    """A joint head of that many image features, with nothing in it."""
    shapes = {"image_w": (image_inputs, 2), "text_w": (384, 2), "mix_w": (8, 3), "out_w": (3, 1)}
    sizes = {"image_mean": image_inputs, "image_scale": image_inputs, "image_b": 2, "text_mean": 384, "text_b": 2}
    sizes |= {"mix_b": 3, "out_b": 1}
    arrays: dict[str, Any] = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    arrays |= {name: np.ones(size, np.float32) for name, size in sizes.items()}
    JointHead(categories=("hate",), **arrays).save(release)
