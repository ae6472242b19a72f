"""The measuring command on labels and members made here: every figure can be counted by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import measure_detection as command

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.calibration import Calibration, read
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.geometry import Box


class BrightSquares:
    """Finds the brightest pixels' box; what it thinks of it is the red value. A face is 20 px, a lamp 6."""

    name = "bright_squares"

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        self.config = config

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        rows, columns = np.nonzero(rgb[..., 1])
        if not len(rows):
            return []
        box = Box(x0=columns.min(), y0=rows.min(), x1=columns.max() + 1, y1=rows.max() + 1)
        return [Detection(box, None, float(rgb[rows[0], columns[0], 0]) / 255)]


class Absent:
    """A member whose package is not installed."""

    name = "absent"

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        raise ConfigError("install its package")


MEMBER = "bright_squares=test_measure_detection:BrightSquares"


def box(x: float, y: float, side: float) -> Box:
    return Box(x0=x, y0=y, x1=x + side, y1=y + side)


def label(x: float, y: float, side: float, *, asked: bool = True, **flags: int) -> command.Label:
    return command.Label(box(x, y, side), asked, flags)


def candidate(x: float, y: float, side: float, probability: float = 0.9) -> command.Candidate:
    return command.Candidate(box(x, y, side), probability)


@pytest.fixture
def labelled(tmp_path) -> Callable[[int], Path]:
    """So many photos; in every fourth the member sees a lamp, not a face, and doubts it."""

    def make(photos: int) -> Path:
        labels = {}
        for number in range(photos):
            lamp = number % 4 == 3
            rgb = np.zeros((64, 64, 3), np.uint8)
            side = 6 if lamp else 20
            rgb[30 : 30 + side, 30 : 30 + side] = (40 if lamp else 230, 200, 200)
            Image.fromarray(rgb).save(tmp_path / f"{number}.png")
            boxes = [[2, 2, 8, 8]] if lamp else [[30, 30, 20, 20]]
            labels[f"{number}.png"] = {"boxes_xywh": boxes, "occlusion": [int(lamp)], "invalid": [0]}
        (tmp_path / "annotations.json").write_text(json.dumps(labels))
        return tmp_path

    return make


def test_a_face_is_covered_from_sixty_percent_on() -> None:
    labels = {"a": [label(0, 0, 100)]}
    inside, outside = {"a": [candidate(0, 0, 69)]}, {"a": [candidate(0, 0, 60)]}
    assert command.coverage(labels, inside, 0.5)[0][1]
    assert not command.coverage(labels, outside, 0.5)[0][1]


def test_a_candidate_below_the_threshold_covers_nothing() -> None:
    assert not command.coverage({"a": [label(0, 0, 20)]}, {"a": [candidate(0, 0, 20, 0.4)]}, 0.5)[0][1]


def test_faces_marked_invalid_are_neither_asked_for_nor_false_alarms() -> None:
    labels, found = {"a": [label(0, 0, 20, asked=False)]}, {"a": [candidate(0, 0, 20)]}
    assert command.coverage(labels, found, 0.5) == []
    assert command.alarms_of(labels, found) == []
    assert command.average_precision({"a": [*labels["a"], label(40, 0, 20)]}, {"a": [candidate(40, 0, 20, 0.5)]}) == 1


def test_a_candidate_that_touches_no_face_is_a_false_alarm() -> None:
    labels = {"a": [label(0, 0, 20)], "b": []}
    alarms = command.alarms_of(labels, {"a": [candidate(50, 50, 20, 0.3), candidate(1, 1, 20)], "b": []})
    assert alarms == [0.3]
    assert command.false_alarms(alarms, 2, 0.3) == 0.5
    assert command.false_alarms(alarms, 2, 0.31) == 0


def test_the_threshold_keeps_the_alarms_within_their_budget() -> None:
    assert command.threshold_for([0.2, 0.4, 0.6], photos=2, budget=0.5) == 0.41
    assert command.threshold_for([], photos=2, budget=0.5) == 0


def test_average_precision_of_a_hand_counted_list() -> None:
    labels = {"a": [label(0, 0, 20), label(40, 0, 20)]}
    found = {"a": [candidate(0, 0, 20, 0.9), candidate(80, 80, 20, 0.8), candidate(40, 0, 20, 0.7)]}
    assert command.average_precision(labels, found) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_second_detection_of_a_face_is_wrong() -> None:
    labels = {"a": [label(0, 0, 20), label(40, 0, 20)]}
    found = {"a": [candidate(0, 0, 20, 0.9), candidate(1, 0, 20, 0.8), candidate(40, 0, 20, 0.7)]}
    assert command.average_precision(labels, found) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_without_candidates_precision_is_nothing() -> None:
    assert command.average_precision({"a": [label(0, 0, 20)]}, {"a": []}) == 0


@pytest.mark.parametrize(("height", "step"), [(9.9, 0), (10, 1), (16, 2), (31.9, 2), (32, 3), (64, 4), (900, 4)])
def test_every_height_belongs_to_one_step(height: float, step: int) -> None:
    places = [place for place in range(5) if command.in_height(place)(label(0, 0, height))]
    assert places == [step]


def test_recall_by_flag_counts_only_faces_flagged_so() -> None:
    labels = {"a": [label(0, 0, 20, occlusion=0), label(40, 0, 20, occlusion=2)]}
    shown = command.by_flag(labels, {"m": {"a": [candidate(0, 0, 20)]}}, 0.5)
    assert shown.splitlines()[0] == "| member | occlusion 0 | occlusion 2 |"
    assert shown.splitlines()[-1] == "| m | 1.00 | 0.00 |"


def test_labels_without_flags_give_no_table_of_flags() -> None:
    assert command.by_flag({"a": [label(0, 0, 20)]}, {"m": {"a": []}}, 0.5) == ""


def test_labels_with_one_object_a_face_are_read_too(tmp_path) -> None:
    (tmp_path / "annotations.json").write_text(json.dumps({"a.png": [{"box_xywh": [1, 2, 3, 4]}]}))
    assert command.read_labels(tmp_path)["a.png"][0].box == Box(x0=1, y0=2, x1=4, y1=6)


@pytest.mark.parametrize("content", [None, "[", "[]", '{"a": {}}', '{"a": {"boxes_xywh": [[1, 2]]}}'])
def test_labels_that_cannot_be_understood_end_the_command(tmp_path, capsys, content: str | None) -> None:
    if content is not None:
        (tmp_path / "annotations.json").write_text(content)
    assert command.main([str(tmp_path), "--uncalibrated"]) == 2
    assert "annotations.json" in capsys.readouterr().err


def test_photos_are_chosen_by_number_or_name() -> None:
    labels = {str(number): [] for number in range(10)}
    assert list(command.chosen(labels, ["2"])) == ["0", "5"]
    assert list(command.chosen({"a.png": [], "b.png": []}, ["b.png"])) == ["b.png"]
    with pytest.raises(ConfigError, match="1 of the photos"):
        command.chosen({"a.png": []}, ["b.png"])


def test_the_command_prints_recall_alarms_and_cost_and_names_who_is_missing(labelled, capsys) -> None:
    absent = "absent=test_measure_detection:Absent"
    assert command.main([str(labelled(4)), "--members", MEMBER, absent, "--uncalibrated"]) == 0
    printed = capsys.readouterr()
    assert "absent is left out: install its package" in printed.err
    row = next(line for line in printed.out.splitlines() if line.startswith("| bright_squares | 0.50"))
    assert row.split("|")[3:5] == [" 0.75 ", " 1.00 "]
    assert row.split("|")[-2] == " 0.0 "
    assert "| consensus | 0.750 |" in printed.out


def test_without_any_member_that_runs_the_command_fails(labelled, capsys) -> None:
    assert command.main([str(labelled(1)), "--members", "nobody", "--uncalibrated"]) == 2
    assert "nobody is left out" in capsys.readouterr().err


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(ConfigError, match="effort"):
        command.configuration("heroic", 0.1)


def test_fitting_writes_a_calibration_with_its_facts(labelled, tmp_path, capsys) -> None:
    target = tmp_path / "c.json"
    words = [str(labelled(60)), "--members", MEMBER, "--fit", "--write", str(target)]
    assert command.main(words) == 0
    known = read(target)
    assert known.fitted is not None
    assert (known.fitted.photos, known.fitted.faces) == (60, 60)
    member = known.of("bright_squares")
    assert member.candidates == 60
    assert member.score.probability(230 / 255) > 0.9 > 0.1 > member.score.probability(40 / 255)
    assert sum(row.count for row in member.reliability) == 60
    assert "Calibration error out of sample" in capsys.readouterr().out


def test_measuring_on_the_labels_of_the_fitting_says_so(labelled, tmp_path, capsys) -> None:
    target = tmp_path / "c.json"
    folder = str(labelled(8))
    command.main([folder, "--members", MEMBER, "--fit", "--write", str(target)])
    capsys.readouterr()
    command.main([folder, "--members", MEMBER, "--calibration", str(target)])
    assert "IN SAMPLE" in capsys.readouterr().out


def test_every_photo_is_judged_by_a_calibration_fitted_on_others(monkeypatch) -> None:
    labels = {str(number): [label(0, 0, 20)] for number in range(10)}
    looks = {"m": command.Look({photo: [Detection(box(0, 0, 20), None, 0.9)] for photo in labels}, 0.1, 1, 2)}
    fitted_on: list[set[str]] = []

    def spy(shown, _):
        fitted_on.append(set(shown))
        return Calibration()

    monkeypatch.setattr(command, "fit", spy)
    found = command.out_of_sample(labels, looks)
    assert set(found["m"]) == set(found[command.CONSENSUS]) == set(labels)
    held_out = [set(labels) - used for used in fitted_on]
    assert sorted(photo for fold in held_out for photo in fold) == sorted(labels)


def test_the_error_of_likely_candidates_is_not_diluted_by_the_unlikely() -> None:
    labels = {"a": [label(0, 0, 20)]}
    found = {"a": [candidate(500, 0, 20, 0.9), *(candidate(500, 0, 20, 0.0) for _ in range(8))]}
    assert command.calibration_error(labels, found, 0.0) == "0.100"
    assert command.calibration_error(labels, found, 0.2) == "0.900"


def test_too_few_photos_cannot_be_fitted(labelled, capsys) -> None:
    assert command.main([str(labelled(4)), "--members", MEMBER, "--fit", "--write", "/dev/null"]) == 2
    assert "at least 5 photos" in capsys.readouterr().err
