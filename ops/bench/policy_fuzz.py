"""Random and mutated policy files through loading and checking: problems may come out, exceptions may not.

`python -m ops.bench.policy_fuzz --files 200000 --seed 1 --json`. Mutates the shipped library by bytes, by tokens and
by structure, and makes files of nothing but YAML's own signs. A file that would run code prints a canary; none may.
"""

from __future__ import annotations

import argparse
import builtins
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

import policies
from policies import MODEL_SIGNALS, PolicyErrors
from policies.engine.checks import run_checks
from policies.engine.load import load
from policies.engine.loader import read_bundle_files, read_files
from policies.engine.signals import Catalogue

TODAY: Final = date(2026, 11, 24)
CANARY: Final = "weir_canary"
_BITS: Final = (
    *"{}[]:'#\"~\t\n\x00\ufeff\u2028\u202e\\é\U0001f595",
    *(
        ": ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "|\n",
        ">\n",
        "---\n",
        "...\n",
        "<<: *a\n",
        "%YAML 1.1\n---\n",
        "[" * 50,
        "{a: " * 30,
    ),
    *("!!python/object/apply:builtins.exec ", "!!binary ", "NO", "012", "1e999", "nan", ".inf", "null", "true", "0x1f"),
    *("2026-02-30", "1_000", "a" * 3_000, "(a+)+$", "(?=x)", f"__import__('builtins').{CANARY}(1)", "lambda: 0", "{0}"),
    *("{score.hate.__class__}", "score.hate >= 0.5 and 1", "threshold.hate.mid.__class__", "in [", "not: not: not:"),
    *("list.slurs", "score.hate", "rules:", "tests:", "- 1"),
)


@dataclass
class FuzzReport:
    """What came out."""

    name: str = "files"
    ratio: float = 0.0  # the share that was loaded or refused
    ours: int = 0
    reference: int = 0
    unit: str = "policy files"
    files: int = 0
    seed: int = 0
    loaded: int = 0
    refused: int = 0
    crashes: int = 0
    canaries: int = 0
    slowest_ms: float = 0.0  # CPU time of one load
    slowest_bytes: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)


def mutate(dice: random.Random, text: str) -> str:
    """The text with one to six wounds."""
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        at = dice.randrange(len(text) + 1)
        end = min(len(text), at + dice.randint(0, 12))
        kind = dice.random()
        if kind < 0.25:
            text = re.sub(r"\d+(\.\d+)?", lambda m: _other_number(dice, m[0]), text, count=dice.randint(1, 40))
        elif kind < 0.55:
            text = text[:at] + dice.choice(_BITS) + text[end:]
        elif kind < 0.65:
            text = text[:at] + text[end:]
        elif kind < 0.8:
            other = dice.randrange(len(text) + 1)
            text = text[:at] + text[other : other + dice.randint(1, 200)] + text[at:]
        else:
            lines = text.split("\n")
            moved = lines.pop(dice.randrange(len(lines)))
            lines.insert(dice.randrange(len(lines) + 1), moved)
            text = "\n".join(lines)
    return text[:20_000]


def _other_number(dice: random.Random, written: str) -> str:
    return dice.choice((written, written, written, str(dice.randrange(9)), f"{dice.random():.2f}"))


def random_file(dice: random.Random) -> str:
    """A file of YAML's signs and the language's words."""
    return "".join(dice.choice(_BITS) for _ in range(dice.randint(1, 60)))


def short_policies(library: dict[str, bytes]) -> list[tuple[str, str]]:
    """The library's policies cut to their first rules, so that a mutation hits something and a load is quick."""
    made: list[tuple[str, str]] = []
    for name, raw in library.items():
        text = raw.decode()
        head, _, tests = text.partition("\ntests:\n")
        few = "\n".join(tests.split("\n")[:4])
        made.append((name, f"{head}\ntests:\n{few}\n" if tests else text))
    return made


def measure(files: int, seed: int, *, progress: Progress | None = None, lint: bool = False) -> FuzzReport:
    """Load that many wounded files, each beside the library's lists."""
    dice = random.Random(seed)  # noqa: S311  # a seeded bench, no secret
    library = read_files(Path(policies.__file__).parent / "library") or {}
    seeds = short_policies(library)
    lists = {
        n: f'list: {Path(n).stem}\nkind: keywords\nversion: "1"\nowner: x\nentries: {{en: [abc]}}\n'.encode()
        for n in library
        if n.startswith("lists/")
    }
    known = Catalogue.of(MODEL_SIGNALS)
    made = FuzzReport(seed=seed)
    task = progress.add_task("policy files", total=files) if progress else None
    started = time.perf_counter()
    while made.files < files:
        name, text = dice.choice(seeds) if dice.random() < 0.85 else ("x.yaml", "")
        text = mutate(dice, text) if text else random_file(dice)
        raw = text.encode("utf-8", "surrogatepass")
        if dice.random() < 0.1:
            raw = raw.replace(bytes([dice.randrange(256)]), bytes([dice.randrange(256)]))
        _one(made, {**({} if name.startswith("lists/") else lists), name: raw}, known, lint=lint)
        if progress is not None and task is not None and made.files % 100 == 0:
            progress.update(task, completed=made.files)
    made.reference, made.ours = made.files, made.files - made.crashes
    made.ratio = made.ours / made.reference
    made.seconds = round(time.perf_counter() - started, 1)
    return made


def _one(made: FuzzReport, files: dict[str, bytes], known: Catalogue, *, lint: bool) -> None:
    made.files += 1
    size = sum(map(len, files.values()))
    started = time.thread_time()
    try:
        loaded = load(read_bundle_files(files, folder=Path("fuzz")), known)
        made.loaded += 1
        if lint:
            run_checks(loaded, today=TODAY)
    except PolicyErrors:
        made.refused += 1
    except Exception as exc:  # noqa: BLE001  # finding any is what this is for
        made.crashes += 1
        if len(made.examples) < 5:
            made.examples.append(f"{type(exc).__name__}: {exc}"[:300] + f" in {max(files)}")
    took = (time.thread_time() - started) * 1e3
    if took > made.slowest_ms:
        made.slowest_ms, made.slowest_bytes = round(took, 1), size


def main() -> int:
    """Run from the command line; 1 when anything crashed or ran."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lint", action="store_true", help="run the lints on what loads, too")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    canaries: list[object] = []
    setattr(builtins, CANARY, canaries.append)
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        made = measure(given.files, given.seed, progress=progress, lint=given.lint)
    made.canaries = len(canaries)
    print(json.dumps(asdict(made), indent=None if given.json else 2))
    return 1 if made.crashes or made.canaries else 0


if __name__ == "__main__":
    sys.exit(main())
