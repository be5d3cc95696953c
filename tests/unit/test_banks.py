"""Hash banks from CSV to verdict: import, the kinds of nothing, negative banks, quarantine, the library's floor."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from PIL import Image
from typer.testing import CliRunner

from ops.commands.bank import app
from policies import PolicyBundle, PolicyErrors, evaluate, load_bundle, load_files
from policies.engine.banks import Bank
from policies.engine.signals import SignalSet, SignalStatus
from streams.adapters.hash_bank_files import BankStore, bank_path, read_bank, write_bank
from streams.adapters.policy_library import library_folder
from streams.adapters.prints import take_prints
from streams.app import catalogue
from streams.core.bank_index import BankIndex, BankState, Broken, Imported, NotImported, Prints, pack
from streams.core.bank_rows import BadRow, BankEntry, read_rows
from streams.core.events import ContentEvent, ImagePart, TextPart
from streams.core.outcome import Decided
from streams.core.subject import subject_of
from streams.detectors.hashes import BoundHashes, HashBanks
from streams.pipeline import Deps, process
from streams.ports import MediaUnavailableError
from tests.factories import SOME_TIME_S, a_bundle, a_record, an_event, an_event_of
from tests.fakes import FakeClock, FakePolicies
from tests.pictures import a_scene, as_file

PDQ = "acecf3355e3125c8e24e2f30e0d4ec4f8482b878b3c34cdbdf063278db275992"
MD5 = "0cc175b9c0f1b6a831c399e269772661"


class FakePrints:
    """Real prints of inline pictures; a `uri` is a picture that cannot be had."""

    async def prints(self, part: ImagePart, *, look: bool) -> Prints:
        """The picture's prints."""
        if part.data is None:
            raise MediaUnavailableError("media.missing", "not there")
        return take_prints(part.data, look, 40_000_000)


class FakeBanks:
    """Banks from a dict; what is not in it was never imported."""

    def __init__(self, states: Mapping[str, BankState]) -> None:
        self.states = states

    def state(self, name: str) -> BankState:
        """What the bank is."""
        return self.states.get(name, NotImported())


def a_picture(seed: int, *, quality: int = 95) -> ImagePart:
    """A scene as an inline JPEG."""
    return ImagePart(data=as_file(a_scene(seed), "JPEG", quality=quality), media_type="image/jpeg")


def a_bank_of(*seeds: int, digests: bool = False) -> Imported:
    """A bank that knows these scenes by their look, or by the SHA-256 of their PNG file."""
    entries = []
    for seed in seeds:
        prints = take_prints(as_file(a_scene(seed)), True, 40_000_000)
        assert prints.look is not None
        known = BankEntry("sha256", prints.sha256, f"{seed:08}") if digests else None
        entries.append(known or BankEntry("pdq", prints.look.variants[0], f"{seed:08}"))
    return Imported(BankIndex(pack(entries)))


def a_detector(states: Mapping[str, BankState], *banks: Bank) -> BoundHashes:
    """The detector of these declared banks."""
    bound = HashBanks(FakePrints(), FakeBanks(states)).bound_to(_with_banks(*banks))
    assert isinstance(bound, BoundHashes)
    return bound


def _with_banks(*banks: Bank) -> PolicyBundle:
    return replace(a_bundle(), banks=banks)


async def signals_of(event: ContentEvent, states: Mapping[str, BankState], *banks: Bank) -> SignalSet:
    """What the banks say about one event."""
    (found,) = await a_detector(states, *banks).detect([event], timeout_s=5)
    return found


# --- CSV --------------------------------------------------------------------------------------------------------


def test_threatexchange_files_without_a_header_are_read() -> None:
    """`hash,id,time,tags`: the first two columns count."""
    lines = [f"{PDQ},2880742865368386,2020-07-31T18:47:52+0000,media_priority_samples", "", "# a comment"]
    assert list(read_rows(lines, bank="b", kind="pdq")) == [BankEntry("pdq", bytes.fromhex(PDQ), "2880742865368386")]


@pytest.mark.parametrize(
    "header", ["signal_type,signal_str,content_id", "indicator_type,indicator,id", "Type,Hash,Descriptor ID"]
)
def test_files_with_a_header_may_mix_kinds(header: str) -> None:
    """The names of HMA and ThreatExchange; the type is in the file."""
    rows = list(read_rows([header, f"HASH_PDQ,{PDQ},1", f"md5,{MD5.upper()},2"], bank="b"))
    assert [(row.kind, row.id) for row in rows if isinstance(row, BankEntry)] == [("pdq", "1"), ("md5", "2")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{PDQ[:-1]},1", "a pdq hash has 64 hexadecimal digits, this has 63 characters"),
        (f"{PDQ[:-1]}x,1", "a pdq hash has 64 hexadecimal digits"),
        (f"{'0' * 64},1", "flat picture"),
        ('"open,1', "not a line of CSV"),
    ],
)
def test_bad_lines_are_told_with_their_number(line: str, why: str) -> None:
    """A line that is no hash does not spoil the others, and nobody has to guess which it was."""
    good, bad = read_rows([f"{PDQ},1", line], bank="b", kind="pdq")
    assert isinstance(good, BankEntry)
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert why in bad.why


def test_the_digest_of_an_empty_file_is_refused() -> None:
    """It is in published samples, and would match every upload that failed."""
    (row,) = read_rows(["d41d8cd98f00b204e9800998ecf8427e,3085044528211555"], bank="b", kind="md5")
    assert isinstance(row, BadRow)


def test_64_digits_of_unknown_kind_are_not_guessed() -> None:
    """They may be PDQ or SHA-256: taken for the wrong one they would never match."""
    (row,) = read_rows([f"{PDQ},1"], bank="b")
    assert isinstance(row, BadRow)
    assert "--kind" in row.why


def test_ids_that_tell_something_become_digests() -> None:
    """A name in a partner's file must not travel in verdicts; the same name gives the same id."""
    rows = list(read_rows([f"{MD5},holiday of Jane Doe", f"{MD5},holiday of Jane Doe"], bank="b"))
    ids = {row.id for row in rows if isinstance(row, BankEntry)}
    assert len(ids) == 1
    assert not ids & {"holiday of Jane Doe"}
    assert len(ids.pop()) == 16


# --- the store --------------------------------------------------------------------------------------------------


async def test_a_bank_is_followed_and_a_broken_file_keeps_the_last_good_hashes(tmp_path: Path) -> None:
    """Never imported, imported, replaced, broken, gone: each is a state of its own."""
    store = BankStore(tmp_path / "banks")
    path = bank_path(tmp_path / "banks", "known")
    assert isinstance(store.state("known"), NotImported)
    write_bank(path, [BankEntry("md5", bytes.fromhex(MD5), "1")])
    await store.look()
    first = store.state("known")
    assert isinstance(first, Imported)
    write_bank(path, [*read_bank(path), BankEntry("pdq", bytes.fromhex(PDQ), "2")])
    await store.look()
    second = store.state("known")
    assert isinstance(second, Imported)
    assert first.index.version != second.index.version
    path.write_bytes(b"no bank at all")
    await store.look()
    assert store.state("known") is second
    assert isinstance(BankStore(tmp_path / "banks").state("known"), Broken)
    path.unlink()
    await store.look()
    assert isinstance(store.state("known"), Broken)


def test_a_folder_that_cannot_be_read_is_broken_not_empty(tmp_path: Path) -> None:
    """A file where the folder should be: every bank fails."""
    (tmp_path / "banks").write_bytes(b"")
    assert isinstance(BankStore(tmp_path / "banks").state("known"), Broken)


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    """A file that numpy reads but that is no bank is broken too."""
    arrays = pack([BankEntry("md5", bytes.fromhex(MD5), "1")])
    arrays["md5_ids"] = arrays["md5_ids"][:0]
    with pytest.raises(ValueError, match="no ids, or too few"):
        BankIndex(arrays)
    with pytest.raises(ValueError, match="no pdq hashes"):
        BankIndex({})


# --- signals ----------------------------------------------------------------------------------------------------


async def test_a_known_picture_is_a_hit_with_its_entry_and_distance() -> None:
    """Recompressed and mirrored as well; the part that decided is named."""
    mirrored = a_scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    event = an_event_of(TextPart(text="see"), a_picture(2), ImagePart(data=as_file(mirrored, "JPEG", quality=40)))
    found = await signals_of(event, {"known": a_bank_of(1)}, Bank("known", "1"))
    assert found.values["hash.known.hits"] == 1
    assert found.values["hash.known.id"] == "00000001"
    assert found.values["hash.known.quarantined"] == 0
    assert isinstance(distance := found.values["hash.known.distance"], int)
    assert distance <= 31
    assert found.origin["hash.known.hits"] == 2
    assert set(found.models) == {"bank.known"}


async def test_the_very_same_file_is_at_distance_zero() -> None:
    """Digests are asked as well."""
    event = an_event_of(ImagePart(data=as_file(a_scene(1))))
    found = await signals_of(event, {"known": a_bank_of(1, digests=True)}, Bank("known", "1"))
    assert (found.values["hash.known.hits"], found.values["hash.known.distance"]) == (1, 0)


async def test_a_miss_a_failing_store_and_no_picture_are_three_things() -> None:
    """0, failed, absent; and a bank that nobody filled is a fourth, unless the policy requires it."""
    picture, words = an_event_of(a_picture(9)), an_event("words only")
    bank, needed = Bank("known", "1"), Bank("known", "1", required=True)
    miss = await signals_of(picture, {"known": a_bank_of(1)}, bank)
    assert miss.values["hash.known.hits"] == 0
    assert miss.status("hash.known.distance") is SignalStatus.ABSENT
    assert (await signals_of(picture, {"known": Broken("disk")}, bank)).status("hash.known.hits") is SignalStatus.FAILED
    assert (await signals_of(words, {"known": Broken("disk")}, bank)).status("hash.known.hits") is SignalStatus.ABSENT
    assert (await signals_of(words, {"known": a_bank_of(1)}, bank)).status("hash.known.hits") is SignalStatus.ABSENT
    assert (await signals_of(picture, {}, bank)).status("hash.known.hits") is SignalStatus.NOT_RUN
    assert (await signals_of(picture, {}, needed)).status("hash.known.hits") is SignalStatus.FAILED


async def test_a_picture_that_cannot_be_read_is_no_miss() -> None:
    """Failed, unless another picture of the event is a hit anyway; digests need no decoding."""
    gone, broken = ImagePart(uri="file:///gone"), ImagePart(data=b"\xff\xd8\xff broken")
    looks, digests = {"known": a_bank_of(1)}, {"known": a_bank_of(1, digests=True)}
    bank = Bank("known", "1")
    assert (await signals_of(an_event_of(gone), looks, bank)).status("hash.known.hits") is SignalStatus.FAILED
    assert (await signals_of(an_event_of(broken), looks, bank)).status("hash.known.hits") is SignalStatus.FAILED
    assert (await signals_of(an_event_of(gone, a_picture(1)), looks, bank)).values["hash.known.hits"] == 1
    assert (await signals_of(an_event_of(broken), digests, bank)).values["hash.known.hits"] == 0


async def test_a_cleared_picture_is_no_hit_unless_the_entry_is_nearer() -> None:
    """A bank of known-good pictures takes back what it explains as well; without its hashes nothing is taken back."""
    known, good = Bank("known", "1", unless=("good",)), Bank("good", "1", distance=16)
    picture = an_event_of(a_picture(1))
    both = {"known": a_bank_of(1), "good": a_bank_of(1)}
    assert (await signals_of(picture, both, known, good)).values["hash.known.hits"] == 0
    assert (await signals_of(picture, {"known": a_bank_of(1)}, known, good)).values["hash.known.hits"] == 1
    broken: dict[str, BankState] = {"known": a_bank_of(1), "good": Broken("disk")}
    assert (await signals_of(picture, broken, known, good)).values["hash.known.hits"] == 1
    file = ImagePart(data=as_file(a_scene(1)))
    exact = {"known": a_bank_of(1, digests=True), "good": a_bank_of(2)}
    assert (await signals_of(an_event_of(file), exact, known, good)).values["hash.known.hits"] == 1


async def test_an_entry_that_matches_many_different_pictures_goes_into_quarantine() -> None:
    """It stops counting as a hit and starts counting as quarantined; one picture repeated does not do that."""
    bank = Bank("known", "1", quarantine_per_hour=3, quarantine_s=7_200.0)
    detector = a_detector({"known": a_bank_of(1)}, bank)

    async def one(quality: int, at: float) -> tuple[object, object]:
        event = an_event_of(a_picture(1, quality=quality), created_at=SOME_TIME_S + at)
        (found,) = await detector.detect([event], timeout_s=5)
        return found.values["hash.known.hits"], found.values["hash.known.quarantined"]

    assert [await one(90, n) for n in range(6)] == [(1, 0)] * 6
    assert [await one(60 + n, n) for n in range(3)] == [(1, 0), (1, 0), (0, 1)]
    assert await one(90, 7_000) == (0, 1)
    assert await one(90, 7_300) == (1, 0)


async def test_flat_pictures_are_not_compared_by_look() -> None:
    """A blank page in a bank must not match every blank page."""
    blank = Image.new("RGB", (300, 200), (255, 255, 255))
    prints = take_prints(as_file(blank), True, 40_000_000)
    assert prints.look is not None
    bank = Imported(BankIndex(pack([BankEntry("pdq", prints.look.variants[0], "1")])))
    event = an_event_of(ImagePart(data=as_file(blank, "JPEG", quality=50)))
    assert (await signals_of(event, {"known": bank}, Bank("known", "1"))).values["hash.known.hits"] == 0
    assert (await signals_of(event, {"known": bank}, Bank("known", "1", min_quality=0))).values["hash.known.hits"] == 1


# --- policies ---------------------------------------------------------------------------------------------------


def test_a_bank_that_is_not_declared_is_a_mistake_with_a_suggestion() -> None:
    """A rule about a bank that does not exist would never match, silently."""
    files = {
        path.relative_to(library_folder()).as_posix(): path.read_bytes() for path in library_folder().rglob("*.y*ml")
    }
    files["known_hashes.yaml"] = files["known_hashes.yaml"].replace(b"hash.known.hits >= 1", b"hash.knwon.hits >= 1")
    with pytest.raises(PolicyErrors, match=r"UNKNOWN-SIGNAL.*did you mean 'hash\.known\.hits'"):
        load_files(files, catalogue())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("bank: a\nversion: '1'\nowner: x\nunless: [b]\n", "UNKNOWN-BANK"),
        ("bank: a\nversion: '1'\nowner: x\nunless: [a]\n", "UNKNOWN-BANK"),
        ("bank: a\nversion: '1'\nowner: x\ndistance: 32\n", "BAD-VALUE"),
        ("bank: a\nversion: '1'\nowner: x\nhashes: [1]\n", "UNKNOWN-KEY"),
    ],
)
def test_a_wrong_declaration_is_located(tmp_path: Path, text: str, code: str) -> None:
    """Banks are checked like every other file of the folder."""
    (tmp_path / "banks").mkdir()
    (tmp_path / "banks" / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(PolicyErrors, match=rf"banks/a\.yaml:\d+:\d+: {code}"):
        load_bundle(tmp_path, catalogue())


async def test_the_library_blocks_a_known_picture_from_end_to_end(tmp_path: Path) -> None:
    """From CSV over the store, the detector and the library's floor to the verdict; the bank's version is in it."""
    write_bank(bank_path(tmp_path, "minors"), a_bank_entries(1))
    bundle = load_bundle(library_folder(), catalogue())
    banks = HashBanks(FakePrints(), BankStore(tmp_path))
    deps = Deps([], FakePolicies(bundle), FakeClock(), 10.0, [banks])
    outcomes = [await process(a_record(an_event_of(a_picture(n))), deps) for n in (1, 2)]
    actions = [outcome.verdict.action for outcome in outcomes if isinstance(outcome, Decided)]
    assert actions == ["block", "allow"]
    first = outcomes[0]
    assert isinstance(first, Decided)
    assert [match.rule for match in first.verdict.matches] == ["known_hashes.minors"]
    assert "bank.minors" in first.verdict.versions.models


def a_bank_entries(seed: int) -> list[BankEntry]:
    """One entry: the look of a scene."""
    prints = take_prints(as_file(a_scene(seed)), True, 40_000_000)
    assert prints.look is not None
    return [BankEntry("pdq", prints.look.variants[0], "42")]


def test_a_broken_bank_holds_pictures_for_people() -> None:
    """The floor is undecided, and undecided floors are reviewed."""
    bundle = load_bundle(library_folder(), catalogue())
    signals = SignalSet()
    for bank in bundle.banks:
        signals.miss(bank.signals, SignalStatus.FAILED, "disk")
    verdict = evaluate(bundle, subject_of(an_event_of(a_picture(1))), signals)
    assert verdict.action == "review"
    assert "known_hashes.minors" in [gap.rule for gap in verdict.undecided]


def _dropped(*_: object) -> MutableMapping[str, object]:
    raise structlog.DropEvent


# --- the command ------------------------------------------------------------------------------------------------


def test_the_commands_import_list_match_and_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner's file comes in, a picture is added and found, an entry goes out; exit codes say how it went."""
    monkeypatch.setenv("WEIR_BANKS", str(tmp_path / "banks"))
    monkeypatch.setattr("streams.telemetry.set_up_logging", lambda *_: None)  # it would keep the runner's streams
    monkeypatch.setattr("streams.adapters.hash_bank_files.log", structlog.wrap_logger(None, processors=[_dropped]))
    csv, picture = tmp_path / "hashes.csv", tmp_path / "picture.png"
    csv.write_text(f"{PDQ},77,time,tags\nnot a hash,78\n", encoding="utf-8")
    picture.write_bytes(as_file(a_scene(1)))
    run = CliRunner()
    imported = run.invoke(app, ["import", str(csv), "--bank", "known", "--kind", "pdq", "--json"])
    assert imported.exit_code == 1
    assert json.loads(imported.stdout)["refused"] == 1
    assert run.invoke(app, ["match", str(picture)]).exit_code == 1
    assert run.invoke(app, ["add", str(picture), "--bank", "known", "--id", "12345678"]).exit_code == 0
    matched = run.invoke(app, ["match", str(picture), "--json"])
    assert json.loads(matched.stdout)["hits"] == [{"bank": "known", "id": "12345678", "distance": 0}]
    listed = run.invoke(app, ["list", "--json"])
    assert json.loads(listed.stdout)["banks"]["known"]["pdq"] == 2
    assert run.invoke(app, ["remove", "12345678", "--bank", "known"]).exit_code == 0
    assert run.invoke(app, ["remove", "12345678", "--bank", "known"]).exit_code == 1
    assert run.invoke(app, ["match", str(picture)]).exit_code == 1
    assert run.invoke(app, ["import", str(tmp_path / "no.csv"), "--bank", "known"]).exit_code == 2
    assert run.invoke(app, ["import", str(csv), "--bank", "../up"]).exit_code == 2
