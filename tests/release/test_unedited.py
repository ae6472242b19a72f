"""What a release says about the parts of its photos that nobody edited."""

from __future__ import annotations

from typing import Any

from photo_anonymizer.release.report import unedited_words
from photo_anonymizer.release.unedited import unedited_evidence


def row(format: str, mean: float | None = 0.0, largest: int | None = 0) -> dict[str, Any]:
    return {"format": format, "outside_mean": mean, "outside_max": largest}


def said(rows: list[dict[str, Any]]) -> list[str]:
    found = unedited_evidence(rows)
    return [unedited_words(format, found[format]).replace("\u00a0", " ") for format in found]


def test_photos_are_counted_by_format() -> None:
    rows = [row("jpeg"), row("png"), row("jpeg", 0.2, 5), row("jpeg", 0.6, 3)]
    assert unedited_evidence(rows) == {
        "jpeg": {"photos": 3, "unchanged": 1, "encoded_whole": 2, "unsaid": 0, "mean": 0.4, "largest": 5},
        "png": {"photos": 1, "unchanged": 1, "encoded_whole": 0, "unsaid": 0, "mean": None, "largest": None},
    }


def test_a_row_of_a_version_that_did_not_say_it_counts_as_neither() -> None:
    (found,) = unedited_evidence([{"format": "jpeg"}, row("jpeg", None, None), row("jpeg")]).values()
    assert (found["photos"], found["unchanged"], found["encoded_whole"], found["unsaid"]) == (3, 1, 0, 2)


def test_the_report_says_it_in_one_sentence_a_format() -> None:
    assert said([row("jpeg"), row("jpeg"), row("png")]) == [
        "JPEG: 2 of 2 photos unchanged outside the blocks that were edited.",
        "PNG: 1 of 1 photo unchanged outside the regions that were edited.",
    ]


def test_the_report_says_how_far_photos_that_were_encoded_as_a_whole_are_off() -> None:
    assert said([row("jpeg"), row("jpeg", 0.414, 12), row("webp", 2.0, 40)]) == [
        "JPEG: 1 of 2 photos unchanged outside the blocks that were edited; 1 encoded as a whole, which moved pixels "
        "there by 0.41 of 255 levels on average, 12 at most.",
        "WebP: 0 of 1 photo unchanged outside the regions that were edited; 1 encoded as a whole, which moved pixels "
        "there by 2 of 255 levels on average, 40 at most.",
    ]


def test_the_report_says_what_was_not_recorded() -> None:
    assert said([row("jpeg", None, None)]) == [
        "JPEG: 0 of 1 photo unchanged outside the blocks that were edited; not recorded for 1 from earlier versions."
    ]
