"""Media by reference: only files under the roots, never more than the cap, never a reason that quotes the URI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.adapters.media import FileMedia, Pictures
from streams.ports import MediaUnavailableError
from tests.factories import a_picture, an_image
from tests.fakes import FakeMedia
from triton_models.contract import IMAGE_BYTES, OCR_HEADER


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """One thread that is joined at the end."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A media root with one file."""
    folder = tmp_path / "media"
    folder.mkdir()
    (folder / "a b.png").write_bytes(b"picture")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return folder


@pytest.fixture
def media(root: Path, threads: ThreadPoolExecutor) -> FileMedia:
    """Media under the root, at most 100 bytes."""
    return FileMedia([root], max_bytes=100, threads=threads)


async def refusal(media: FileMedia, uri: str) -> str:
    """The code with which `uri` is refused."""
    with pytest.raises(MediaUnavailableError) as caught:
        await media.fetch(uri)
    assert "secret" not in caught.value.why
    return caught.value.code


async def test_a_file_under_a_root_is_read(media: FileMedia, root: Path) -> None:
    """Percent escapes and `localhost` are understood."""
    assert await media.fetch(f"file://{root}/a%20b.png") == b"picture"
    assert await media.fetch(f"file://localhost{root}/a%20b.png") == b"picture"


@pytest.mark.parametrize("scheme", ["https", "http", "s3", "gs", "ftp", "data", "gopher", "FILEX"])
async def test_other_schemes_are_refused(media: FileMedia, scheme: str) -> None:
    """Nothing here opens a network connection."""
    assert await refusal(media, f"{scheme}://secret.example/x.png") == "media.scheme"


async def test_a_path_out_of_the_root_is_refused(media: FileMedia, root: Path) -> None:
    """Dots, however they are written, do not lead out."""
    for path in (f"{root}/../secret.txt", f"{root}/%2e%2e/secret.txt", f"{root.parent}/secret.txt", "/etc/passwd"):
        assert await refusal(media, f"file://{path}") == "media.root"


async def test_a_link_out_of_the_root_is_refused(media: FileMedia, root: Path) -> None:
    """A link to a file or through a folder is resolved before it is judged."""
    (root / "file").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root.parent)
    assert await refusal(media, f"file://{root}/file") == "media.root"
    assert await refusal(media, f"file://{root}/folder/secret.txt") == "media.root"


async def test_a_link_inside_the_root_is_followed(media: FileMedia, root: Path) -> None:
    """Links among the media are the operator's business."""
    (root / "link.png").symlink_to(root / "a b.png")
    assert await media.fetch(f"file://{root}/link.png") == b"picture"


async def test_a_root_that_is_a_link_still_works(root: Path, threads: ThreadPoolExecutor) -> None:
    """Roots are resolved once."""
    (root.parent / "alias").symlink_to(root)
    media = FileMedia([root.parent / "alias"], max_bytes=100, threads=threads)
    assert await media.fetch(f"file://{root.parent}/alias/a%20b.png") == b"picture"


async def test_what_is_not_a_regular_file_is_refused_at_once(media: FileMedia, root: Path) -> None:
    """A FIFO must not hold a thread, a folder is no picture."""
    os.mkfifo(root / "fifo")
    assert await refusal(media, f"file://{root}/fifo") == "media.read"
    assert await refusal(media, f"file://{root}/") == "media.read"


async def test_a_missing_file_says_so(media: FileMedia, root: Path) -> None:
    """Missing is its own code: the upload may not have arrived yet."""
    assert await refusal(media, f"file://{root}/secret.png") == "media.missing"


async def test_a_file_that_is_too_large_is_refused(media: FileMedia, root: Path) -> None:
    """The cap holds while reading, whatever the size on disk says; exactly the cap is allowed."""
    (root / "fits").write_bytes(b"x" * 100)
    (root / "large").write_bytes(b"x" * 101)
    assert len(await media.fetch(f"file://{root}/fits")) == 100
    assert await refusal(media, f"file://{root}/large") == "media.size"


async def test_no_roots_means_no_files(root: Path, threads: ThreadPoolExecutor) -> None:
    """Nothing is readable unless a deployment says so."""
    assert await refusal(FileMedia([], max_bytes=100, threads=threads), f"file://{root}/a%20b.png") == "media.root"


@pytest.mark.parametrize(
    "uri",
    ["file://secret.example/x", "file:///x?secret", "file:///x#secret", "file:///a%00b", "file:///%ff", "file://[x"],
)
async def test_uris_that_are_more_than_a_path_are_refused(media: FileMedia, uri: str) -> None:
    """A host, a query, a NUL or bytes that are no UTF-8 are not guessed at."""
    assert await refusal(media, uri) == "media.uri"


async def test_pictures_become_pixels(threads: ThreadPoolExecutor) -> None:
    """Inline bytes and references both end as the model's pixels."""
    pictures = Pictures(FakeMedia({"file:///a.png": a_picture()}), max_pixels=10_000, threads=threads)
    assert len((await pictures.read(an_image())).pixels) == IMAGE_BYTES
    assert await pictures.read(an_image(data=None, uri="file:///a.png")) == await pictures.read(an_image())


async def test_pictures_are_decoded_for_reading_only_when_wanted(threads: ThreadPoolExecutor) -> None:
    """The larger pixels that text is read from have the picture's own size, and are left out unless asked for."""
    plain = Pictures(FakeMedia(), max_pixels=10_000, threads=threads)
    reading = Pictures(FakeMedia(), max_pixels=10_000, threads=threads, read_text=True)
    part = an_image(data=a_picture((40, 20)))
    assert (await plain.read(part)).ocr_pixels is None
    ocr = (await reading.read(part)).ocr_pixels
    assert ocr is not None
    assert OCR_HEADER.unpack_from(ocr) == (20, 40)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"not a picture", "image.unknown_format"),
        (a_picture((200, 200)), "image.too_many_pixels"),
        (b"", "image.empty"),
    ],
    ids=["format", "pixels", "empty"],
)
async def test_pictures_that_cannot_be_decoded_say_why(threads: ThreadPoolExecutor, data: bytes, code: str) -> None:
    """The code names the reason and the text quotes nothing."""
    pictures = Pictures(FakeMedia(), max_pixels=10_000, threads=threads)
    with pytest.raises(MediaUnavailableError) as caught:
        await pictures.read(an_image(data=data))
    assert caught.value.code == code
