"""Doubt goes to a person, and what the person said holds for whatever is found at that place later."""

from __future__ import annotations

import pytest

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.face import Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.review import Decision, apply, decide, decisions, queue_doubtful
from photo_anonymizer.vault import Vault


@pytest.fixture
def vault(config) -> Vault:
    return Vault.of(config())


def face(face_id: str = "f0", at: float = 10, band: str = "doubt") -> Face:
    points = Landmarks(left_eye=(0, 0), right_eye=(1, 0), nose=(0, 1), left_mouth=(0, 2), right_mouth=(1, 2))
    box = Box(x0=at, y0=at, x1=at + 20, y1=at + 30)
    return Face(face_id=face_id, box=box, landmarks=points, score=0.3, band=band, detectors=("retinaface",))


def photo(*faces: Face, photo_id: str = "p") -> PhotoRecord:
    return PhotoRecord(photo_id=photo_id, source_uri="file:///jane.jpg", faces=faces)


def test_only_doubtful_faces_are_queued(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", band="accept")), photo(photo_id="q")], "one")
    (row,) = vault.review_queue()
    assert row == {
        "photo_id": "p",
        "face_id": "f0",
        "run_id": "one",
        "reason": "score_between_thresholds",
        "score": 0.3,
        "detectors": ["retinaface"],
        "x": 10,
        "y": 10,
        "width": 20,
        "height": 30,
        "decision": "",
    }


def test_without_doubt_there_is_no_queue(vault):
    queue_doubtful(vault, [photo(face(band="accept"))], "one")
    assert not vault.review_path.exists()


def test_faces_that_wait_have_no_decision(vault):
    queue_doubtful(vault, [photo(face())], "one")
    assert decisions(vault) == {}


@pytest.mark.parametrize("verdict", ["face", "not_a_face"])
def test_a_verdict_is_remembered_by_place(vault, verdict):
    queue_doubtful(vault, [photo(face())], "one")
    decide(vault, "p", "f0", verdict)
    assert decisions(vault) == {"p": [Decision(face().box, verdict)]}


def test_a_verdict_can_be_changed(vault):
    queue_doubtful(vault, [photo(face())], "one")
    decide(vault, "p", "f0", "not_a_face")
    decide(vault, "p", "f0", "face")
    assert decisions(vault)["p"][0].verdict == "face"


def test_a_later_run_keeps_the_verdict(vault):
    queue_doubtful(vault, [photo(face())], "one")
    decide(vault, "p", "f0", "face")
    queue_doubtful(vault, [photo(face())], "two")
    assert decisions(vault)["p"][0].verdict == "face"


@pytest.mark.parametrize("verdict", ["", "maybe", "Face"])
def test_an_unknown_verdict_lists_the_known_ones(vault, verdict):
    queue_doubtful(vault, [photo(face())], "one")
    with pytest.raises(ConfigError, match="face, not_a_face"):
        decide(vault, "p", "f0", verdict)
    assert decisions(vault) == {}


def test_a_verdict_about_nothing_is_refused(vault):
    with pytest.raises(ConfigError, match="'f0' of photo 'p'"):
        decide(vault, "p", "f0", "face")


def test_a_face_that_is_none_is_dropped():
    assert apply([face()], [Decision(face().box, "not_a_face")]) == ()


def test_a_confirmed_face_is_no_longer_in_doubt():
    assert apply([face()], [Decision(face().box, "face")]) == (face(band="accept"),)


def test_a_verdict_never_uncovers_what_the_detector_is_sure_of():
    sure = face(band="accept")
    assert apply([sure], [Decision(sure.box, "not_a_face")]) == (sure,)


def test_a_verdict_holds_for_a_face_with_another_number_at_about_the_same_place():
    assert apply([face("f7", at=11)], [Decision(face(at=10).box, "not_a_face")]) == ()


def test_a_verdict_does_not_hold_elsewhere():
    assert apply([face(at=60)], [Decision(face(at=10).box, "not_a_face")]) == (face(at=60),)


def test_without_verdicts_nothing_changes():
    assert apply([face(), face("f1", band="accept")], []) == (face(), face("f1", band="accept"))
