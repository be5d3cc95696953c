"""Icons and emoji as the pixels that a tower sees, drawn in several processes, and as what it makes of them.

Pictures are drawn, seen and forgotten; features are kept, so that a second run starts at the training.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triton_models.contract import IMAGE_SIZE_PX
from triton_models.files import digest_files
from triton_models.pixels import decode_image
from triton_models.serving import image_tower
from triton_models.serving.image_tower import ImageTower
from triton_models.training.image_layers import BATCH
from triton_models.training.pairs import Style, render, render_icon, svg
from triton_models.training.pairs.icons import Icon
from triton_models.training.pairs.svg import SvgError, icon_mask
from triton_models.training.progress import Progress

Array = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Shown = tuple[Icon, Style]

SMALL_PX: Final = 32
AHEAD: Final = 64
"""Batches that are drawn before they are asked for."""


def draw(icon: Icon, style: Style) -> Pixels:
    """`[224, 224, 3]`: the picture as the service decodes it."""
    jpeg = render_icon(icon, style)
    return np.frombuffer(decode_image(jpeg), dtype=np.uint8).reshape(IMAGE_SIZE_PX, IMAGE_SIZE_PX, 3)


def draw_batches(shown: Sequence[Shown], *, processes: int = 1) -> Iterator[Pixels]:
    """`[n, 224, 224, 3]` for BATCH pictures at a time, in order; nothing is drawn before the first is asked for."""
    batches = [shown[at : at + BATCH] for at in range(0, len(shown), BATCH)]
    if processes == 1:
        yield from map(_draw_batch, batches)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for at in range(0, len(batches), AHEAD):
            yield from pool.map(_draw_batch, batches[at : at + AHEAD])


def see(
    version: Path,
    shown: Sequence[Shown],
    work: Path,
    *,
    progress: Progress,
    processes: int = 1,
    graphs: Sequence[str] = (image_tower.GRAPH,),
) -> Array:
    """`[N, F]` features of pictures, from each of a version's towers side by side."""
    kept = work / f"pictures-{_key(version, shown, graphs)}.npy"
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        towers = [ImageTower.load(version, graph) for graph in graphs]
        features = list[Array]()
        with progress.stage("see pictures", len(shown)) as advance:
            for pixels in draw_batches(shown, processes=processes):
                features.append(np.concatenate([tower.features(pixels) for tower in towers], axis=1))
                advance(len(pixels))
        with kept.with_suffix(".part").open("wb") as file:
            np.save(file, np.concatenate(features))
        kept.with_suffix(".part").replace(kept)
    found: Array = np.load(kept)
    return found


def names_of(shown: Sequence[Shown]) -> list[str]:
    """What tells two pictures apart."""
    return [f"{icon.name}/{style.seed}/{style.plain}" for icon, style in shown]


def renderer_digest() -> str:
    """Another renderer draws other pictures."""
    return digest_files([Path(render.__file__), Path(svg.__file__)])


def drawable(icons: Sequence[Icon], progress: Progress) -> list[Icon]:
    """The pictures that our renderer can draw; the others are told and left out."""
    found, failed = list[Icon](), list[str]()
    for icon in icons:
        try:
            if icon.path.suffix == ".svg":
                icon_mask(icon.path.read_text(encoding="utf-8"), SMALL_PX)
        except SvgError as exc:
            failed.append(f"{icon.name}: {exc}")
        else:
            found.append(icon)
    if failed:
        progress.note(f"not drawn: {'; '.join(failed)}")
    return found


def _draw_batch(shown: Sequence[Shown]) -> Pixels:
    return np.stack([draw(icon, style) for icon, style in shown])


def _key(version: Path, shown: Sequence[Shown], graphs: Sequence[str]) -> str:
    weights = digest_files([(version / graph).with_suffix(".bin") for graph in graphs])
    told = "\n".join((*names_of(shown), weights, renderer_digest()))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
