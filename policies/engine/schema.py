"""The shape of the files that policy people write, as pydantic models; the editors' JSON Schema is made from them.

Shape only: whether a signal exists or a sum can be reached is `checks`. `when` trees are parsed by `conditions`.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

ActionWord = Literal["allow", "label", "blur", "limit", "review", "block"]
ModeWord = Literal["off", "shadow", "enforce"]
OnUnknownWord = Literal["skip", "review", "match"]
StatusWord = Literal["absent", "failed", "timeout", "stale", "not_run"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_\-]*$", max_length=60)]
DottedName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_\-]*(\.[a-z0-9][a-z0-9_\-]*)*$", max_length=100)
]
ReasonCode = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=60)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=100)]


def _iso_date(value: object) -> object:
    if isinstance(value, str):
        return date.fromisoformat(value) if len(value) == 10 else value
    return value


Day = Annotated[date, BeforeValidator(_iso_date)]


class Written(BaseModel):
    """What every written thing has in common: no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class MatchFile(Written):
    """Where something applies; every given key must fit, any of its globs will do."""

    locale: list[Glob] = Field(default_factory=list, description='BCP-47 globs; "de-*" fits de, de-AT and de-CH')
    surface: list[Glob] = Field(default_factory=list)
    tenant: list[Glob] = Field(default_factory=list)
    kind: list[Glob] = Field(default_factory=list)
    audience: Literal["minors", "adults", "any"] = "any"


class OverrideFile(Written):
    """Other numbers or another mode, somewhere; never another condition."""

    id: DottedName
    match: MatchFile
    set: dict[str, float | str] = Field(min_length=1, description="thresholds.<name>.<point> or rules.<id>.mode")
    reason: Text
    expires: Day


class RolloutFile(Written):
    """The share of traffic in which a rule is in force; elsewhere it is in shadow."""

    percent: float = Field(ge=0, le=100)
    by: Literal["author.id", "content.id", "event.id", "thread.id"] = "author.id"


class QuotaFile(Written):
    """A breaker: above the number in an hour the action becomes `then`."""

    label_per_hour: int | None = Field(default=None, ge=1)
    blur_per_hour: int | None = Field(default=None, ge=1)
    limit_per_hour: int | None = Field(default=None, ge=1)
    block_per_hour: int | None = Field(default=None, ge=1)
    then: Literal["review"] = "review"


class ThenFile(Written):
    """What a rule does."""

    action: ActionWord
    labels: list[DottedName] = Field(default_factory=list)
    review: Name | None = Field(default=None, description="the queue for reviewers, independent of the action")
    reason: ReasonCode
    redact: str | list[str] | None = Field(default=None, description="list.<name>: hide what the list found")
    blur: bool = False


class RuleFile(Written):
    """One rule: a condition (`when`, or `points` with `at_least`) and what follows."""

    id: DottedName
    title: str = Field(default="", description="what a reviewer reads; the id when left out")
    category: str
    severity: int = Field(ge=0, le=7)
    mode: ModeWord
    description: str = ""
    rollout: RolloutFile | None = None
    quota: QuotaFile | None = None
    on_unknown: OnUnknownWord | None = None
    floor: bool = False
    expires: Day | None = None
    when: Any = None
    points: list[list[Any]] | None = Field(default=None, min_length=1)
    at_least: float | None = Field(default=None, gt=0)
    then: ThenFile
    evidence: Annotated[str, StringConstraints(max_length=300)] = ""


class ExceptionFile(Written):
    """The only way to allow: named rules, a reason and an end."""

    id: DottedName
    suppresses: list[Glob] = Field(min_length=1)
    when: Any
    reason: Text
    expires: Day


class EventFile(Written):
    """The circumstances of a test's event."""

    kind: str = "post"
    surface: str = "feed"
    locale: str = "en"
    tenant: str | None = None
    minors: bool | None = None
    author: str = Field(default="author-1", description="the author's id")
    on: Day | None = Field(default=None, description="the day of the event; today when left out")


class ExpectFile(Written):
    """What a test demands. A key that is left out is not compared."""

    action: ActionWord | None = None
    severity: int | None = None
    rules: list[str] | None = None
    labels: list[str] | None = None
    reasons: list[str] | None = None
    review: str | None = None
    shadow: list[str] | None = None
    suppressed: list[str] | None = None
    undecided: list[str] | None = None
    redact: int | None = Field(default=None, description="how many pieces of text are hidden")


class TestFile(Written):
    """One example with its expected verdict."""

    __test__ = False

    name: Text
    signals: dict[str, bool | int | float | str | list[str]] = Field(default_factory=dict)
    status: dict[str, StatusWord] = Field(default_factory=dict)
    text: str | None = Field(default=None, description="a text that the lists are really run on")
    event: EventFile = Field(default_factory=EventFile)
    expect: ExpectFile


class PolicyFile(Written):
    """One policy: one file."""

    policy: Name
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.\-]*$", max_length=40)]
    owner: Text
    description: str = ""
    references: list[Text] = Field(default_factory=list)
    thresholds: dict[Name, dict[Name, float]] = Field(default_factory=dict)
    overrides: list[OverrideFile] = Field(default_factory=list)
    rules: list[RuleFile] = Field(min_length=1)
    exceptions: list[ExceptionFile] = Field(default_factory=list)
    tests: list[TestFile] = Field(default_factory=list)


class DownFile(Written):
    """What to do with an event while a whole detector is down."""

    action: ActionWord
    labels: list[DottedName] = Field(default_factory=list)
    review: Name | None = None
    reason: ReasonCode = "DETECTOR_DOWN"


class ProfileFile(Written):
    """What a surface does when a detector is down."""

    id: DottedName
    match: MatchFile
    when_down: dict[str, DownFile] = Field(min_length=1, description="detector name, or * for any")


class ProfilesFile(Written):
    """`profiles.yaml`: surfaces and review queues."""

    profiles: list[ProfileFile] = Field(min_length=1)
    queues: list[Name] = Field(default_factory=list, description="most urgent first")


class LimitsFile(Written):
    """What a bundle may cost."""

    cost_us: float = Field(default=500.0, gt=0, description="microseconds an event, rules and lists together")
    size_bytes: int = Field(default=8_000_000, gt=0)


class BundleFile(Written):
    """`bundle.yaml`: the name and version of the folder as a whole."""

    bundle: Name
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.\-]*$", max_length=40)]
    owner: Text
    description: str = ""
    limits: LimitsFile = Field(default_factory=LimitsFile)


class EntryFile(Written):
    """One list entry with its own conditions."""

    term: Text
    severity: int | None = Field(default=None, ge=0, le=7)
    note: str = ""


class ListFile(Written):
    """One list: keywords by language, RE2 patterns, domains or URLs."""

    name: Name = Field(alias="list")
    kind: Literal["keywords", "patterns", "domains", "urls"]
    version: str
    owner: Text
    description: str = ""
    source: str = ""
    licence: str = ""
    explicit: bool = Field(default=False, description="also look through leet spelling and separators")
    entries: dict[str, list[str | EntryFile]] = Field(min_length=1, description='language, or "*" for any')
    allow: list[str] = Field(default_factory=list, description="longer words or phrases in which an entry is innocent")
    removed: dict[str, str] = Field(default_factory=dict, description="entries left out, each with its reason")
