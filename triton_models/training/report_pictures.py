"""The sections of the report's page about pictures, from their parts of the report. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triton_models.training.report_html import esc, folded, number, table

Report = Mapping[str, Any]
SERVED = "whole ensemble"
HEAD = "joint head alone"
SHIFTS = ("mean shift", "95 % shift", "greatest shift", "flips", "lost opinions", "compared")


def pictures(report: Report) -> str:
    """What changes of pictures cost, category by category, and of which pictures nothing is said."""
    part = report.get("pictures", {})
    made = f"<p>{esc(part['note'])}</p>" if "note" in part else ""
    for name, one in part.items():
        changes = one.get("changes") if isinstance(one, Mapping) else None
        if changes:
            rows = [[number(cell) for cell in row.values()] for row in changes["rows"]]
            made += f"<p>{esc(changes['what'])}</p>" + table(tuple(changes["rows"][0]), rows, caption=name)
    abstains = part.get("abstains")
    return made + (f"<p>Nothing is said of pictures of: {esc(', '.join(abstains))}.</p>" if abstains else "")


def pairs(report: Report) -> str:
    """Text and picture read together: the joint head alone beside the whole ensemble, and whether judgements hold."""
    served, head = report.get("consistency", {}), report.get("pairs", {})
    judged = {name: one for name, one in ((SERVED, served), (HEAD, head)) if "all_four" in one}
    made = f"<p>{esc(served['note'])}</p>" if "note" in served else ""
    if not judged:
        return made
    made += f"<p>{esc(served['what'])}</p>" if "what" in served else ""
    corners = [
        [esc(name), *(number(one.get(key)) for key in ("quadruples", "all_four", "languages_not_trained_on"))]
        + [number(one.get("by_corner", {}).get(corner)) for corner in ("11", "10", "01", "00")]
        for name, one in judged.items()
    ]
    heads = ("judged by", "quadruples", "all four right", "of languages not trained on", "harmful pair")
    made += table((*heads, "picture alone", "sentence alone", "neither"), corners)
    return made + _holds(served) + _by_part(judged)


def _holds(served: Mapping[str, Any]) -> str:
    """Order within quadruples, contradiction, and the same post with a copy of its picture."""
    if "order" not in served:
        return ""
    order = served["order"]
    rows = [
        ["the harmful post scores above the other three", number(order["order"])],
        ["the harmful post scores above another one", number(order["pairwise"])],
        ["the pair adds to what its halves add", number(order["interaction above 0"])],
        ["AUROC of joint.contradiction for halves that contradict", number(served["contradiction_auroc"])],
    ]
    copies = [[esc(name), *(number(one[key]) for key in SHIFTS)] for name, one in served["invariance"].items()]
    failed = served.get("posts_failed")
    return (
        table(("consistency", "share of quadruples, or AUROC"), rows)
        + table(("the same post, its picture", *SHIFTS), copies, caption="probabilities of all categories")
        + (f"<p>On {number(failed)} posts some member failed.</p>" if failed else "")
    )


def _by_part(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """All four right, family by family and language by language."""
    parts = [(key, name) for key in ("by_family", "by_language") for name in _names(judged, key)]
    rows = [[esc(name), *(number(one.get(key, {}).get(name)) for one in judged.values())] for key, name in parts]
    return folded("All four right by family and language", table(("family or language", *judged), rows))


def _names(judged: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    return sorted({name for one in judged.values() for name in one.get(key, {})})
