"""The shipped release, assembled from the real parts: the tower is what it claims to be, and Triton serves the same."""

from __future__ import annotations

import json
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpc_client
from PIL import Image, ImageDraw, ImageFont

from ops.local.triton import EmbeddedTriton
from triton_models import contract
from triton_models.assemble import DEFAULT_RELEASE, RELEASES, AssembleOptions, assemble_release, versions
from triton_models.contract import LABELS, MODEL_NAME, Status
from triton_models.pixels import decode_image, decode_ocr_image
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.items import Item
from triton_models.serving.tensors import named_outputs
from triton_models.serving.text_tower import TextTower

pytestmark = pytest.mark.integration

REFERENCE = Path(__file__).parents[1] / "golden" / "towers" / "e5_reference.npz"
MAX_INSTANCE_BYTES = 600 * 2**20  # two of them share a small machine with Kafka


def picture(seed: int) -> bytes:
    """A picture of coloured noise, as the client would send it."""
    noise = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((224, 224)).tobytes()


ITEMS = [
    Item("good morning, the coffee is ready"),
    Item("word " * 300),
    Item(image=picture(1)),
    Item("看看这张照片", picture(2)),
    Item("   "),
    Item("a short one", b"not a picture"),
    Item(image=picture(3)),
    Item("Die Brücke wird im Herbst eröffnet."),
]


@pytest.fixture(scope="module")
def version_dir(model_repository: Path) -> Path:
    """The newest version of the assembled ensemble."""
    return versions(model_repository / MODEL_NAME)[-1]


@pytest.fixture(scope="module")
def ensemble(version_dir: Path) -> Ensemble:
    """The release in this process."""
    return Ensemble.load(version_dir)


def test_text_tower_is_the_model_it_claims_to_be(version_dir: Path, model_repository: Path, tmp_path: Path) -> None:
    """56 sentences in 20 languages and ten scripts: cosine to the part's own engine at least .99 each, after int8.

    That of the part, so without what fine-tuning changed; the release's own is near it and not the same.
    """
    with np.load(REFERENCE) as reference:
        sentences, theirs = [str(one) for one in reference["sentences"]], reference["vectors"].astype(np.float32)
    plain = tmp_path / "plain"
    shutil.copytree(RELEASES / DEFAULT_RELEASE, plain, ignore=shutil.ignore_patterns("deltas.npz"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "parts").symlink_to(model_repository.parent / "parts")
    made = assemble_release(tmp_path / "home", AssembleOptions(release=str(plain))).version_dir
    ours = TextTower.load(made).encode(sentences)
    assert (ours * theirs).sum(axis=1).min() >= 0.99
    tuned = (TextTower.load(version_dir).encode(sentences) * theirs).sum(axis=1)
    assert 0.9 < tuned.min() < 0.99


def test_assembled_once_is_found_again(model_repository: Path) -> None:
    """Assembling in the same home builds nothing new."""
    assert not assemble_release(model_repository.parent).built


def test_members_of_the_release_are_there(ensemble: Ensemble) -> None:
    """Towers, n-grams and prompts judge a text; towers' prompts and the sexual-image classifier judge a picture."""
    outputs = ensemble.infer([Item("hello"), Item(image=picture(1))])
    statuses = [dict(zip(contract.MEMBERS, row, strict=True)) for row in outputs.member_status.tolist()]
    assert {name for name, word in statuses[0].items() if word == Status.OK} == {"towers", "ngrams", "prompts"}
    assert {name for name, word in statuses[1].items() if word == Status.OK} >= {"prompts", "nsfw"}
    assert b"reference" in outputs.release


def test_an_item_scores_the_same_alone_and_in_company(ensemble: Ensemble) -> None:
    """Scores, embeddings and statuses of an item do not depend on its companions in the batch."""
    together = named_outputs(ensemble.infer(ITEMS))
    alone = [named_outputs(ensemble.infer([item])) for item in ITEMS]
    for name in (contract.SCORES, contract.JOINT, contract.TEXT_EMBEDDING, contract.IMAGE_EMBEDDING):
        each = np.concatenate([one[name] for one in alone])
        assert np.allclose(together[name], each, atol=0.001, equal_nan=True), name
    assert (together[contract.MEMBER_STATUS] == np.concatenate([one[contract.MEMBER_STATUS] for one in alone])).all()


def test_words_are_judged_alike_as_pixels_and_as_characters(ensemble: Ensemble) -> None:
    """A sentence drawn into a picture is read, and judged within .05 of the same sentence typed."""
    sentence = "the old bridge was opened in the autumn"
    drawn = Image.new("RGB", (900, 200), "white")
    ImageDraw.Draw(drawn).text((20, 60), sentence, fill="black", font=ImageFont.load_default(44))
    file = BytesIO()
    drawn.save(file, "PNG")
    item = Item(image=decode_image(file.getvalue()), ocr_image=decode_ocr_image(file.getvalue()))
    seen, typed = ensemble.infer([item]), ensemble.infer([Item(sentence)])
    (line,) = json.loads(seen.ocr_text[0])
    assert line["text"] == sentence
    read = seen.members[0, contract.MEMBERS.index("ocr")]
    assert not np.isnan(read).all()
    assert np.allclose(read, typed.scores[0, contract.ROWS.index("text")], atol=0.05, equal_nan=True)


def test_sexual_minors_is_never_judged(ensemble: Ensemble) -> None:
    """Whatever the item, the category that no model may guess abstains."""
    outputs = ensemble.infer(ITEMS)
    column = LABELS.index("sexual_minors")
    assert np.isnan(outputs.scores[:, :, column]).all()
    assert (outputs.severity[:, column] == -1).all()


def test_triton_serves_what_the_process_computes(embedded_triton: EmbeddedTriton, ensemble: Ensemble) -> None:
    """Every output through gRPC equals the in-process one, for texts, pictures, both, neither and broken ones."""
    client = grpc_client.InferenceServerClient(embedded_triton.grpc_url)
    answer = client.infer(MODEL_NAME, _inputs(ITEMS))
    for name, wanted in named_outputs(ensemble.infer(ITEMS)).items():
        found = answer.as_numpy(name)
        if wanted.dtype == np.object_:
            assert found.tolist() == wanted.tolist()
        else:
            assert np.allclose(found, wanted, atol=1e-4, equal_nan=True), name


def test_hostile_bytes_leave_the_server_serving(embedded_triton: EmbeddedTriton) -> None:
    """Bad UTF-8, huge text and pictures of any length are answered, and the next request too."""
    client = grpc_client.InferenceServerClient(embedded_triton.grpc_url)
    texts = [b"\xff\xfe\x00\xd8", b"\x00" * 50, "\u202e".encode() * 5_000, b"a" * 100_000]
    answer = client.infer(MODEL_NAME, _raw_inputs(texts, [b"", b"x", b"y" * 200_000, b""], [3, 3, 3, 1]))
    assert answer.as_numpy(contract.SCORES).shape[0] == 4
    assert client.infer(MODEL_NAME, _inputs(ITEMS[:1])).as_numpy(contract.RELEASE) is not None


def test_an_instance_fits_beside_kafka(embedded_triton: EmbeddedTriton) -> None:
    """After a batch of long texts and pictures, each instance holds less than its share of a small machine."""
    client = grpc_client.InferenceServerClient(embedded_triton.grpc_url)
    client.infer(MODEL_NAME, _inputs([Item("word " * 600, picture(seed)) for seed in range(8)]))
    server = psutil.Process(embedded_triton.server.pid)
    stubs = [one for one in server.children(recursive=True) if "stub" in one.name()]
    assert stubs
    assert max(stub.memory_info().rss for stub in stubs) < MAX_INSTANCE_BYTES


def _inputs(items: list[Item]) -> list[Any]:
    masks = [
        (contract.MASK_TEXT if item.text is not None else 0) | (contract.MASK_IMAGE if item.image is not None else 0)
        for item in items
    ]
    return _raw_inputs([(item.text or "").encode() for item in items], [item.image or b"" for item in items], masks)


def _raw_inputs(texts: list[bytes], images: list[bytes], masks: list[int]) -> list[Any]:
    columns: list[tuple[str, str, Any]] = [
        (contract.TEXT, "BYTES", np.array([[one] for one in texts], dtype=np.object_)),
        (contract.IMAGE, "BYTES", np.array([[one] for one in images], dtype=np.object_)),
        (contract.OCR_IMAGE, "BYTES", np.array([[b""] for _ in texts], dtype=np.object_)),
        (contract.MASK, "UINT8", np.array([[one] for one in masks], dtype=np.uint8)),
    ]
    made = []
    for name, kind, values in columns:
        tensor = grpc_client.InferInput(name, list(values.shape), kind)
        tensor.set_data_from_numpy(values)
        made.append(tensor)
    return made
