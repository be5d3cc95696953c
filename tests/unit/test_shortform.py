"""The short form: what a person types becomes an event, or an error that names the line and the field."""

from __future__ import annotations

import base64

import pytest

from streams.core.events import ImagePart, TextPart
from streams.core.shortform import ShortFormError, Source, event_from_line, media_type

PNG = b"\x89PNG\r\n\x1a\n0000"


def read_image(path: str) -> bytes:
    """A folder with one picture in it."""
    if path == "cat.png":
        return PNG
    raise FileNotFoundError(2, "No such file or directory", path)


SOURCE = Source(read_image, created_at=1_700_000_000.0, number=7)


def failure(line: str) -> ShortFormError:
    """The error that `line` gives."""
    with pytest.raises(ShortFormError) as caught:
        event_from_line(line, SOURCE)
    return caught.value


def test_text_and_image_become_a_post_with_a_caption() -> None:
    """A text beside a picture is its caption, and the picture comes first."""
    event = event_from_line('{"id": "a", "text": "hello", "image": "cat.png", "locale": "en"}', SOURCE)
    assert event.parts == (
        ImagePart(data=PNG, media_type="image/png"),
        TextPart(text="hello", role="caption"),
    )
    assert (event.content_id, event.kind, event.locale, event.created_at) == ("a", "post", "en", 1_700_000_000.0)


def test_the_same_line_gives_the_same_event_id_at_another_time() -> None:
    """The event id is a matter of what the line says: publishing a file twice makes repeats that can be dropped."""
    line = '{"id": "a", "text": "hello"}'
    later = Source(read_image, created_at=1_800_000_000.0, number=9)
    assert event_from_line(line, SOURCE).event_id == event_from_line(line, later).event_id


@pytest.mark.parametrize("change", ['"text": "hello!"', '"text": "hello", "locale": "de"', '"image": "cat.png"'])
def test_an_edit_is_a_new_event_of_the_same_content(change: str) -> None:
    """Another text, picture or locale gives another event id under the same content id."""
    first = event_from_line('{"id": "a", "text": "hello"}', SOURCE)
    second = event_from_line(f'{{"id": "a", {change}}}', SOURCE)
    assert first.content_id == second.content_id
    assert first.event_id != second.event_id


def test_images_may_be_data_urls_links_and_lists() -> None:
    """A data: URL is taken apart, a link stays a reference, a list keeps its order."""
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    event = event_from_line(f'{{"id": 5, "image": ["{url}", "https://cdn.example/x.jpg", "cat.png"]}}', SOURCE)
    assert event.content_id == "5"
    assert event.parts == (
        ImagePart(data=PNG, media_type="image/png"),
        ImagePart(uri="https://cdn.example/x.jpg"),
        ImagePart(data=PNG, media_type="image/png"),
    )


def test_a_full_event_passes_through_unchanged() -> None:
    """A line with `parts` is a whole event; inline bytes are base64."""
    body = base64.b64encode(PNG).decode()
    event = event_from_line(
        f'{{"event_id": "e", "content_id": "c", "kind": "comment", "created_at": 3, '
        f'"parts": [{{"type": "image", "bytes": "{body}"}}], "author": {{"id": "u"}}}}',
        SOURCE,
    )
    assert (event.event_id, event.key, event.created_at) == ("e", "u", 3.0)
    assert event.parts == (ImagePart(data=PNG),)


@pytest.mark.parametrize(
    ("line", "field", "says"),
    [
        ('{"text": "x"}', "id", "missing"),
        ('{"id": "", "text": "x"}', "id", "printable"),
        ('{"id": true, "text": "x"}', "id", "printable"),
        ('{"id": "a"}', "text", "needs `text`, `image` or both"),
        ('{"id": "a", "txt": "x"}', "txt", "did you mean `text`"),
        ('{"id": "a", "text": 4}', "text", "expected a string, got int"),
        ('{"id": "a", "text": "x", "kind": "blog"}', "kind", "one of post, comment"),
        ('{"id": "a", "text": "x", "created_at": "now"}', "created_at", "seconds since the epoch"),
        ('{"id": "a", "text": "x", "created_at": 1700000000000}', "created_at", "seconds since the epoch"),
        ('{"id": "a", "image": "dog.png"}', "image", "cannot read 'dog.png': No such file"),
        ('{"id": "a", "image": "data:image/png;base64,!!"}', "image", "base64"),
        ('{"id": "a", "image": [7]}', "image", "expected a path"),
        ('{"id": "a", "text": "' + "x" * 100_001 + '"}', "text", "length <= 100000"),
        ('{"id": "a", "image": ' + str(["cat.png"] * 17).replace("'", '"') + "}", "", "length <= 16"),
        ('{"event_id": "e", "content_id": "c", "created_at": 1, "parts": []}', "parts", "length >= 1"),
        ("[1]", "", "expected a JSON object, got list"),
        ("{", "", "not JSON"),
        ("[" * 100_000, "", "not JSON"),
    ],
)
def test_errors_name_the_line_and_the_field(line: str, field: str, says: str) -> None:
    """Whatever is wrong, the error says on which line, in which field, and what was expected."""
    error = failure(line)
    assert error.line == 7
    assert str(error).startswith("line 7")
    assert says in str(error)
    if field:
        assert error.field == field


def test_errors_never_quote_the_text() -> None:
    """Errors end up in logs and terminals: the content is not in them."""
    assert "secret" not in str(failure('{"id": "a", "text": "secret", "kind": "secret"}'))


def test_keys_of_other_systems_are_ignored() -> None:
    """A column that Weir does not know is no error, unless it looks like a misspelt field."""
    event = event_from_line('{"id": "a", "text": "x", "toxicity_label": 3}', SOURCE)
    assert event.parts == (TextPart(text="x"),)


def test_media_type_comes_from_the_bytes() -> None:
    """The first bytes name the format; unknown ones get no name."""
    assert media_type(PNG) == "image/png"
    assert media_type(b"RIFF0000WEBP") == "image/webp"
    assert media_type(b"hello") == ""
