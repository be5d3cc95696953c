"""Faust's side of the shell: topic, agent, outbox, and what happens when the worker stops.

Faust's own acknowledging, batching and `send_soon` lose events (FACTS); of Faust this uses the consumer, the group
membership and the producer, and nothing that commits by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

import faust
import structlog
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.exceptions import ProducerSendError

from streams.agents.moderate import Crash, Moderator
from streams.core.outcome import Headers, RawRecord
from streams.ports import TooLargeError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FaustEvent:
    """An event that Faust handed over."""

    record: RawRecord
    generation: int
    message: Any
    consumer: Any

    def ack(self) -> None:
        """Let its offset be committed."""
        self.message.ack(self.consumer)


class FaustOutbox:
    """Faust's producer, awaited: `topic.send` costs twice as much and `send_soon` hides lost records."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> Awaitable[object]:
        """Hand a record to the producer; the awaitable ends with the broker's ack."""
        if key is None and value is None:
            key = b""  # aiokafka refuses a record of nothing; its dead letter must not stop the stream
        try:
            sent = await self._app.producer.send(topic, key, value, None, None, list(headers))
        except ProducerSendError as exc:
            if isinstance(exc.__cause__, MessageSizeTooLargeError):
                raise TooLargeError(str(exc.__cause__)) from exc
            raise
        return _Ack(sent)


class _Ack:
    """The broker's ack, with errors in our words. No task of its own: one for each record costs as much as sending."""

    __slots__ = ("_sent",)

    def __init__(self, sent: Awaitable[object]) -> None:
        self._sent = sent

    def __await__(self) -> Generator[Any, None, object]:
        try:
            return (yield from self._sent.__await__())
        except (MessageSizeTooLargeError, RecordListTooLargeError) as exc:
            raise TooLargeError(str(exc)) from exc


def attach(
    app: faust.App, topic: str, make: Callable[[], Awaitable[Moderator]], *, crash: Crash, drain_s: float
) -> None:
    """Give `app` the agent that feeds the moderator that `make` builds inside the running loop."""
    incoming = app.topic(topic, key_serializer="raw", value_serializer="raw", internal=True)
    owned: list[Moderator] = []

    async def moderate(stream: Any) -> None:
        try:
            await feed(stream)
        except Exception as exc:
            # Faust would start the agent again, for ever, in a process that looks alive and judges nothing.
            log.exception("agent.failed")
            crash("agent", f"the agent ended: {type(exc).__name__}")

    async def feed(stream: Any) -> None:
        if not owned:
            owned.append(await make())
            owned[0].start()
            log.info("worker.ready", topic=topic)
        moderator = owned[0]
        async for event in stream.noack().events():
            message = event.message
            await moderator.take(
                message.tp, FaustEvent(_record(message), message.generation_id or 0, message, app.consumer)
            )

    app.agent(incoming, name="moderate")(moderate)

    async def shut_down(*_: object, **__: object) -> None:
        # Faust has stopped fetching and waited for the acks (`stream_wait_empty`); this is the second look.
        for moderator in owned:
            if not await moderator.drained(timeout_s=drain_s):
                log.warning("worker.drain_cut", pending=moderator.pending)
            await moderator.stop()

    app.on_before_shutdown.connect(shut_down, weak=False)


def _record(message: Any) -> RawRecord:
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return RawRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((str(name), bytes(value or b"")) for name, value in pairs),
        timestamp_s=message.timestamp or 0.0,
    )
