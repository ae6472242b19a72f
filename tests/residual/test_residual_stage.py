"""The stage writes patches, skips what it is told to skip, and repeats itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from photo_anonymizer.config import load_config
from photo_anonymizer.model.face import Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.patch import CUE_LAYER, load_patches
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.residual.stage import STAGE, remove_residual_cues
from photo_anonymizer.runfolder import RunFolder

BEFORE = "anonymize"
FACE = Face(
    face_id="f0000",
    box=Box(x0=179, y0=56.6, x1=271.2, y1=177.8),
    landmarks=Landmarks(
        left_eye=(203, 100), right_eye=(246, 100), nose=(225, 122), left_mouth=(207, 148), right_mouth=(243, 148)
    ),
    score=1.0,
    band="accept",
    detectors=("test",),
)


@pytest.fixture
def started(tmp_path):
    """A run folder with one photo of an astronaut, as the stage before leaves it."""

    def start(faces=(FACE,), stopped=False, **fields) -> RunFolder:
        config = load_config({"source": "x", "out": str(tmp_path), "workers": 1, **fields})
        run = RunFolder.of(config, "one")
        run.start(config, "one")
        with run.publish(BEFORE, "s0") as output:
            cv2.imwrite(str(output.folder / "p.png"), np.asarray(data.astronaut())[..., ::-1])
            record = PhotoRecord(
                photo_id="p", source_uri="x", file=output.relative("p.png"), faces=faces, patches=("earlier.npz",)
            )
            output.write_records([record.stopped(Reason.STAGE_ERROR) if stopped else record])
        return run

    return start


def test_patches_are_added_to_those_of_the_faces(started):
    run = started()
    (record,) = remove_residual_cues(run, "s0", BEFORE)
    assert record.patches == ("earlier.npz", f"{STAGE}/s0/p.npz")
    (patch,) = load_patches(run.path / record.patches[1])
    assert patch.layer == CUE_LAYER
    assert patch.face_id == "f0000"
    assert record.seconds["cues"] > 0


@pytest.mark.parametrize(
    "how",
    [
        {"residual": {"enabled": "off"}},
        {"purpose": "internal_review"},
        {"residual": {"min_face_px": 200}},
        {"faces": ()},
        {"faces": (FACE.model_copy(update={"kept": "person"}),)},
        {"stopped": True},
    ],
)
def test_photos_that_only_pass(started, how):
    run = started(**how)
    assert remove_residual_cues(run, "s0", BEFORE) == run.records(BEFORE, "s0")
    assert [path.name for path in run.stage(STAGE, "s0").iterdir()] == ["manifest.json"]


def test_it_can_be_switched_on_for_internal_review(started):
    run = started(purpose="internal_review", residual={"enabled": "on"})
    (record,) = remove_residual_cues(run, "s0", BEFORE)
    assert len(record.patches) == 2


def test_a_second_time_it_returns_what_it_did(started):
    run = started()
    first = remove_residual_cues(run, "s0", BEFORE)
    assert remove_residual_cues(run, "s0", BEFORE) == first
