"""The stage writes an edit for every face that is not kept, whoever's face the edit reaches into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from faces import face, noise_picture
from photo_anonymizer.config import load_config
from photo_anonymizer.methods.stage import anonymize
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import compose, load_patches
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.runfolder import RunFolder

RGB = noise_picture(200, 150)
STRANGER = face(75, 45, 60, 75, face_id="f0001")
AGREED = face(40, 30, 60, 75).model_copy(update={"kept": "person"})


@pytest.fixture
def anonymized(tmp_path: Any) -> Callable[..., tuple[RunFolder, PhotoRecord]]:
    """The run and the photo after the stage, for a photo with these faces."""

    def work(*faces: Face) -> tuple[RunFolder, PhotoRecord]:
        config = load_config({"source": "x", "out": str(tmp_path), "workers": 1})
        run = RunFolder.of(config, "one")
        run.start(config, "one")
        with run.publish("before", "s0") as output:
            cv2.imwrite(str(output.folder / "p.png"), RGB[..., ::-1])
            output.write_records(
                [PhotoRecord(photo_id="p", source_uri="x", file=output.relative("p.png"), faces=faces)]
            )
        return run, anonymize(run, "s0", "before", "mask")[0]

    return work


def test_a_kept_face_has_no_edit(anonymized: Callable[..., tuple[RunFolder, PhotoRecord]]) -> None:
    run, record = anonymized(AGREED, STRANGER)
    (patch,) = load_patches(run.path / record.patches[0])
    assert patch.face_id == "f0001"


def test_a_photo_with_only_kept_faces_has_no_edits(anonymized: Callable[..., tuple[RunFolder, PhotoRecord]]) -> None:
    _, record = anonymized(AGREED)
    assert record.patches == ()
    assert record.method == "mask"


def test_a_strangers_edit_goes_over_a_kept_face(anonymized: Callable[..., tuple[RunFolder, PhotoRecord]]) -> None:
    run, record = anonymized(AGREED, STRANGER)
    result = compose(RGB, load_patches(run.path / record.patches[0]))
    hers, his = AGREED.box.cover((200, 150)), STRANGER.box.cover((200, 150))
    assert hers is not None
    assert his is not None
    shared = slice(his.y0 + 15, hers.y1), slice(his.x0 + 5, hers.x1)
    assert (np.abs(result[shared].astype(int) - RGB[shared]).sum(axis=2) > 0).mean() > 0.9
    assert np.array_equal(result[:45, 40:60], RGB[:45, 40:60])
