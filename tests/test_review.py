"""Doubt goes to a person, and what the person said holds for whatever is found at that place later."""

from __future__ import annotations

import stat

import numpy as np
import pytest

from photo_anonymizer import review
from photo_anonymizer.errors import ConfigError, PhotoAnonymizerError, PhotoError
from photo_anonymizer.model.face import Doubt, Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.review import Decision, apply, decide, decisions, waiting
from photo_anonymizer.vault import Vault

BETWEEN, _, DETECTORS, TINY = Doubt


@pytest.fixture
def vault(config) -> Vault:
    return Vault.of(config())


def face(face_id: str = "f0", at: float = 10, band: str = "doubt", **changes) -> Face:
    points = Landmarks(left_eye=(0, 0), right_eye=(1, 0), nose=(0, 1), left_mouth=(0, 2), right_mouth=(1, 2))
    box = Box(x0=at, y0=at, x1=at + 20, y1=at + 30)
    doubts = (BETWEEN,) if band == "doubt" else ()
    found = Face(
        face_id=face_id, box=box, landmarks=points, score=0.3, band=band, detectors=("retinaface",), doubts=doubts
    )
    return found.model_copy(update=changes)


def photo(*faces: Face, photo_id: str = "p") -> PhotoRecord:
    return PhotoRecord(photo_id=photo_id, source_uri="file:///jane.jpg", faces=faces)


def picture(_: PhotoRecord) -> Pixels:
    return np.full((100, 100, 3), 127, np.uint8)


def queue_doubtful(vault: Vault, records: list[PhotoRecord], run_id: str, load=picture) -> None:
    review.queue_doubtful(vault, records, run_id, load)


def pictures(vault: Vault) -> set[str]:
    return {path.name for path in vault.path.glob("review/*")}


def test_only_doubtful_faces_are_queued(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", band="accept")), photo(photo_id="q")], "one")
    (row,) = vault.review_queue()
    assert row == {
        "photo_id": "p",
        "face_id": "f0",
        "run_id": "one",
        "reasons": ["score_between_thresholds"],
        "score": 0.3,
        "detectors": ["retinaface"],
        "scores": {},
        "mesh_logit": None,
        "x": 10,
        "y": 10,
        "width": 20,
        "height": 30,
        "picture": "review/p_f0.jpg",
        "decision": "",
    }


def test_the_queue_says_all_that_is_known_about_the_doubt(vault):
    doubts, scores = (BETWEEN, DETECTORS), {"retinaface": 0.3, "mtcnn": 0.0}
    queue_doubtful(vault, [photo(face(doubts=doubts, scores=scores, mesh_logit=-2.5))], "one")
    (row,) = vault.review_queue()
    assert row["reasons"] == ["score_between_thresholds", "detectors_disagree"]
    assert (row["scores"], row["mesh_logit"]) == (scores, -2.5)


def test_without_doubt_there_is_no_queue(vault):
    queue_doubtful(vault, [photo(face(band="accept"))], "one")
    assert not vault.review_path.exists()


# pictures


def test_a_face_that_waits_has_a_picture_for_its_owner_only(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", band="accept"))], "one")
    path = vault.path / "review" / "p_f0.jpg"
    assert pictures(vault) == {path.name}
    assert path.read_bytes().startswith(b"\xff\xd8\xff")
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


def test_queueing_again_changes_nothing(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50))], "one")
    before = vault.review_queue(), {path: path.read_bytes() for path in vault.path.glob("review/*")}
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50))], "one")
    assert before == (vault.review_queue(), {path: path.read_bytes() for path in vault.path.glob("review/*")})


@pytest.mark.parametrize("verdict", ["face", "not_a_face"])
def test_a_decision_deletes_the_picture_of_that_face_alone(vault, verdict):
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50))], "one")
    decide(vault, "p", "f0", verdict)
    assert pictures(vault) == {"p_f1.jpg"}
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50))], "two")
    assert pictures(vault) == {"p_f1.jpg"}
    assert [row["picture"] for row in vault.review_queue() if row["decision"]] == [""]


def test_what_a_later_run_does_not_doubt_any_more_is_off_the_queue_with_its_picture(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50)), photo(face(), photo_id="q")], "one")
    queue_doubtful(vault, [photo(face("f0"))], "two")
    queue_doubtful(vault, [photo(face(band="accept"), photo_id="q")], "two")
    assert [(row["photo_id"], row["face_id"]) for row in vault.review_queue()] == [("p", "f0")]
    assert pictures(vault) == {"p_f0.jpg"}


def test_a_photo_that_was_not_looked_at_keeps_what_waits(vault):
    queue_doubtful(vault, [photo(face())], "one")
    queue_doubtful(vault, [photo().stopped(Reason.DECODER_TIMEOUT), photo(photo_id="q")], "two")
    assert pictures(vault) == {"p_f0.jpg"}
    assert len(vault.review_queue()) == 1


def test_a_photo_that_is_held_for_its_doubtful_face_waits_too(vault):
    queue_doubtful(vault, [photo(face()).stopped(Reason.UNCERTAIN_FACE)], "one")
    assert pictures(vault) == {"p_f0.jpg"}


def test_a_photo_with_too_many_faces_is_not_reviewed_face_by_face(vault):
    queue_doubtful(vault, [photo(face()).stopped(Reason.TOO_MANY_FACES)], "one")
    assert vault.review_queue() == []
    assert pictures(vault) == set()


def test_a_face_whose_photo_cannot_be_decoded_again_is_queued_without_a_picture(vault):
    def broken(_: PhotoRecord) -> Pixels:
        raise PhotoError(Reason.UNDECODABLE)

    queue_doubtful(vault, [photo(face())], "one", broken)
    assert [row["picture"] for row in vault.review_queue()] == [""]
    assert pictures(vault) == set()


def test_an_error_of_the_machine_is_not_taken_for_a_photo_without_a_picture(vault):
    def failing(_: PhotoRecord) -> Pixels:
        raise PhotoAnonymizerError("the disk is full")

    with pytest.raises(PhotoAnonymizerError, match="full"):
        queue_doubtful(vault, [photo(face())], "one", failing)
    assert vault.review_queue() == []


def test_photos_without_doubtful_faces_are_not_decoded_again(vault):
    def never(_: PhotoRecord) -> Pixels:
        raise AssertionError

    queue_doubtful(vault, [photo(face(band="accept")), photo(photo_id="q")], "one", never)


def test_many_faces_are_queued_in_several_goes_and_none_is_lost(vault, monkeypatch):
    monkeypatch.setattr(review, "_PICTURES_AT_ONCE", 4)
    records = [
        photo(*(face(f"f{number}", at=3 * number) for number in range(count)), photo_id=f"p{count}")
        for count in (3, 0, 2, 9, 1)
    ]
    queue_doubtful(vault, records, "one")
    assert len(vault.review_queue()) == len(pictures(vault)) == 15


# the order


def order(vault: Vault) -> list[str]:
    return [row["face_id"] for row in waiting(vault)]


def test_large_and_doubtful_faces_come_first_and_tiny_ones_last(vault):
    high = Box(x0=0, y0=0, x1=60, y1=90)
    faces = [
        face("tiny", box=high, doubts=(BETWEEN, TINY), score=0.5),
        face("sure", score=0.75),
        face("doubtful", score=0.5),
        face("large", box=high, score=0.5),
        face("large and sure", box=high, score=0.94),
    ]
    queue_doubtful(vault, [photo(*faces)], "one")
    assert order(vault) == ["large", "doubtful", "sure", "large and sure", "tiny"]


def test_faces_that_were_decided_do_not_wait(vault):
    queue_doubtful(vault, [photo(face("f0"), face("f1", at=50))], "one")
    decide(vault, "p", "f0", "face")
    assert order(vault) == ["f1"]


def test_faces_whose_picture_is_gone_come_after_all_others_and_say_so(vault):
    queue_doubtful(vault, [photo(face("f0", score=0.5), face("f1", doubts=(BETWEEN, TINY)))], "one")
    (vault.path / "review" / "p_f0.jpg").unlink()
    assert [(row["face_id"], row["picture"]) for row in waiting(vault)] == [("f1", "review/p_f1.jpg"), ("f0", "")]


# decisions


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
    assert apply([face(doubts=(BETWEEN, TINY))], [Decision(face().box, "face")]) == (face(band="accept"),)


def test_a_verdict_never_uncovers_what_the_detector_is_sure_of():
    sure = face(band="accept")
    assert apply([sure], [Decision(sure.box, "not_a_face")]) == (sure,)


def test_a_verdict_holds_for_a_face_with_another_number_at_about_the_same_place():
    assert apply([face("f7", at=11)], [Decision(face(at=10).box, "not_a_face")]) == ()


def test_a_verdict_does_not_hold_elsewhere():
    assert apply([face(at=60)], [Decision(face(at=10).box, "not_a_face")]) == (face(at=60),)


def test_without_verdicts_nothing_changes():
    assert apply([face(), face("f1", band="accept")], []) == (face(), face("f1", band="accept"))
