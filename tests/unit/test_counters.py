"""Counters: earlier events by author and text, distinct others, strikes that fade; judged again is counted once."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import PolicyBundle, PolicyErrors, load_files
from policies.engine.counters import BUILT_IN, DAY_S, Counter
from policies.engine.signals import SignalStatus, SignalValue
from policies.engine.taxonomy import Action
from policies.engine.verdict import Match
from streams.agents.counters import Ledger
from streams.app import catalogue
from streams.core.counters import Tally
from streams.core.events import Author, ContentEvent
from streams.core.facts import Fact, decode_facts, encode_facts, fact_of
from streams.core.outcome import DeadLetter, Fault, Outcome
from streams.core.strikes import MAX_STRIKES, Strikes
from streams.detectors.account_state import AccountState
from tests.factories import SOME_TIME_S, a_bundle, a_decision, a_record, a_verdict, an_event
from tests.fakes import FakeClock

HOUR_S = 3_600.0


class FakeMemory:
    """A log that is right, or not."""

    def __init__(self, problem: str = "", *, writable: bool = True) -> None:
        self.problem = problem
        self.writable = writable
        self.asked: list[float] = []
        self.assignments = 0

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether there is no problem."""
        self.asked.append(timeout_s)
        return not self.problem

    def assigned(self) -> None:
        """Count."""
        self.assignments += 1


def a_fact(number: int, at: float = 0.0, *, author: int | None = 1, text: int | None = None, thread: int | None = None,
           rules: tuple[str, ...] = ()) -> Fact:  # fmt: skip
    """A fact about event `number`."""
    return Fact(id=number, at=SOME_TIME_S + at, author=author, text=text, thread=thread, rules=rules)


# --- the tally --------------------------------------------------------------------------------------------------


facts_strategy = st.lists(
    st.builds(
        Fact,
        id=st.integers(0, 30),
        at=st.integers(0, 100).map(float),
        author=st.sampled_from([None, 1, 2]),
        text=st.sampled_from([None, 7, 8]),
        thread=st.sampled_from([None, 4, 5, 6]),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(facts=facts_strategy, window=st.sampled_from([0.0, 1.0, 10.0, 50.0]))
def test_counts_are_what_a_plain_list_says(facts: list[Fact], window: float) -> None:
    """For any order of arrival, repeats included: earlier arrivals in the window, each event once."""
    tally, seen = Tally(1_000), []  # type: tuple[Tally, list[Fact]]
    for fact in facts:
        known = next((other for other in seen if other.id == fact.id), None)
        asked = known or fact  # an event that comes again is the same event
        before = seen[: seen.index(known)] if known else seen
        inside = [other for other in before if asked.at - window < other.at <= asked.at]
        same_author = [other for other in inside if asked.author is not None and other.author == asked.author]
        same_text = [other for other in inside if asked.text is not None and other.text == asked.text]
        assert tally.count("events", "author", asked, window) == len(same_author)
        assert tally.count("events", "text", asked, window) == len(same_text)
        assert tally.count("threads", "author", asked, window) == len({o.thread for o in same_author} - {None})
        authors = {o.author for o in same_text} - {None, asked.author}
        assert tally.count("authors", "text", asked, window) == len(authors)
        assert tally.add(asked, SOME_TIME_S) is (known is None)
        if known is None:
            seen.append(fact)
    assert len(tally) == len(seen)


def test_facts_of_the_last_hour_are_kept_and_older_ones_forgotten() -> None:
    """An hour and ten minutes after they came, and only when events have gone on as far."""
    tally = Tally(1_000)
    for n in range(10):
        tally.add(a_fact(n, n), SOME_TIME_S + n)
    tally.add(a_fact(10, HOUR_S * 2), SOME_TIME_S + HOUR_S * 2)
    assert len(tally) == 1
    slow = Tally(1_000)
    for n in range(10):
        slow.add(a_fact(n, n), SOME_TIME_S + n)
    slow.add(a_fact(10, 11.0), SOME_TIME_S + HOUR_S * 2)  # a backlog: the clock went on, the events did not
    assert slow.count("events", "author", a_fact(10, 11.0), HOUR_S) == 10


def test_a_producer_with_a_wrong_clock_does_not_erase_the_window() -> None:
    """One event from the year 2100 must not make everything before it look old."""
    tally = Tally(1_000)
    tally.add(a_fact(1), SOME_TIME_S)
    tally.add(a_fact(2, 4e9), SOME_TIME_S + 1)
    tally.add(a_fact(3, 2.0), SOME_TIME_S + 2)
    assert tally.count("events", "author", a_fact(4, 3.0), HOUR_S) == 2


def test_a_text_that_everybody_copies_stays_cheap() -> None:
    """Distinct authors are counted up to a thousand, and remembered up to twice that."""
    tally = Tally(10_000)
    for n in range(5_000):
        tally.add(a_fact(n, n / 10, author=n, text=7), SOME_TIME_S)
    asked = a_fact(9_999, 500.0, author=9_999, text=7)
    assert tally.count("authors", "text", asked, HOUR_S) == 1_000
    assert tally.count("authors", "text", asked, 10.0) == 99
    assert len(tally._by_text[7].latest) == 2_000


def test_without_room_the_oldest_go_and_the_cut_is_told() -> None:
    """What was forgotten is known, so that a window over it is stale instead of too small."""
    tally = Tally(3)
    for n in range(5):
        tally.add(a_fact(n, n), SOME_TIME_S + n)
    assert len(tally) == 3
    assert tally.cut_at == SOME_TIME_S + 1


def test_uses_of_a_rule_are_counted_when_its_verdict_is_known() -> None:
    """The rules come after the fact itself; noting them twice counts once."""
    tally = Tally(100)
    for n in range(3):
        tally.add(a_fact(n, n), SOME_TIME_S)
        tally.add_rules(a_fact(n, n, rules=("r",)))
        tally.add_rules(a_fact(n, n, rules=("r",)))
    tally.add_rules(a_fact(99, 1, rules=("r",)))  # never added
    assert tally.uses("r", a_fact(4, 5)) == 3
    assert tally.uses("r", a_fact(1, 1)) == 1
    assert tally.uses("r", a_fact(4, HOUR_S + 1.5)) == 1
    assert tally.uses("other", a_fact(4, 5)) == 0


# --- facts ------------------------------------------------------------------------------------------------------


def test_a_fact_holds_no_content_and_no_readable_id() -> None:
    """What travels and is kept for a day are digests."""
    event = an_event("a secret text of some length", author=Author(id="jane@example.com"))
    packed = encode_facts([fact_of(event, a_verdict("block"))])
    assert b"secret" not in packed
    assert b"jane" not in packed
    assert len(packed) < 100
    assert decode_facts(packed) == (fact_of(event, a_verdict("block")),)


@pytest.mark.parametrize(
    "text", ["BUY  now!! at shop 12345", "buy now - at shop 9", "ｂｕｙ now at… shop 7", "Buy, now at\nshop 77"]
)
def test_near_identical_texts_are_one(text: str) -> None:
    """Case, spaces, punctuation, numbers and compatibility forms make no other text."""
    assert fact_of(an_event(text)).text == fact_of(an_event("Buy now at shop 1")).text


def test_other_texts_short_texts_and_other_tenants_are_not_one() -> None:
    """`thanks!` is everybody's; what two communities write does not meet."""
    one = fact_of(an_event("Buy now at shop 1"))
    assert fact_of(an_event("Buy now at the shop 1")).text != one.text
    assert fact_of(an_event("Thanks!")).text is None
    other = fact_of(an_event("Buy now at shop 1", tenant="b"))
    assert {other.text, other.author} & {one.text, one.author} == set()


def test_only_rules_make_strikes() -> None:
    """A mild match is none, and what a surface does while a detector is down says nothing about the author."""
    down = Match(policy="profiles", rule="live.clip_safety", action="review", text="down")
    assert fact_of(an_event(), a_verdict("label")).strike == 0
    assert fact_of(an_event(), a_verdict("review", matches=(down,))).strike == 0
    assert fact_of(an_event(), a_verdict("review", matches=(down,))).rules == ()
    assert fact_of(an_event(), a_verdict("limit")).strike == int(Action.LIMIT)


# --- strikes ----------------------------------------------------------------------------------------------------


def strike(number: int, days: float, action: Action = Action.BLOCK) -> Fact:
    """A fact that is a strike."""
    return msgspec.structs.replace(a_fact(number, days * DAY_S), strike=int(action))


def test_strikes_fade_by_their_half_life() -> None:
    """Today's is one, that of a half-life ago a half; later ones and milder ones do not count."""
    strikes = Strikes()
    for fact in (strike(1, 0), strike(2, 30), strike(3, 60, Action.LIMIT), strike(4, 90)):
        strikes.add(fact)
    asked = a_fact(9, 60 * DAY_S)
    assert strikes.weigh(asked, half_life_s=30 * DAY_S, at_least=Action.LIMIT) == pytest.approx(0.25 + 0.5 + 1)
    assert strikes.weigh(asked, half_life_s=30 * DAY_S, at_least=Action.BLOCK) == pytest.approx(0.75)
    assert strikes.weigh(replace_author(asked, 2), half_life_s=DAY_S, at_least=0) == 0.0


def replace_author(fact: Fact, author: int | None) -> Fact:
    """The same fact about somebody else."""
    return msgspec.structs.replace(fact, author=author)


def test_a_strike_counts_once_and_travels_whole() -> None:
    """An event that is judged again adds nothing; another worker that reads what travelled knows the same."""
    strikes, other = Strikes(), Strikes()
    first = strikes.add(strike(1, 0))
    assert strikes.add(strike(1, 0)) == first
    second = strikes.add(strike(2, 1))
    assert second is not None
    other.load(1, second)
    asked = a_fact(9, DAY_S)
    assert other.weigh(asked, half_life_s=DAY_S, at_least=0) == strikes.weigh(asked, half_life_s=DAY_S, at_least=0)
    assert strikes.add(a_fact(3)) is None
    assert strikes.add(replace_author(strike(4, 1), None)) is None


def test_no_author_grows_without_bound() -> None:
    """The newest are kept; what is lost weighs next to nothing."""
    strikes = Strikes()
    packed = [strikes.add(strike(n, n / 10)) for n in range(200)][-1]
    assert packed is not None
    assert len(msgspec.msgpack.decode(packed)) == MAX_STRIKES


# --- signals ----------------------------------------------------------------------------------------------------


def state(memory: FakeMemory | None, *, max_facts: int = 1_000) -> AccountState:
    """Counters with an empty tally."""
    return AccountState(Tally(max_facts), Strikes(), memory, FakeClock(SOME_TIME_S))


def by_author(author: str | None, number: int, at: float = 0.0, text: str = "some text or other") -> ContentEvent:
    """Event `number` of an author."""
    who = Author(id=author) if author else None
    return an_event(text, event_id=f"e{number}", created_at=SOME_TIME_S + at, author=who)


async def values(counters: AccountState, *events: ContentEvent, bundle: PolicyBundle | None = None) -> list[
    Mapping[str, SignalValue]
]:  # fmt: skip
    """What the counters say about each event of a batch."""
    found = await counters.bound_to(bundle or a_bundle()).detect(events, timeout_s=3.0)
    return [signals.values for signals in found]


async def test_each_event_of_a_batch_counts_for_the_next() -> None:
    """Five posts in one batch are five posts, and a copy is a copy, whoever wrote it."""
    events = [by_author("a", n, n) for n in range(3)] + [by_author("b", 3, 3)]
    found = await values(state(FakeMemory()), *events)
    assert [one["velocity.author_10m"] for one in found] == [0, 1, 2, 0]
    assert [one["velocity.duplicates_1h"] for one in found] == [0, 1, 2, 3]
    assert [one["velocity.copiers_1h"] for one in found] == [0, 0, 0, 1]


async def test_judging_again_gives_the_same_numbers() -> None:
    """After a crash the same events come again; what they are told does not change, and nothing counts twice."""
    counters = state(FakeMemory())
    events = [by_author("a", n, n) for n in range(4)]
    first = await values(counters, *events)
    assert await values(counters, *reversed(events)) == list(reversed(first))
    (later,) = await values(counters, by_author("a", 9, 9))
    assert later["velocity.author_10m"] == 4


async def test_windows_close() -> None:
    """Ten minutes are ten minutes of event time."""
    counters = state(FakeMemory())
    await values(counters, by_author("a", 1, 0))
    (inside, outside) = await values(counters, by_author("a", 2, 599.9), by_author("a", 3, 1_200.0))
    assert (inside["velocity.author_10m"], outside["velocity.author_10m"]) == (1, 0)
    assert outside["velocity.posts_1h"] == 2


async def test_what_cannot_be_told_is_never_zero() -> None:
    """Not counted here, no author, a memory that is down, a window that was cut: four reasons, four statuses."""
    event = by_author("a", 1)

    async def status(counters: AccountState, one: ContentEvent, name: str = "velocity.posts_1h") -> SignalStatus:
        (found,) = await counters.bound_to(a_bundle()).detect([one], timeout_s=3.0)
        assert found.status(name) is SignalStatus.OK or name not in found.values
        return found.status(name)

    assert await status(state(None), event) is SignalStatus.NOT_RUN
    assert await status(state(FakeMemory()), by_author(None, 1)) is SignalStatus.ABSENT
    assert await status(state(FakeMemory()), by_author(None, 1), "author.strikes") is SignalStatus.ABSENT
    assert await status(state(FakeMemory()), by_author("a", 1, text="hi"), "velocity.copiers_1h") is SignalStatus.ABSENT
    assert await status(state(FakeMemory("the topic is gone")), event) is SignalStatus.FAILED
    small = state(FakeMemory(), max_facts=2)
    await values(small, *(by_author("b", n, n) for n in range(5)))
    assert await status(small, by_author("a", 9, 9)) is SignalStatus.STALE
    assert await status(small, by_author("a", 9, HOUR_S + 9)) is SignalStatus.OK


async def test_events_are_counted_while_the_memory_is_down() -> None:
    """When it is back, nothing that this worker judged is missing."""
    memory = FakeMemory("down")
    counters = state(memory)
    await values(counters, by_author("a", 1))
    memory.problem = ""
    (found,) = await values(counters, by_author("a", 2))
    assert found["velocity.author_10m"] == 1


async def test_a_quota_is_told_the_uses_of_its_rule() -> None:
    """`block_per_hour: 2`: the third match of the hour is told two."""
    tally, strikes, memory = Tally(100), Strikes(), FakeMemory()
    counters = AccountState(tally, strikes, memory, FakeClock(SOME_TIME_S))
    ledger = Ledger(tally, strikes, memory, facts="facts", strikes_topic="strikes")
    bundle = load_files({"q.yaml": _QUOTA.encode()}, catalogue())
    told = []
    for n in range(3):
        event = by_author("a", n, n)
        (found,) = await values(counters, event, bundle=bundle)
        told.append(found["quota.q.rule"])
        match = Match(policy="q", rule="q.rule", action="block", text="x")
        ledger.letters([a_decision(event=event, verdict=a_verdict("block", matches=(match,)))])
    assert told == [0, 1, 2]


_QUOTA = """\
policy: q
version: "1"
owner: tests@example.com
rules:
  - id: q.rule
    title: A rule with a breaker
    category: harassment
    severity: 5
    mode: enforce
    quota: {block_per_hour: 2, then: review}
    when: {all: ["kind == 'post'"]}
    then: {action: block, reason: Q}
tests:
  - {name: a post, event: {kind: post}, expect: {action: block}}
"""


# --- what is written down ---------------------------------------------------------------------------------------


def test_a_batch_is_written_down_as_facts_and_strikes() -> None:
    """Facts by the partition that the events came from, in their order; strikes by author, each author once."""
    ledger = Ledger(Tally(10), Strikes(), FakeMemory(), facts="policy.facts", strikes_topic="policy.strikes")
    batch: list[Outcome] = [
        a_decision("block", event=by_author("a", 1), record=a_record(partition=2)),
        DeadLetter(a_record(b"x"), "json.invalid", "detail", Fault.PRODUCER),
        a_decision("block", event=by_author("a", 2), record=a_record(partition=2)),
        a_decision("allow", event=by_author("b", 3), record=a_record(partition=0)),
    ]
    letters = ledger.letters(batch)
    assert [(letter.topic, letter.key) for letter in letters[:2]] == [("policy.facts", b"2"), ("policy.facts", b"0")]
    assert [fact.id for fact in decode_facts(letters[0].value or b"")] == [
        fact_of(by_author("a", n)).id for n in (1, 2)
    ]
    assert [letter.topic for letter in letters[2:]] == ["policy.strikes"]
    assert len(msgspec.msgpack.decode(letters[2].value or b"")) == 2
    assert dict(letters[0].headers)["schema"] == b"weir.facts/1"


def test_nothing_is_written_to_topics_that_are_missing() -> None:
    """A deployment without them keeps judging."""
    ledger = Ledger(Tally(10), Strikes(), FakeMemory(writable=False), facts="f", strikes_topic="s")
    assert ledger.letters([a_decision("block")]) == []


# --- declarations -----------------------------------------------------------------------------------------------


def test_a_folder_may_declare_its_own_counters() -> None:
    """They replace the built-in ones and are what its rules may name."""
    counters = b"counters:\n  - {counter: velocity.burst, count: events, by: author, minutes: 2}\n"
    rule = _QUOTA.replace("kind == 'post'", "velocity.burst >= 3")
    bundle = load_files({"q.yaml": rule.encode(), "counters.yaml": counters}, catalogue())
    assert bundle.counters == (Counter("velocity.burst", "events by author", "events", "author", 120.0),)
    assert load_files({"q.yaml": _QUOTA.encode()}, catalogue()).counters == BUILT_IN
    with pytest.raises(PolicyErrors, match=r"UNKNOWN-SIGNAL.*velocity\.burst"):
        load_files({"q.yaml": rule.encode()}, catalogue())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{counter: velocity.x, count: events, by: author}", "BAD-COUNTER"),
        ("{counter: velocity.x, count: strikes, by: author, minutes: 5}", "BAD-COUNTER"),
        ("{counter: velocity.x, count: strikes, by: text, half_life_days: 5}", "BAD-COUNTER"),
        ("{counter: velocity.x, count: authors, by: author, minutes: 5}", "BAD-COUNTER"),
        ("{counter: author.verified, count: events, by: author, minutes: 5}", "TAKEN-NAME"),
        ("{counter: velocity.x, count: events, by: author, minutes: 61}", "BAD-VALUE"),
        ("{counter: speed.x, count: events, by: author, minutes: 5}", "BAD-VALUE"),
    ],
)
def test_a_counter_that_makes_no_sense_is_located(line: str, code: str) -> None:
    """Errors of `counters.yaml` name the line, like all others."""
    files = {"q.yaml": _QUOTA.encode(), "counters.yaml": f"counters:\n  - {line}\n".encode()}
    with pytest.raises(PolicyErrors, match=rf"counters\.yaml:2:\d+: {code}"):
        load_files(files, catalogue())
