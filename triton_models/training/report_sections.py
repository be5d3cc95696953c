"""The sections of the report's page, each from its part of the report; an empty one is left out. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from policies.engine.taxonomy import CATEGORIES
from triton_models.training.report_html import (
    bar_plot,
    esc,
    folded,
    interval_plot,
    number,
    reliability_plot,
    table,
    with_interval,
)

Report = Mapping[str, Any]
FIGURES = ("auroc", "ap", "recall_at_1pct_fpr", "recall_at_5pct_fpr", "f1", "ece")
HEADS = ("AUROC", "AP", "recall @1 %", "recall @5 %", "F1 @.5", "ECE")


def categories(report: Report) -> str:
    """Per category over all sets, then set by set with every member beside the fused release."""
    sets = report.get("held_out", {})
    whole: Mapping[str, Any] = sets.get("all sets") or next(iter(sets.values()), {})
    known = {name: whole[name]["fused"] for name in CATEGORIES if "fused" in whole.get(name, {})}
    if not known:
        return ""
    plot = interval_plot([(name, one["auroc"], *one["auroc_95"]) for name, one in known.items()], label="AUROC")
    rows = [_line(name, one) for name, one in known.items()]
    views = [
        [esc(source), esc(category), esc(view), *_line("", one)[1:]]
        for source, found in sets.items()
        for category, by_view in found.items()
        for view, one in by_view.items()
    ]
    return (
        plot
        + table(("category", "rows", "harmful", *HEADS), rows)
        + folded(
            "Set by set, with each member alone",
            table(("set", "category", "view", "rows", "harmful", *HEADS), views, text=3),
        )
    )


def locales(report: Report) -> str:
    """Hate and harassment language by language."""
    rows = [
        [esc(category), esc(locale), esc(over.replace("_", "-")), *_line("", one)[1:]]
        for category, found in report.get("locales", {}).items()
        for locale, kinds in found.items()
        for over, one in kinds.items()
    ]
    made = table(("category", "locale", "over", "rows", "harmful", *HEADS), rows, text=3) if rows else ""
    return made + _left_out(report.get("leave_one_language_out", {}))


def functional(report: Report) -> str:
    """HateCheck and its translations: the ranking, and what each functionality gets right."""
    sets = {name: found for name, found in report.items() if "hatecheck" in name}
    if not sets:
        return ""
    ranked = [_line(name, found["hate"]["fused"]) for name, found in sets.items() if "fused" in found["hate"]]
    names = sorted({name for found in sets.values() for name in found["functionality"]})
    heads = [name.removeprefix("multilingual_hatecheck/") for name in sets]
    cells = [
        [esc(name), *(number(found["functionality"].get(name, {}).get("right"), 2) for found in sets.values())]
        for name in names
    ]
    first = next(iter(sets.values()))["functionality"]
    return (
        table(("set", "rows", "harmful", *HEADS), ranked)
        + bar_plot([(name, one["right"]) for name, one in first.items()], label="Share right by functionality, English")
        + folded("By functionality and language", table(("functionality", *heads), cells))
    )


def members(report: Report) -> str:
    """What each member costs, reaches alone, and adds."""
    part = report.get("members", {})
    names = list(
        dict.fromkeys(n for q in (part.get("held_out", {}), _sets(part)) for one in q.values() for n in one["alone"])
    )
    rows = [
        [esc(question), number(one["fused"])]
        + [f"{number(one['alone'].get(n))} <small>{_signed(one['adds'].get(n))}</small>" for n in names]
        for question, one in {**part.get("held_out", {}), **_sets(part)}.items()
    ]
    made = table(("question", "AP, all", *(f"{name} alone (adds)" for name in names)), rows) if rows else ""
    cost = part.get("cost")
    if cost:
        lines = [[esc(name), number(value, 2)] for name, value in cost["cost_ms"].items()]
        made += table(
            ("member", "CPU ms a text"),
            lines,
            caption=f"over the same {cost['texts']} texts of {cost['mean_characters']} characters on average",
        )
    return made + "".join(f"<p>Skipped: {esc(name)}: {esc(why)}.</p>" for name, why in part.get("skipped", {}).items())


def calibration(report: Report) -> str:
    """A reliability plot a category, and ECE by locale."""
    part = report.get("calibration", {})
    plots = "".join(
        reliability_plot(one["overall"]["bins"], name, _calibrated(one["overall"])) for name, one in part.items()
    )
    rows = [
        [esc(name), esc(locale), *(number(found[key]) for key in ("rows", "harmful_share", "mean_probability", "ece"))]
        for name, one in part.items()
        for locale, found in one["locales"].items()
    ]
    heads = ("category", "locale", "rows", "harmful share", "mean probability", "ECE")
    return plots + (table(heads, rows, text=2) if rows else "")


def _calibrated(found: Mapping[str, Any]) -> str:
    """`ECE .063 (.021 by chance) over 925 rows, 37 % of them harmful; .019 at the 21 % that it learned from`."""
    chance = f" ({found['ece_by_chance']:.3f} by chance)" if "ece_by_chance" in found else ""
    said = f"ECE {found['ece']:.3f}{chance} over {found['rows']:,} rows"
    if "ece_at_learned_share" not in found:
        return said
    share, learned = f"{found['harmful_share']:.0%}", f"{found['learned_share']:.0%}"
    return f"{said}, {share} harmful; {found['ece_at_learned_share']:.3f} at the {learned} that it learned from"


def identity(report: Report) -> str:
    """Bias towards identity terms: power means, gaps and flips."""
    found = report.get("identity", {})
    rows = [
        [
            esc(locale),
            *(number(report.get("bias", {}).get(locale, {}).get(key)) for key in ("subgroup", "bpsn", "bnsp")),
            *(number(one["gaps"].get(key)) for key in ("false_positive_rate", "max_gap", "mean_gap")),
            *(number(one["swaps"].get(key)) for key in ("flips_harmless", "flips_harmful")),
        ]
        for locale, one in found.items()
    ]
    heads = ("language", "subgroup", "BPSN", "BNSP", "false positives", "max gap", "mean gap", "flips, harmless")
    return table((*heads, "flips, harmful"), rows) if rows else ""


def disguises(report: Report) -> str:
    """What disguises cost; the table as the report has it."""
    part = report.get("tables", {}).get("Disguised texts")
    if not part or not part["rows"]:
        return ""
    rows = [[number(cell) for cell in row.values()] for row in part["rows"]]
    return f"<p>{esc(part['what'])}</p>" + table(tuple(part["rows"][0]), rows)


def severity(report: Report) -> str:
    """Agreement with people's grades, or that nobody graded."""
    part = report.get("severity", {})
    if "note" in part:
        return f"<p>{esc(part['note'])}</p>"
    keys = ("kappa", "mean_distance", "rows", "abstained")
    rows = [[esc(name), *(number(one[key]) for key in keys)] for name, one in part.get("categories", {}).items()]
    return table(("category", "quadratic κ", "mean distance", "rows", "abstained"), rows) if rows else ""


def novelty(report: Report) -> str:
    """How a harm that nobody taught would show."""
    part = report.get("novelty", {})
    keys = ("harm_likeness", "strangeness", "harmful", "ordinary", "ordinary_from")
    rows = [[esc(name), *(number(one[key]) for key in keys)] for name, one in part.get("categories", {}).items()]
    heads = ("left out", "like known harms", "unlike anything", "harmful", "ordinary", "ordinary from")
    return f"<p>{esc(part['what'])}</p>" + table(heads, rows) if rows else ""


def against(report: Report) -> str:
    """What changed since another release."""
    part = report.get("against")
    if not part:
        return ""
    if not part["better"] + part["worse"] + part["same"]:
        return (
            f"<p>{esc(part['release'])} has no figures on its card: it was assembled before it was measured. "
            "Name its release folder instead.</p>"
        )
    said = f"{part['better']} figures better, {part['worse']} worse, {part['same']} the same as {part['release']}."
    worst = [row for row in part["figures"] if row["gain"] < 0][:12]
    best = [row for row in reversed(part["figures"]) if row["gain"] > 0][:12]

    def told(rows: list[dict[str, Any]], caption: str) -> str:
        cells = [
            [esc(row["figure"]), number(row["before"]), number(row["now"]), _signed(row["change"])] for row in rows
        ]
        return table(("figure", "before", "now", "change"), cells, caption=caption) if cells else ""

    everything = folded(f"All {len(part['figures'])} that differ", told(part["figures"], ""))
    return f"<p>{esc(said)}</p>" + told(worst, "greatest losses") + told(best, "greatest gains") + everything


def _left_out(part: Mapping[str, Any]) -> str:
    """What languages reach that were left out of training, as the release recorded it."""
    if not part:
        return ""
    rows = [[esc(locale), number(value)] for locale, value in sorted(part["locales"].items())]
    told = f"Left out of training, one at a time: {part['how']} (text tower: {part['tower']})."
    return f"<p>{esc(told)}</p>" + table(("language left out", "AUROC"), rows)


def _line(name: str, one: Mapping[str, Any]) -> list[str]:
    return [esc(name), number(one["rows"]), number(one["positives"]), *(with_interval(one, key) for key in FIGURES)]


def _sets(part: Mapping[str, Any]) -> dict[str, Any]:
    """The functional sets' parts of the members' section."""
    return {name: one for name, one in part.items() if "hatecheck" in name}


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"
