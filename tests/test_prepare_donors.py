"""A bank of donors out of portraits: one row a person, no names and no pictures, and a card that says what it is."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces import face
from photo_anonymizer import donors, prepare_donors
from photo_anonymizer.config import load_config
from photo_anonymizer.donors import Lent, bank_of
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.prepare_donors import GROUPS, REASONS, Candidate, Prepared, chosen, groups_of, main, write
from photo_anonymizer.reid.recognisers.dlib_resnet import TEMPLATE
from subjects import skin_photo, subject


class Brightness:
    """A recogniser that tells people by how bright their chip is: ten levels are far apart."""

    name = "brightness"
    threshold = 0.6
    chip_size_px = 150
    template = TEMPLATE

    def embed(self, chips: Pixels) -> np.ndarray:
        return (chips.mean(axis=(1, 2, 3), keepdims=False)[:, np.newaxis] / 10).astype(np.float32)


def candidate(person: str, brightness: int, quality: float = 1.0, angle_deg: float = 30.0) -> Candidate:
    """Somebody whose skin is told by its angle, and who is told by the brightness of the chip."""
    lent = Lent(
        quality=quality,
        albedo=np.full((256, 256, 3), brightness, np.uint8),
        shape=mean_shape().astype(np.float32),
        traits=np.array([angle_deg, 0, 0, 0, 0]),
    )
    return Candidate(person, lent, np.full((150, 150, 3), brightness, np.uint8))


def several(people: int) -> list[Candidate | str]:
    return [candidate(f"person {number}", 40 + 20 * number) for number in range(people)]


def prepared(looked: list[Candidate | str]) -> Prepared:
    return chosen(looked, Brightness())


def brightnesses(made: Prepared) -> list[int]:
    return sorted(made.pool.albedos[:, 0, 0, 0].tolist())


# who becomes a row


def test_everybody_becomes_one_row() -> None:
    assert brightnesses(prepared(several(6))) == [40, 60, 80, 100, 120, 140]


def test_of_several_portraits_of_a_person_the_clearest_is_taken() -> None:
    more = [candidate("person 0", 41, quality=1.4), candidate("person 0", 200, quality=0.2)]
    made = prepared([*several(5), *more])
    assert brightnesses(made) == [41, 60, 80, 100, 120]
    assert made.left_out == {"other_portrait": [1, 7]}


def test_two_names_whom_the_recogniser_takes_for_one_person_are_one_row() -> None:
    """Or one person would have twice the share that the rule allows."""
    made = prepared([*several(5), candidate("person 0 again", 43, quality=0.5)])
    assert brightnesses(made) == [40, 60, 80, 100, 120]
    assert made.left_out == {"same_person": [6]}


def test_too_few_people_are_refused_and_the_reasons_said() -> None:
    with pytest.raises(ConfigError, match=r"needs 5 different people .*, and 4 have .* 2 no_face .*: number 5, 6"):
        prepared([*several(4), "no_face", "no_face"])
    with pytest.raises(ConfigError, match="and 0 have"):
        prepared([])


@given(order=st.permutations(range(8)))
def test_the_order_of_the_files_tells_nothing(order: list[int]) -> None:
    looked = several(8)
    assert prepared([looked[number] for number in order]).pool.to_bytes() == prepared(looked).pool.to_bytes()


# what is no use


@pytest.fixture
def look_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Candidate | str]:
    """What becomes of a portrait in which these faces are found."""

    def look(*found: Any, someone: Any = None) -> Candidate | str:
        shown = someone or subject(200)
        monkeypatch.setattr(prepare_donors, "read_photo", lambda *_: shown.rgb)
        monkeypatch.setattr(prepare_donors, "faces_of", lambda *_: found)
        monkeypatch.setattr(donors, "_subject", lambda *_: shown)
        return prepare_donors.candidate_of(tmp_path / "a.jpg", "a", load_config({"source": "-"}), Brightness())

    return look


def test_a_clear_portrait_is_taken(look_at: Callable[..., Any]) -> None:
    assert isinstance(look_at(subject(200).face), Candidate)


@pytest.mark.parametrize("found", [(), (face(0, 0, 200, 260, score=0.4),)])
def test_one_without_a_face_beyond_doubt_is_not(look_at: Callable[..., Any], found: tuple[Any, ...]) -> None:
    assert look_at(*found) == "no_face"


def test_whose_portrait_it_is_must_be_clear(look_at: Callable[..., Any]) -> None:
    largest = subject(200).face
    assert look_at(largest, face(0, 0, 100, 0.6 * largest.box.height)) == "several_faces"
    assert isinstance(look_at(face(0, 0, 60, 0.4 * largest.box.height), largest), Candidate)


@pytest.mark.parametrize(
    ("someone", "reason"),
    [
        (subject(60), "too_small"),
        (subject(200, logit=3), "not_clear"),
        (subject(200, yaw=0.6), "turned"),
        (subject(200, pitch=-0.6), "turned"),
    ],
)
def test_small_unclear_and_turned_faces_are_left_out_with_the_reason(
    look_at: Callable[..., Any], someone: Any, reason: str
) -> None:
    assert look_at(someone.face, someone=someone) == reason


def test_covered_faces_and_those_behind_glasses_are_left_out_with_the_reason(look_at: Callable[..., Any]) -> None:
    masked, framed = skin_photo(440), skin_photo(440)
    masked[225:330, 90:350] = (20, 60, 200)
    framed[196:202, 120:320] = (30, 20, 20)
    for photo, reason in ((masked, "partly_hidden"), (framed, "glasses")):
        someone = subject(200, photo=photo)
        assert look_at(someone.face, someone=someone) == reason


def test_every_reason_is_explained() -> None:
    assert set(REASONS) == {
        "unreadable",
        "no_face",
        "several_faces",
        "other_portrait",
        "same_person",
        *donors.Unfit.__args__,  # type: ignore[attr-defined]
    }


# the bank and its card


def test_the_bank_is_what_a_run_reads(tmp_path: Path) -> None:
    write(prepared(several(7)), tmp_path / "bank", "CC0-1.0", "all signed")
    wanted = {"bank": str(tmp_path / "bank" / "bank.yaml"), "donors": "bank", "k": 5}
    bank = bank_of(load_config({"source": "-", "synthetic": wanted}))
    assert (len(bank), bank.source) == (7, "bank")


def test_a_bank_of_fewer_people_than_a_face_is_made_of_is_refused(tmp_path: Path) -> None:
    write(prepared(several(7)), tmp_path / "bank", "CC0-1.0", "all signed")
    wanted = {"bank": str(tmp_path / "bank" / "bank.yaml"), "donors": "bank", "k": 8}
    with pytest.raises(ConfigError, match=r"holds 7 people, and synthetic\.k asks for 8"):
        bank_of(load_config({"source": "-", "synthetic": wanted}))


def test_an_altered_bank_is_refused(tmp_path: Path) -> None:
    write(prepared(several(7)), tmp_path / "bank", "CC0-1.0", "all signed")
    (tmp_path / "bank" / "bank.npz").write_bytes(prepared(several(6)).pool.to_bytes())
    with pytest.raises((ConfigError, ModelError), match="SHA-256"):
        bank_of(load_config({"source": "-", "synthetic": {"bank": str(tmp_path / "bank" / "bank.yaml")}}))


def test_the_bank_holds_textures_shapes_and_traits_and_nothing_else(tmp_path: Path) -> None:
    write(prepared(several(5)), tmp_path / "bank", "CC0-1.0", "all signed")
    assert {path.name for path in (tmp_path / "bank").iterdir()} == {"bank.npz", "bank.yaml", "CARD.md"}
    with zipfile.ZipFile(tmp_path / "bank" / "bank.npz") as stored:
        assert {item.filename for item in stored.infolist()} == {"albedos.npy", "shapes.npy", "traits.npy"}


def test_the_card_says_who_how_many_under_which_terms_and_what_became_of_the_rest(tmp_path: Path) -> None:
    looked = [*several(6), "glasses", "turned", "glasses"]
    write(prepared(looked), tmp_path / "bank", "CC BY 4.0 | see terms", "all six signed\nform 7")
    text = (tmp_path / "bank" / "CARD.md").read_text(encoding="utf-8")
    assert "| people | 6 |" in text
    assert r"| licence | CC BY 4.0 \| see terms |" in text
    assert "| consent | all six signed form 7 |" in text
    assert "9 portraits were read" in text
    assert "2 glasses, 1 turned" in text
    assert "not anonymous" in text
    sha256 = re.search(r"sha256: ([0-9a-f]{64})", (tmp_path / "bank" / "bank.yaml").read_text())
    assert sha256 is not None
    assert sha256[1] in text


def test_people_are_counted_by_the_typology_of_their_skin() -> None:
    angles = [70, 50, 41, 20, 20, -5, -40]
    looked: list[Candidate | str] = [
        candidate(f"p{number}", 20 + 30 * number, angle_deg=angle) for number, angle in enumerate(angles)
    ]
    assert groups_of(prepared(looked).pool) == {
        "very light": 1,
        "light": 1,
        "intermediate": 1,
        "tan": 2,
        "brown": 1,
        "dark": 1,
    }


@given(angle_deg=st.floats(-89.9, 90))
def test_every_angle_is_in_one_group(angle_deg: float) -> None:
    assert sum(low < angle_deg <= high for _, low, high in GROUPS) == 1


# the command


@pytest.fixture
def portraits(tmp_path: Path, write_photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Portraits of five people, two of one of them; faces are where they are drawn."""
    for number in range(5):
        someone = subject(200, photo=skin_photo(440, number, 0.6 + 0.1 * number))
        write_photo(tmp_path / "portraits" / f"Jane Doe {number}" / "a.png", someone.rgb)
    write_photo(tmp_path / "portraits" / "Jane Doe 3" / "b.png", skin_photo(440, 3, 0.9))
    (tmp_path / "portraits" / "notes.txt").write_text("no photo")
    mesh: Mesh = someone.mesh
    monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: mesh)
    monkeypatch.setattr(prepare_donors, "faces_of", lambda *_: (someone.face,))
    monkeypatch.setattr(prepare_donors, "load_recogniser", lambda *_: Brightness())
    return tmp_path / "portraits"


def test_the_command_makes_a_bank_and_says_what_it_left_out(
    portraits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(portraits), "--out", str(tmp_path / "bank"), "--licence", "CC0-1.0", "--consent", "signed"]) == 0
    said = capsys.readouterr().out
    assert "5 people out of 7 portraits" in said
    assert "1 other_portrait" in said
    assert "1 unreadable (cannot be read as a photo): number 7" in said
    assert "synthetic.k can be at most 5" in said
    written = b"".join(path.read_bytes() for path in (tmp_path / "bank").iterdir())
    assert b"Jane" not in written + said.encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--out": "portraits"}, "exists already"),
        ({"--licence": " "}, "--licence and --consent"),
        ({"--consent": ""}, "--licence and --consent"),
    ],
)
def test_the_command_refuses_what_makes_no_bank(
    portraits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], said: str
) -> None:
    options = {"--out": "bank", "--licence": "CC0-1.0", "--consent": "signed", **change}
    options["--out"] = str(tmp_path / options["--out"])
    assert main([str(portraits), *(part for option in options.items() for part in option)]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "bank").exists()


def test_portraits_that_are_no_folder_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--out", str(tmp_path / "bank"), "--licence", "CC0-1.0", "--consent", "signed"]
    assert main([str(tmp_path / "none"), *arguments]) == 2
    assert "not a folder" in capsys.readouterr().err
