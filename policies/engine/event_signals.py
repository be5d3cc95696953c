"""Signals that the event itself carries: surface, locale, author, audience, labels. Pure reading, no detector."""

from __future__ import annotations

from typing import Final

from policies.engine.globs import language_of
from policies.engine.signals import Catalogue, SignalSet, SignalSpec, SignalType, SignalValue
from policies.engine.subject import Subject

OWNER: Final = "event"
DAY_S: Final = 86_400.0
LABEL_PREFIX: Final = "labels."

KINDS: Final = ("post", "comment", "message", "upload", "profile", "prompt", "completion", "sample")


def _spec(
    name: str, kind: SignalType, text: str, *, low: float | None = None, enum: tuple[str, ...] = ()
) -> SignalSpec:
    return SignalSpec(name, kind, text, OWNER, low, None, enum)


EVENT_SIGNALS: Final[tuple[SignalSpec, ...]] = (
    _spec("kind", "str", "what the event is", enum=KINDS),
    _spec("surface", "str", "where it would appear, in the platform's own words"),
    _spec("locale", "str", "the declared BCP-47 locale, as it was sent"),
    _spec("language", "str", "the primary language subtag of the locale, in small letters"),
    _spec("tenant", "str", "the platform's customer or community"),
    _spec("author.verified", "bool", "the platform vouches for the author"),
    _spec("author.kind", "str", "the platform's word for the kind of author: news, government, bot"),
    _spec("author.age_days", "float", "days between the account's creation and the event", low=0),
    _spec("context.quoted", "bool", "the content quotes somebody else"),
    _spec("context.reply", "bool", "the content answers another one"),
    _spec("audience.minors", "bool", "minors are among the audience"),
    _spec("audience.size", "int", "how many people it may reach", low=0),
    _spec("text.length", "int", "code points in all texts together", low=0),
    _spec("text.count", "int", "how many texts there are", low=0),
    _spec("image.count", "int", "how many images there are", low=0),
)


def event_values(subject: Subject) -> dict[str, SignalValue]:
    """The signals that the subject carries; a fact that is not known has no entry."""
    values: dict[str, SignalValue] = {
        "kind": subject.kind,
        "locale": subject.locale,
        "language": language_of(subject.locale),
        "text.length": sum(len(t.text) for t in subject.texts),
        "text.count": len(subject.texts),
        "image.count": subject.image_count,
        "context.reply": subject.parent_id is not None,
    }
    if subject.surface:
        values["surface"] = subject.surface
    if subject.author_created_at is not None and subject.created_at > 0:
        values["author.age_days"] = max(0.0, (subject.created_at - subject.author_created_at) / DAY_S)
    if subject.tenant is not None:
        values["tenant"] = subject.tenant
    if subject.author_verified is not None:
        values["author.verified"] = subject.author_verified
    if subject.author_kind is not None:
        values["author.kind"] = subject.author_kind
    if subject.quoted is not None:
        values["context.quoted"] = subject.quoted
    if subject.audience_minors is not None:
        values["audience.minors"] = subject.audience_minors
    if subject.audience_size is not None:
        values["audience.size"] = subject.audience_size
    if subject.labels:
        values.update({LABEL_PREFIX + key: label for key, label in subject.labels.items()})
    return values


def event_signals(subject: Subject) -> SignalSet:
    """`event_values` as a signal set."""
    return SignalSet(values=event_values(subject))


def find_spec(catalogue: Catalogue, name: str) -> SignalSpec | None:
    """The spec of `name`; any `labels.<key>` is text that the platform may send."""
    found = catalogue.get(name)
    if found is None and name.startswith(LABEL_PREFIX):
        return SignalSpec(name, "str", "a label of the platform", OWNER)
    return found
