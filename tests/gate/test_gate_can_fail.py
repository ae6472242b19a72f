"""The gate over a hundred faces: each fault that would give somebody away is refused, and the reason says which."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from crowd import EACH, PEOPLE, SIDE_PX, Change, crowd, person, plant, rendered_anew
from photo_anonymizer import escalation
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.escalation import STAGE as MEASURE
from photo_anonymizer.gate.stage import pass_gate, result
from photo_anonymizer.model.patch import Patch
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import measure
from photo_anonymizer.vault import Vault
from pipeline_run import copy_of, rendered_and_attacked

LINKED = "more than 0.0% of the faces are still linked to who they show"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return rendered_and_attacked(crowd(tmp_path_factory.mktemp("crowd"), reid={"max_escalations": 0}))


@pytest.fixture
def run(prepared: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the prepared run, in which nothing is escalated: what is linked is held."""
    return copy_of(prepared, tmp_path)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing holds a linked face before the gate, which is alone with it."""
    monkeypatch.setattr(escalation, "_by_photo", lambda found: {})


def clear(at: int) -> Change:
    """One face is left as it is, though it has a patch."""
    return lambda number, patch, rgb: replace(patch, pixels=rgb[patch.region.slices].copy()) if number == at else patch


def blurred(number: int, patch: Patch, rgb: Pixels) -> Patch:
    """A blur of 3 px in place of the method."""
    return replace(patch, pixels=cv2.GaussianBlur(rgb, (0, 0), 3)[patch.region.slices])


def somebody_else(number: int, patch: Patch, rgb: Pixels) -> Patch:
    """Everybody gets the same face, said to be nobody's: it is the first person's."""
    pixels = patch.pixels.copy()
    top, left = ((side - SIDE_PX) // 2 for side in pixels.shape[:2])
    pixels[top : top + SIDE_PX, left : left + SIDE_PX] = person(0)
    return replace(patch, pixels=pixels)


def refusal(run: RunFolder) -> str:
    with pytest.raises(GateRefusedError) as refused:
        pass_gate(run)
    assert not [row for row in Vault.of(run.config).ledger() if row["status"] == "released"]
    return str(refused.value)


def held(run: RunFolder) -> Counter[str]:
    return Counter(f"{record.reason}: {record.detail}" for record in run.records(MEASURE) if not record.pending)


def test_without_a_fault_the_run_passes(run: RunFolder) -> None:
    assert measure(run).after.linked.n == PEOPLE
    assert pass_gate(run).passed
    assert not held(run)


# one face in a hundred left clear


def test_the_photo_with_the_one_clear_face_is_held_and_the_others_pass(run: RunFolder) -> None:
    plant(run, clear(at=42))
    rendered_anew(run)
    measured = measure(run)
    assert (measured.before.linked.hits, measured.before.linked.n) == (1, PEOPLE)
    assert held(run) == {f"still_recognised: 1 of {EACH} faces": 1}
    assert pass_gate(run).passed
    assert result(run)[0].faces == PEOPLE - EACH


def test_one_clear_face_is_covered_where_escalation_is_allowed(run: RunFolder) -> None:
    config = run.config.model_copy(update={"reid": run.config.reid.model_copy(update={"max_escalations": 3})})
    (run.path / "run.json").unlink()
    run.start(config, "run-1")
    plant(run, clear(at=42))
    rendered_anew(run)
    assert measure(run).faces_escalated == 1
    assert pass_gate(run).passed
    assert not held(run)


def test_one_clear_face_that_nothing_held_is_refused(run: RunFolder, blind: None) -> None:
    plant(run, clear(at=42))
    rendered_anew(run)
    measure(run)
    # What the patches say is what should have been done: only the finished file shows what was.
    plant(run, lambda number, patch, rgb: replace(patch, pixels=np.full_like(patch.pixels, 200)))
    said = refusal(run)
    assert "a face does not look as its edit says it should" in said
    assert LINKED in said


def test_one_linked_face_that_nothing_held_is_refused(run: RunFolder, blind: None) -> None:
    plant(run, clear(at=42))
    rendered_anew(run)
    measure(run)
    assert LINKED in refusal(run)
    assert result(run)[0].linked_rate == 1 / PEOPLE


# a blur that hides nothing


def test_behind_a_weak_blur_every_photo_is_held_and_nothing_is_left_to_release(run: RunFolder) -> None:
    plant(run, blurred)
    rendered_anew(run)
    assert measure(run).before.linked.hits == PEOPLE
    assert held(run) == {f"still_recognised: {EACH} of {EACH} faces": PEOPLE // EACH}
    assert "no photo is left to be released" in refusal(run)


def test_a_weak_blur_that_nothing_held_is_refused(run: RunFolder, blind: None) -> None:
    plant(run, blurred)
    rendered_anew(run)
    measure(run)
    said = refusal(run)
    assert LINKED in said
    assert "faces are found among all originals more than 5.0% above chance by user_onnx.tiny" in said


# another person of the batch on everybody


def test_the_same_person_pasted_on_everybody_is_refused(run: RunFolder) -> None:
    """The first person is linked to herself, and her photo is held; the others show her, too."""
    plant(run, somebody_else)
    rendered_anew(run)
    measured = measure(run)
    assert measured.before.linked.hits < 0.05 * PEOPLE
    assert measured.after.linked.hits == 0
    found = measured.after.by_recogniser["user_onnx.tiny"].resemblance
    assert found is not None
    assert found.published.hits > 0.9 * found.published.n > 0
    assert refusal(run).endswith(
        "the gate refused the release: published faces resemble other people of the batch: they are taken for one of "
        "them more than 10.0% more often than strangers are"
    )
