"""The report: self-contained, honest about what is missing, and made of published files alone."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from faces import face
from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig, RunConfig
from photo_anonymizer.detection.doubt import band_of
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.gate.aggregates import Aggregates
from photo_anonymizer.gate.standing import standings
from photo_anonymizer.gate.suite import Finding, Verdict, expectations
from photo_anonymizer.hand_test.result import HandResult
from photo_anonymizer.model.face import Doubt
from photo_anonymizer.model.measurement import FolderCheck
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.reid.claims import claim_in_words
from photo_anonymizer.reid.groups import SIZE, SIZE_BANDS
from photo_anonymizer.reid.measure import Attack, Attacks, Further, linked_by_person, measure
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import rate
from photo_anonymizer.release.attacks_shown import histogram
from photo_anonymizer.release.detected import detection_evidence
from photo_anonymizer.release.report import (
    EXPLANATIONS,
    check_rows,
    choose,
    interval,
    percent,
    thumbnail,
    write_report,
)
from photo_anonymizer.release.unedited import unedited_evidence
from photo_anonymizer.software import software_versions

THRESHOLD = 0.6
REASONS = {"held: person_without_face": 3, "held: still_recognised": 1, "rejected: duplicate": 11}


def attack(
    n: int,
    *,
    linked: int = 0,
    empty: int = 0,
    degenerate: bool = False,
    mirrored: bool = True,
    name: str = "dlib_resnet",
) -> Attack:
    """A real measurement over made-up embeddings.

    :param linked: so many first faces stay where they were.
    :param empty: so many last ones become what an empty picture is, near to which their originals are.
    :param mirrored: the recogniser knows the originals in the mirror.
    """
    rng = np.random.default_rng(7)
    original = rng.normal(0, 0.07, (n, 128)).astype(np.float32)
    if degenerate:
        original[:] = 0.1
    published = rng.normal(0, 0.07, (n, 128)).astype(np.float32)
    published[:linked] = original[:linked] + np.float32(0.001)
    nothing = np.zeros((1, 128), np.float32)
    original[n - empty :], published[n - empty :] = 0.01, nothing
    keys = tuple((f"p{number}", "f0000") for number in range(n))
    mirror = original if mirrored else original[::-1]
    bands = {SIZE: {key: SIZE_BANDS[number % 2] for number, key in enumerate(keys)}}
    people = {key: number // 2 for number, key in enumerate(keys)}
    return measure(FacePairs(keys, original, mirror, published), name, THRESHOLD, nothing, people, bands)


def together(*attacks: Attack) -> Attacks:
    """The attacks of several recognisers, linking the first faces; two faces a person."""
    linked = max((item.linked for item in attacks), key=lambda found: found.hits)
    keys = [("p", str(number)) for number in range(linked.n)]
    people = {key: number // 2 for number, key in enumerate(keys)}
    return Attacks(
        linked=linked,
        linked_by_person=linked_by_person(keys, set(keys[: linked.hits]), people),
        by_recogniser={item.recogniser: item for item in attacks},
    )


def verdict_of(config: RunConfig, failed: Sequence[str] = ()) -> Verdict:
    findings = tuple(
        Finding(expectation=kind, column=column, passed=column not in failed, meaning=meaning)
        for kind, column, _, meaning in expectations(config.reid)
    )
    return Verdict(passed=not failed, findings=findings)


def evidence_of(
    before: Attack | Attacks,
    after: Attack | Attacks,
    verdict: Verdict,
    released: int,
    faces: int,
    claim: str = "observed",
) -> dict[str, Any]:
    before, after = (item if isinstance(item, Attacks) else together(item) for item in (before, after))
    first = next(iter(after.by_recogniser.values()))
    low, chance = first.rank1.low, first.rank1.chance
    aggregates = Aggregates(
        inputs=released + 15,
        to_release=released,
        held=4,
        rejected=11,
        unaccounted=0,
        faces=faces,
        faces_without_edit=0,
        faces_not_as_edited=0,
        faces_measured=after.linked.n,
        photos_with_faces=min(released, faces),
        photos_measured=min(released, faces),
        files_missing=0,
        files_changed=0,
        files_changed_outside=0,
        metadata_residue=0,
        recogniser_degenerate=first.degenerate,
        control_rate=first.control.rate,
        linked_rate=after.linked.rate,
        rank1_low_excess=None if low is None or chance is None else low - chance,
    )
    return {
        "schema": 2,
        "claim": claim,
        "claim_in_words": claim_in_words(claim, after.linked, after.linked_by_person),
        "attack": "A0: clear originals against published files, same photos",
        "aggregates": aggregates.model_dump(mode="json"),
        "recognisers": [item.model_dump(mode="json") for item in standings(after, {}, 0.8)],
        "before_escalation": before.model_dump(mode="json"),
        "published": after.model_dump(mode="json"),
        "escalation": {"rounds": 2, "faces_escalated": before.linked.hits, "photos_held": 1, "ended_at": {}},
        "bounds": {"max_linked_rate": 0.0, "max_rank1_excess": 0.05, "min_control_rate": 0.8},
        "gate": verdict.model_dump(mode="json"),
        "kept_faces": {"region": 0, "person": 0, "rule": {}},
        "detection": detection_evidence(DetectionConfig(), photos_with(*[()] * faces)),
        "carried_over": {"photos": 0, "faces": 0, "attacked_in": {}, "attacks": {}},
        "unedited": unedited_evidence([]),
        "changed": {"made": [], "instead": [], "linkable": ""},
    }


def photos_with(*doubts: tuple[Doubt, ...]) -> list[PhotoRecord]:
    """A photo for every face with these doubts; only smallness leaves it beyond doubt."""
    faces = [
        face(0, 0, 30, 40).model_copy(update={"doubts": each, "band": band_of(each), "face_id": "secret"})
        for each in doubts
    ]
    return [PhotoRecord(photo_id="secret", source_uri="file:///secret.jpg", faces=(one,)) for one in faces]


def about_of(config: RunConfig, released: int, faces: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "dataset": config.dataset,
        "version": "v0003",
        "run": "ab" * 16,
        "configuration": config.public(),
        "configuration_sha256": config.digest,
        "method": config.chosen_method,
        "residual_cues": config.residual_enabled,
        "software": software_versions(),
        "models": [
            {
                "name": item.name,
                "package": f"{item.package}=={item.pin}",
                "sha256": item.sha256,
                "licence": item.licence,
                "use": item.use,
            }
            for item in weights.registered().values()
        ],
        "counts": {"inputs": released + 15, "released": released, "held": 4, "rejected": 11, "faces": faces},
        "audit": {"entries": released + 4, "sha256": "cd" * 32},
        "product": {"name": "photo-anonymizer", "version": "0.1.0"},
    }


def drawn(number: int, size_wh: tuple[int, int] = (640, 400)) -> np.ndarray[Any, np.dtype[np.uint8]]:
    width, height = size_wh
    picture = np.full((height, width, 3), (40 * number % 255, 120, 200), np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 4, (90, 170, 220), -1)
    return picture


def published(folder: Path, faces: Sequence[int], suffixes: Sequence[str] = (".jpg", ".png")) -> list[dict[str, Any]]:
    """Drawn pictures in ``photos/`` and their rows; beside them something that was never published."""
    (folder / "photos").mkdir(parents=True)
    (folder / "originals").mkdir()
    cv2.imwrite(str(folder / "originals" / "secret.jpg"), drawn(99))
    rows = []
    for number, count in enumerate(faces):
        photo_id = f"{number:02d}" + f"{number * 7919 + 1:030x}"
        name = f"photos/{photo_id}{suffixes[number % len(suffixes)]}"
        assert cv2.imwrite(str(folder / name), drawn(number))
        rows.append({"photo_id": photo_id, "file": name, "width": 640, "height": 400, "faces": count})
    return rows


def report(
    folder: Path,
    rows: list[dict[str, Any]],
    before: Attack | Attacks,
    after: Attack | Attacks,
    *,
    most: int = 24,
    reasons: dict[str, int] | None = None,
    carried_over: dict[str, Any] | None = None,
    aggregates: dict[str, Any] | None = None,
    detection: dict[str, Any] | None = None,
    unedited: Sequence[dict[str, Any]] = (),
    escalation: dict[str, Any] | None = None,
    hand_tests: Sequence[dict[str, Any]] = (),
    changed: dict[str, Any] | None = None,
    claim: str = "observed",
    **changes: Any,
) -> str:
    config = RunConfig(source="/secret/source", out="/secret/out", dataset="street-fair", method="pixelate")
    faces = sum(row["faces"] for row in rows)
    about = {**about_of(config, len(rows), faces), **changes}
    evidence = evidence_of(before, after, verdict_of(config), len(rows), faces, claim)
    evidence["carried_over"] = carried_over or evidence["carried_over"]
    evidence["aggregates"].update(aggregates or {})
    evidence["detection"] = detection or evidence["detection"]
    evidence["unedited"] = unedited_evidence(unedited)
    evidence["escalation"].update(escalation or {})
    evidence["changed"].update(changed or {})
    evidence["hand_tests"] = list(hand_tests)
    write_report(folder, about, evidence, rows, REASONS if reasons is None else reasons, most)
    return (folder / "report.html").read_text(encoding="utf-8")


def words(html: str) -> str:
    """What a reader sees, on one line, with plain spaces."""
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def embedded(html: str) -> list[np.ndarray[Any, Any]]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    files = [np.frombuffer(base64.b64decode(text), np.uint8) for text in found]
    return [np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR)) for file in files]


def test_everything_is_in_the_file(tmp_path: Path) -> None:
    html = report(tmp_path, published(tmp_path, [2, 1, 0]), attack(60, linked=3), attack(57))
    assert not re.search(r"https?://|//[a-z]+\.|<script|<link|<iframe|@import|url\(", html, flags=re.IGNORECASE)
    assert all(source.startswith("data:image/jpeg;base64,") for source in re.findall(r'src="([^"]*)"', html))
    assert "default-src 'none'" in html
    assert "/secret" not in html


def test_numbers_are_said_in_words(tmp_path: Path) -> None:
    text = words(report(tmp_path, published(tmp_path, [20, 37, 0]), attack(60, linked=3), attack(57)))
    assert "street-fair, version v0003" in text
    assert "Observed, not proven" in text
    assert "0 of 57 faces match their original" in text
    assert "0–6.3 %" in text
    assert "3 of 60" in text
    assert "18 = 3 released + 4 held + 11 rejected" in text
    assert "probability 1.8 %" in text
    assert "takes 299 faces without a link" in text
    assert "0 of 57 proves only less than 5.2 % (one-sided, 95&nbsp;%)" in text
    assert "about 29 people" in text
    assert "0 of 29 proves only less than 9.9 % of people" in text
    assert "photo-anonymizer verify releases/street-fair/v0003" in text
    assert "docs/threat-model.md" in text
    assert text.count("✓ passed") >= 10
    assert "✗" not in text
    for model in weights.registered().values():
        assert model.licence in text
    for explained in ("person_without_face", "still_recognised", "duplicate"):
        assert EXPLANATIONS[explained] in text


def test_links_that_remain_are_not_called_clear(tmp_path: Path) -> None:
    text = words(report(tmp_path, published(tmp_path, [20]), attack(20, linked=8), attack(20, linked=6)))
    assert "6 of 20 faces are still linked to their original" in text
    assert "more than guessing" in text
    assert "takes no published face" not in text


def test_matches_that_are_no_links_are_not_hidden(tmp_path: Path) -> None:
    after = attack(20, empty=2)
    assert (after.linked.hits, after.verification.hits) == (0, 2)
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "0 of 20 faces are linked to their original" in text
    assert "2 of 20 lie within its threshold, but no nearer to the original than an empty picture" in text
    assert "2 faces whose original is as near to an empty picture are counted among the 20" in text


def test_zero_faces_are_not_measured(tmp_path: Path) -> None:
    html = report(tmp_path, published(tmp_path, [0, 0]), attack(0), attack(0))
    text = words(html)
    assert "Match rate: not measured" in text
    assert "0 of 0" not in text
    assert "0 %" not in text.replace("100 %", "").replace("more than 0 %", "")
    assert "Distances between faces" not in html
    assert "changed" not in words(html.split("What it did not establish")[0].split("What this run established")[1])


def test_a_broken_recogniser_proves_nothing(tmp_path: Path) -> None:
    after = attack(9, degenerate=True)
    assert after.degenerate
    text = words(report(tmp_path, published(tmp_path, [9]), after, after))
    assert "No recogniser counts as a test of this collection: dlib_resnet does not tell the originals apart" in text
    assert "0 of 9" not in text
    assert "Match rate: not measured" in text


def test_every_recogniser_is_shown_and_whether_it_counts(tmp_path: Path) -> None:
    after = together(attack(30), attack(30, mirrored=False, name="lbp"), attack(30, name="user_onnx.own"))
    html = report(tmp_path, published(tmp_path, [30]), after, after)
    text = words(html)
    assert html.count("<svg") == 3 + 1  # one is about detection
    assert len(set(re.findall(r'id="([^"]+)"', html))) == len(re.findall(r'id="([^"]+)"', html))
    assert "The recognisers dlib_resnet and user_onnx.own , told where each face is" in text
    assert "Recogniser lbp , threshold 0.6: counts as no test" in text
    assert "knows 0 % of the originals in the mirror, and 80 % are asked for" in text
    assert "A face is linked when any recogniser links it" in text


def test_a_link_of_the_second_recogniser_is_not_hidden(tmp_path: Path) -> None:
    after = together(attack(20), attack(20, linked=4, name="user_onnx.own"))
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "4 of 20 faces are still linked to their original" in text
    assert "as user_onnx.own sees it, which went furthest" in text


def test_a_recogniser_that_knows_too_few_originals_proves_nothing(tmp_path: Path) -> None:
    after = attack(20, mirrored=False)
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "Match rate: not measured" in text
    assert "dlib_resnet knows 0 % of the originals in the mirror" in text
    assert "0 of 20" not in text[: text.index("The attack")]


def test_figures_are_given_by_group_and_for_the_person_found_most_often(tmp_path: Path) -> None:
    after = attack(30, linked=3)
    text = words(report(tmp_path, published(tmp_path, [30]), after, after))
    assert "face height below 32 px 2 of 15" in text
    assert "32 to 63 px 1 of 15" in text
    assert "for the person who is found most often, as far as people are told apart 2 of 2" in text


def test_a_proof_is_called_one_and_an_observation_is_not(tmp_path: Path) -> None:
    rows, after = published(tmp_path, [700]), attack(700)
    proven = words(report(tmp_path, rows, after, after, claim="proven"))
    assert "Proven at 95 % confidence 0 of 700 faces match their original" in proven
    assert "a face is linked of at most 0.86 % of people like these" in proven
    assert "Observed, not proven" not in proven
    observed = words(report(tmp_path, rows, after, after))
    assert "Observed, not proven 0 of 700 faces match" in observed
    assert "Proven" not in observed


def test_one_face_renders(tmp_path: Path) -> None:
    text = words(report(tmp_path, published(tmp_path, [1]), attack(1), attack(1)))
    assert "With a single face this says nothing" in text
    assert "originals of two different photos" not in text


def test_failed_and_missing_expectations_show() -> None:
    config = RunConfig(source="x", dataset="d")
    evidence = evidence_of(attack(0), attack(0), verdict_of(config, ["linked_rate", "faces"]), 2, 0)
    rows = check_rows(evidence)
    failed = {row.refuses_when: row.measured for row in rows if not row.passed}
    assert failed["the measure linked_rate is missing"] == "not measured"
    assert failed["the measure faces is missing"] == "0"
    assert rows[0].passed
    assert "faces" not in rows[0].columns


def test_a_refused_gate_is_said_first(tmp_path: Path) -> None:
    rows, config = published(tmp_path, [3]), RunConfig(source="x", dataset="d")
    evidence = evidence_of(attack(3), attack(3), verdict_of(config, ["metadata_residue"]), 1, 3)
    write_report(tmp_path, about_of(config, 1, 3), evidence, rows, {}, 1)
    text = words((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert text.index("Gate refused") < text.index("Observed, not proven")
    assert "✗ failed" in text
    assert "The reasons were not recorded" in text


def test_text_is_escaped(tmp_path: Path) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    html = report(
        tmp_path,
        published(tmp_path, [1]),
        attack(1),
        attack(1),
        dataset=evil,
        reasons={f"held: {evil}": 1},
        software={evil: evil},
        configuration={"dataset": evil, "mask": {evil: evil}},
    )
    assert "<img src=x" not in html
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") >= 6
    assert "No explanation is known for this code." in html


@pytest.mark.parametrize(("most", "shown"), [(0, 0), (1, 1), (4, 4), (5, 5), (50, 9)])
def test_the_contact_sheet_has_as_many_photos_as_asked_for(tmp_path: Path, most: int, shown: int) -> None:
    html = report(tmp_path, published(tmp_path, [0, 1] * 4 + [0]), attack(4), attack(4), most=most)
    pictures = embedded(html)
    assert len(pictures) == shown == html.count("<img ")
    assert all(max(picture.shape[:2]) == 260 for picture in pictures)
    assert ("No contact sheet was asked for" in html) == (most == 0)


def test_only_published_photos_are_embedded(tmp_path: Path) -> None:
    rows = published(tmp_path, [1, 2, 0], suffixes=[".jpg"])
    pictures = embedded(report(tmp_path, rows, attack(3), attack(3)))
    corners = [picture[5, 5].astype(int) for picture in pictures]
    wanted = [drawn(number)[5, 5].astype(int) for number in range(3)]
    for corner, want in zip(corners, wanted, strict=True):
        assert np.abs(corner - want).max() < 12


def test_every_published_format_can_be_shown(tmp_path: Path) -> None:
    rows = published(tmp_path, [1, 1, 1, 1], suffixes=[".tiff", ".webp", ".png", ".jpg"])
    assert len(embedded(report(tmp_path, rows, attack(4), attack(4)))) == 4


def test_a_broken_published_file_stops_the_report(tmp_path: Path) -> None:
    rows = published(tmp_path, [1])
    (tmp_path / rows[0]["file"]).write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(PhotoError):
        report(tmp_path, rows, attack(1), attack(1))
    assert not (tmp_path / "report.html").exists()


def test_the_same_release_gives_the_same_report(tmp_path: Path) -> None:
    rows = published(tmp_path, [1, 0, 3])
    first = report(tmp_path, rows, attack(4), attack(4), most=2)
    assert report(tmp_path, rows[::-1], attack(4), attack(4), most=2) == first


def test_photos_with_faces_come_first_and_are_spread() -> None:
    rows = [{"photo_id": f"{number:03d}", "faces": number % 2} for number in range(20)]
    assert [row["photo_id"] for row in choose(rows, 5)] == ["001", "005", "009", "013", "017"]
    more = choose(rows, 12)
    assert [row["faces"] for row in more] == [1] * 10 + [0] * 2
    assert choose([], 5) == []


def test_transparent_parts_are_white_in_thumbnails() -> None:
    rgb, alpha = np.zeros((520, 260, 3), np.uint8), np.full((520, 260), 255, np.uint8)
    alpha[:, :130] = 0
    small = thumbnail(rgb, alpha)
    assert small.shape == (260, 130, 3)
    assert small[100, 10].tolist() == [255, 255, 255]
    assert small[100, 120].tolist() == [0, 0, 0]
    assert thumbnail(np.zeros((5000, 3, 3), np.uint8)).shape == (260, 1, 3)


def test_the_histogram_shows_all_distances() -> None:
    shape = histogram(attack(57).model_dump(mode="json"))
    assert shape is not None
    top = shape.y_ticks[-1]
    shares = [height / (shape.plot.bottom - top.at) * float(top.label) for _, _, _, height in shape.bars]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert shape.outline.startswith("M")
    assert all(shape.plot.left <= x and x + width <= shape.plot.right + 0.1 for x, _, width, _ in shape.bars)
    assert all(y >= shape.plot.top for _, y, _, _ in shape.bars)
    assert histogram(attack(0).model_dump(mode="json")) is None


def test_far_distances_stay_inside_the_drawing() -> None:
    far = attack(3).model_copy(update={"same_photo": (0,) * 39 + (3,), "threshold": 1.9})
    shape = histogram(far.model_dump(mode="json"))
    assert shape is not None
    assert shape.x_ticks[-1].label == "2.0"
    assert shape.threshold_x < shape.plot.right


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.0627, "6.3 %"),
        (0.00037, "0.037 %"),
        (0.99999, "> 99.9 %"),
        (1e-7, "< 0.001 %"),
        (-0.0123, "-1.2 %"),
    ],
)
def test_percentages(value: float | None, text: str) -> None:
    assert percent(value).replace("\u00a0", " ") == text


def test_intervals() -> None:
    assert interval(attack(57).verification).replace("\u00a0", " ") == "0–6.3 %"
    assert interval(attack(0).verification) == "not measured"


def test_every_reason_is_explained() -> None:
    assert set(EXPLANATIONS) == set(Reason)


def test_photos_that_were_taken_over_are_named_with_the_version_that_attacked_them(tmp_path: Path) -> None:
    rows = published(tmp_path, [1])
    earlier = {"photos": 3, "faces": 2, "attacked_in": {"v0001": 2, "v0003": 1}, "attacks": {}}
    shown = words(report(tmp_path, rows, attack(0), attack(0), carried_over=earlier))
    assert "3 photos with 2 faces were taken over unchanged" in shown
    assert "2 in v0001, 1 in v0003" in shown
    assert "taken over" not in words(report(tmp_path, rows, attack(0), attack(0)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "An independent reader found nothing but pixels in the 1 published file"),
        (
            {"second_reader": "exiftool 13.0", "second_reader_residue": 0},
            "Two independent readers, one of them exiftool 13.0, found nothing but pixels in the 1 published file",
        ),
        ({"carried_over": 3}, "found nothing but pixels in the 1 new file"),
    ],
)
def test_who_read_the_files_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    rows = published(tmp_path, [1])
    assert said in words(report(tmp_path, rows, attack(0), attack(0), aggregates=changes))


def test_no_reader_is_praised_for_a_file_in_which_one_of_them_found_something(tmp_path: Path) -> None:
    found = {"second_reader": "exiftool 13.0", "second_reader_residue": 1}
    rows = published(tmp_path, [1])
    assert "found nothing but pixels" not in words(report(tmp_path, rows, attack(0), attack(0), aggregates=found))


def test_what_stayed_as_it_was_is_said(tmp_path: Path) -> None:
    photos = [{"format": "jpeg", "outside_mean": mean, "outside_max": most} for mean, most in ((0, 0), (0.5, 9))]
    shown = words(report(tmp_path, published(tmp_path, [1, 0]), attack(0), attack(0), unedited=photos))
    assert "JPEG: 1 of 2 photos unchanged outside the blocks that were edited; 1 encoded as a whole" in shown


# how faces were found

BETWEEN, MESH, DETECTORS, TINY = Doubt


def found(tmp_path: Path, *doubts: tuple[Doubt, ...], **calibration: Any) -> str:
    detection = detection_evidence(DetectionConfig(), photos_with(*doubts))
    detection["calibration"].update(calibration)
    after = attack(max(1, len(doubts)))
    text = words(report(tmp_path, published(tmp_path, [len(doubts)]), after, after, detection=detection))
    return text[text.index("How the faces were found") : text.index("What is not in the release")]


def test_doubtful_faces_are_counted_by_reason(tmp_path: Path) -> None:
    text = found(tmp_path, (), (TINY,), (BETWEEN,), (BETWEEN, DETECTORS, TINY))
    assert "Of 4 faces in the photos that are new in this version, 2 are beyond doubt and 2 are doubtful" in text
    assert f"score_between_thresholds 2 {BETWEEN.meaning}" in text
    assert f"detectors_disagree 1 {DETECTORS.meaning}" in text
    assert f"below_recognisable_size 1 {TINY.meaning}" in text
    assert "second_look_disagrees" not in text


@pytest.mark.parametrize(("faces", "said"), [(1, "The face in the photos"), (3, "All 3 faces in the photos")])
def test_where_nothing_was_doubtful_there_is_no_table(tmp_path: Path, faces: int, said: str) -> None:
    text = found(tmp_path, *[()] * faces)
    assert said in text
    assert "beyond doubt: at or above 0.8" in text
    assert "What it means" not in text


def test_where_no_face_was_found_it_says_so(tmp_path: Path) -> None:
    assert "No face was found in the photos that are new" in found(tmp_path)


def test_the_calibration_is_drawn_with_its_error_and_where_it_comes_from(tmp_path: Path) -> None:
    table = [{"count": 30, "probability": 0.4, "faces": 0.5}, {"count": 10, "probability": 0.9, "faces": 0.9}]
    measured = {"reliability": table, "expected_calibration_error": 0.075, "photos": 61, "faces": 1234, "folds": 7}
    text = found(tmp_path, (), **measured)
    assert "What the probabilities of faces are worth" in text  # the drawing's title
    assert "30 candidates: 0.40 promised, 0.50 are faces" in text
    assert "On 61 photos in which people had marked 1,234 faces" in text
    assert "differ by 7.5 percentage points on average" in text
    assert "(7 parts)" in text
    assert "not on the photos of this release, with what retinaface" in text


@pytest.mark.parametrize("missing", [{"reliability": []}, {"photos": None}])
def test_a_calibration_that_was_never_measured_is_not_drawn(tmp_path: Path, missing: dict[str, Any]) -> None:
    text = found(tmp_path, (), **missing)
    assert "Not measured" in text
    assert "on average" not in text


def test_detectors_without_a_calibration_are_named(tmp_path: Path) -> None:
    assert "yunet was not calibrated: its scores are taken at their word" in found(tmp_path, (), uncalibrated=["yunet"])


def test_of_detection_only_numbers_leave() -> None:
    evidence = detection_evidence(DetectionConfig(detectors="retinaface,user_onnx"), photos_with((), (BETWEEN, MESH)))
    assert "secret" not in json.dumps(evidence)
    assert (evidence["faces"], evidence["beyond_doubt"], evidence["doubtful"]) == (2, 1, 1)
    assert evidence["reasons"] == {str(BETWEEN): 1, str(MESH): 1, str(DETECTORS): 0, str(TINY): 0}
    assert evidence["calibration"]["uncalibrated"] == ["user_onnx"]


FORM = Further(
    attack="restoration",
    form="wiener 1, then A1",
    recogniser="dlib_resnet",
    linked=rate(1, 18),
    rank1=rate(2, 18, chance=0.1),
    degenerate=False,
)
OTHER_PHOTOS = FORM.model_copy(update={"attack": "cross_photo", "form": "A1", "linked": rate(0, 17)})


def several(linked_by: dict[str, int], **changes: Any) -> Attacks:
    """20 faces that A0, A1 and A3 were made on, of which each links so many."""
    by_attack = {name: rate(hits, 20) for name, hits in linked_by.items()}
    forms = {"further": (FORM, OTHER_PHOTOS), "identities": "estimated", "by_attack": by_attack}
    return together(attack(20)).model_copy(update={**forms, **changes})


def test_every_attack_is_shown_by_itself(tmp_path: Path) -> None:
    after = several({"naive": 0, "cross_photo": 0, "restoration": 1})
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "A1, other photos of the person other photos dlib_resnet 0 of 17 0 of 17" in text
    assert "A3, after Wiener’s filter, setting 1 other photos dlib_resnet 1 of 18 1 of 18" in text
    assert text.index("A0, the same photo") < text.index("A1, other photos") < text.index("A3, after Wiener")
    assert "Who is the same person is estimated" in text
    assert "Faces linked to who they show, by any attack" in text


def test_what_each_attack_linked_at_first_and_what_faces_ended_at_is_shown(tmp_path: Path) -> None:
    before = several({"naive": 3, "cross_photo": 2, "restoration": 5})
    after = several({"naive": 0, "cross_photo": 0, "restoration": 0})
    ended = {"mask, a rectangle 1.69 times the found face": 3, "pixelate with 1 cell": 1}
    steps = {"rounds": 2, "faces_escalated": 6, "photos_held": 1, "ended_at": ended}
    text = words(report(tmp_path, published(tmp_path, [20]), before, after, escalation=steps)).replace("&nbsp;", " ")
    assert re.search(r"by A0, the same photo 3 of 20 [^)]*\) 0 of 20", text)
    assert re.search(r"by A1, other photos of the person 2 of 20 [^)]*\) 0 of 20", text)
    assert re.search(r"by A3, after filters that try to undo the change 5 of 20 [^)]*\) 0 of 20", text)
    assert "3 faces at mask, a rectangle 1.69 times the found face; 1 face at pixelate with 1 cell." in text
    assert "2 faces are in photos that were held" in text


def test_only_attacks_that_were_not_made_are_called_so(tmp_path: Path) -> None:
    rows, after = published(tmp_path, [20]), several({"naive": 0, "cross_photo": 0, "restoration": 0})
    text = words(report(tmp_path, rows, after, after))
    proves = text[text.index("What this does not prove") :]
    assert "Made: A0, the same photo; A1, other photos of the person; A3, after filters" in proves
    assert not re.search("No restoration[.]|No other photos|not deblurred|Only attack A0", text)
    assert "against these attacks" in text
    assert "No attack that learns" in proves
    known = words(report(tmp_path, rows, after, after, aggregates={"heavy_excess": 0.01}))
    assert "No attack that learns" not in known
    assert "on a sample with this method" in known

    alone = words(report(tmp_path, rows, attack(20), attack(20)))
    assert "One attack. Made: A0, the same photo. By: dlib_resnet." in alone
    assert "No other photos" in alone
    assert "No restoration." in alone


def test_an_attack_that_found_no_face_was_not_made(tmp_path: Path) -> None:
    nobody = (OTHER_PHOTOS.model_copy(update={"linked": rate(0, 0), "rank1": rate(0, 0)}),)
    after = several({"naive": 0, "cross_photo": 0}, further=nobody)
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "Made: A0, the same photo. By" in text
    assert "None was found for any face" in text


def test_why_folders_are_not_people_and_what_grouping_may_get_wrong_is_said(tmp_path: Path) -> None:
    check = FolderCheck(within=10, within_alike=3, across=40, across_alike=20)
    after = several({"naive": 0, "cross_photo": 0}, folders=check, largest_person=9)
    text = words(report(tmp_path, published(tmp_path, [20]), after, after))
    assert "3 of 10 pairs of faces in one folder are alike (at least 60 % should be), and 20 of 40 pairs of two" in text
    assert "The person with most faces has 9" in text
    assert "People whom it takes for one make links that are none" in text
    assert "Chance is how often guessing finds the right one" in text


@pytest.mark.parametrize(("right", "better"), [(10, True), (6, False)])
def test_a_hand_test_better_than_guessing_is_in_the_verdict(tmp_path: Path, right: int, better: bool) -> None:
    found = HandResult(
        version="v0002", methods={"blur": 10}, another_photo=False, correct=rate(right, 10, 0.5), scored_at="-"
    )
    rows, by_hand = published(tmp_path, [20]), [found.model_dump(mode="json")]

    def shown(method: str) -> str:
        made = {"made": [{"method": method, "source": "", "faces": 20}], "instead": [], "linkable": ""}
        return words(report(tmp_path, rows, attack(20), attack(20), hand_tests=by_hand, changed=made))

    text = shown("blur")
    verdict, rest = text.split("inputs", 1)
    assert ("By hand, people were recognised better than by guessing" in verdict) == better
    assert (f"{right} of 10 right answers" in verdict) == better
    assert ("by hand they could" in rest) == better
    assert ("guessing lies inside the interval" in rest) != better
    assert "By hand, people were recognised" not in shown("mask")


def test_an_expectation_that_was_not_asked_for_is_not_shown_as_passed() -> None:
    config = RunConfig(source="x", dataset="d", reid={"attacks": "naive", "heavy": "if_known"})
    evidence = evidence_of(attack(9), attack(9), verdict_of(config), 2, 9)
    evidence["gate"]["findings"] = [one for one in evidence["gate"]["findings"] if one["column"] != "heavy_excess"]
    unasked = [row for row in check_rows(evidence) if row.passed is None]
    assert [row.measured for row in unasked] == ["not asked for"] * 3
    assert [row.refuses_when.split(":")[0].split(",")[0] for row in unasked] == [
        "cross_photo",
        "restoration",
        "heavy attacks",
    ]
    assert not any("heavy" in row.refuses_when for row in check_rows(evidence) if row.passed)


def test_measured_shares_are_percentages() -> None:
    config = RunConfig(source="x", dataset="d")
    evidence = evidence_of(attack(34), attack(34), verdict_of(config), 2, 34)
    evidence["aggregates"]["control_rate"] = 33 / 34
    assert "97.1\u00a0%" in [row.measured for row in check_rows(evidence)]


def test_a_run_of_one_attack_has_no_table_of_attacks(tmp_path: Path) -> None:
    assert "By attack" not in words(report(tmp_path, published(tmp_path, [9]), attack(9), attack(9)))
