"""ATTRIBUTION.md: where every sample comes from, written by the builder from the samples themselves."""

from __future__ import annotations

from collections.abc import Iterable

from ops.samples.sample import Sample

SETS: dict[str, tuple[str, str, str]] = {
    "davidson": ("Hate speech and offensive language, T. Davidson et al. 2017", "MIT, © 2017 Tom Davidson", "row"),
    "edos": ("Explainable detection of online sexism (EDOS), H. Kirk et al. 2023", "CC0 1.0", "rewire_id"),
    "hatemoji_build": ("HatemojiBuild, H. Kirk et al. 2022", "CC BY 4.0", "entry_id"),
    "cold_zh": ("Chinese offensive language dataset (COLD), J. Deng et al. 2022", "Apache-2.0", "row"),
    "germeval2018_de": ("GermEval 2018, M. Wiegand et al.", "CC BY 4.0", "line of the training file"),
    "ailuminate_demo": ("AILuminate demo prompts, MLCommons", "CC BY 4.0", "release_prompt_id"),
    "noto_emoji": ("Noto Emoji, Google", "Apache-2.0", "code point; enlarged on a drawn ground"),
    "pdq": (
        "PDQ test pictures, ThreatExchange, © Meta Platforms, Inc. and affiliates",
        "BSD 3-Clause",
        "file; made small",
    ),
    "weir": ("written or drawn for this project", "Apache-2.0", "-"),
}

HEAD = """# Where the samples come from

Written by `python -m ops.samples.build`; do not edit. `events.jsonl` and `media/` hold these texts and pictures,
some of them offensive: they exist to show and to test a safety system, and the commands show them masked. The texts are
as they stand in their set, apart from surrounding blanks. Every set here is one that may be trained on; none of the
evaluate-only sets is used. None of the licensors endorses this project.

| set | what | licence | ids are | samples |
|---|---|---|---|---|
"""

FOOT = """
## Licences

* MIT (davidson) and BSD 3-Clause (pdq): `licences/`
* CC BY 4.0: <https://creativecommons.org/licenses/by/4.0/>
* CC0 1.0: <https://creativecommons.org/publicdomain/zero/1.0/>
* Apache-2.0: <https://www.apache.org/licenses/LICENSE-2.0>
"""


def attribution(samples: Iterable[Sample]) -> str:
    """The whole file."""
    ids: dict[str, set[str]] = {name: set() for name in SETS}
    counts = dict.fromkeys(SETS, 0)
    for sample in samples:
        names = set()
        for source in sample.source.split("; "):
            name, _, row = source.partition(":")
            names.add(name)
            if row:
                ids[name].add(row)
        for name in names:
            counts[name] += 1
    lines = [
        f"| {name} | {what} | {licence} | {kind} | {counts[name]} |" for name, (what, licence, kind) in SETS.items()
    ]
    rows = [f"* **{name}**: {', '.join(sorted(found))}" for name, found in ids.items() if found]
    return HEAD + "\n".join(lines) + "\n\n## Ids\n\n" + "\n".join(rows) + "\n" + FOOT
