"""Exporting a release's graphs without weights, into `triton_models/releases/<release>/graphs`.

Run by the model owner when an architecture changes; what it writes is committed, and `assemble` fills it in. The graphs
are checked against torch by `parity.py`.
"""

from __future__ import annotations

from pathlib import Path

from triton_models.parts import E5Model
from triton_models.training.graph_image import export_image_graph
from triton_models.training.graph_text import export_text_graph


def export_graphs(text: E5Model, folder: Path) -> list[Path]:
    """Writes `text.onnx` (int8), `image.onnx` (float32) and their plans into `folder`; the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = [export_text_graph(text, folder, "int8"), export_image_graph(folder)]
    return [folder / file for plan in plans for file in (plan.graph, plan.graph.replace(".onnx", ".plan.json"))]
