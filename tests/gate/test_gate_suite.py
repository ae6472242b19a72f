"""The gate passes what is proven, and every expectation can fail."""

from __future__ import annotations

from typing import Any

import pytest

from photo_anonymizer.config import ReidConfig
from photo_anonymizer.gate.aggregates import Aggregates
from photo_anonymizer.gate.suite import SUITE_VERSION, Verdict, expectations, judge

GOOD = Aggregates(
    inputs=12,
    to_release=8,
    held=1,
    rejected=3,
    unaccounted=0,
    faces=20,
    faces_without_edit=0,
    faces_not_as_edited=0,
    faces_measured=20,
    photos_with_faces=7,
    photos_measured=7,
    files_missing=0,
    files_changed=0,
    files_changed_outside=0,
    metadata_residue=0,
    second_reader="exiftool 13.25",
    second_reader_residue=0,
    recogniser_degenerate=False,
    control_rate=0.97,
    linked_rate=0.0,
    rank1_low_excess=-0.04,
    resembles_low_excess=0.0,
    naive_linked_rate=0.0,
    cross_photo_linked_rate=0.0,
    cross_photo_rank1_low_excess=-0.02,
    cross_photo_furthest="A1 by dlib_resnet",
    restoration_linked_rate=0.0,
    restoration_rank1_low_excess=0.01,
    restoration_furthest="wiener 1, then A1 by dlib_resnet",
    heavy_excess=0.0,
)


def row(**changes: Any) -> Aggregates:
    return GOOD.model_copy(update=changes)


def verdict(rows: list[Aggregates], **bounds: Any) -> Verdict:
    return judge(rows, ReidConfig(**bounds))


def test_a_good_run_passes_every_expectation() -> None:
    judged = verdict([GOOD])
    assert judged.passed
    assert len(judged.findings) == len(expectations(ReidConfig()))
    assert not judged.refusals


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"unaccounted": 1}, "a photo got lost"),
        ({"unaccounted": -1}, "counted twice"),
        ({"faces_without_edit": 1}, "left as it is"),
        ({"faces_not_as_edited": 1}, "does not look as its edit says"),
        ({"control_rate": 0.79}, "in the mirror"),
        ({"control_rate": None}, "control_rate is missing"),
        ({"faces_measured": 19}, "was not attacked"),
        ({"photos_measured": 6}, "a photo with faces was not attacked"),
        ({"files_missing": 1}, "a picture to be released is missing"),
        ({"files_changed": 1}, "is not the file that was attacked"),
        ({"files_changed_outside": 1}, "said to be unchanged outside"),
        ({"metadata_residue": 1}, "besides its pixels"),
        ({"second_reader_residue": 1}, "the second reader finds"),
        ({"second_reader_residue": None}, "did not say what it found"),
        ({"recogniser_degenerate": True}, "no recogniser tells the originals apart"),
        ({"to_release": 0}, "nothing to judge"),
        ({"faces": 0, "faces_measured": 0, "photos_with_faces": 0, "photos_measured": 0}, "no face was found"),
        ({"linked_rate": 0.05}, "still linked"),
        ({"rank1_low_excess": 0.06}, "above chance"),
        ({"resembles_low_excess": 0.11}, "published faces resemble other people of the batch"),
        ({"resembles_low_excess": None}, "resembles_low_excess is missing"),
        ({"linked_rate": None}, "linked_rate is missing"),
        ({"rank1_low_excess": None}, "rank1_low_excess is missing"),
        ({"linked_rate": float("nan")}, "linked_rate is missing"),
        ({"attacks_missing": 1}, "an attack that the configuration asks for was not made"),
        ({"faces_unrestored": 1}, "was not attacked by restoration"),
        ({"naive_linked_rate": 0.05}, "naive: more than 0.0% of the faces are linked to the original of their own"),
        ({"cross_photo_linked_rate": 0.05}, "cross_photo: more than 0.0% of the faces are linked to another photo"),
        ({"cross_photo_linked_rate": float("nan")}, "cross_photo"),
        ({"cross_photo_rank1_low_excess": 0.06}, "cross_photo: people are found more than 5.0% above chance (A1 by"),
        ({"restoration_linked_rate": 0.05}, "restoration: more than 0.0% of the faces are linked to an original after"),
        ({"restoration_rank1_low_excess": 0.06}, "above chance (wiener 1, then A1 by dlib_resnet)"),
    ],
)
def test_a_planted_fault_is_refused_with_its_reason(changes: dict[str, Any], meaning: str) -> None:
    judged = verdict([row(**changes)])
    assert not judged.passed
    assert any(meaning in refusal for refusal in judged.refusals), judged.refusals


def test_an_empty_table_is_refused() -> None:
    judged = verdict([])
    assert not judged.passed
    assert judged.refusals[0] == "there is nothing to judge"


def test_two_rows_are_refused() -> None:
    assert not verdict([GOOD, GOOD]).passed


def test_a_measure_that_is_missing_is_not_called_too_high_as_well() -> None:
    refusals = verdict([row(linked_rate=None)]).refusals
    assert refusals == ["the measure linked_rate is missing"]


def test_bounds_are_the_configurations() -> None:
    assert verdict([row(linked_rate=0.05)], max_linked_rate=0.05).passed
    assert verdict([row(rank1_low_excess=0.2)], max_rank1_excess=0.2).passed


def test_a_collection_without_people_passes_only_when_that_is_asked_for() -> None:
    nobody = row(
        faces=0,
        faces_measured=0,
        photos_with_faces=0,
        photos_measured=0,
        control_rate=None,
        linked_rate=None,
        rank1_low_excess=None,
        resembles_low_excess=None,
    )
    assert not verdict([nobody]).passed
    assert verdict([nobody], require_faces=False).passed


def test_a_missing_rate_is_refused_even_then_when_there_are_faces() -> None:
    assert not verdict([row(linked_rate=None)], require_faces=False).passed


WITHOUT_SECOND_READER = {"second_reader": "", "second_reader_residue": None}


def test_a_run_without_a_second_reader_passes_unless_it_is_demanded() -> None:
    alone = row(**WITHOUT_SECOND_READER)
    assert judge([alone], ReidConfig(), "auto").passed
    assert judge([alone], ReidConfig(), "off").passed
    demanded = judge([alone], ReidConfig(), "require")
    assert demanded.refusals == ["the second reader that the configuration demands was not used"]


def test_a_demanded_second_reader_that_finds_nothing_passes() -> None:
    assert judge([GOOD], ReidConfig(), "require").passed


def test_what_a_demanded_second_reader_finds_is_refused() -> None:
    assert not judge([row(second_reader_residue=2)], ReidConfig(), "require").passed


# what is claimed

PROVEN = {"claim": "proven", "max_linked_rate": 0.01}
MANY = {"people": 400, "linked_upper": 0.0075, "rank1_upper_excess": 0.005}


def test_a_proof_needs_many_people() -> None:
    assert verdict([row(**MANY)], **PROVEN).passed
    few = verdict([row(people=57, linked_upper=0.0512, rank1_upper_excess=0.04)], **PROVEN)
    assert few.refusals == [
        "claim proven needs at least 299 people without a linked face: only then does the 95 % interval end at 1 % "
        "or below; this run attacked faces of 57"
    ]


def test_an_observation_needs_no_proof() -> None:
    assert verdict([row(people=2, linked_upper=0.78, rank1_upper_excess=0.9)]).passed
    assert verdict([row(people=None, linked_upper=None, rank1_upper_excess=None)]).passed


def test_a_proof_holds_for_how_often_faces_are_found_too() -> None:
    refusals = verdict([row(**{**MANY, "rank1_upper_excess": 0.06})], **PROVEN).refusals
    assert len(refusals) == 1
    assert "at most 5.0% above chance: more people, or a stronger method" in refusals[0]


@pytest.mark.parametrize("missing", ["people", "linked_upper", "rank1_upper_excess"])
def test_a_measure_that_is_missing_proves_nothing(missing: str) -> None:
    refusals = verdict([row(**{**MANY, missing: None})], **PROVEN).refusals
    assert f"the measure {missing} is missing" in refusals


def test_an_empty_table_proves_nothing_either() -> None:
    assert not verdict([], **PROVEN).passed


def test_who_found_faces_above_chance_is_said() -> None:
    refusals = verdict([row(rank1_low_excess=0.06, furthest="eigenfaces")]).refusals
    assert refusals == ["faces are found among all originals more than 5.0% above chance by eigenfaces"]


# one attack by itself


def test_an_attack_that_found_no_face_it_can_be_made_on_is_no_reason_to_refuse() -> None:
    assert verdict([row(cross_photo_linked_rate=None, cross_photo_rank1_low_excess=None)]).passed


def test_what_was_not_asked_for_is_not_expected() -> None:
    columns = {column for _, column, _, _ in expectations(ReidConfig(attacks="naive"))}
    assert "naive_linked_rate" in columns
    assert not {"cross_photo_linked_rate", "restoration_linked_rate"} & columns
    assert verdict([row(restoration_linked_rate=0.5)], attacks="naive").passed


def test_the_verdict_says_which_suite_it_is_from() -> None:
    assert verdict([GOOD]).suite == f"photo_release {SUITE_VERSION}"


# attacks that learn, made on a sample before


def test_what_heavy_attacks_found_must_be_within_the_bounds() -> None:
    judged = verdict([row(heavy_excess=0.12, heavy_furthest="A2 parrot, enrolled by dlib_resnet")])
    (refusal,) = judged.refusals
    assert refusal.startswith("heavy attacks on a sample find people more than 5.0% above what a solid mask gives away")
    assert "A2 parrot, enrolled by dlib_resnet" in refusal
    assert verdict([row(heavy_excess=0.05)]).passed
    assert verdict([row(heavy_excess=0.12)], heavy="off").passed


def test_a_required_result_that_is_missing_or_old_is_refused_with_what_to_do() -> None:
    missing = verdict([row(heavy_missing=1)], heavy="required").refusals
    assert len(missing) == 1
    assert "no result of heavy attacks is known" in missing[0]
    assert "photo-anonymizer attack" in missing[0]
    stale = verdict([row(heavy_stale=1, heavy_excess=0.0)], heavy="required", heavy_max_age_days=30).refusals
    assert len(stale) == 1
    assert "older than 30 days" in stale[0]


@pytest.mark.parametrize("heavy", ["off", "if_known"])
def test_that_heavy_attacks_were_made_is_expected_only_where_it_is_required(heavy: str) -> None:
    judged = verdict([row(heavy_excess=None)], heavy=heavy)
    assert judged.passed
    expected = {finding.column for finding in judged.findings}
    assert not {"heavy_missing", "heavy_stale", "heavy_excess"} & expected
