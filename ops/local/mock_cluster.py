"""librdkafka's mock cluster by ctypes: a Kafka-protocol listener in memory, with faults to inject.

It lives in the shared library inside the confluent-kafka wheel; the wheel's Python surface does not reach it.
In-process and cheap (its threads are C), so tests of faults use it directly; `ops/local/broker.py` puts it into a
process of its own. What it is not: durable (decision: never used for a claim about lost events).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.local.errors import LocalStackError

KEPT_BYTES_PER_PARTITION = 5 * 1024 * 1024  # librdkafka 2.x, rdkafka_mock.c: the oldest batches go first, silently
KEPT_BATCHES_PER_PARTITION = 100_000
DEFAULT_PARTITIONS = 4  # of topics that clients create by using them; fixed in rdkafka_mock.c
_PRODUCER = 0
_ERROR_CAP = 512


def library_path() -> Path:
    """Where the wheel keeps librdkafka; LocalStackError without the wheel."""
    hint = "install the extra that carries it: pip install 'weir[local]'"
    try:
        files = importlib.metadata.files("confluent-kafka") or []
    except importlib.metadata.PackageNotFoundError as exc:
        raise LocalStackError("the embedded broker needs the package confluent-kafka", hint=hint) from exc
    for file in files:
        if file.name.startswith("librdkafka") and (".so" in file.name or file.name.endswith(".dylib")):
            return Path(str(file.locate()))
    raise LocalStackError("the confluent-kafka package here carries no librdkafka of its own", hint=hint)


def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[list[type], type | None]] = {
        "rd_kafka_conf_new": ([], pointer),
        "rd_kafka_conf_set": ([pointer, text, text, text, ctypes.c_size_t], number),
        "rd_kafka_new": ([number, pointer, text, ctypes.c_size_t], pointer),
        "rd_kafka_destroy": ([pointer], None),
        "rd_kafka_mock_cluster_new": ([pointer, number], pointer),
        "rd_kafka_mock_cluster_destroy": ([pointer], None),
        "rd_kafka_mock_cluster_bootstraps": ([pointer], text),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": ([pointer, ctypes.c_int32], None),
        "rd_kafka_mock_topic_create": ([pointer, text, number, number], number),
        "rd_kafka_mock_broker_set_down": ([pointer, ctypes.c_int32], number),
        "rd_kafka_mock_broker_set_up": ([pointer, ctypes.c_int32], number),
        "rd_kafka_mock_push_request_errors_array": (
            [pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)],
            None,
        ),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


class MockCluster:
    """A running mock cluster in this process, on loopback, at ephemeral ports. Use as a context manager.

    `topics` maps a name to its number of partitions; other topics appear on first use with four.
    """

    def __init__(self, topics: Mapping[str, int] | None = None, *, brokers: int = 1) -> None:
        self._library = _load()
        self._handle = self._new_handle()
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._handle)
            raise LocalStackError("librdkafka could not open its mock cluster", hint="is the loopback interface up?")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.brokers = brokers
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        for name, partitions in (topics or {}).items():
            self.create_topic(name, partitions)

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic; ValueError when it exists or the number is refused."""
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            raise ValueError(f"topic {name!r} with {partitions} partitions was refused (librdkafka error {code})")

    def broker_down(self, broker: int = 1) -> None:
        """Close the broker's connections and refuse new ones."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, broker)

    def broker_up(self, broker: int = 1) -> None:
        """Listen again."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, broker)

    def push_errors(self, api_key: int, errors: Sequence[int]) -> None:
        """Answer the next requests of this protocol key (0 Produce, 1 Fetch, …) with these error codes, in order."""
        array = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(errors), array)

    def close(self) -> None:
        """End it; all records are gone. Safe to call twice."""
        if self._cluster:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._library.rd_kafka_destroy(self._handle)
            self._cluster = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # __init__ may have failed before the handles were there
            self.close()

    def _new_handle(self) -> int:
        conf = self._library.rd_kafka_conf_new()
        error = ctypes.create_string_buffer(_ERROR_CAP)
        # Level 3: its notes about having no bootstrap servers are expected, its errors are not.
        self._library.rd_kafka_conf_set(conf, b"log_level", b"3", error, _ERROR_CAP)
        handle: int | None = self._library.rd_kafka_new(_PRODUCER, conf, error, _ERROR_CAP)
        if not handle:
            raise LocalStackError(f"librdkafka refused to start: {error.value.decode(errors='replace')}")
        return handle
