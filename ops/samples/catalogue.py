"""The well-formed samples: which texts and pictures make which events. Drawing, reading and packing are elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ops.samples import pictures, rows
from ops.samples.malformed import JSON, event
from ops.samples.rows import Wanted
from ops.samples.sample import FOLDER, MEDIA_MARK

OWN = "weir"
PHOTOS = {
    "sea": "images/pdq/pdq/data/reg-test-input/labelme-subset/q0122.jpg",
    "houses": "images/pdq/pdq/data/reg-test-input/labelme-subset/q1050.jpg",
    "bridge": "images/pdq/pdq/data/bridge-mods/aaa-orig.jpg",
}
EMOJI = {
    "gun": "1f52b", "knife": "1f52a", "bomb": "1f4a3", "pill": "1f48a", "syringe": "1f489",
    "cat": "1f431", "cake": "1f382", "rose": "1f339", "sunflower": "1f33b", "bicycle": "1f6b2",
}  # fmt: skip
OWN_NOTES = {
    "benign": "an everyday post",
    "scam": "a scam",
    "self_harm": "a cry for help",
    "counter": "quotes hate to oppose it",
    "reclaimed": "a reclaimed word",
    "prompt_attack": "an attack on a prompt",
    "prompt_benign": "a harmless prompt",
    "drugs": "an offer of drugs",
    "weapons": "about a weapon",
    "threat": "a threat",
    "obfuscated": "a scam, disguised",
    "romanised": "Hindi in Latin letters",
}
BLUE, SAND, GREEN, ROSE, SLATE = (120, 170, 220), (225, 205, 165), (150, 195, 150), (230, 180, 190), (120, 125, 140)

SET_ROWS: list[tuple[rows.Reader, dict[str, Wanted]]] = [
    (rows.davidson, {
        "hate": Wanted("text: hate", "labelled hate speech by three annotators", 3),
        "offensive": Wanted("text: harassment", "labelled offensive by all annotators", 3),
        "neither": Wanted("text: benign", "labelled neither hateful nor offensive", 3),
    }),
    (rows.edos, {
        "threats": Wanted("text: hate", "labelled a sexist threat", 1),
        "animosity": Wanted("text: hate", "labelled sexist animosity", 1),
        "none": Wanted("text: benign", "labelled not sexist", 2),
    }),
    (rows.hatemoji, {
        "derogation": Wanted("text: hate", "labelled hate told with emoji", 2),
        "none": Wanted("text: benign", "labelled not hateful, with emoji", 2),
    }),
    (rows.cold, {
        "1": Wanted("text: harassment", "labelled offensive, Chinese", 3),
        "0": Wanted("text: benign", "labelled not offensive, Chinese", 2),
    }),
    (rows.germeval, {
        "ABUSE": Wanted("text: hate", "labelled abusive, German", 2),
        "INSULT": Wanted("text: harassment", "labelled an insult, German", 1),
        "OTHER": Wanted("text: benign", "labelled not offensive, German", 1),
    }),
    (rows.ailuminate, {
        "vcr": Wanted("text: violence", "a prompt about violent crime", 1, "prompt"),
        "iwp": Wanted("text: weapons", "a prompt about indiscriminate weapons", 1, "prompt"),
        "ncr": Wanted("text: crime", "a prompt about non-violent crime", 1, "prompt"),
        "hte": Wanted("text: hate", "a prompt about hate", 1, "prompt"),
        "ssh": Wanted("text: self_harm", "a prompt about self-harm", 1, "prompt"),
    }),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """An event as a plain map, and what is known about it."""

    group: str
    note: str
    source: str
    event: dict[str, Any]
    headers: tuple[tuple[str, bytes], ...] | None = None  # None: msgpack, version 1


class Catalogue:
    """Makes the events from a folder of data."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._number = 0
        lines = (FOLDER / "own_texts.jsonl").read_text(encoding="utf-8").splitlines()
        self._own: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            text = json.loads(line)
            self._own.setdefault(text["group"], []).append(text)

    def events(self) -> Iterator[Made]:
        """Every well-formed sample, mixed kinds first so that a short look sees them all."""
        yield from self._images_and_texts()
        yield from self._own_texts()
        yield from self._edit()
        yield from self._set_texts()
        yield from self._images()
        yield from self._albums()
        yield from self._odd_but_valid()

    def media(self) -> Iterator[tuple[str, bytes]]:
        """The files of the media folder: what samples refer to by `file://`."""
        yield "houses.jpg", self._photo("houses")
        yield "sea.jpg", self._photo("sea")

    # --- pieces -------------------------------------------------------------------------------------------------

    def _made(self, group: str, note: str, source: str, parts: list[dict[str, Any]], **changes: Any) -> Made:
        self._number += 1
        name = f"{self._number:03}"
        author = {"id": f"sample-author-{self._number % 12}", "verified": self._number % 5 == 0}
        surface = ("feed", "comments", "dm", "live")[self._number % 4]
        return Made(
            group, note, source, event(name, **{"parts": parts, "author": author, "surface": surface, **changes})
        )

    def _say(self, group: str) -> tuple[dict[str, Any], str]:
        """Our own text of that group as a part, and its locale."""
        text = self._own[group][0]
        return _text(text["text"]), text["locale"]

    def _emoji(self, name: str, ground: tuple[int, int, int], turn: float = 0.0) -> Image.Image:
        path = self._data / f"images/noto_emoji/png/72/emoji_u{EMOJI[name]}.png"
        return pictures.emoji_picture(path, ground, turn=turn)

    def _part(self, name: str, ground: tuple[int, int, int]) -> dict[str, Any]:
        return _image(pictures.encode(self._emoji(name, ground)))

    def _photo(self, name: str) -> bytes:
        return pictures.encode(pictures.photograph(self._data / PHOTOS[name]))

    def _poster(self, group: str) -> bytes:
        return pictures.encode(pictures.text_picture(self._own[group][0]["text"], (250, 245, 230), (30, 30, 40)), "PNG")

    # --- groups -------------------------------------------------------------------------------------------------

    def _images_and_texts(self) -> Iterator[Made]:
        hostile = list(rows.pick(rows.edos(self._data), {"derogation": Wanted("caption", "", 2)}))
        bridge = _image(self._photo("bridge"))
        pairs = [
            ("caption_cat", self._part("cat", SAND), "a cat with a friendly caption", "noto_emoji:1f431"),
            ("caption_knife", self._part("knife", GREEN), "a knife, and a caption about soup", "noto_emoji:1f52a"),
            ("caption_bridge", bridge, "a photograph with its description", "pdq:aaa-orig"),
            ("caption_cake", self._part("cake", ROSE), "a cake, birthday wishes in French", "noto_emoji:1f382"),
            ("caption_gun", self._part("gun", SLATE), "a gun with a threat", "noto_emoji:1f52b"),
            ("caption_pills", self._part("pill", BLUE), "pills with an offer", "noto_emoji:1f48a"),
            ("caption_bomb", self._part("bomb", SLATE), "a bomb with a plan", "noto_emoji:1f4a3"),
            ("caption_mismatch", self._part("syringe", SAND), "a caption about another picture", "noto_emoji:1f489"),
        ]
        for group, image, note, source in pairs:
            caption, locale = self._say(group)
            yield self._made("image+text", note, f"{OWN}; {source}", [image, caption], locale=locale)
        for name, (_, row) in zip(("rose", "sunflower"), hostile, strict=True):
            image = self._part(name, GREEN)
            note, source = "a harmless picture with a hostile caption", f"noto_emoji:{EMOJI[name]}; {row.source}"
            yield self._made("image+text", note, source, [image, _text(row.text, "caption")], locale="en")
        caption, _ = self._say("in_image_benign")
        for note, uri in (
            ("a picture by file:// under an allowed folder", f"{MEDIA_MARK}houses.jpg"),
            ("a picture by file:// that is not there", f"{MEDIA_MARK}gone.jpg"),
            ("a picture by file:// outside the allowed folders", "file:///etc/hostname"),
            ("a picture by https://, which is not fetched here", "https://cdn.example/picture.jpg"),
        ):
            yield self._made("by reference", note, f"{OWN}; pdq:q1050", [{"type": "image", "uri": uri}, caption])

    def _own_texts(self) -> Iterator[Made]:
        for group, note in OWN_NOTES.items():
            for text in self._own[group]:
                changes: dict[str, Any] = {"locale": text["locale"], "kind": text.get("kind", "post")}
                if text.get("quoted"):
                    changes["context"] = {"quoted": True, "parent_id": "sample-parent"}
                yield self._made(f"text: {group}", f"{note} ({text['locale']})", OWN, [_text(text["text"])], **changes)

    def _edit(self) -> Iterator[Made]:
        for group, note in (("edit_before", "a post"), ("edit_after", "the same post, edited into a scam")):
            text, locale = self._say(group)
            author = {"id": "sample-author-editor"}
            yield self._made(
                "edit", note, OWN, [text], locale=locale, content_id="sample-content-edited", author=author
            )

    def _set_texts(self) -> Iterator[Made]:
        for read, labels in SET_ROWS:
            for want, row in rows.pick(read(self._data), labels):
                yield self._made(
                    want.group, want.note, row.source, [_text(row.text)], locale=row.locale, kind=want.kind
                )

    def _images(self) -> Iterator[Made]:
        gun, cat, bicycle = self._emoji("gun", SAND, 20), self._emoji("cat", BLUE), self._emoji("bicycle", GREEN)
        sea = pictures.photograph(self._data / PHOTOS["sea"])
        drawn = "noto_emoji:{}".format
        choices = [
            ("a gun", pictures.encode(gun), drawn("1f52b"), "upload"),
            ("a knife", pictures.encode(self._emoji("knife", SLATE, -30), "PNG"), drawn("1f52a"), "upload"),
            ("a bicycle", pictures.encode(bicycle, "WEBP"), drawn("1f6b2"), "upload"),
            ("a cat, as an animated GIF", pictures.animated_gif([cat, bicycle, cat]), drawn("1f431"), "upload"),
            ("the sea, lying on its side by EXIF", pictures.sideways_jpeg(sea), "pdq:q0122", "upload"),
            ("a bridge", self._photo("bridge"), "pdq:aaa-orig", "profile"),
            ("a poster: market day", self._poster("in_image_benign"), OWN, "upload"),
            ("a poster with a hostile text", self._poster("in_image_hostile"), OWN, "upload"),
            ("a poster with an attack on prompts", self._poster("in_image_attack"), OWN, "upload"),
            ("a plain colour", pictures.encode(pictures.gradient(BLUE, (64, 64)), "PNG"), OWN, "profile"),
        ]
        for note, data, source, kind in choices:
            yield self._made("image", note, source, [_image(data)], kind=kind, locale="und")

    def _albums(self) -> Iterator[Made]:
        cat, cake = self._part("cat", GREEN), self._part("cake", GREEN)
        rose, gun = self._part("rose", SAND), self._part("gun", SLATE)
        album, locale = self._say("album")
        yield self._made("album", "three harmless pictures", "noto_emoji", [rose, cake, cat, album], locale=locale)
        mixed, locale = self._say("album_mixed")
        yield self._made(
            "album", "a weapon behind two harmless pictures", "noto_emoji", [rose, cat, gun, mixed], locale=locale
        )
        far = {"type": "image", "uri": f"{MEDIA_MARK}sea.jpg"}
        yield self._made("album", "inline and by reference", "noto_emoji; pdq:q0122", [rose, far, album], locale=locale)

    def _odd_but_valid(self) -> Iterator[Made]:
        hello, locale = self._say("benign")
        as_json = self._made("odd but valid", "JSON, said so by a header", OWN, [hello], locale=locale)
        yield Made(as_json.group, as_json.note, OWN, as_json.event, JSON)
        newer = (("schema", b"weir.event/1.7"), ("content-type", b"application/msgpack"))
        later = self._made("odd but valid", "a later minor version with unknown keys", OWN, [hello], mood="fine")
        yield Made(later.group, later.note, OWN, later.event, newer)
        plain = self._made("odd but valid", "no headers at all", OWN, [hello])
        yield Made(plain.group, plain.note, OWN, plain.event, ())
        yield self._made("odd but valid", "an empty text", OWN, [_text("")])
        yield self._made("odd but valid", "16 parts", OWN, [hello] * 16)
        yield self._made("odd but valid", "a long text (60,000 characters)", OWN, [_text(hello["text"] * 615)])
        yield self._made(
            "odd but valid", "a video by reference", OWN, [{"type": "video", "uri": "s3://bucket/v.mp4"}, hello]
        )
        yield self._made(
            "odd but valid", "a PNG bomb: announces 60,000 x 60,000 pixels", OWN, [_image(pictures.png_bomb())]
        )
        cut = pictures.encode(self._emoji("rose", BLUE))
        yield self._made(
            "odd but valid", "a JPEG cut in the middle", "noto_emoji:1f339", [_image(cut[: len(cut) // 2]), hello]
        )
        yield self._made("odd but valid", "bytes that are no picture", OWN, [_image(b"GIF89a" + b"\x00" * 40)])


def _text(text: str, role: str = "body") -> dict[str, Any]:
    return {"type": "text", "text": text, "role": role}


def _image(data: bytes) -> dict[str, Any]:
    return {"type": "image", "bytes": data, "role": "body"}
