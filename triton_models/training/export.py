"""Exporting what a release ships of the towers: graphs without weights, and the alignment of the two.

Run by the model owner when an architecture or a part changes (`weir model export`); what it writes is committed, and
`assemble` fills it in. Whether the graphs compute what torch computes is `parity.py`'s question.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from triton_models.build import write_text_tables
from triton_models.deltas import ALIGNED, DRAWINGS_FILE, tuned
from triton_models.fill import FillPlan, fill
from triton_models.parts import E5Model
from triton_models.serving.image_tower import ImageTower
from triton_models.serving.text_tower import TextTower
from triton_models.training.align import Alignment, align_parts, classes_named
from triton_models.training.graph_image import export_image_graph
from triton_models.training.graph_text import Precision, export_text_graph


def export_graphs(text: E5Model, folder: Path) -> list[Path]:
    """Writes `text.onnx` (int8), `image.onnx` (float32) and their plans into `folder`; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = [export_text_graph(text, folder, "int8"), export_image_graph(folder)]
    return [folder / file for plan in plans for file in (plan.graph, plan.graph.replace(".onnx", ".plan.json"))]


def export_release(text: E5Model, image: Mapping[str, Any], release: Path) -> float:
    """Writes graphs and alignment into a release folder; the alignment's accuracy on classes held out (chance .005).

    What the release's own `deltas.npz` changed in the text tower is what reads the names. An alignment that
    `weir model align` trained stays; then the accuracy is that of classes named, none of them held out.
    """
    export_graphs(text, release / "graphs")
    if (release / DRAWINGS_FILE).is_file():
        export_image_graph(release / "graphs", name="drawings")
    if (release / ALIGNED).is_file():
        return classes_named(image["classifier.weight"], Alignment.load(release))
    with tempfile.TemporaryDirectory() as folder:
        # As served, so that names and posts err alike.
        tower = build_text_tower(tuned(release, text), Path(folder), "int8")
        _, accuracy = align_parts(image["classifier.weight"], tower.encode, release)
    return accuracy


def begin_release(text: E5Model, image: Mapping[str, Any], release: Path, *, name: str, version: str) -> None:
    """Makes a folder with `deltas.npz` one that can be assembled: graphs, alignment, `release.yaml` if it has none."""
    export_release(text, image, release)
    about = release / "release.yaml"
    if not about.is_file():
        about.write_text(yaml.safe_dump({"name": name, "version": version, "tier": "own"}), encoding="utf-8")


def build_text_tower(text: E5Model, folder: Path, precision: Precision) -> TextTower:
    """Exports, fills and loads a text tower in `folder`."""
    _fill(export_text_graph(text, folder, precision), text.array, folder)
    write_text_tables(text, folder)
    return TextTower.load(folder)


def build_image_tower(weights: Callable[[str], Any], folder: Path) -> ImageTower:
    """Exports, fills and loads an image tower in `folder`."""
    _fill(export_image_graph(folder), weights, folder)
    return ImageTower.load(folder)


def _fill(plan: FillPlan, source: Callable[[str], Any], folder: Path) -> None:
    fill(plan, source, folder / plan.data)
