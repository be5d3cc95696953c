"""Policies from a folder: swaps, refusals that keep the last good bundle, and 200 swaps while events are judged."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from policies import PolicyErrors
from streams.adapters.policy_files import FolderPolicySource
from streams.agents.letters import Topics
from streams.agents.moderate import Moderator
from streams.app import catalogue
from streams.core.wire import decode_verdict
from streams.pipeline import Deps
from tests.factories import a_numbered_record, some_limits
from tests.fakes import FakeClock, FakeDetector, FakeOutbox, FakeTaken

TOPICS = Topics("verdicts", "flagged", "deadletter")

_POLICY = """\
policy: swap
version: "{number}"
owner: tests@example.com
rules:
  - id: swap.everything
    title: Everything gets the reason of this version
    category: harassment
    severity: 2
    mode: enforce
    when: {{all: ["kind == 'post'"]}}
    then: {{action: label, labels: [seen], reason: R{number}}}
tests:
  - {{name: a post, event: {{kind: post}}, expect: {{action: label, reasons: [R{number}]}}}}
"""
_BUNDLE = "bundle: swaps\nversion: '1'\nowner: tests@example.com\nlimits: {{cost_us: {cost}, size_bytes: 100000}}\n"


def write(folder: Path, number: int, *, broken: bool = False) -> None:
    """Put version `number` into the folder, as an editor does: a new file over the old one."""
    text = _POLICY.format(number=number)
    part = folder / ".swap.yaml.part"
    part.write_text(text.replace("kind ==", "kidn ==") if broken else text, encoding="utf-8")
    part.replace(folder / "swap.yaml")


async def settled(source: FolderPolicySource) -> bool:
    """Two looks: a change counts when it is seen twice."""
    first = await source.look()
    return await source.look() or first


async def test_an_edit_is_in_force_after_it_settled(tmp_path: Path) -> None:
    """The first look only notices; the second one swaps; a third one finds nothing new."""
    write(tmp_path, 1)
    source = FolderPolicySource(tmp_path, catalogue())
    before = source.current()
    write(tmp_path, 2)
    assert [await source.look() for _ in range(3)] == [False, True, False]
    assert source.current().hash != before.hash
    assert (source.status.swaps, source.status.refused) == (1, None)
    assert source.status.hash == source.current().hash


async def test_a_broken_edit_keeps_the_last_good_bundle_and_says_why(tmp_path: Path) -> None:
    """The refusal names file, line and what was meant; it is said once, and mending the file takes it back."""
    write(tmp_path, 1)
    source = FolderPolicySource(tmp_path, catalogue())
    good = source.current()
    write(tmp_path, 2, broken=True)
    assert not await settled(source)
    assert not await settled(source)
    assert source.current() is good
    refused = source.status.refused
    assert refused is not None
    assert source.status.refusals == 1
    assert "swap.yaml:10:" in refused.problems[0]
    assert "did you mean 'kind'" in refused.problems[0]
    write(tmp_path, 1)
    assert not await settled(source)
    assert source.status.refused is None
    write(tmp_path, 3)
    assert await settled(source)


async def test_a_bundle_that_costs_too_much_is_refused(tmp_path: Path) -> None:
    """The limit of `bundle.yaml` holds for the bundle that names it."""
    write(tmp_path, 1)
    source = FolderPolicySource(tmp_path, catalogue())
    (tmp_path / "bundle.yaml").write_text(_BUNDLE.format(cost=0.001), encoding="utf-8")
    assert not await settled(source)
    assert source.status.refused is not None
    assert "BUNDLE-COST" in source.status.refused.problems[0]
    (tmp_path / "bundle.yaml").write_text(_BUNDLE.format(cost=100_000), encoding="utf-8")
    assert await settled(source)
    assert source.current().name == "swaps"


async def test_a_bundle_that_fails_its_own_tests_is_refused(tmp_path: Path) -> None:
    """What an author demanded of a policy holds at every reload, and the refusal names the test's line."""
    write(tmp_path, 1)
    source = FolderPolicySource(tmp_path, catalogue())
    text = _POLICY.format(number=2).replace("expect: {action: label", "expect: {action: block")
    (tmp_path / "swap.yaml").write_text(text, encoding="utf-8")
    assert not await settled(source)
    assert source.status.refused is not None
    assert "swap.yaml:13:12: FAILING-TEST" in source.status.refused.problems[0]
    assert source.current().policies.rules[0].reason == "R1"


async def test_a_folder_that_vanishes_is_refused(tmp_path: Path) -> None:
    """Deleting the policies does not stop moderation."""
    write(tmp_path, 1)
    source = FolderPolicySource(tmp_path, catalogue())
    good = source.current()
    shutil.rmtree(tmp_path)
    assert not await settled(source)
    assert source.current() is good
    assert source.status.refused is not None
    assert "NO-FOLDER" in source.status.refused.problems[0]


def test_a_worker_starts_with_the_last_good_bundle_while_the_folder_is_broken(tmp_path: Path) -> None:
    """A bad edit and a restart together are no outage; without a kept bundle the errors are raised."""
    folder, keep = tmp_path / "policies", tmp_path / "state" / "last-good"
    folder.mkdir()
    write(folder, 1)
    good = FolderPolicySource(folder, catalogue(), keep=keep).current()
    write(folder, 2, broken=True)
    source = FolderPolicySource(folder, catalogue(), keep=keep)
    assert source.current().label == good.label
    assert source.status.refused is not None
    with pytest.raises(PolicyErrors, match=r"swap\.yaml:10:"):
        FolderPolicySource(folder, catalogue())
    keep.write_bytes(b"not what was kept")
    with pytest.raises(PolicyErrors, match=r"swap\.yaml:10:"):
        FolderPolicySource(folder, catalogue(), keep=keep)


async def test_a_restarted_worker_leaves_the_kept_bundle_when_the_folder_is_mended(tmp_path: Path) -> None:
    """The folder is followed from the start, whatever the worker started with."""
    folder, keep = tmp_path / "policies", tmp_path / "last-good"
    folder.mkdir()
    write(folder, 1)
    FolderPolicySource(folder, catalogue(), keep=keep)
    write(folder, 2, broken=True)
    source = FolderPolicySource(folder, catalogue(), keep=keep)
    write(folder, 3)
    assert await settled(source)
    assert source.status.refused is None


@pytest.mark.slow
async def test_two_hundred_swaps_under_load_lose_and_mix_nothing(tmp_path: Path) -> None:
    """A third of the edits is broken: every event gets one verdict, by one good bundle that its hash names."""
    write(tmp_path, 0)
    source = FolderPolicySource(tmp_path, catalogue())
    outbox, acked = FakeOutbox(), []  # type: tuple[FakeOutbox, list[int]]
    deps = Deps([FakeDetector()], source, FakeClock(), 5.0)
    moderator = Moderator(deps, outbox, TOPICS, some_limits(), worker="w", crash=_no_crash)
    moderator.start()
    reason_of: dict[str, str] = {source.current().label: "R0"}
    swapping = asyncio.create_task(_swap(tmp_path, source, reason_of))
    number = 0
    while not swapping.done() or number < 1_000:
        await moderator.take("p", FakeTaken(a_numbered_record(number), acked))
        number += 1
        if number % 8 == 0:
            await asyncio.sleep(0.002)
    await swapping
    assert await moderator.drained(timeout_s=30)
    await moderator.stop()
    verdicts = [decode_verdict(sent.value or b"") for sent in outbox.on("verdicts")]
    assert [verdict.event_id for verdict in verdicts] == [f"event-{n}" for n in range(number)]
    assert acked == list(range(number))
    assert {(reason_of.get(v.versions.policy), *v.reasons) for v in verdicts} == {
        (reason, reason) for reason in {v.reasons[0] for v in verdicts}
    }
    assert len({verdict.versions.policy for verdict in verdicts}) > 20
    assert (source.status.swaps, source.status.refusals) == (133, 67)


async def _swap(folder: Path, source: FolderPolicySource, reason_of: dict[str, str]) -> None:
    for number in range(1, 201):
        broken = number % 3 == 1
        write(folder, number, broken=broken)
        assert await settled(source) is not broken
        reason_of[source.current().label] = f"R{number - broken}"


def _no_crash(cause: str, why: str) -> None:
    raise AssertionError(f"{cause}: {why}")
