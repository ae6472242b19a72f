"""Boxes that the user brings: faces that somebody marked, in a COCO file, a CSV, or sidecar files.

No :class:`~photo_anonymizer.detection.protocol.Detector`, because a photo's pixels do not say which photo it is; its
name does. :func:`read_given` reads everything once, :meth:`GivenBoxes.of` answers for one photo.

* ``….json``: COCO (cocodataset.org, "Data format"): ``images`` with ``file_name``, ``annotations`` with ``bbox``.
* ``….csv``: columns ``file,x,y,width,height`` and, optionally, ``score``.
* a folder: beside each photo ``a.jpg`` (or in a tree like the photos') a file ``a.jpg.faces.csv`` with columns
  ``x,y,width,height`` and, optionally, ``score``.

Everywhere x and y are the top left corner in pixels of the upright photo. A photo that is not named has no boxes.
Boxes are added to what the detectors find; they never stand for them.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.record import PhotoRecord, Reason

NAME = "given_boxes"
SIDECAR = ".faces.csv"
FACE_CATEGORIES = frozenset({"face", "faces", "human face", "human_face", "head", "heads"})
"""Names of COCO categories (in any case) that are taken; a file that defines no categories is taken whole."""


@dataclass(frozen=True)
class GivenBoxes:
    """Boxes by photo.

    :param boxes: file name, or path with ``/`` between folders, → detections in falling order of score.
    :param sizes: the same keys → width and height that the annotations were made on, where that is known.
    """

    boxes: Mapping[str, list[Detection]]
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, record: PhotoRecord, size_wh: tuple[int, int]) -> list[Detection]:
        """The boxes of one photo. ``train/a.jpg`` means photos whose path ends so; the longest match counts.

        Every picture of a file with several has the file's boxes.

        :param size_wh: of the upright photo.
        :raises PhotoError: (held) the boxes were made on a picture of another size, or one lies outside the photo.
        """
        name = next((name for name in names_of(record.file_uri) if name in self.boxes), None)
        if name is None:
            return []
        if self.sizes.get(name, size_wh) != size_wh:
            raise PhotoError(Reason.STAGE_ERROR, "the given boxes were made on a picture of another size, or turned")
        if any(item.box.cover(size_wh) is None for item in self.boxes[name]):
            raise PhotoError(Reason.STAGE_ERROR, "a given box lies outside the photo")
        return self.boxes[name]

    def unused(self, uris: Iterable[str]) -> int:
        """How many named photos are none of these: more than 0 hints at a wrong path or source."""
        used = {next((name for name in names_of(uri) if name in self.boxes), None) for uri in uris}
        return len(self.boxes) - len(used - {None})


def names_of(uri: str) -> Iterator[str]:
    """By what names a file may be called, the longest first: the path of its URI, then without the first folders.

    Of a member of an archive (``zip://key::…``) it is the path inside the archive.
    """
    path = unquote(uri.partition("::")[0].partition("://")[2].partition("?")[0])
    folders = path.strip("/").split("/")
    return ("/".join(folders[first:]) for first in range(len(folders)))


def read_given(path: Path) -> GivenBoxes:
    """Reads what the user brings.

    :param path: a ``.json`` file (COCO), a ``.csv`` file or a folder with sidecar files.
    :raises ConfigError: it is missing, of another kind, or malformed; the message names the line or entry.
    """
    if path.is_dir():
        return _sidecars(path)
    readers: dict[str, Callable[[Path], GivenBoxes]] = {".json": _coco, ".csv": _table}
    if path.suffix.lower() not in readers:
        raise _refused("must be a .json file (COCO), a .csv file or a folder with sidecar files")
    return readers[path.suffix.lower()](path)


def _table(path: Path) -> GivenBoxes:
    boxes: dict[str, list[Detection]] = {}
    for place, row in _rows(path, ("file", "x", "y", "width", "height")):
        boxes.setdefault(_name(row["file"], place), []).append(_detection(row, place))
    return _sorted(boxes)


def _sidecars(folder: Path) -> GivenBoxes:
    boxes = {}
    files = sorted(folder.rglob(f"*{SIDECAR}"))
    if not files:
        raise _refused(f"the folder holds no sidecar files (they end in {SIDECAR})")
    for number, path in enumerate(files, 1):
        rows = _rows(path, ("x", "y", "width", "height"), f"sidecar {number} of {len(files)}, ")
        name = path.relative_to(folder).as_posix().removesuffix(SIDECAR)
        boxes[name] = [_detection(row, place) for place, row in rows]
    return _sorted(boxes)


def _coco(path: Path) -> GivenBoxes:
    content = _json(_text(path))
    images, annotations = _list(content, "images"), _list(content, "annotations")
    faces = _face_categories(content)
    names, sizes = {}, {}
    for number, image in enumerate(images, 1):
        place = f"image {number}"
        name = _name(image.get("file_name"), place)
        names[_key(image.get("id"), place)] = name
        if image.get("width") and image.get("height"):
            sizes[name] = (_whole(image["width"], place), _whole(image["height"], place))
    boxes: dict[str, list[Detection]] = {}
    for number, annotation in enumerate(annotations, 1):
        place = f"annotation {number}"
        if faces is not None and _key(annotation.get("category_id"), place) not in faces:
            continue
        image_id = _key(annotation.get("image_id"), place)
        if image_id not in names:
            raise _refused(f"{place}: there is no image with its image_id")
        boxes.setdefault(names[image_id], []).append(_coco_detection(annotation, place))
    return GivenBoxes(_sorted(boxes).boxes, sizes)


def _face_categories(content: Mapping[str, Any]) -> set[int | str] | None:
    """Ids of the categories that are faces; None: the file defines no categories."""
    categories = _list(content, "categories") if content.get("categories") else []
    if not categories:
        return None
    faces = {
        _key(item.get("id"), f"category {number}")
        for number, item in enumerate(categories, 1)
        if str(item.get("name")).lower() in FACE_CATEGORIES
    }
    if not faces:
        raise _refused(f"no category is called one of: {', '.join(sorted(FACE_CATEGORIES))}")
    return faces


def _coco_detection(annotation: Mapping[str, Any], place: str) -> Detection:
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise _refused(f"{place}: bbox must be [x, y, width, height]")
    row = dict(zip(("x", "y", "width", "height"), box, strict=True))
    return _detection({**row, "score": annotation.get("score", 1)}, place)


def _detection(row: Mapping[str, Any], place: str) -> Detection:
    x, y, width, height = (_number(row[name], name, place) for name in ("x", "y", "width", "height"))
    told = row.get("score")
    score = 1.0 if told is None or told == "" else _number(told, "score", place)
    # Beside a huge x a small width is lost, and the sum may be infinite.
    if not (x < x + width < math.inf and y < y + height < math.inf):
        raise _refused(f"{place}: width and height must be above 0")
    if not 0 <= score <= 1:
        raise _refused(f"{place}: score must be 0 to 1")
    return Detection(Box(x0=x, y0=y, x1=x + width, y1=y + height), None, score)


def _rows(path: Path, wanted: tuple[str, ...], where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row of a CSV file (RFC 4180) with its place, for messages."""
    reader = csv.DictReader(io.StringIO(_text(path, where), newline=""), strict=True)
    try:
        if missing := [name for name in wanted if name not in (reader.fieldnames or ())]:
            raise _refused(f"{where}line 1: must name the columns {', '.join(wanted)}; missing: {', '.join(missing)}")
        for row in reader:
            place = f"{where}line {reader.line_num}"
            if None in row or None in row.values():
                raise _refused(f"{place}: has more or fewer values than the first line has columns")
            yield place, row
    except csv.Error:
        raise _refused(f"{where}line {reader.reader.line_num}: is not CSV") from None


def _text(path: Path, where: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _refused(f"{where}the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _refused(f"{where}the file is not UTF-8") from None


def _json(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise _refused(f"line {error.lineno}: is not JSON") from None
    except RecursionError:
        raise _refused("line 1: is nested too deeply") from None
    if not isinstance(content, dict):
        raise _refused("line 1: must be an object with images and annotations (COCO)")
    return content


def _list(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items = content.get(name)
    if not isinstance(items, list):
        raise _refused(f"{name} must be a list (COCO)")
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise _refused(f"entry {number} of {name} must be an object (COCO)")
    return items


def _name(value: Any, place: str) -> str:
    """A photo's name as :func:`names_of` gives it."""
    if not isinstance(value, str) or not value.strip("./\\ "):
        raise _refused(f"{place}: the photo's name is missing")
    return value.strip().replace("\\", "/").removeprefix("./").strip("/")


def _key(value: Any, place: str) -> int | str:
    if not isinstance(value, int | str):
        raise _refused(f"{place}: an id is missing (a number or a text)")
    return value


def _number(value: Any, name: str, place: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise _refused(f"{place}: {name} must be a number")
    return number


def _whole(value: Any, place: str) -> int:
    return round(_number(value, "width and height", place))


def _sorted(boxes: Mapping[str, list[Detection]]) -> GivenBoxes:
    return GivenBoxes({name: sorted(found, key=lambda item: -item.score) for name, found in boxes.items()})


def _refused(problem: str) -> ConfigError:
    return ConfigError(f"the given boxes are refused: {problem}")
