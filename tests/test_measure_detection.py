"""The measuring command on labels and members made here: every figure can be counted by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import measure_detection as command
from detection_figures import figures, fitting, looks, tables
from detection_figures.figures import Candidate
from detection_figures.labels import Label, chosen, in_height, read_labels
from detection_figures.looks import Cost, Look, RunLook
from detection_figures.sheet import CELL_PX, COLUMNS
from detection_figures.variants import UNTOUCHED, VARIANTS, Variant

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


class AboveGrey:
    """Finds the box of all pixels brighter than mid-grey, and is sure of it."""

    name = "above_grey"

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        rows, columns = np.nonzero(rgb[..., 1] > 127)
        box = Box(x0=columns.min(), y0=rows.min(), x1=columns.max() + 1, y1=rows.max() + 1)
        return [Detection(box, None, 0.99)]


COST = Cost((0.1, 0.1), 1, 2)
MEMBER = "bright_squares=test_measure_detection:BrightSquares"


def box(x: float, y: float, side: float) -> Box:
    return Box(x0=x, y0=y, x1=x + side, y1=y + side)


def label(x: float, y: float, side: float, *, asked: bool = True, **flags: int) -> Label:
    return Label(box(x, y, side), asked, flags)


def candidate(x: float, y: float, side: float, probability: float = 0.9) -> Candidate:
    return Candidate(box(x, y, side), probability)


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
    assert figures.coverage(labels, inside, 0.5)[0][1]
    assert not figures.coverage(labels, outside, 0.5)[0][1]


def test_a_candidate_below_the_threshold_covers_nothing() -> None:
    assert not figures.coverage({"a": [label(0, 0, 20)]}, {"a": [candidate(0, 0, 20, 0.4)]}, 0.5)[0][1]


def test_faces_marked_invalid_are_neither_asked_for_nor_false_alarms() -> None:
    labels, found = {"a": [label(0, 0, 20, asked=False)]}, {"a": [candidate(0, 0, 20)]}
    assert figures.coverage(labels, found, 0.5) == []
    assert figures.alarms_of(labels, found) == []
    assert figures.average_precision({"a": [*labels["a"], label(40, 0, 20)]}, {"a": [candidate(40, 0, 20, 0.5)]}) == 1


def test_a_candidate_that_touches_no_face_is_a_false_alarm() -> None:
    labels = {"a": [label(0, 0, 20)], "b": []}
    alarms = figures.alarms_of(labels, {"a": [candidate(50, 50, 20, 0.3), candidate(1, 1, 20)], "b": []})
    assert alarms == [0.3]
    assert figures.false_alarms(alarms, 2, 0.3) == 0.5
    assert figures.false_alarms(alarms, 2, 0.31) == 0


def test_the_threshold_keeps_the_alarms_within_their_budget() -> None:
    assert figures.threshold_for([0.2, 0.4, 0.6], photos=2, budget=0.5) == 0.41
    assert figures.threshold_for([], photos=2, budget=0.5) == 0


def test_average_precision_of_a_hand_counted_list() -> None:
    labels = {"a": [label(0, 0, 20), label(40, 0, 20)]}
    found = {"a": [candidate(0, 0, 20, 0.9), candidate(80, 80, 20, 0.8), candidate(40, 0, 20, 0.7)]}
    assert figures.average_precision(labels, found) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_second_detection_of_a_face_is_wrong() -> None:
    labels = {"a": [label(0, 0, 20), label(40, 0, 20)]}
    found = {"a": [candidate(0, 0, 20, 0.9), candidate(1, 0, 20, 0.8), candidate(40, 0, 20, 0.7)]}
    assert figures.average_precision(labels, found) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_without_candidates_precision_is_nothing() -> None:
    assert figures.average_precision({"a": [label(0, 0, 20)]}, {"a": []}) == 0


@pytest.mark.parametrize(("height", "step"), [(9.9, 0), (10, 1), (16, 2), (31.9, 2), (32, 3), (64, 4), (900, 4)])
def test_every_height_belongs_to_one_step(height: float, step: int) -> None:
    places = [place for place in range(5) if in_height(place)(label(0, 0, height))]
    assert places == [step]


def test_recall_by_flag_counts_only_faces_flagged_so() -> None:
    labels = {"a": [label(0, 0, 20, occlusion=0), label(40, 0, 20, occlusion=2)]}
    shown = tables.by_flag(labels, {"m": {"a": [candidate(0, 0, 20)]}}, 0.5)
    assert shown.splitlines()[0] == "| member | occlusion 0 | occlusion 2 |"
    assert shown.splitlines()[-1] == "| m | 1.00 | 0.00 |"


def test_labels_without_flags_give_no_table_of_flags() -> None:
    assert tables.by_flag({"a": [label(0, 0, 20)]}, {"m": {"a": []}}, 0.5) == ""


def test_labels_with_one_object_a_face_are_read_too(tmp_path) -> None:
    (tmp_path / "annotations.json").write_text(json.dumps({"a.png": [{"box_xywh": [1, 2, 3, 4]}]}))
    assert read_labels(tmp_path)["a.png"][0].box == Box(x0=1, y0=2, x1=4, y1=6)


@pytest.mark.parametrize("content", [None, "[", "[]", '{"a": {}}', '{"a": {"boxes_xywh": [[1, 2]]}}'])
def test_labels_that_cannot_be_understood_end_the_command(tmp_path, capsys, content: str | None) -> None:
    if content is not None:
        (tmp_path / "annotations.json").write_text(content)
    assert command.main([str(tmp_path), "--uncalibrated"]) == 2
    assert "annotations.json" in capsys.readouterr().err


def test_photos_are_chosen_by_number_or_name() -> None:
    labels = {str(number): [] for number in range(10)}
    assert list(chosen(labels, ["2"])) == ["0", "5"]
    assert list(chosen({"a.png": [], "b.png": []}, ["b.png"])) == ["b.png"]
    with pytest.raises(ConfigError, match="1 of the photos"):
        chosen({"a.png": []}, ["b.png"])


def test_the_command_prints_recall_alarms_and_cost_and_names_who_is_missing(labelled, capsys) -> None:
    absent = "absent=test_measure_detection:Absent"
    words = [str(labelled(4)), "--members", MEMBER, absent, "--uncalibrated", "--thresholds", "0.2", "0.5"]
    assert command.main(words) == 0
    printed = capsys.readouterr()
    assert "absent is left out: install its package" in printed.err
    row = next(line for line in printed.out.splitlines() if line.startswith("| bright_squares | 0.50"))
    assert row.split("|")[3:5] == [" 0.75 ", " 1.00 "]
    assert row.split("|")[-2] == " 0.0 "
    assert "| consensus | 0.750 |" in printed.out
    assert tables.AS_A_RUN not in printed.out


def test_the_configured_detector_is_measured_unless_others_are_asked_for() -> None:
    assert command.arguments(["folder"]).members == ["retinaface"]
    assert command.arguments(["folder"]).thresholds == [DetectionConfig().doubt_score, DetectionConfig().accept_score]


def test_without_any_member_that_runs_the_command_fails(labelled, capsys) -> None:
    assert command.main([str(labelled(1)), "--members", "nobody", "--uncalibrated"]) == 2
    assert "nobody is left out" in capsys.readouterr().err


def test_an_unknown_effort_is_refused(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        command.main([str(tmp_path), "--efforts", "heroic"])
    assert "invalid choice: 'heroic'" in capsys.readouterr().err


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


def test_every_photo_is_judged_by_a_calibration_fitted_on_others(monkeypatch, tmp_path) -> None:
    labels = {str(number): [label(0, 0, 20)] for number in range(10)}
    seen = {"m": Look({photo: [Detection(box(0, 0, 20), None, 0.9)] for photo in labels}, Cost((0.1,), 1, 2))}
    fitted_on: list[set[str]] = []

    def spy(shown, *_):
        fitted_on.append(set(shown))
        return Calibration()

    monkeypatch.setattr(fitting, "fit", spy)
    found = fitting.out_of_sample(labels, seen, fitting.Photos(tmp_path))
    assert set(found["m"]) == set(found[fitting.CONSENSUS]) == set(labels)
    held_out = [set(labels) - used for used in fitted_on]
    assert sorted(photo for fold in held_out for photo in fold) == sorted(labels)


def test_the_error_of_likely_candidates_is_not_diluted_by_the_unlikely() -> None:
    labels = {"a": [label(0, 0, 20)]}
    found = {"a": [candidate(500, 0, 20, 0.9), *(candidate(500, 0, 20, 0.0) for _ in range(8))]}
    assert tables.calibration_error(labels, found, 0.0) == "0.100"
    assert tables.calibration_error(labels, found, 0.2) == "0.900"


def test_too_few_photos_cannot_be_fitted(labelled, capsys) -> None:
    assert command.main([str(labelled(4)), "--members", MEMBER, "--fit", "--write", "/dev/null"]) == 2
    assert "at least 5 photos" in capsys.readouterr().err


# as a run finds them


class OnlyTall:
    """Finds the brightest pixels' box as BrightSquares does, but only in pictures that are higher than wide."""

    name = "only_tall"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        self.calls += 1
        return BrightSquares(DetectionConfig(), 1).detect(rgb) if rgb.shape[0] > rgb.shape[1] else []


@pytest.fixture
def lying(tmp_path) -> Path:
    """One photo, wider than high, with a bright square of 20 px as its face."""
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[10:30, 40:60] = (230, 200, 200)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    return tmp_path


LYING = {"a.png": [label(40, 10, 20)]}


def as_a_run(monkeypatch, member, folder: Path, thresholds=(0.35,), variant: str = UNTOUCHED) -> RunLook:
    monkeypatch.setattr(looks, "members_of", lambda config, threads: ((member,), (member,)))
    return looks.look_as_a_run(DetectionConfig(), thresholds, 1, folder, LYING, variant)


def test_a_run_also_finds_what_shows_only_when_the_photo_is_turned(monkeypatch, lying) -> None:
    found = as_a_run(monkeypatch, OnlyTall(), lying).found_from[0.35]
    assert [(face.box, face.probability) for face in found["a.png"]] == [(box(40, 10, 20), pytest.approx(230 / 255))]


def test_at_a_higher_threshold_a_run_finds_only_what_is_surer(monkeypatch, lying) -> None:
    run = as_a_run(monkeypatch, BrightSquares(DetectionConfig(), 1), lying, (0.35, 0.95))
    assert [len(found["a.png"]) for found in run.found_from.values()] == [1, 0]


@pytest.mark.parametrize(("red", "doubtful"), [(230, 0), (120, 1)])
def test_a_run_counts_the_faces_that_a_reviewer_is_asked_about(monkeypatch, lying, red: int, doubtful: int) -> None:
    rgb = np.zeros((48, 64, 3), np.uint8)
    rgb[10:30, 40:60] = (red, 200, 200)
    Image.fromarray(rgb).save(lying / "a.png")
    assert as_a_run(monkeypatch, BrightSquares(DetectionConfig(), 1), lying).doubtful == doubtful


def test_further_thresholds_do_not_look_again(monkeypatch, lying) -> None:
    once, thrice = OnlyTall(), OnlyTall()
    as_a_run(monkeypatch, once, lying, (0.35,))
    as_a_run(monkeypatch, thrice, lying, (0.35, 0.5, 0.8))
    assert thrice.calls == once.calls


def test_what_was_found_in_one_picture_is_not_remembered_for_another() -> None:
    detector = looks.Remembering(BrightSquares(DetectionConfig(), 1))
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[5:10, 30:35] = 255
    assert detector.detect(wide)[0].box == box(30, 5, 5)
    assert detector.detect(wide.reshape(40, 20, 3)) != detector.detect(wide)
    assert detector.detect(np.zeros_like(wide)) == []


def test_a_threshold_above_the_upper_one_takes_it_along() -> None:
    config = looks.at_threshold(DetectionConfig(doubt_score=0.3, accept_score=0.6), 0.7)
    assert (config.doubt_score, config.accept_score) == (0.7, 0.7)
    assert looks.at_threshold(DetectionConfig(doubt_score=0.3, accept_score=0.6), 0.5).accept_score == 0.6


def test_the_command_measures_the_run_beside_its_members(labelled, capsys) -> None:
    assert command.main([str(labelled(2)), "--members", MEMBER]) == 0
    rows = [
        line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {tables.AS_A_RUN}")
    ]
    by_height = [row for row in rows if len(row) == 10]
    assert [row[1] for row in by_height] == ["0.35", "0.80"]
    assert all(row[2] == "0.00" for row in by_height), "a bright square is no face"
    assert len(rows) == 4, "twice by height, once by flag, once by cost"


# changed photos


def test_the_table_of_changed_photos_says_how_many_points_are_lost() -> None:
    labels = {"a": [label(0, 0, 20), label(40, 0, 8), label(80, 0, 20), label(120, 0, 20)]}
    untouched = RunLook({0.5: {"a": [candidate(0, 0, 20), candidate(40, 0, 8), candidate(80, 0, 20)]}}, labels, COST)
    half = RunLook({0.5: {"a": [candidate(0, 0, 20), candidate(40, 0, 8), candidate(300, 0, 20)]}}, labels, COST)
    rows = tables.robustness({UNTOUCHED: untouched, "half size": half}, 0.5).splitlines()
    assert rows[2] == "| untouched | 0.75 | 0.67 | 0.0 | +0.0 | +0.0 | – |"
    assert rows[3] == "| half size | 0.50 | 0.33 | 1.0 | -25.0 | -33.3 | −10: missed |"


@pytest.mark.parametrize(("lost", "verdict"), [(1, "−1: met"), (2, "−1: missed")])
def test_the_target_of_turned_photos_is_one_point(lost: int, verdict: str) -> None:
    labels = {"a": [label(40 * place, 0, 20) for place in range(100)]}
    found = [candidate(40 * place, 0, 20) for place in range(100)]
    runs = {
        UNTOUCHED: RunLook({0.5: {"a": found}}, labels, COST),
        "turned by 90°": RunLook({0.5: {"a": found[lost:]}}, labels, COST),
    }
    assert tables.robustness(runs, 0.5).splitlines()[-1].endswith(f"| {verdict} |")


TURNED = ["turned by 90°", "turned by 180°", "turned by 270°"]


@pytest.mark.parametrize("variant", [*TURNED, "half size", "JPEG quality 20"])
def test_a_detector_that_does_not_mind_finds_the_moved_face(monkeypatch, lying, variant: str) -> None:
    run = as_a_run(monkeypatch, AboveGrey(), lying, variant=variant)
    assert figures.coverage(run.labels, run.found_from[0.35], 0.35)[0][1]
    assert figures.alarms_of(run.labels, run.found_from[0.35]) == []


@pytest.mark.parametrize("variant", TURNED)
def test_labels_that_do_not_turn_with_the_photo_are_noticed(monkeypatch, lying, variant: str) -> None:
    change = VARIANTS[variant].change
    left_behind = Variant(lambda rgb, labels: (change(rgb, labels)[0], list(labels)))
    monkeypatch.setitem(looks.VARIANTS, variant, left_behind)
    run = as_a_run(monkeypatch, AboveGrey(), lying, variant=variant)
    assert not figures.coverage(run.labels, run.found_from[0.35], 0.35)[0][1]
    assert len(figures.alarms_of(run.labels, run.found_from[0.35])) == 1


def test_the_command_prints_a_row_for_every_change(labelled, capsys) -> None:
    assert command.main([str(labelled(1)), "--robustness", "--efforts", "fast", "--thresholds", "0.5"]) == 0
    names = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert names[2:] == list(VARIANTS)


# photos without labels


def test_photos_without_labels_are_counted_by_their_faces() -> None:
    found = {"a": [], "b": [candidate(0, 0, 20)], "c": [candidate(0, 0, 20), candidate(40, 0, 20, 0.4)]}
    row = tables.how_many(RunLook({0.35: found, 0.5: {"a": []}}, {}, COST, doubtful=1)).splitlines()[-1]
    assert row == "| 3 | 1 | 1 | 1 | 3 | 1 | 0.100 |"


def test_pictures_are_counted_wherever_they_lie(tmp_path, capsys) -> None:
    (tmp_path / "below").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "below" / "somebody.png")
    Image.fromarray(np.full((300, 400, 3), 90, np.uint8)).save(tmp_path / "nobody.jpg")
    assert command.main([str(tmp_path), "--unlabelled", "--efforts", "fast"]) == 0
    assert "| 2 | 1 | 1 | 0 | 1 | 0 |" in capsys.readouterr().out


def test_a_folder_without_pictures_is_refused(tmp_path, capsys) -> None:
    assert command.main([str(tmp_path), "--unlabelled"]) == 2
    assert "no pictures" in capsys.readouterr().err


def test_the_sheet_shows_the_surest_false_alarms_and_no_found_face(labelled, tmp_path) -> None:
    """Of four photos one has a lamp, far from the face that is labelled there."""
    sheet = tmp_path / "alarms.png"
    words = [str(labelled(4)), "--members", MEMBER, "--uncalibrated", "--sheet", str(sheet), "--alarms", "1"]
    assert command.main(words) == 0
    picture = np.asarray(Image.open(sheet))
    assert picture.shape == (CELL_PX, COLUMNS * CELL_PX, 3)
    lamp, rest = picture[:, :CELL_PX], picture[:, CELL_PX:]
    assert (lamp == (40, 200, 200)).all(axis=2).any()
    assert not rest.any()


def test_a_sheet_that_cannot_be_written_ends_the_command(labelled, tmp_path, capsys) -> None:
    words = [str(labelled(4)), "--members", MEMBER, "--uncalibrated", "--sheet", str(tmp_path / "none" / "a.png")]
    assert command.main(words) == 2
    assert "the sheet cannot be written" in capsys.readouterr().err


def test_a_sheet_is_of_one_effort_level(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        command.main([str(tmp_path), "--sheet", "a.png", "--efforts", "fast", "balanced"])
    assert "one effort level" in capsys.readouterr().err
