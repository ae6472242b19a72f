"""The two tables of a release."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from photo_anonymizer.config import DRAWN_ICONS, MetadataConfig
from photo_anonymizer.model.face import Face

_ROWS, _BUFFER_BYTES = 1_000, 1 << 16
"""What is read at once where a table is read row by row: rows, and bytes of each column."""
PHOTOS = pa.schema(
    [
        ("photo_id", pa.string()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("method", pa.string()),
        ("faces", pa.int32()),
        ("reviewed", pa.bool_()),
        ("outside_mean", pa.float32()),
        ("outside_max", pa.int32()),
    ]
)
"""``outside_mean`` and ``outside_max``: absolute difference from the stripped original, in grey levels (0–255), where
nothing was edited. 0: equal bit for bit. Empty: taken over from a version that did not say it."""
DECISIONS = {
    "": "anonymized",
    "doubt": "anonymized, queued for review",
    "region": "kept, region marked by consent",
    "person": "kept, person consented",
}
"""What the column ``decision`` of faces.parquet says: of an anonymized face beyond doubt, of one in doubt, and of one
that stays as it is, because of either list of :mod:`photo_anonymizer.consent`. A kept face has no method, and its place
is that of the face itself."""
FACES = pa.schema(
    [
        ("photo_id", pa.string()),
        ("face_id", pa.string()),
        ("x", pa.int32()),
        ("y", pa.int32()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("detectors", pa.list_(pa.string())),
        ("confidence", pa.float32()),
        ("method", pa.string()),
        ("parameters", pa.string()),
        ("escalations", pa.int32()),
        ("decision", pa.string()),
    ]
)


def photos_schema(config: MetadataConfig) -> pa.Schema:
    """Columns of photos.parquet: what the allow-list of a run keeps has columns in its versions only."""
    return pa.schema([*PHOTOS, *(pa.field(name, pa.int32()) for name in config.kept)])


def face_row(photo_id: str, face: Face, edit: dict[str, Any], escalations: int) -> dict[str, Any]:
    """The row of one changed face; ``edit`` is what its patch says about itself."""
    region = edit["region"]
    return {
        "photo_id": photo_id,
        "face_id": face.face_id,
        "x": region["x0"],
        "y": region["y0"],
        "width": region["x1"] - region["x0"],
        "height": region["y1"] - region["y0"],
        "detectors": list(face.detectors),
        "confidence": face.score,
        "method": edit["author"].removeprefix("methods."),
        "parameters": json.dumps(public_parameters(edit["parameters"]), sort_keys=True),
        "escalations": escalations,
        "decision": DECISIONS["" if face.band == "accept" else "doubt"],
    }


def kept_face_row(photo_id: str, face: Face, size_wh: tuple[int, int]) -> dict[str, Any]:
    """The row of one face that stays as it is.

    :param size_wh: of the photo.
    """
    place = face.box.cover(size_wh)
    region = place.model_dump() if place else {"x0": 0, "y0": 0, "x1": 0, "y1": 0}
    edit = {"region": region, "author": "", "parameters": {}}
    return {**face_row(photo_id, face, edit, 0), "decision": DECISIONS[face.kept]}


def kept_counts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many faces stay as they are, by why.

    :param rows: of faces.parquet.
    """
    decisions = Counter(row["decision"] for row in rows)
    return {reason: decisions[DECISIONS[reason]] for reason in ("region", "person")}


def public_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as a release may show them: that an icon or a model is the user's is said, its path is not."""
    shown = dict(parameters)
    shown.pop("generator_model", None)  # "model" says which
    if shown.get("icon") and shown["icon"] not in DRAWN_ICONS:
        shown["icon"] = "user's own"
    return shown


def write(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    """Writes a table."""
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def read(path: Path) -> list[dict[str, Any]]:
    """Reads a table."""
    return list(pq.read_table(path).to_pylist())


def iter_rows(path: Path, *columns: str) -> Iterator[dict[str, Any]]:
    """Some columns of a table, row by row: a version has one row group, which need not fit into memory."""
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as table:
        for batch in table.iter_batches(_ROWS, columns=list(columns), use_threads=False):
            yield from batch.to_pylist()
