"""Ask a Kafka broker one real protocol question (Metadata v1), without a client library and without an event loop.

Only for "is it up, and are all its peers?". Anything more belongs to a client.
"""

from __future__ import annotations

import socket
import struct

METADATA_KEY = 3
METADATA_VERSION = 1
ANSWER_MAX_BYTES = 4 * 1024 * 1024


def live_brokers(bootstrap: str, timeout_s: float = 2.0) -> int:
    """How many brokers the first reachable address of `bootstrap` knows; 0 when none answers properly."""
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            return _ask(host, int(port), timeout_s)
        except (OSError, ValueError, struct.error):
            continue
    return 0


def _ask(host: str, port: int, timeout_s: float) -> int:
    client = b"weir-probe"
    head = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 1, len(client)) + client
    request = head + struct.pack(">i", 0)  # no topics
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _read(connection, 4))
        if not 8 <= size <= ANSWER_MAX_BYTES:
            raise ValueError(f"not a Kafka answer: {size} bytes announced")
        answer = _read(connection, size)
    correlation, brokers = struct.unpack_from(">ii", answer)
    if correlation != 1:
        raise ValueError("not a Kafka answer: another correlation id")
    return int(brokers)


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ValueError("the broker closed the connection")
        data += piece
    return bytes(data)
