"""Faces of people who agreed stay. A doubt, a region of another photo and a likeness are no reason to keep a face."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from faces import face
from photo_anonymizer import consent
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.consent import Consent, People, in_regions, is_comparable, name_in_source
from photo_anonymizer.detection.members.given_boxes import GivenBoxes, read_given
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.provenance import run_basis
from photo_anonymizer.reid.recognisers.dlib_resnet import TEMPLATE
from photo_anonymizer.stages import start_run

SIZE_WH = (400, 300)
RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)
SOURCE = "file:///photos"
PHOTO = PhotoRecord(photo_id="p", source_uri=f"{SOURCE}/day%201/a.jpg")


class Colours:
    """A recogniser that tells people by the mean colour of their face."""

    name = "colours"
    threshold = 0.6
    chip_size_px = 150
    template = TEMPLATE

    def embed(self, chips: Pixels) -> np.ndarray:
        return (chips.mean(axis=(1, 2)) / 255).astype(np.float32)


EMPTY = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]], np.float32)
AGREED = People(Colours(), np.array([[1, 0, 0], [0.9, 0, 0], [0, 1, 0]], np.float32), (0, 0, 1), EMPTY)
"""The red one, of whom there are two photos, and the green one."""


def picture(*people: tuple[Face, tuple[int, int, int]]) -> Pixels:
    """A grey photo with a coloured head around every face: uint8 (300, 400, 3)."""
    rgb = np.full((SIZE_WH[1], SIZE_WH[0], 3), 128, np.uint8)
    for someone, colour in people:
        head = someone.box.scaled(2.4).cover(SIZE_WH)
        assert head is not None
        rgb[head.slices] = colour
    return rgb


NOWHERE = GivenBoxes({})
LEFT, RIGHT = face(50, 100, 50, 64), face(300, 100, 50, 64, face_id="f0001")


def kept(
    *people: tuple[Face, tuple[int, int, int]],
    regions: GivenBoxes = NOWHERE,
    agreed: People | None = None,
    record: PhotoRecord = PHOTO,
    max_distance: float = 0.4,
) -> list[str]:
    """Why each of the faces is kept."""
    chosen = Consent(regions, agreed, max_distance, SOURCE)
    return [item.kept for item in chosen.kept(record, picture(*people), [item for item, _ in people])]


def boxes_of(*boxes: Box) -> list[Detection]:
    return [Detection(box, None, 1.0) for box in boxes]


def marked(tmp_path: Path, *lines: str) -> GivenBoxes:
    path = tmp_path / "regions.csv"
    path.write_text("\n".join(("file,x,y,width,height", *lines)), encoding="utf-8")
    return read_given(path)


# people


def test_without_a_list_nobody_is_kept_and_no_photo_is_looked_at() -> None:
    assert Consent(NOWHERE, None, 0.4, SOURCE).kept(PHOTO, np.zeros((0, 0, 3), np.uint8), [LEFT]) == (LEFT,)


def test_the_face_of_a_person_who_agreed_is_kept_and_a_strangers_beside_it_is_not() -> None:
    assert kept((LEFT, RED), (RIGHT, BLUE), agreed=AGREED) == ["person", ""]


def test_two_people_who_agreed_are_both_kept() -> None:
    assert kept((LEFT, RED), (RIGHT, GREEN), agreed=AGREED) == ["person", "person"]


def test_a_doubtful_face_is_not_kept() -> None:
    assert kept((face(50, 100, 50, 64, score=0.4), RED), agreed=AGREED) == [""]


def test_of_two_faces_that_one_person_is_seen_in_neither_is_kept() -> None:
    """One at least is somebody who looks alike. Which photo of the person is nearest does not matter."""
    assert kept((LEFT, RED), (RIGHT, (230, 0, 0)), agreed=AGREED) == ["", ""]


def test_the_limit_is_the_configurations_and_itself_too_far() -> None:
    near = np.array([0.75, 0, 0], np.float32)  # 0.15 from the nearest photo
    assert AGREED.person(near, 0.2) == 0
    assert AGREED.person(near, 0.1) is None
    exact = People(Colours(), np.array([[1, 0, 0]], np.float32), (0,), EMPTY + 5)
    assert exact.person(np.array([0.5, 0, 0], np.float32), 0.5) is None


def test_a_face_that_an_empty_picture_is_as_near_to_is_nobodys() -> None:
    faint = np.array([0.6, 0.4, 0.4], np.float32)
    assert People(Colours(), faint[np.newaxis] + 0.3, (0,), EMPTY).person(faint, 0.6) is None


def test_a_photo_that_shows_as_little_as_an_empty_one_finds_nobody() -> None:
    """Two blurred faces are near each other, whoever they are."""
    blurred = People(Colours(), np.array([[0.5, 0.5, 0.45]], np.float32), (0,), EMPTY)
    assert blurred.person(np.array([0.6, 0.3, 0.3], np.float32), 0.6) is None


def test_a_distance_that_is_no_number_is_no_match() -> None:
    assert AGREED.person(np.full(3, np.nan, np.float32), 0.6) is None
    broken = People(Colours(), np.full((1, 3), np.nan, np.float32), (0,), EMPTY)
    assert broken.person(np.array([1, 0, 0], np.float32), 0.6) is None


def test_a_face_too_small_to_be_recognised_is_not_compared() -> None:
    assert kept((face(50, 100, 36, consent.SMALLEST_FACE_PX - 1), RED), agreed=AGREED) == [""]
    assert kept((face(50, 100, 36, consent.SMALLEST_FACE_PX), RED), agreed=AGREED) == ["person"]


def test_landmarks_of_a_neighbour_are_not_compared() -> None:
    """A detector may put the box of one face and the landmarks of another together."""
    assert not is_comparable(LEFT.model_copy(update={"landmarks": RIGHT.landmarks}))
    assert kept((LEFT.model_copy(update={"landmarks": RIGHT.landmarks}), RED), (RIGHT, BLUE), agreed=AGREED) == ["", ""]


# regions


def test_a_face_in_a_marked_region_is_kept_and_no_other(tmp_path: Path) -> None:
    regions = marked(tmp_path, "day 1/a.jpg,52,102,50,64")
    assert kept((LEFT, BLUE), (RIGHT, BLUE), regions=regions) == ["region", ""]


def test_a_region_is_named_before_a_person() -> None:
    regions = GivenBoxes({"day 1/a.jpg": boxes_of(LEFT.box)})
    assert kept((LEFT, RED), regions=regions, agreed=AGREED) == ["region"]


@pytest.mark.parametrize(("factor", "kept_faces"), [(1.0, {"f0000"}), (1.28, {"f0000"}), (1.3, set()), (0.77, set())])
def test_a_region_must_fit_the_face(factor: float, kept_faces: set[str]) -> None:
    """Overlaps of 1, 0.61, 0.59 and 0.59."""
    assert in_regions([LEFT], [LEFT.box.scaled(factor)]) == kept_faces


def test_a_region_that_could_mean_two_faces_means_none() -> None:
    other = face(55, 102, 50, 64, face_id="f0001")
    assert in_regions([LEFT, other], [face(52, 101, 50, 64).box]) == set()


def test_a_doubtful_face_in_a_region_is_not_kept(tmp_path: Path) -> None:
    regions = marked(tmp_path, "day 1/a.jpg,50,100,50,64")
    assert kept((face(50, 100, 50, 64, score=0.4), BLUE), regions=regions) == [""]


@pytest.mark.parametrize(
    "record",
    [
        PHOTO.with_(source_uri=f"{SOURCE}/day%202/a.jpg"),
        PHOTO.with_(source_uri=f"{SOURCE}/a.jpg"),
        PHOTO.with_(source_uri=f"{SOURCE}/more/day%201/a.jpg"),
        PHOTO.with_(source_uri=f"{SOURCE}/day%201/a.jpg#frame=2", frame=1),
    ],
    ids=["another folder", "no folder", "a longer path", "a later picture of the file"],
)
def test_a_region_of_another_photo_keeps_nobody(tmp_path: Path, record: PhotoRecord) -> None:
    regions = marked(tmp_path, "day 1/a.jpg,50,100,50,64")
    assert kept((LEFT, BLUE), regions=regions) == ["region"]
    assert kept((LEFT, BLUE), regions=regions, record=record) == [""]


def test_a_file_name_alone_means_a_photo_right_in_the_source(tmp_path: Path) -> None:
    regions = marked(tmp_path, "a.jpg,50,100,50,64")
    assert kept((LEFT, BLUE), regions=regions) == [""]
    assert kept((LEFT, BLUE), regions=regions, record=PHOTO.with_(source_uri=f"{SOURCE}/a.jpg")) == ["region"]


def test_a_region_marked_in_a_picture_of_another_size_keeps_nobody() -> None:
    boxes = {"day 1/a.jpg": boxes_of(LEFT.box)}
    assert kept((LEFT, BLUE), regions=GivenBoxes(boxes, {"day 1/a.jpg": SIZE_WH})) == ["region"]
    assert kept((LEFT, BLUE), regions=GivenBoxes(boxes, {"day 1/a.jpg": SIZE_WH[::-1]})) == [""]


@pytest.mark.parametrize(
    ("uri", "source", "name"),
    [
        ("file:///photos/a%20b/c.jpg", "file:///photos", "a b/c.jpg"),
        ("s3://bucket/2024/c.jpg", "s3://bucket/2024", "c.jpg"),
        ("zip://in/c.jpg::file:///photos.zip", "file:///photos.zip", "in/c.jpg"),
        ("zip://in/c.jpg::file:///photos/some.zip", "file:///photos", None),
        ("https://host/in/c.jpg", "file:///lists/list.csv", "host/in/c.jpg"),
        ("https://host/photo?number=7", "file:///lists/list.csv", None),
        ("file:///photos2/c.jpg", "file:///photos", "photos2/c.jpg"),
    ],
)
def test_what_a_list_calls_a_photo(uri: str, source: str, name: str | None) -> None:
    assert name_in_source(uri, source) == name


# reading the lists


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder with one photo of somebody who agreed."""
    folder = tmp_path / "agreed"
    folder.mkdir()
    Image.fromarray(data.astronaut()[:300, 80:380]).save(folder / "Jane Doe.jpg")
    return folder


@pytest.fixture
def asking(tmp_path: Path) -> Callable[..., RunConfig]:
    """A configuration with these consent fields, over a folder with one photo."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(data.rocket()).save(tmp_path / "photos" / "rocket.png")

    def ask(**fields: Any) -> RunConfig:
        values = {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}
        where = {"source": str(tmp_path / "photos"), "out": str(tmp_path / "out")}
        return load_config({**where, "consent": values})

    return ask


def refusal(config: RunConfig) -> str:
    """What a run that is refused before its first photo says."""
    with pytest.raises(ConfigError) as caught:
        start_run(config, "run")
    assert not (Path(config.out) / "workspace").exists()
    assert not (Path(config.out) / "vault").exists()
    message = str(caught.value)
    assert "Jane" not in message
    assert str(Path(config.out).parent) not in message
    return message


def test_a_list_that_is_missing_is_refused_by_name(asking: Callable[..., RunConfig], tmp_path: Path) -> None:
    assert "consent.people" in refusal(asking(people=tmp_path / "Jane"))
    assert "consent.regions" in refusal(asking(regions=tmp_path / "Jane.csv"))


def test_a_malformed_list_of_regions_is_refused_by_line(asking: Callable[..., RunConfig], tmp_path: Path) -> None:
    (tmp_path / "Jane.csv").write_text("file,x,y,width,height\nJane.jpg,1,2,3,none\n", encoding="utf-8")
    message = refusal(asking(regions=tmp_path / "Jane.csv"))
    assert message.startswith("consent.regions")
    assert "line 2" in message


@pytest.mark.parametrize(
    ("rgb", "words"),
    [
        (data.rocket(), "shows no face"),
        (np.concatenate([data.astronaut(), data.astronaut()[:, ::-1]], axis=1), "shows several faces"),
        (np.asarray(Image.fromarray(data.astronaut()).resize((180, 180))), "less than 48 px"),
    ],
    ids=["nobody", "two people", "too small"],
)
def test_a_photo_without_exactly_one_clear_face_is_refused_by_number(
    asking: Callable[..., RunConfig], people: Path, rgb: Pixels, words: str
) -> None:
    Image.fromarray(rgb).save(people / "Jane Roe.png")
    message = refusal(asking(people=people))
    assert "photo 2 of 2" in message
    assert words in message


def test_a_file_that_is_no_photo_is_refused(asking: Callable[..., RunConfig], people: Path) -> None:
    (people / "About Jane.txt").write_text("agreed in May", encoding="utf-8")
    assert "photo 1 of 2 (in the order of their paths) cannot be read" in refusal(asking(people=people))


def test_a_folder_without_photos_is_refused(asking: Callable[..., RunConfig], people: Path) -> None:
    (people / "Jane Doe.jpg").unlink()
    (people / ".hidden").write_bytes(b"")
    assert "holds no photos" in refusal(asking(people=people))


def test_a_folder_among_the_photos_to_be_published_is_refused(
    asking: Callable[..., RunConfig], people: Path, tmp_path: Path
) -> None:
    shutil.move(people, tmp_path / "photos" / "agreed")
    assert "inside the source" in refusal(asking(people=tmp_path / "photos" / "agreed"))


@pytest.mark.parametrize("limit", [0, 0.61, -1])
def test_a_limit_looser_than_the_recognisers_own_is_refused(limit: float) -> None:
    with pytest.raises(ConfigError, match=r"consent\.max_distance"):
        load_config({"source": "x", "consent": {"max_distance": limit}})


def test_photos_in_a_folder_of_their_own_are_one_persons(asking: Callable[..., RunConfig], people: Path) -> None:
    (people / "jane").mkdir()
    for name in ("1.png", "2.png"):
        Image.fromarray(data.astronaut()).save(people / "jane" / name)
    agreed = Consent.of(asking(people=people)).people
    assert agreed is not None
    assert agreed.persons == (0, 1, 1)  # "Jane Doe.jpg" comes before "jane/"


def test_a_folder_that_has_changed_is_read_again(asking: Callable[..., RunConfig], people: Path) -> None:
    """In a process that lives on, somebody who has withdrawn their consent must not be kept."""
    config = asking(people=people)
    before = Consent.of(config).people
    assert Consent.of(config).people is before
    Image.fromarray(data.astronaut()).save(people / "more.png")
    after = Consent.of(config).people
    assert after is not None
    assert len(after.persons) == 2


def test_another_list_makes_the_photos_new(asking: Callable[..., RunConfig], people: Path, tmp_path: Path) -> None:
    sidecars = tmp_path / "marked"
    sidecars.mkdir()
    (sidecars / "a.jpg.faces.csv").write_text("x,y,width,height\n1,2,30,40\n", encoding="utf-8")
    config = asking(people=people, regions=sidecars)
    seen = {run_basis(asking(), b"key"), run_basis(config, b"key")}
    seen.add(run_basis(asking(people=people, regions=sidecars, max_distance=0.3), b"key"))
    (sidecars / "a.jpg.faces.csv").rename(sidecars / "b.jpg.faces.csv")
    seen.add(run_basis(config, b"key"))
    (people / "Jane Doe.jpg").unlink()
    seen.add(run_basis(config, b"key"))
    assert len(seen) == 5


def test_what_is_published_about_a_list_cannot_be_tried_without_the_key(
    asking: Callable[..., RunConfig], people: Path
) -> None:
    config = asking(people=people)
    assert run_basis(config, b"one key") != run_basis(config, b"another")


def test_the_rule_names_limits_and_nobody(asking: Callable[..., RunConfig], people: Path) -> None:
    assert consent.rule(asking()) == {}
    rules = consent.rule(asking(people=people, regions=people, max_distance=0.3))
    assert rules["person"]["max_distance"] == 0.3
    assert rules["region"] == {"min_iou": 0.6}
    assert "Jane" not in json.dumps(rules)
