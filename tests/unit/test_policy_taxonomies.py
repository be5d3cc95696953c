"""Taxonomies: every foreign key is mapped or says why not; what was not scored is not 0; kinds are checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import policies
from ops.commands.policy import app
from policies import PolicyErrors
from policies.engine.taxonomies import map_categories, read_mapping, read_own
from policies.engine.taxonomy import CATEGORIES
from policies.engine.verdict_parts import categories
from tests.policy_folders import a_rule, files_of, problems_of

FOLDER = Path(policies.__file__).parent / "library" / "taxonomies"
FOREIGN = sorted(p.stem for p in FOLDER.glob("*.yaml") if p.stem != "weir")


def test_our_own_has_every_category_and_kinds() -> None:
    """Level one is the contract, level two is data."""
    own = read_own(FOLDER / "weir.yaml")
    assert tuple(own.categories) == CATEGORIES
    assert all(c.kinds for c in own.categories.values())


@pytest.mark.parametrize(("name", "count"), list(zip(FOREIGN, (4, 12, 13, 9), strict=True)))
def test_foreign_keys_are_mapped_or_say_why_not(name: str, count: int) -> None:
    """None is left out, none is guessed."""
    mapping = read_mapping(FOLDER / f"{name}.yaml")
    assert len(mapping.keys) == len({k.key for k in mapping.keys}) == count
    assert all(bool(k.sources) is not bool(k.unmapped) for k in mapping.keys)


def test_what_was_not_scored_says_so() -> None:
    """Instead of 0, and nothing ever scores sexual content about minors."""
    mapping = read_mapping(FOLDER / "openai-moderation.yaml")
    found = {m.key: m for m in map_categories(mapping, categories({"score.hate": 0.25, "score.weapons": 0.5}))}
    assert (found["hate"].score, found["violence"].score, found["violence"].why) == (0.25, None, "not scored")
    assert found["illicit"].score == 0.5
    assert found["sexual/minors"].score is None
    assert found["sexual/minors"].why.startswith("not mapped: known hashes")
    assert found["violence/graphic"].why == "not scored"


def test_a_key_of_one_modality_needs_that_score() -> None:
    """The picture's violence is not the post's."""
    mapping = read_mapping(FOLDER / "openai-moderation.yaml")
    scores = {"score.violence.image": 0.7}
    found = {m.key: m for m in map_categories(mapping, categories({"score.violence": 0.9}), modality_scores=scores)}
    assert (found["violence"].score, found["violence/graphic"].score) == (0.9, 0.7)


def test_severities_are_translated() -> None:
    """Azure counts 0, 2, 4, 6."""
    mapping = read_mapping(FOLDER / "azure-content-safety.yaml")
    found = {m.key: m for m in map_categories(mapping, categories({"score.hate": 0.9, "severity.hate": 5}))}
    assert (found["Hate"].severity, found["Hate"].why) == (4, "theirs includes offensive language about people")
    assert found["Sexual"].severity is None


def test_a_mapping_that_guesses_is_refused(tmp_path: Path) -> None:
    """A key needs sources or a reason, not both and not neither."""
    path = tmp_path / "x.yaml"
    path.write_text('taxonomy: x\nversion: "1"\nsource: s\nkeys: [{key: a}, {key: b, from: [hat]}]\n', encoding="utf-8")
    with pytest.raises(PolicyErrors) as caught:
        read_mapping(path)
    assert [(p.line, p.code) for p in caught.value.problems] == [(4, "BAD-VALUE"), (4, "BAD-VALUE")]


def test_a_rule_may_name_a_kind_that_the_taxonomy_has() -> None:
    """And a misspelled one gets a suggestion."""
    own = (FOLDER / "weir.yaml").read_bytes()
    good = files_of(a_rule(category="hate.slur"), taxonomies__weir=own)
    assert problems_of(good) == []
    (line,) = problems_of(files_of(a_rule(category="hate.slurr"), taxonomies__weir=own))
    assert line.endswith("UNKNOWN-CATEGORY 'hate' has no kind 'slurr'; did you mean 'slur'?")


def test_the_command_maps_verdicts() -> None:
    """One line in, one line out."""
    verdict = {"event_id": "e", "categories": [{"name": "hate", "score": 0.5, "severity": 3, "abstained": False}]}
    told = CliRunner().invoke(app, ["map", "-", "--to", "perspective"], input=json.dumps(verdict) + "\n")
    assert told.exit_code == 0, told.output
    keys = {k["key"]: k["score"] for k in json.loads(told.output)["keys"]}
    assert (keys["IDENTITY_ATTACK"], keys["PROFANITY"]) == (0.5, None)
    assert CliRunner().invoke(app, ["map", "-", "--to", "nothing"], input="").exit_code == 2
