"""A worker's own pages: what they say, that their numbers are Prometheus', and that no request can hurt the worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import get_args

import pytest

from streams.adapters.hash_bank_files import bank_path, write_bank
from streams.adapters.policy_shelf import PolicyShelf
from streams.adapters.status_server import Page, Route, serve_pages
from streams.agents.account import Account
from streams.agents.letters import Topics
from streams.agents.moderate import Moderator
from streams.agents.status import StatusPages
from streams.agents.surroundings import build_surroundings
from streams.app import catalogue
from streams.core.bank_rows import BankEntry
from streams.core.metrics import BUCKETS_S, Counts, Sample, render
from streams.core.outcome import DeadLetter, Fault
from streams.pipeline import Deps
from streams.settings import Settings
from streams.telemetry import MetricName
from tests.factories import a_bundle, a_decision, a_record, a_verdict, some_limits
from tests.fakes import FakeClock, FakeOutbox, FakePolicies


def pages(home: Path, shelf: PolicyShelf) -> StatusPages:
    """The pages of a worker with one bank and no counters."""
    write_bank(bank_path(home / "banks", "known"), [BankEntry("md5", b"0123456789abcdef", "1")])
    (home / "banks" / "torn.npz").write_bytes(b"torn")
    clock = FakeClock()
    moderator = Moderator(
        Deps([], FakePolicies(a_bundle()), clock, 5.0), FakeOutbox(), Topics("v", "f", "d"), some_limits(),
        worker="w", crash=lambda *_: None,
    )  # fmt: skip
    beside = build_surroundings(Settings(home=home), clock)
    return StatusPages("w", clock, clock.time() - 5, shelf, moderator, beside, lambda: True, lambda: {3: 17})


def a_shelf() -> PolicyShelf:
    """A shelf with the tests' bundle."""
    return PolicyShelf(a_bundle(), catalogue(), origin="tests", time_s=lambda: 1.0)


def test_status_says_everything_at_a_glance(tmp_path: Path) -> None:
    """Which bundle judges, what was refused and why, banks, the model, the lag."""
    shelf = a_shelf()
    shelf.refuse("abc", ["x.yaml:1:2: CODE why"])
    facts = json.loads(pages(tmp_path, shelf).status().body)
    assert facts["policy"]["bundle"] == a_bundle().label
    assert facts["policy"]["refused"]["problems"] == ["x.yaml:1:2: CODE why"]
    assert facts["banks"]["known"]["md5"] == 1
    assert "broken" in facts["banks"]["torn"]
    assert (facts["model"], facts["up_s"], facts["counters"]) == ("down", 5.0, "off")
    assert facts["events"] == {"pending": 0, "lag": {"3": 17}}


def test_every_metric_has_a_declared_name(tmp_path: Path) -> None:
    """Names are a closed set; dashboards are built on them."""
    text = pages(tmp_path, a_shelf()).metrics().body
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert names <= set(get_args(MetricName))
    assert {"weir_policy_info", "weir_consumer_lag", "weir_bank_broken", "weir_events_pending"} <= names
    assert 'weir_consumer_lag{partition="3"} 17' in text
    assert 'weir_bank_hashes{bank="known",kind="md5"} 1' in text
    assert "weir_policy_refused 0" in text


def test_outcomes_are_counted_by_what_they_are() -> None:
    """Verdicts by action, rules by standing, dead letters by fault and code, stages as histograms."""
    account = Account()
    account.settle(a_decision("block", timings_ms={"total": 30.0}))
    account.settle(a_decision("allow", verdict=a_verdict("allow"), timings_ms={"total": 3.0}))
    account.settle(DeadLetter(a_record(), "json.invalid", "detail", Fault.PRODUCER))
    text = render(account.samples())
    assert 'weir_events_total{outcome="judged"} 2' in text
    assert 'weir_verdicts_total{action="block"} 1' in text
    assert 'weir_rules_total{rule="p.rule",standing="matched"} 1' in text
    assert 'weir_dead_letters_total{code="json.invalid",fault="producer"} 1' in text
    assert 'weir_stage_seconds_bucket{stage="total",le="0.005"} 1' in text
    assert 'weir_stage_seconds_bucket{stage="total",le="+Inf"} 2' in text
    assert 'weir_stage_seconds_count{stage="total"} 2' in text
    assert "# TYPE weir_stage_seconds histogram" in text


def test_labels_are_escaped_and_series_are_bounded() -> None:
    """A label with a quote stays one label, and an id that got into one does not eat the memory."""
    assert render([Sample("m", 1, (("l", 'a"b\\c\nd'),))]) == '# TYPE m gauge\nm{l="a\\"b\\\\c\\nd"} 1\n'
    counts = Counts()
    for number in range(5_000):
        counts.add("m", id=str(number))
        counts.observe("h", 0.1, id=str(number))
    assert len(counts.samples()) == 2_000 + 2_000 * (len(BUCKETS_S) + 3)


# --- the server -------------------------------------------------------------------------------------------------


def _broken() -> Page:
    raise KeyError("a secret")


ROUTES: Mapping[str, Route] = {"/ok": lambda: Page("fine\n"), "/broken": _broken}


@asynccontextmanager
async def served(routes: Mapping[str, Route] = ROUTES) -> AsyncIterator[tuple[str, int]]:
    """A running server's address."""
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve_pages("127.0.0.1:0", routes, told.set_result))
    try:
        host, _, port = (await told).rpartition(":")
        yield host, int(port)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(address: tuple[str, int], request: bytes) -> bytes:
    """The raw answer to a raw request."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /ok HTTP/1.1", b"200"),
        (b"GET /ok?x=1 HTTP/1.1", b"200"),
        (b"GET /no HTTP/1.1", b"404"),
        (b"GET /broken HTTP/1.1", b"500"),
        (b"POST /ok HTTP/1.1", b"405"),
        (b"\xff\xfe", b"400"),
    ],
)
async def test_requests_get_their_status(request_line: bytes, status: bytes) -> None:
    """And an error says nothing of what broke."""
    async with served() as address:
        answer = await ask(address, request_line + b"\r\nHost: x\r\n\r\n")
    assert answer.split(b" ")[1] == status
    assert b"secret" not in answer


async def test_rude_clients_do_not_disturb_others() -> None:
    """Endless headers, half a request, a connection that says nothing."""
    async with served() as address:
        assert await ask(address, b"GET /ok HTTP/1.1\r\n" + b"x: y\r\n" * 10_000) == b""
        assert await ask(address, b"GET /o") == b""
        silent = await asyncio.open_connection(*address)
        assert b"fine" in await ask(address, b"GET /ok HTTP/1.1\r\n\r\n")
        silent[1].close()


async def test_an_address_that_is_taken_stops_nothing() -> None:
    """The worker judges without its page."""
    async with served() as (host, port):
        task = asyncio.create_task(serve_pages(f"{host}:{port}", ROUTES))
        done, _ = await asyncio.wait([task], timeout=0.2)
        assert not done
        task.cancel()
