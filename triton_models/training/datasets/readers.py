"""One reader per training set: its files to rows, labels by `mapping.py`, splits as the set publishes them.

Where a set has no held-out part of its own the reader says so, and `build.py` draws one. Nothing is filtered, balanced
or augmented here.
"""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from policies.engine.taxonomy import CATEGORIES, NEVER_MODELLED
from triton_models.training.datasets import mapping
from triton_models.training.datasets.contrast import read_contrast
from triton_models.training.datasets.raw import Part, RawRow
from triton_models.training.datasets.rows import DataError, Split

SPLITS: Final[tuple[Split, ...]] = ("train", "dev", "test")


def read_csv(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The records of a CSV file that has at least `columns`; DataError says what is missing."""
    if not path.is_file():
        raise DataError(path, "file not found", "point --data at a folder with the layout that the README describes")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError(path, f"no column {', '.join(missing)}", f"it has {', '.join(reader.fieldnames or ())}")
        yield from reader


def read_davidson(folder: Path) -> Iterator[RawRow]:
    """Tweets; entities such as `&#128514;` become the characters that the writer saw."""
    for record in read_csv(folder / "labeled_data.csv", ("", "class", "tweet")):
        labels = _lookup(mapping.DAVIDSON, record["class"], folder / "labeled_data.csv")
        yield RawRow(record[""], html.unescape(record["tweet"]), "en", labels)


def read_edos(folder: Path) -> Iterator[RawRow]:
    """English posts with the published train, dev and test parts."""
    path = folder / "edos_labelled_aggregated.csv"
    for record in read_csv(path, ("rewire_id", "text", "label_vector", "split")):
        labels = _lookup(mapping.EDOS, record["label_vector"], path)
        yield RawRow(record["rewire_id"], record["text"], "en", labels, _split(record["split"], path))


def read_hatemoji(folder: Path) -> Iterator[RawRow]:
    """Three files, one per published part; a post and its counterpart are one family."""
    parts: tuple[tuple[str, Split], ...] = (("train.csv", "train"), ("validation.csv", "dev"), ("test.csv", "test"))
    for name, split in parts:
        path = folder / name
        for record in read_csv(path, ("entry_id", "text", "label_gold", "matched_id")):
            labels = _lookup(mapping.HATEMOJI, record["label_gold"], path)
            pair = "-".join(sorted((record["entry_id"], record["matched_id"])))
            yield RawRow(record["entry_id"], record["text"], "en", labels, split, family=pair)


def read_cold(folder: Path) -> Iterator[RawRow]:
    """Chinese posts. The published dev part is shared by our dev and test; its published test part is not in this copy.

    Nothing is drawn from the train part: a model helped to label it, and n-grams agree with held-out rows of it
    far better (AUROC .95) than with the dev part (.87). Calibration on it would promise too much.
    """
    parts: tuple[tuple[str, Part], ...] = (("train.csv", "train"), ("dev.csv", "dev/test"))
    for name, split in parts:
        path = folder / name
        for record in read_csv(path, ("", "label", "TEXT")):
            labels = _lookup(mapping.COLD, record["label"], path)
            yield RawRow(f"{name.removesuffix('.csv')}-{record['']}", record["TEXT"], "zh", labels, split)


def read_germeval(folder: Path) -> Iterator[RawRow]:
    """German tweets, tab-separated without a header; the published test part stays the test."""
    parts: tuple[tuple[str, Part], ...] = (("training", "train/dev"), ("test", "test"))
    for name, split in parts:
        path = folder / f"germeval2018.{name}.txt"
        if not path.is_file():
            raise DataError(
                path, "file not found", "point --data at a folder with the layout that the README describes"
            )
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            fields = line.rsplit("\t", 2)
            if len(fields) != 3:
                raise DataError(
                    path, f"line {number + 1} has {len(fields)} fields", "expected text, coarse, fine label"
                )
            labels = _lookup(mapping.GERMEVAL, fields[2].strip(), path)
            yield RawRow(f"{name}-{number}", fields[0], "de", labels, split)


def read_ailuminate(folder: Path) -> Iterator[RawRow]:
    """Prompts, each written for one hazard."""
    path = folder / "en_us.csv"
    for record in read_csv(path, ("release_prompt_id", "prompt_text", "hazard", "persona")):
        labels = mapping.ailuminate_labels(record["hazard"], record["persona"])
        yield RawRow(record["release_prompt_id"], record["prompt_text"], "en", labels, "small")


def read_jailbreaks(folder: Path) -> Iterator[RawRow]:
    """Prompts that were shared to defeat an assistant's rules; a JSON list of strings."""
    path = folder / "inthewild_jailbreak_llms.json"
    if not path.is_file():
        raise DataError(path, "file not found", "point --data at a folder with the layout that the README describes")
    prompts = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(prompts, list) or not all(isinstance(prompt, str) for prompt in prompts):
        raise DataError(path, "is not a JSON list of strings", "fetch the set again")
    for number, prompt in enumerate(prompts):
        yield RawRow(str(number), prompt, "en", mapping.JAILBREAK)


def read_written(folder: Path) -> Iterator[RawRow]:
    """Our own sentences: `locale | sentence` below category and `harmful` or `harmless`."""
    path = folder / "sentences.yaml"
    if not path.is_file():
        raise DataError(path, "file not found", "install Weir again: this file is part of it")
    for category, sides in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for side in ("harmful", "harmless"):
            for number, line in enumerate(sides.get(side, ())):
                locale, _, sentence = line.partition(" | ")
                labels = mapping.written_labels(category, harmful=side == "harmful")
                yield RawRow(f"{category}-{side}-{number}", sentence, locale, labels, "train/test")


def read_everyday(folder: Path) -> Iterator[RawRow]:
    """Our own harmless lines in languages and spellings that other sets hardly have: `locale: lines`."""
    path = folder / "everyday.yaml"
    if not path.is_file():
        raise DataError(path, "file not found", "install Weir again: this file is part of it")
    labels = mapping.written_labels("ordinary", harmful=False)
    for locale, lines in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for number, line in enumerate(lines):
            yield RawRow(f"{locale}-{number}", line, locale, labels)


def read_harms(folder: Path) -> Iterator[RawRow]:
    """Our own sentences about each harm and its look-alikes, a file per language: `category: harmful, harmless`.

    Lines at one place in several languages may be translations of each other, so they stay on one side of a split.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise DataError(folder, "no language file", "install Weir again: these files are part of it")
    for path in files:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        locale = str(raw.pop("locale"))
        for topic, sides in raw.items():
            category = next((name for name in CATEGORIES if name == topic), None)
            if category is None or category in NEVER_MODELLED:
                raise DataError(path, f"{topic!r} is no category that is modelled", "see policies/engine/taxonomy.py")
            for side in ("harmful", "harmless"):
                for number, line in enumerate(sides.get(side) or ()):
                    labels, place = mapping.harm_labels(category, harmful=side == "harmful"), f"{side}-{number}"
                    yield RawRow(f"{locale}-{category}-{place}", line, locale, labels, family=f"{category}-{place}")


def read_pointing(_folder: Path) -> Iterator[RawRow]:
    """The sentences of generated pairs as texts without a picture, in the splits and languages that pairs have.

    One that points at a picture is harmless alone: what harms is the two together, and that is the joint head's to say.
    """
    from triton_models.training.pairs.phrases import Kind, load_phrases  # it knows splits from this package

    phrases = load_phrases()
    kinds: tuple[tuple[Kind, bool], ...] = (("joint", False), ("explicit", True))
    for split in SPLITS:
        for language in phrases.languages_of(split):
            for name, family in phrases.families.items():
                for kind, harmful in kinds:
                    labels = mapping.harm_labels(family.category, harmful=harmful)
                    lines = phrases.lines(name, kind, split, language)
                    for number, line in enumerate(lines):
                        yield RawRow(f"{split}-{language}-{name}-{kind}-{number}", line, language, labels, split)
            calm = mapping.written_labels("ordinary", harmful=False)
            for number, line in enumerate(phrases.lines(None, "neutral", split, language)):
                yield RawRow(f"{split}-{language}-neutral-{number}", line, language, calm, split)


READERS: Final[Mapping[str, Callable[[Path], Iterator[RawRow]]]] = {
    "davidson": read_davidson,
    "edos": read_edos,
    "hatemoji_build": read_hatemoji,
    "cold_zh": read_cold,
    "germeval2018_de": read_germeval,
    "ailuminate_demo": read_ailuminate,
    "jailbreaks_in_the_wild": read_jailbreaks,
    "written": read_written,
    "contrast": read_contrast,
    "everyday": read_everyday,
    "harms": read_harms,
    "pointing": read_pointing,
}


def _lookup(table: Mapping[str, mapping.Labels], label: str, path: Path) -> mapping.Labels:
    if label not in table:
        raise DataError(path, f"label {label!r} is not in the mapping table", f"known labels: {', '.join(table)}")
    return table[label]


def _split(word: str, path: Path) -> Split:
    splits: dict[str, Split] = {"train": "train", "dev": "dev", "test": "test"}
    if word not in splits:
        raise DataError(path, f"split {word!r}", "expected train, dev or test")
    return splits[word]
