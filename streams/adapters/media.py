"""Media: bytes by reference, and pictures as pixels, decoded in threads and capped before anything is allocated.

Only `file://` under configured roots is fetched. Any other scheme is a missing signal that says so; nothing here opens
a network connection. URIs are never logged or quoted.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from streams.core.events import ImagePart
from streams.ports import MediaFetcher, MediaUnavailableError, Picture
from triton_models.pixels import ImageRejected, decode_image, decode_ocr_image

_READ_BYTES = 256 * 1024


class FileMedia:
    """`file://` under the roots; symbolic links may not lead out of them."""

    def __init__(self, roots: Sequence[Path], *, max_bytes: int, threads: ThreadPoolExecutor) -> None:
        self._roots = tuple(Path(os.path.realpath(root)) for root in roots)
        self._max_bytes = max_bytes
        self._threads = threads

    async def fetch(self, uri: str) -> bytes:
        """The file's bytes; MediaUnavailableError when it is not allowed, not there, or too large."""
        path = self._path(uri)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._load, path)

    def _path(self, uri: str) -> Path:
        try:
            parts = urlsplit(uri)
            scheme, host, raw = parts.scheme.lower(), parts.netloc, unquote(parts.path, errors="strict")
        except ValueError as exc:
            raise MediaUnavailableError("media.uri", "the URI cannot be read") from exc
        if scheme != "file":
            known = scheme if scheme in {"s3", "https", "http", "gs", "data", "ftp"} else "unknown"
            raise MediaUnavailableError("media.scheme", f"the scheme `{known}` is not fetched by this release")
        if host not in {"", "localhost"} or parts.query or parts.fragment or "\0" in raw:
            raise MediaUnavailableError("media.uri", "a file URI names a local path and nothing else")
        return Path(raw)

    def _load(self, path: Path) -> bytes:
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(root) for root in self._roots):
            raise MediaUnavailableError("media.root", "the file is under none of the configured media roots")
        try:
            # The path is resolved, so a link put there since then is refused; a FIFO must not block the thread.
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            missing = isinstance(exc, FileNotFoundError)
            raise MediaUnavailableError(
                "media.missing" if missing else "media.read", exc.strerror or "unreadable"
            ) from exc
        try:
            return self._read(handle)
        except OSError as exc:
            raise MediaUnavailableError("media.read", exc.strerror or "unreadable", transient=True) from exc
        finally:
            os.close(handle)

    def _read(self, handle: int) -> bytes:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise MediaUnavailableError("media.read", "not a regular file")
        held = bytearray()
        while chunk := os.read(handle, _READ_BYTES):
            held += chunk
            if len(held) > self._max_bytes:
                raise MediaUnavailableError("media.size", f"more than {self._max_bytes} bytes")
        return bytes(held)


class Pictures:
    """Image parts → pixels; with `read_text`, also the larger ones that text is read from."""

    def __init__(
        self, media: MediaFetcher, *, max_pixels: int, threads: ThreadPoolExecutor, read_text: bool = False
    ) -> None:
        self._media = media
        self._max_pixels = max_pixels
        self._threads = threads
        self._read_text = read_text

    async def read(self, part: ImagePart) -> Picture:
        """The picture; MediaUnavailableError when it cannot be fetched or decoded."""
        data = part.data if part.data is not None else await self._media.fetch(part.uri or "")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._decode, data)
        except ImageRejected as exc:
            raise MediaUnavailableError(f"image.{exc.reason}", "the picture cannot be decoded safely") from exc

    def _decode(self, data: bytes) -> Picture:
        pixels = decode_image(data, max_pixels=self._max_pixels)
        return Picture(pixels, decode_ocr_image(data, max_pixels=self._max_pixels) if self._read_text else None)
