"""The model card: what a release was made of, how it was measured, and what it cannot do. Plain data and its Markdown.

Every figure comes from the report; nothing here computes a quality, and no text of any data set is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from policies.engine.taxonomy import CATEGORIES, NEVER_MODELLED
from triton_models.training.datasets.catalog import CATALOG
from triton_models.training.evaluate_calibration import without_bins
from triton_models.training.recipe import Recipe
from triton_models.training.starter import Trained

CANNOT: Final = tuple(
    " ".join(line.split())
    for line in """
    Judge real photographs with known quality: no licence-clean set of harmful photographs was at hand, so image
        scores rest on zero-shot prompts and on a sexual-image classifier whose own figures are not ours.
    Promise that a probability of 0.8 means 8 in 10 on your traffic: it was calibrated on a mix of research sets in
        which harm is far more common. Choose thresholds on your own traffic.
    Tell how grave a harm is: severity follows confidence, because no set at hand labels gravity.
    Read sarcasm, in-group use of slurs or quoted hate reliably: see below which functionalities it gets wrong.
    Leave harmless mentions of a group alone at 0.5: praise of a group and answers to hate are called hate too often
        (the functionalities that end in _nh). Policies take a higher threshold, or a list beside the score.
    Judge outside English, German and Chinese as it judges there: in some 35 more languages and spellings it learned
        from sentences that we wrote and no native speaker read; neighbouring languages are partly translations of
        each other, and its dev and test figures on all of them sound like us. Romanised Hindi ranks badly (see
        identity terms).
    Be believed on drugs, weapons and self-harm beyond its hundreds of rows: their held-out sides are small, and so
        are the samples behind their calibration.
    Judge `sexual_minors`: never a model's guess; known hashes and text rules only.
    """.replace("\n        ", " ")
    .strip()
    .splitlines()
)


def make_card(
    trained: Trained, recipe: Recipe, *, report: Mapping[str, Any], made: Mapping[str, Any]
) -> dict[str, Any]:
    """The card as data. `made` says how: command, seconds, date, tower, file sizes and hashes."""
    taught = {*recipe.heads, *recipe.ngrams} - trained.abstains.keys()
    return {
        "format": 1,
        "release": recipe.release,
        "tier": "reference",
        "made": dict(made),
        "recipe": recipe.model_dump(mode="json"),
        "members": {
            "towers": list(trained.members.heads.text_head.categories) if trained.members.heads.text_head else [],
            "ngrams": list(trained.members.ngrams.categories),
        },
        "judged_in_text": [name for name in CATEGORIES if name in taught],
        "abstains_in_text": {
            name: "never modelled" if name in NEVER_MODELLED else trained.abstains.get(name, "no data")
            for name in CATEGORIES
            if name not in taught
        },
        "data": [
            {
                "set": name,
                "licence": CATALOG[name].licence,
                "attribution": CATALOG[name].attribution,
                "what": CATALOG[name].what,
                "rows": trained.build.kept.get(name, {}),
            }
            for name in recipe.sets
        ],
        "build": {key: value for key, value in asdict(trained.build).items() if key.startswith("dropped")},
        "evaluate_only": [
            {"set": card.name, "licence": card.licence, "attribution": card.attribution}
            for card in CATALOG.values()
            if card.use == "evaluate"
        ],
        "calibrated_on": {name: dict(figures) for name, figures in trained.reached.items()},
        "judged_in_pictures": sorted(trained.pictures.image) if trained.pictures is not None else [],
        "pictures": [dict(line) for line in trained.pictures.report] if trained.pictures is not None else [],
        "quality": without_bins(dict(report)),
        "cannot": list(CANNOT),
    }


def render_card(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    made, quality = card["made"], card["quality"]
    lines = [
        f"# {card['release']} ({card['tier']} tier)",
        "",
        f"Made by `{made['command']}` in {made['seconds']:,} s on {made['cores']} cores,",
        f"encoding {made['texts_encoded']:,} texts (the others were in the store of an earlier run).",
        "",
        "## What it judges in text",
        "",
        *(f"* **{name}**" for name in card["judged_in_text"]),
        *(f"* {name}: abstains ({why})" for name, why in card["abstains_in_text"].items()),
        "",
        "## What it judges in pictures",
        "",
        *_pictures(card),
        "## What it cannot do",
        "",
        *(f"* {line}" for line in card["cannot"]),
        "",
        "## Quality",
        "",
        "AUROC, average precision, recall at 1 % and 5 % false positives. `fused` is what is served; the others are",
        "its members alone. `95 %` is the bootstrap interval of the AUROC. No row was seen in training or calibration.",
        "",
        *_held_out(quality["held_out"]),
        "### What calibrated each category",
        "",
        "Rows that no member learned from: dev splits, and for categories with little data cross-fitting over our",
        "own sentences and hazard prompts. Our sentences sound like us, so those figures flatter (`sexual`, `drugs`",
        "and `spam_scam` rest on nothing else).",
        "",
        *_table([{"category": name, **figures} for name, figures in card["calibrated_on"].items()]),
        "",
        "### Hate or harassment against neither",
        "",
        *_figures({f"{name}": views for name, views in quality["held_out_toxic"].items()}),
        *_functional(quality),
        *_extra(quality),
        "## Data",
        "",
        "| set | what | train / dev / test | licence | by |",
        "|---|---|---|---|---|",
        *(_data_line(one) for one in card["data"]),
        "",
        f"Dropped as near-duplicates across splits: {card['build']['dropped_leaks']:,};",
        f"as repeats: {card['build']['dropped_repeats']:,}.",
        "",
        "Only to evaluate, never to train, select or calibrate:",
        "",
        *(f"* {one['set']} ({one['licence']}): {one['attribution']}" for one in card["evaluate_only"]),
        "",
    ]
    return "\n".join(lines)


def _data_line(one: Mapping[str, Any]) -> str:
    counts = " / ".join(f"{one['rows'].get(split, 0):,}" for split in ("train", "dev", "test"))
    return f"| {one['set']} | {one['what']} | {counts} | {one['licence']} | {one['attribution']} |"


def _held_out(tables: Mapping[str, Any]) -> list[str]:
    lines = []
    for category in CATEGORIES:
        rows = {source: table[category] for source, table in tables.items() if category in table}
        if rows:
            lines += [f"### {category}", "", *_figures(rows)]
    return lines


def _figures(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "| set | view | rows (positive) | AUROC | 95 % | AP | recall @1 % | @5 % | F1 @.5 | ECE |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for source, views in rows.items():
        for view, found in views.items():
            low, high = found["auroc_95"]
            lines.append(
                f"| {source} | {view} | {found['rows']:,} ({found['positives']:,}) | {found['auroc']:.3f} "
                f"| {low:.3f}–{high:.3f} | {found['ap']:.3f} | {found['recall_at_1pct_fpr']:.2f} "
                f"| {found['recall_at_5pct_fpr']:.2f} | {_number(found.get('f1'))} | {_number(found.get('ece'))} |"
            )
    return [*lines, ""]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _functional(quality: Mapping[str, Any]) -> list[str]:
    sets = {name: table for name, table in quality.items() if "hatecheck" in name}
    lines = ["### HateCheck and its translations (never trained or tuned on)", ""]
    lines += _figures({name: table["hate"] for name, table in sets.items() if table["hate"]})
    names = sorted({name for table in sets.values() for name in table["functionality"]})
    heads = [name.removeprefix("multilingual_hatecheck/") for name in sets]
    lines += [
        "Share judged right at 0.5, by functionality (`_h` hateful: recall; `_nh` not: 1 − false-positive rate):",
        "",
        f"| functionality | {' | '.join(heads)} |",
        f"|---|{'---|' * len(heads)}",
    ]
    for name in names:
        cells = [table["functionality"].get(name, {}).get("right") for table in sets.values()]
        lines.append(f"| {name} | {' | '.join('' if cell is None else f'{cell:.2f}' for cell in cells)} |")
    return [*lines, ""]


def _pictures(card: Mapping[str, Any]) -> list[str]:
    if not card["pictures"]:
        return ["Nothing: no picture member was calibrated.", ""]
    return [
        f"{', '.join(card['judged_in_pictures'])}.",
        "",
        "`sexual` is the sexual-image classifier's own probability, unmeasured here. For others the prompt bank must",
        "rank directions of the image classifier that are the thing (no photographs were at hand) above its other",
        "classes; 1 harmless picture in 200 reaches p = .5.",
        "",
        *_table(card["pictures"]),
        "",
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = list(rows[0]) if rows else []
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return [*lines, *(f"| {' | '.join(_cell(row[column]) for column in columns)} |" for row in rows)]


def _extra(quality: Mapping[str, Any]) -> list[str]:
    """Sections that later reports bring: each is a table of rows with the same columns."""
    lines: list[str] = []
    for name, section in quality.get("tables", {}).items():
        lines += [f"### {name}", "", section["what"], "", *_table(section["rows"]), ""]
    return lines


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
