"""A very small HTTP server for a worker's own pages: GET only, one answer a connection, loopback unless told otherwise.

No framework: it serves a handful of texts to an operator and to Prometheus, and must never be a reason to stop judging.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

log = structlog.get_logger(__name__)

REQUEST_TIMEOUT_S: Final = 5.0
MAX_REQUEST_BYTES: Final = 8 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """What is answered."""

    body: str
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


Route = Callable[[], Page]
_WORDS: Final = {
    200: "OK",
    404: "Not Found",
    405: "Method Not Allowed",
    400: "Bad Request",
    500: "Internal Server Error",
}


def _nobody(_address: str) -> None:
    """Told where the pages are, and not interested."""


async def serve_pages(address: str, routes: Mapping[str, Route], on_listening: Callable[[str], None] = _nobody) -> None:
    """Serve `routes` on `host:port` for ever; cancel to stop. Port 0 takes a free one: the log and the caller are told.

    When the address cannot be had, this is logged and nothing is served: a status page is not worth a worker.
    """
    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.start_server(
            lambda reader, writer: _answer(reader, writer, routes), host, int(port), limit=MAX_REQUEST_BYTES
        )
    except (OSError, ValueError) as exc:
        log.warning("status.not_served", address=address, why=str(exc))
        await asyncio.Event().wait()  # owned tasks end only when they are cancelled
        return
    async with server:
        bound = server.sockets[0].getsockname()
        log.info("status.served", address=f"{bound[0]}:{bound[1]}")
        on_listening(f"{bound[0]}:{bound[1]}")
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, routes: Mapping[str, Route]) -> None:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            request = await reader.readuntil(b"\r\n\r\n")
            page = _page(request, routes)
            body = page.body.encode()
            head = (
                f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
                f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # whoever asked went away, or never finished asking
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _page(request: bytes, routes: Mapping[str, Route]) -> Page:
    line = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(line) != 3:
        return Page("this is not HTTP\n", status=400)
    if line[0] != "GET":
        return Page("only GET\n", status=405)
    route = routes.get(line[1].partition("?")[0])
    if route is None:
        return Page("there are " + ", ".join(sorted(routes)) + "\n", status=404)
    try:
        return route()
    except Exception:  # a page that breaks must not take the worker with it
        log.exception("status.failed")
        return Page("the page broke; see the log\n", status=500)
