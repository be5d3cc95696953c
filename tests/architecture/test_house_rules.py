"""Rules of the house that no linter knows: module sizes, headers, what tests say, what the worker imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ops", "policies", "streams", "triton_models")
MAX_LINES = 300


def modules(*folders: str) -> list[Path]:
    """Every module of ours in `folders`."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def named(path: Path) -> str:
    """The path as a person would write it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=named)
def test_a_module_holds_one_idea(path: Path) -> None:
    """At most 300 lines, and a header that says what it is (an empty `__init__` is a door without a room)."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    if text.strip():
        assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", [p for p in modules("tests") if p.name.startswith("test_")], ids=named)
def test_every_test_says_what_it_shows(path: Path) -> None:
    """A docstring that states the behaviour."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=named)
def test_no_assert_guards_anything(path: Path) -> None:
    """`python -O` removes them: input is checked with errors."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


def test_the_worker_needs_neither_torch_nor_a_model() -> None:
    """What is deployed beside Kafka stays small: no training, no inference runtime, no embedded server."""
    code = (
        "import sys, streams.worker\n"
        "heavy = ('torch', 'onnxruntime', 'open_clip', 'transformers', 'pytriton', 'confluent_kafka', 'ops')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_policies_need_only_their_own_libraries() -> None:
    """The engine is pure: it can be embedded in other tools."""
    code = (
        "import sys, policies\n"
        "heavy = ('numpy', 'aiokafka', 'faust', 'grpc', 'PIL', 'streams', 'triton_models', 'ops')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
