"""What a run did, step by step: a CSV, and a PNG of its curves. Nothing is computed here."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DRAWN: Final = ("harm", "distil", "replay", "pairing", "confounders", "prompts", "adversarial", "group_gap", "reversal")
FIELDS: Final = ("step", "stage", *DRAWN, "gradient", "rate")


class Log:
    """The lines of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cut(self, steps: int) -> None:
        """Drops what was logged at or after step `steps`: a run that goes on writes it again."""
        kept = [line for line in self.read() if int(line["step"]) < steps]
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(kept)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """One line."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, FIELDS).writerow({"step": step, **{k: f"{v:.6g}" for k, v in figures.items()}})

    def read(self) -> list[dict[str, str]]:
        """The lines that are whole."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return [line for line in csv.DictReader(file) if (line.get("step") or "").isdigit() and line.get("rate")]

    def draw(self) -> Path:
        """The curves beside the CSV, each loss over the steps; the PNG's path."""
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt

        curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for line in self.read():
            for name in DRAWN:
                if line.get(name):
                    curves[name].append((int(line["step"]), float(line[name])))
        figure, axes = plt.subplots(figsize=(8, 4))
        for name, points in curves.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=0.8)
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.legend()
        target = self.path.with_suffix(".png")
        figure.savefig(target, dpi=120, bbox_inches="tight")
        plt.close(figure)
        return target
