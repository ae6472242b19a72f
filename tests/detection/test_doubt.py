"""What makes a face doubtful, what only says that little depends on it, and what does neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from photo_anonymizer.config import DetectionConfig, RunConfig
from photo_anonymizer.detection import find
from photo_anonymizer.detection.calibration import Calibration, SecondLookMap
from photo_anonymizer.detection.consensus import MergedFace, Sighting
from photo_anonymizer.detection.doubt import ALL_SEE_FROM_PX, VERY_SURE, band_of, doubts_about
from photo_anonymizer.detection.find import find_faces
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.stage import detect_faces, with_given
from photo_anonymizer.ingest.stage import SHARDS, ingest, plan_shards
from photo_anonymizer.metadata.stage import STAGE as STRIP
from photo_anonymizer.metadata.stage import strip_metadata
from photo_anonymizer.model.face import Doubt, Face
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.stages import start_run

CONFIG = DetectionConfig(accept_score=0.8, doubt_score=0.35, min_recognisable_px=10)
BETWEEN, MESH, DETECTORS, TINY = Doubt
ONE, TWO = ("retinaface",), ("retinaface", "dlib_hog")


def seen(
    score: float,
    *,
    height: float = 100,
    by: dict[str, float] | None = None,
    before: float | None = None,
    mesh: float | None = None,
) -> MergedFace:
    """A face of that height and what the members in ``by`` gave it; without ``by``, RetinaFace the score."""
    box = Box(x0=0, y0=0, x1=height * 0.75, y1=height)
    sightings = (by or {"retinaface": score}).items()
    return MergedFace(
        box=box,
        landmarks=None,
        score=score,
        seen_by=tuple(Sighting(name, box, None, probability, probability) for name, probability in sightings),
        mesh_logit=mesh,
        score_before_mesh=before,
    )


# the score


@pytest.mark.parametrize(("score", "doubts"), [(0.36, (BETWEEN,)), (0.79, (BETWEEN,)), (0.8, ()), (0.99, ())])
def test_below_the_upper_threshold_a_score_is_a_doubt(score: float, doubts: tuple[Doubt, ...]) -> None:
    assert doubts_about(seen(score), ONE, CONFIG) == doubts


# the second look


@pytest.mark.parametrize(
    ("before", "mesh", "after", "disagrees"),
    [
        (0.9, -3.0, 0.85, True),  # it denies what the detectors are sure of
        (0.9, -3.0, 0.6, True),
        (0.4, 3.0, 0.85, True),  # it confirms what they rather do not see
        (0.9, 3.0, 0.93, False),
        (0.4, -3.0, 0.36, False),
        (0.6, 3.0, 0.9, False),  # more likely than not: both say so
        (0.6, -3.0, 0.5, False),  # the detectors were not sure
        (0.9, 0.0, 0.9, False),
        (0.99, -3.0, 0.96, False),  # very sure in spite of it
    ],
)
def test_the_second_look_disagrees_with_sure_detectors_or_confirms_what_they_doubt(
    before: float, mesh: float, after: float, disagrees: bool
) -> None:
    assert (MESH in doubts_about(seen(after, before=before, mesh=mesh), ONE, CONFIG)) is disagrees


def test_a_face_that_the_mesh_was_not_asked_about_is_not_disputed_by_it() -> None:
    assert doubts_about(seen(0.85, height=31), ONE, CONFIG) == ()


# several detectors


def test_one_detector_has_nobody_to_disagree_with() -> None:
    assert doubts_about(seen(0.85), ONE, CONFIG) == ()


def test_a_detector_that_could_see_a_face_and_does_not_makes_it_doubtful() -> None:
    assert doubts_about(seen(0.85), TWO, CONFIG) == (DETECTORS,)


@pytest.mark.parametrize(("faint", "doubts"), [(0.34, (DETECTORS,)), (0.35, ())])
def test_what_a_detector_would_have_dropped_by_itself_it_did_not_see(faint: float, doubts: tuple[Doubt, ...]) -> None:
    assert doubts_about(seen(0.85, by={"retinaface": 0.85, "dlib_hog": faint}), TWO, CONFIG) == doubts


def test_detectors_that_all_see_little_agree() -> None:
    together = seen(0.4, by={"retinaface": 0.3, "dlib_hog": 0.3})
    assert doubts_about(together, TWO, CONFIG) == (BETWEEN,)


def test_a_face_that_is_too_small_for_one_of_them_is_not_disputed_by_it() -> None:
    assert doubts_about(seen(0.85, height=ALL_SEE_FROM_PX - 1), TWO, CONFIG) == ()
    assert doubts_about(seen(0.85, height=ALL_SEE_FROM_PX), TWO, CONFIG) == (DETECTORS,)


def test_a_face_smaller_than_what_is_looked_for_is_not_disputed() -> None:
    coarse = CONFIG.model_copy(update={"smallest_face_px": 200})
    assert doubts_about(seen(0.85, height=199), TWO, coarse) == ()
    assert doubts_about(seen(0.85, height=200), TWO, coarse) == (DETECTORS,)


def test_a_face_that_one_detector_is_very_sure_of_is_not_doubtful_because_another_cannot_see_it() -> None:
    alone = seen(0.85, by={"retinaface": VERY_SURE})
    together = seen(VERY_SURE, by={"retinaface": 0.9})
    assert doubts_about(alone, TWO, CONFIG) == doubts_about(together, TWO, CONFIG) == ()


# the size


@pytest.mark.parametrize(("height", "doubts"), [(9.9, (TINY,)), (10, ())])
def test_a_box_below_the_recognisable_height_is_said_to_be(height: float, doubts: tuple[Doubt, ...]) -> None:
    assert doubts_about(seen(0.9, height=height), ONE, CONFIG) == doubts


# the band


@pytest.mark.parametrize("doubt", [BETWEEN, MESH, DETECTORS])
def test_each_of_three_reasons_makes_a_face_doubtful(doubt: Doubt) -> None:
    assert band_of([doubt]) == band_of([doubt, TINY]) == "doubt"


def test_smallness_alone_makes_no_face_doubtful_and_no_reason_none() -> None:
    assert band_of([TINY]) == band_of([]) == "accept"


# what a face says about itself

PICTURE = np.zeros((200, 300, 3), np.uint8)
HERE = Box(x0=20, y0=20, x1=90, y1=110)


class Sees:
    """A detector that always sees the same."""

    def __init__(self, name: str, *found: tuple[Box, float]) -> None:
        self.name, self._found = name, [Detection(box, None, score) for box, score in found]

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        return list(self._found)


@pytest.fixture
def uncalibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are probabilities, and the mesh counts by a tenth of its logit."""
    known = Calibration(second_look=SecondLookMap(confirms=0.1))
    monkeypatch.setattr(find, "shipped", lambda effort: known)


def found(*detectors: Sees) -> Face:
    (face,) = find_faces(PICTURE, detectors, CONFIG)
    return face


@pytest.mark.usefixtures("uncalibrated")
def test_a_face_carries_what_every_detector_that_looked_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "mesh_logit", lambda *_: 12.5)
    face = found(Sees("mtcnn", (HERE, 0.7)), Sees("dlib_hog"))
    assert face.scores == {"mtcnn": pytest.approx(0.7), "dlib_hog": 0}
    assert face.detectors == ("mtcnn",)
    assert face.mesh_logit == 12.5


@pytest.mark.usefixtures("uncalibrated")
@pytest.mark.parametrize(("logit", "doubts", "band"), [(-5.0, (MESH,), "doubt"), (5.0, (), "accept")])
def test_a_second_look_that_denies_a_sure_face_makes_it_doubtful(
    monkeypatch: pytest.MonkeyPatch, logit: float, doubts: tuple[Doubt, ...], band: str
) -> None:
    monkeypatch.setattr(find, "mesh_logit", lambda *_: logit)
    face = found(Sees("retinaface", (HERE, 0.9)))
    assert (face.doubts, face.band) == (doubts, band)


@pytest.mark.usefixtures("uncalibrated")
def test_what_somebody_marked_has_no_doubts_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "mesh_logit", lambda *_: 0.0)
    doubtful = found(Sees("retinaface", (HERE, 0.5)))
    assert doubtful.doubts == (BETWEEN,)
    (marked,) = with_given([doubtful], [Detection(HERE, None, 1.0)])
    assert (marked.doubts, marked.band) == ((), "accept")


# what becomes of its photo


def detected(config: RunConfig) -> PhotoRecord:
    """The first photo of a run after its faces were looked for."""
    run = start_run(config, "run")
    ingest(run)
    (shard,) = plan_shards(run)
    strip_metadata(run, shard, SHARDS)
    return detect_faces(run, shard, STRIP)[0]


@pytest.mark.parametrize(("recognisable_px", "reason"), [(40, Reason.UNCERTAIN_FACE), (100, None)])
def test_a_doubtful_face_holds_its_photo_unless_nobody_could_recognise_it(
    config: Callable[..., RunConfig],
    write_photo: Callable[..., Path],
    astronaut: np.ndarray,
    tmp_path: Path,
    recognisable_px: int,
    reason: Reason | None,
) -> None:
    write_photo(tmp_path / "photos" / "small.png", np.ascontiguousarray(astronaut[::2, ::2]))  # her face: 60 px
    detection = {"accept_score": 1.0, "uncertain": "hold", "min_recognisable_px": recognisable_px}
    photo = detected(config(detection=detection))
    assert photo.reason == reason
    assert {face.band for face in photo.faces} == {"doubt"}
