"""A face that is still linked gets the next stronger step; what cannot be fixed is held."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from photo_anonymizer import escalation
from photo_anonymizer.escalation import Measured, measure_and_escalate
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.outside import UNCHANGED, change_outside
from photo_anonymizer.model.patch import FACE_LAYER, load_edits, load_patches, save_patches
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.reid.attackers import Found
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import EMBED, RENDER, run_shard_stage
from pipeline_run import copy_of, rendered_and_attacked, small_config


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    reid = {"recognisers": "dlib_resnet,lbp"}
    return rendered_and_attacked(small_config(tmp_path_factory.mktemp("escalation"), method="blur", reid=reid))


@pytest.fixture
def run(prepared: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the prepared run with a vault of its own."""
    return copy_of(prepared, tmp_path)


def leave_clear(run: RunFolder, *, keep_patch_entry: bool = True) -> str:
    """Plants the fault: the first photo's face is rendered clear. Returns the photo's id."""
    (victim, *_) = [record for record in run.records("anonymize", "0000") if record.faces]
    path = run.path / victim.patches[0]
    patches = load_patches(path)
    for patch in patches:
        patch.alpha[:] = 0
    save_patches(path, patches if keep_patch_entry else [])
    for stage in (RENDER, EMBED):
        shutil.rmtree(run.stage(stage, "0000"))
        run_shard_stage(run, stage, "0000")
    return victim.photo_id


def record_of(run: RunFolder, photo_id: str) -> PhotoRecord:
    return next(record for record in run.records(escalation.STAGE) if record.photo_id == photo_id)


def test_a_run_in_which_nothing_is_linked_is_left_as_it_is(run: RunFolder) -> None:
    measured = measure_and_escalate(run)
    assert measured.after.linked.hits == 0
    assert measured.after.linked.n == 2 == sum(len(record.faces) for record in run.records(EMBED, "0000"))
    assert measured.photos_with_faces == measured.photos_measured == 2


def test_a_face_left_clear_is_found_and_covered_by_a_stronger_step(run: RunFolder) -> None:
    photo_id = leave_clear(run)
    measured = measure_and_escalate(run)
    assert measured.before.linked.hits == 1
    assert measured.after.linked.hits == 0
    record = record_of(run, photo_id)
    assert record.pending
    assert record.escalations == {"f0000": 1}
    before = load(
        run.path / next(item.file for item in run.records("strip_metadata", "0000") if item.photo_id == photo_id)
    )
    after = load(run.path / record.file)
    box = record.faces[0].box.cover((before.shape[1], before.shape[0]))
    assert box is not None
    assert np.abs(before[box.slices].astype(int) - after[box.slices]).mean() > 10
    edits = [edit for path in record.patches for edit in load_patches(run.path / path)]
    assert record.outside == UNCHANGED == change_outside(before, after, edits, lossless=False)


def test_a_blur_of_3_px_hides_nobody_and_is_escalated(run: RunFolder) -> None:
    originals = {record.photo_id: load(run.path / record.file) for record in run.records("strip_metadata", "0000")}
    for record in run.records("anonymize", "0000"):
        for path in record.patches:
            blurred = cv2.GaussianBlur(originals[record.photo_id], (0, 0), 3)
            patches = [replace(patch, pixels=blurred[patch.region.slices]) for patch in load_patches(run.path / path)]
            save_patches(run.path / path, patches)
    for stage in (RENDER, EMBED):
        shutil.rmtree(run.stage(stage, "0000"))
        run_shard_stage(run, stage, "0000")
    measured = measure_and_escalate(run)
    assert measured.before.by_recogniser["dlib_resnet"].linked.hits == 2
    assert (measured.faces_escalated, measured.after.linked.hits) == (2, 0)


def test_every_recogniser_looks_again_at_a_face_that_was_escalated(run: RunFolder) -> None:
    leave_clear(run)
    measured = measure_and_escalate(run)
    for name in ("dlib_resnet", "lbp"):
        assert measured.before.by_recogniser[name].linked.hits == 1
        assert measured.after.by_recogniser[name].linked.hits == 0


def test_a_face_that_nothing_was_done_to_is_given_a_patch(run: RunFolder) -> None:
    photo_id = leave_clear(run, keep_patch_entry=False)
    measure_and_escalate(run)
    edits = [edit for path in record_of(run, photo_id).patches for edit in load_edits(run.path / path)]
    assert [edit["face_id"] for edit in edits if edit["layer"] == FACE_LAYER] == ["f0000"]


def test_where_two_faces_overlap_the_surer_one_stays_on_top_of_the_one_that_climbed(run: RunFolder) -> None:
    loop = escalation._Loop(run)
    record = next(record for record in loop.records.values() if record.faces)
    sure = record.faces[0]
    less_sure = sure.model_copy(update={"face_id": "f0001", "box": sure.box.shifted(20, 10), "score": 0.5})
    both = record.with_(faces=(sure, less_sure))
    original = (run.path / loop.originals[record.photo_id]).read_bytes()
    with run.publish(escalation.STAGE) as output:
        edits = loop._repatch(both, original, {"f0001": loop.steps[1]}, output)
    assert [edit.face_id for edit in edits if edit.layer == FACE_LAYER] == ["f0001", "f0000"]


def test_what_the_ladder_cannot_fix_is_held(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    photo_id = leave_clear(run)
    monkeypatch.setattr(escalation, "patch_of", lambda *_: None)
    measured = measure_and_escalate(run)
    record = record_of(run, photo_id)
    assert record.reason is Reason.STILL_RECOGNISED
    assert measured.photos_held == 1
    assert measured.after.linked.hits == 0
    assert measured.after.linked.n == 1  # the held photo is not part of what is published


def test_a_face_is_given_so_many_steps_and_no_more(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    start_anew(run, max_escalations=2)
    photo_id = leave_clear(run)
    monkeypatch.setattr(escalation, "patch_of", lambda *_: None)  # every step fails
    assert measure_and_escalate(run).rounds == 2
    assert record_of(run, photo_id).escalations == {"f0000": 2}
    assert record_of(run, photo_id).detail == "1 of 1 faces"


def test_the_steps_are_those_of_the_configuration(run: RunFolder) -> None:
    start_anew(run, ladder="mask")
    photo_id = leave_clear(run)
    measure_and_escalate(run)
    edits = [edit for path in record_of(run, photo_id).patches for edit in load_edits(run.path / path)]
    assert [edit["author"] for edit in edits if edit["layer"] == FACE_LAYER] == ["methods.mask"]


def test_without_escalations_it_is_held_at_once(run: RunFolder) -> None:
    start_anew(run, max_escalations=0)
    photo_id = leave_clear(run)
    assert measure_and_escalate(run).rounds == 0
    assert record_of(run, photo_id).reason is Reason.STILL_RECOGNISED


def test_measured_twice_it_is_measured_once(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measure_and_escalate(run)

    def never(*_: Any) -> None:
        raise AssertionError("attacked again")

    monkeypatch.setattr(escalation, "attack_all", never)
    assert measure_and_escalate(run) == first == Measured.model_validate(first.model_dump())


def test_what_only_a_further_attack_links_climbs_the_ladder_too(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restoration says so of one face, until that face was made anew."""
    going = [record for record in run.records(EMBED, "0000") if record.faces]
    victim = going[0].photo_id, going[0].faces[0].face_id
    looked = find_with(monkeypatch, [frozenset({victim}), frozenset()])
    measured = measure_and_escalate(run)
    assert measured.rounds == 1
    assert record_of(run, victim[0]).escalations == {victim[1]: 1}
    assert len(looked) == 2


def test_a_face_that_is_linked_once_another_photo_is_held_is_held_as_well(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_anew(run, max_escalations=0)
    first, second = [(record.photo_id, "f0000") for record in run.records(EMBED, "0000") if record.faces]
    find_with(monkeypatch, [frozenset({first}), frozenset({second}), frozenset()])
    measured = measure_and_escalate(run)
    assert measured.photos_held == 2
    assert {record_of(run, photo_id).reason for photo_id, _ in (first, second)} == {Reason.STILL_RECOGNISED}


def test_a_face_that_is_linked_late_climbs_as_far_as_any_other(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one beside which a mask grew: that others have used up their steps does not take hers."""
    start_anew(run, max_escalations=1)
    first, second = [(record.photo_id, "f0000") for record in run.records(EMBED, "0000") if record.faces]
    find_with(monkeypatch, [frozenset({first}), frozenset({second}), frozenset()])
    measured = measure_and_escalate(run)
    assert (measured.rounds, measured.faces_escalated, measured.photos_held) == (2, 2, 0)


def start_anew(run: RunFolder, **reid: Any) -> None:
    """The same run with other settings of the attack."""
    config = run.config.model_copy(update={"reid": run.config.reid.model_copy(update=reid)})
    (run.path / "run.json").unlink()
    run.start(config, "run-1")


def find_with(monkeypatch: pytest.MonkeyPatch, links: list[frozenset[tuple[str, str]]]) -> list[int]:
    """Lets restoration find these faces, one set each time that the run is attacked; returns how often it was."""
    asked: list[int] = []
    genuine = escalation._Loop._find

    def fake(loop: escalation._Loop) -> Found:
        found = genuine(loop)
        asked.append(len(asked))
        return Found({**found.links, "restoration": links[len(asked) - 1]}, found.attacked, found.forms)

    monkeypatch.setattr(escalation._Loop, "_find", fake)
    return asked
