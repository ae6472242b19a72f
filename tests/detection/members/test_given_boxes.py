"""Boxes that the user brings: three kinds of files, matched by name, refused by line and held rather than misplaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from photo_anonymizer.detection.members.given_boxes import GivenBoxes, names_of, read_given
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.record import PhotoRecord, Reason

SIZE = (640, 480)


def photo(uri: str, frame: int = 0) -> PhotoRecord:
    return PhotoRecord(photo_id="p", source_uri=uri, frame=frame)


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "boxes.csv"
    path.write_text("\n".join(("file,x,y,width,height,score", *lines)))
    return path


def coco(tmp_path: Path, **changes: Any) -> Path:
    content = {
        "images": [{"id": 7, "file_name": "sub/a.jpg", "width": 640, "height": 480}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]}],
        "categories": [{"id": 3, "name": "Face"}, {"id": 4, "name": "dog"}],
        **changes,
    }
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def test_a_table_gives_boxes_by_file_surest_first(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,10,20,30,40,0.5", "a.jpg,1,2,3,4,", "b.jpg,5,5,5,5,1"))
    found = given.of(photo("file:///photos/a.jpg"), SIZE)
    assert [(item.box, item.score) for item in found] == [
        (Box(x0=1, y0=2, x1=4, y1=6), 1.0),
        (Box(x0=10, y0=20, x1=40, y1=60), 0.5),
    ]
    assert found[0].landmarks is None


def test_a_score_of_nothing_is_nothing_and_not_one(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,1,2,3,4,0"))
    assert given.of(photo("file:///a.jpg"), SIZE)[0].score == 0


def test_a_photo_that_is_not_named_has_no_boxes(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,10,20,30,40,1"))
    assert given.of(photo("file:///photos/ba.jpg"), SIZE) == []


@pytest.mark.parametrize(
    "uri",
    [
        "file:///photos/two%20words/a%C3%A9.jpg",
        "s3://bucket/photos/two%20words/a%C3%A9.jpg",
        "zip://two%20words/a%C3%A9.jpg::file:///photos.zip",
        "https://host/two%20words/a%C3%A9.jpg?size=large",
    ],
)
def test_a_name_means_the_end_of_a_photos_path_wherever_it_lies(tmp_path: Path, uri: str) -> None:
    for name in ("two words/aé.jpg", "./two words/aé.jpg", "two words\\aé.jpg", "aé.jpg"):
        assert len(read_given(table(tmp_path, f"{name},1,1,9,9,1")).of(photo(uri), SIZE)) == 1
    assert read_given(table(tmp_path, "words/aé.jpg,1,1,9,9,1")).of(photo(uri), SIZE) == []


def test_the_longest_match_counts(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,1,1,9,9,1", "x/a.jpg,2,2,9,9,1"))
    assert given.of(photo("file:///x/a.jpg"), SIZE)[0].box.x0 == 2
    assert given.of(photo("file:///y/a.jpg"), SIZE)[0].box.x0 == 1


def test_every_picture_of_a_file_has_the_files_boxes(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.tif,1,1,9,9,1"))
    assert len(given.of(photo("file:///a.tif#frame=2", frame=1), SIZE)) == 1


def test_names_are_the_path_and_its_ends() -> None:
    assert list(names_of("file:///x/y/a.jpg")) == ["x/y/a.jpg", "y/a.jpg", "a.jpg"]


def test_names_that_meet_no_photo_are_counted(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,1,1,9,9,1", "b.jpg,1,1,9,9,1"))
    assert given.unused(["file:///x/a.jpg", "file:///y/a.jpg", "file:///c.jpg"]) == 1
    assert given.unused(["file:///a.jpg", "file:///b.jpg"]) == 0


def test_coco_gives_the_faces_of_an_image(tmp_path: Path) -> None:
    dog = {"id": 2, "image_id": 7, "category_id": 4, "bbox": [0, 0, 5, 5]}
    face = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]}
    found = read_given(coco(tmp_path, annotations=[dog, face])).of(photo("file:///p/sub/a.jpg"), SIZE)
    assert [item.box for item in found] == [Box(x0=10, y0=20, x1=40, y1=60)]


def test_coco_without_categories_is_taken_whole(tmp_path: Path) -> None:
    assert len(read_given(coco(tmp_path, categories=[])).of(photo("file:///sub/a.jpg"), SIZE)) == 1


def test_boxes_made_on_a_picture_of_another_size_hold_the_photo(tmp_path: Path) -> None:
    with pytest.raises(PhotoError) as caught:
        read_given(coco(tmp_path)).of(photo("file:///sub/a.jpg"), (480, 640))
    assert caught.value.reason == Reason.STAGE_ERROR
    assert "another size" in caught.value.detail


def test_a_box_outside_the_photo_holds_it(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,700,10,30,30,1"))
    with pytest.raises(PhotoError, match="outside"):
        given.of(photo("file:///a.jpg"), SIZE)


def test_a_box_that_reaches_beyond_the_edge_is_kept(tmp_path: Path) -> None:
    given = read_given(table(tmp_path, "a.jpg,-5,-5,30,30,1"))
    assert given.of(photo("file:///a.jpg"), SIZE)[0].box == Box(x0=-5, y0=-5, x1=25, y1=25)


def test_sidecars_lie_beside_their_photos(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").write_bytes(b"")
    (tmp_path / "sub" / "a.jpg.faces.csv").write_text("x,y,width,height\n10,20,30,40\n")
    (tmp_path / "b.jpg.faces.csv").write_text("x,y,width,height\n")
    given = read_given(tmp_path)
    assert given.of(photo("file:///anywhere/sub/a.jpg"), SIZE)[0].box == Box(x0=10, y0=20, x1=40, y1=60)
    assert given.of(photo("file:///anywhere/b.jpg"), SIZE) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("jane.jpg,1,2,x,4,1", "line 3: width must be a number"),
        ("jane.jpg,1,2,nan,4,1", "line 3: width must be a number"),
        ("jane.jpg,1,2,0,4,1", "line 3: width and height must be above 0"),
        ("jane.jpg,1e300,2,3,4,1", "line 3: width and height must be above 0"),
        ("jane.jpg,1,1.7e308,3,1.7e308,1", "line 3: width and height must be above 0"),
        ("jane.jpg,1,2,3,4,7", "line 3: score must be 0 to 1"),
        ("jane.jpg,1,2,3", "line 3: has more or fewer values"),
        ("jane.jpg,1,2,3,4,1,9", "line 3: has more or fewer values"),
        (",1,2,3,4,1", "line 3: the photo's name is missing"),
        ('"jane.jpg"x,1,2,3,4,1', "line 3: is not CSV"),
        ('"jane.jpg,1,2,3,4,1', "line 3: is not CSV"),
    ],
)
def test_a_malformed_line_is_named_by_its_number_and_not_by_the_photo(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        read_given(table(tmp_path, "fine.jpg,1,2,3,4,1", line))
    assert "jane" not in str(caught.value)


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    for content in ("", "file,x,y,w,h\na.jpg,1,2,3,4\n"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="line 1: must name the columns"):
            read_given(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, "images must be a list"),
        ({"images": [3]}, "entry 1 of images must be an object"),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3]}]}, "annotation 1: bbox"),
        ({"annotations": [{"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4]}]}, "annotation 1: there is no image"),
        ({"annotations": [{"category_id": 3, "bbox": [1, 2, 3, 4]}]}, "annotation 1: an id is missing"),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, [], 4]}]}, "annotation 1: width"),
        ({"annotations": [{"image_id": 7, "category_id": [3], "bbox": [1, 2, 3, 4]}]}, "annotation 1: an id"),
        ({"annotations": [{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "score": []}]}, "1: score"),
        ({"categories": [{"id": {}, "name": "face"}]}, "category 1: an id"),
        ({"images": [{"id": 7}]}, "image 1: the photo's name is missing"),
        ({"categories": [{"id": 3, "name": "car"}]}, "no category is called"),
    ],
)
def test_a_malformed_coco_file_is_refused_by_entry(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_given(coco(tmp_path, **changes))


def test_json_that_is_none_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text('{\n"images": [,]\n}')
    with pytest.raises(ConfigError, match="line 2: is not JSON"):
        read_given(path)
    path.write_text("[1, 2]")
    with pytest.raises(ConfigError, match="must be an object"):
        read_given(path)
    path.write_text("[" * 200_000)
    with pytest.raises(ConfigError, match="line 1"):
        read_given(path)


def test_a_malformed_sidecar_is_named_by_number(tmp_path: Path) -> None:
    (tmp_path / "a.jpg.faces.csv").write_text("x,y,width,height\n1,2,3,4\n")
    (tmp_path / "jane.jpg.faces.csv").write_text("x,y,width,height\n1,2,3,-4\n")
    with pytest.raises(ConfigError, match="sidecar 2 of 2, line 2") as caught:
        read_given(tmp_path)
    assert "jane" not in str(caught.value)


def test_what_cannot_be_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no sidecar files"):
        read_given(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_given(tmp_path / "jane.csv")
    with pytest.raises(ConfigError, match=r"\.json file"):
        read_given(tmp_path / "boxes.xml")
    (tmp_path / "latin.csv").write_bytes(b"file,x\xe9")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_given(tmp_path / "latin.csv")


def test_nothing_given_is_no_boxes() -> None:
    assert GivenBoxes({}).of(photo("file:///a.jpg"), SIZE) == []
