"""The report of a release: one HTML file with everything in it, for reviewers, data teams and auditors.

It is made from numbers and from published files alone: no original is within its reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from photo_anonymizer.detection.reliability import ReliabilityBin, reliability_svg
from photo_anonymizer.gate.aggregates import Aggregates
from photo_anonymizer.hand_test.result import HandResult
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.face import Doubt
from photo_anonymizer.model.measurement import ByPerson, Rate
from photo_anonymizer.model.pixels import Alpha, Pixels
from photo_anonymizer.model.record import Reason
from photo_anonymizer.pages import as_jpeg, jpeg_uri, templates_in
from photo_anonymizer.reid.claims import needed_n, shows_at_most
from photo_anonymizer.release.attacks_shown import (
    attack_rows,
    attacks_made,
    group_rows,
    identities_in_words,
    leading,
    linked_by,
    outcome,
    overall,
    panels,
    resistance,
    untried,
)
from photo_anonymizer.release.changed import changed_words

NAME = "report.html"
NOT_MEASURED = "not measured"
EXPLANATIONS: Mapping[str, str] = {
    Reason.NOT_A_PHOTO: "The content is no picture, whatever the file is called.",
    Reason.NOT_A_REGULAR_FILE: "A device, a pipe or the like, or something outside the source folder.",
    Reason.SYMBOLIC_LINK: "A link to somewhere else. Links are not followed.",
    Reason.UNREADABLE: "The file or folder could not be read, or it changed while the run was reading.",
    Reason.EMPTY_FILE: "The file has no content.",
    Reason.FILE_TOO_LARGE: "Larger than ingest.max_file_mb allows; not read.",
    Reason.TOO_MANY_PIXELS: "More pixels than ingest.max_megapixels allows; not decoded.",
    Reason.UNSUPPORTED_FORMAT: "A picture in a format that cannot be cleaned with certainty.",
    Reason.UNDECODABLE: "Truncated or broken: the pixels could not be decoded.",
    Reason.DUPLICATE: "Same content as another input, which stands for both.",
    Reason.DECODER_TIMEOUT: "Decoding took longer than ingest.max_decode_s allows.",
    Reason.DECODER_CRASHED: "The decoder crashed on this file; the photos beside it went on.",
    Reason.DECODER_MEMORY: "Decoding needed more memory than ingest.max_decode_mb allows.",
    Reason.UNSAFE_PATH: "A member of an archive whose path leads out of it.",
    Reason.ARCHIVE_BOMB: "A member of an archive that unpacks to far more than its size, or an archive with too many.",
    Reason.DELETED_AT_SOURCE: "Seen by an earlier run, no longer at the source.",
    Reason.SEVERAL_PICTURES: "More pictures in one file than the configuration allows: one would hide the others.",
    Reason.PERSON_WITHOUT_FACE: "Somebody is visible in whom no face was found that could be changed.",
    Reason.UNCERTAIN_FACE: "A detection that may be a face waits for a reviewer.",
    Reason.TOO_MANY_FACES: "More faces than detection.max_faces allows.",
    Reason.STILL_RECOGNISED: "A face was still linked to its original after the last escalation.",
    Reason.STAGE_ERROR: "An unforeseen error while this photo was worked on.",
    Reason.GATE_REFUSED: "The gate refused the run to which this photo belonged.",
    Reason.WITHDRAWN: "The version that held it was withdrawn.",
    Reason.NOT_FINISHED: "The run ended before this photo was finished.",
}
"""What the reason codes mean, for people who do not know them."""

_NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "tiff": "TIFF", "avif": "AVIF"}
_THUMBNAIL_PX = 260
_JPEG_QUALITY = 78
_SHORT_ID = 8


def write_report(
    folder: Path,
    about: dict[str, Any],
    evidence: dict[str, Any],
    photo_rows: Sequence[dict[str, Any]],
    reasons: Mapping[str, int],
    contact_sheet_photos: int,
) -> None:
    """Writes ``folder/report.html``.

    :param folder: the release's ``data`` folder with its published ``photos/``.
    :param about: what ``run.json`` says.
    :param evidence: what ``qa.json`` says.
    :param reasons: ``"held: person_without_face"`` → how many.
    :param contact_sheet_photos: published photos to show, at most.
    :raises PhotoError: a published file cannot be decoded.
    """
    shown = panels(evidence)
    lead = leading(shown)
    by_hand = [HandResult.model_validate(found) for found in evidence.get("hand_tests", ())]
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            about=about,
            evidence=evidence,
            panels=shown,
            published=lead.published,
            before=lead.before,
            match=overall(evidence, "published", shown),
            match_before=overall(evidence, "before_escalation", shown),
            by_person=_by_person(evidence["published"]["linked_by_person"]),
            outcome=outcome(evidence, shown),
            groups=group_rows(evidence),
            attacks=attack_rows(evidence),
            made=attacks_made(evidence),
            linked_by=linked_by(evidence),
            untried=untried(evidence),
            resistance=resistance(evidence),
            identities=identities_in_words(evidence),
            reasons=reason_rows(reasons),
            checks=check_rows(evidence),
            doubts=doubt_rows(evidence["detection"]["reasons"]),
            reliability=reliability_drawing(evidence["detection"]["calibration"]),
            unedited=[unedited_words(format, found) for format, found in evidence["unedited"].items()],
            changed=changed_words(evidence["changed"]),
            hand_tests=by_hand,
            recognised_by_hand=recognised_by_hand(by_hand, evidence["changed"]),
            settings=settings(about["configuration"]),
            sheet=[_card(folder, row) for row in choose(photo_rows, contact_sheet_photos)],
            asked=contact_sheet_photos,
            photos_with_faces=sum(row["faces"] > 0 for row in photo_rows),
        )
    )
    (folder / NAME).write_text(html, encoding="utf-8")


def _by_person(found: Mapping[str, Any] | None) -> ByPerson | None:
    return ByPerson.model_validate(found) if found else None


def recognised_by_hand(hand_tests: Sequence[HandResult], changed: Mapping[str, Any]) -> list[HandResult]:
    """Hand tests of a method that this version uses in which people were told better than by guessing."""
    methods = {made["method"] for made in changed["made"]}
    return [found for found in hand_tests if found.better_than_guessing and methods & set(found.methods)]


def _environment() -> Environment:
    environment = templates_in(Path(__file__).parent)
    environment.filters.update(
        percent=percent, interval=interval, hits=hits, number=number, plural=plural, needed=needed_n, proves=proves
    )
    return environment


# words for numbers


def percent(value: float | None) -> str:
    """0.0627 → ``6.3 %``; what is missing is called so, and only 0 and 1 look like 0 and 1."""
    if value is None:
        return NOT_MEASURED
    if 0 < abs(value) < 1e-5:
        return "< 0.001\u00a0%"
    if 0.9995 <= value < 1:
        return "> 99.9\u00a0%"
    if value in (0, 1):
        return f"{value * 100:.0f}\u00a0%"
    return f"{value * 100:.1f}\u00a0%" if abs(value) >= 0.01 else f"{value * 100:.2g}\u00a0%"


def interval(rate: Rate) -> str:
    """``0–6.3 %``, or that it was not measured."""
    if rate.low is None or rate.high is None:
        return NOT_MEASURED
    low, high = percent(rate.low).removesuffix("\u00a0%"), percent(rate.high)
    return f"{low}–{high}"


def hits(rate: Rate) -> str:
    """``0 of 57``, or that it was not measured."""
    return NOT_MEASURED if rate.rate is None else f"{rate.hits:,} of {rate.n:,}"


def number(value: Any) -> str:
    """A count or a setting as people write it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plural(count: int, word: str) -> str:
    """``1 face``, ``2 faces``."""
    return f"{count:,}\u00a0{word}{'' if count == 1 else 's'}"


def proves(rate: Rate) -> str:
    """``0 of 20 proves only less than 14 %`` (one-sided, 95 %)."""
    return shows_at_most(rate.hits, rate.n).replace(" %", "\u00a0%")


# tables


@dataclass(frozen=True)
class ReasonRow:
    """Files that are not in the release for one reason."""

    status: str
    code: str
    count: int
    meaning: str


def reason_rows(reasons: Mapping[str, int]) -> list[ReasonRow]:
    """Held before rejected, the most frequent first."""
    rows = []
    for key, count in reasons.items():
        status, _, code = key.partition(": ")
        rows.append(ReasonRow(status, code, count, EXPLANATIONS.get(code, "No explanation is known for this code.")))
    return sorted(rows, key=lambda row: (row.status, -row.count, row.code))


@dataclass(frozen=True)
class DoubtRow:
    """Doubtful faces for one reason."""

    word: str
    faces: int
    meaning: str


def doubt_rows(reasons: Mapping[str, int]) -> list[DoubtRow]:
    """The reasons that occurred, in the order in which they are documented."""
    return [DoubtRow(doubt, reasons[doubt], doubt.meaning) for doubt in Doubt if reasons.get(doubt)]


def reliability_drawing(calibration: Mapping[str, Any]) -> Markup:
    """The reliability plot of the calibration in use; empty when it was never measured."""
    table = [ReliabilityBin.model_validate(row) for row in calibration["reliability"]]
    return Markup(reliability_svg(table, "What the probabilities of faces are worth"))


@dataclass(frozen=True)
class CheckRow:
    """One or several expectations of the gate."""

    refuses_when: str
    measured: str
    passed: bool | None
    """``None``: not judged."""
    columns: tuple[str, ...] = ()


_NOT_JUDGED: Mapping[str, str] = {
    "cross_photo_linked_rate": "cross_photo: faces are linked to another photo of the same person",
    "restoration_linked_rate": "restoration: faces are linked after filters tried to undo the change",
    "heavy_excess": "heavy attacks, which learn, find people on a sample",
}
"""What the gate judges only if it is asked for, and if there is something to judge."""


def check_rows(evidence: Mapping[str, Any]) -> list[CheckRow]:
    """The gate's expectations: those that a measure is there, and passed, are one row; last, what was not judged."""
    values = _measures(evidence["aggregates"])
    present, rows = [], []
    for finding in evidence["gate"]["findings"]:
        column = finding["column"]
        if finding["expectation"] == "ExpectColumnValuesToNotBeNull" and finding["passed"]:
            present.append(column)
        else:
            measured = _measured(values[column]) if column in values else "—"
            rows.append(CheckRow(finding["meaning"], measured, finding["passed"]))
    if present:
        meaning = f"one of the {len(present)} measures below is missing"
        rows.insert(0, CheckRow(meaning, "all present", True, tuple(present)))
    return rows + (_not_judged(evidence) if rows else [])


def _not_judged(evidence: Mapping[str, Any]) -> list[CheckRow]:
    judged = {finding["column"] for finding in evidence["gate"]["findings"]}
    found_nothing = {f"{attack}_linked_rate": "no face to attack" for attack in evidence["published"]["by_attack"]}
    if "heavy_missing" in judged:
        found_nothing["heavy_excess"] = "no result"
    return [
        CheckRow(meaning, found_nothing.get(column, "not asked for"), None)
        for column, meaning in _NOT_JUDGED.items()
        if column not in judged
    ]


def _measures(aggregates: Mapping[str, Any]) -> dict[str, Any]:
    row = Aggregates.model_validate(aggregates)
    return {
        **aggregates,
        "photos_to_publish": row.to_publish,
        "faces_to_publish": row.faces_to_publish,
        "faces_unmeasured": aggregates["faces"] - aggregates["faces_measured"],
        "photos_unmeasured": aggregates["photos_with_faces"] - aggregates["photos_measured"],
    }


def _measured(value: Any) -> str:
    if value is None:
        return NOT_MEASURED
    if isinstance(value, float):
        return percent(value).replace("-", "−")
    return number(value)


def unedited_words(format: str, found: Mapping[str, Any]) -> str:
    """What is said about the photos of one format outside of their edits.

    :param found: their part of :func:`~photo_anonymizer.release.unedited.unedited_evidence`.
    """
    place = "the blocks" if format == "jpeg" else "the regions"
    said = [
        f"{_NAMES.get(format, format)}: {found['unchanged']:,} of {plural(found['photos'], 'photo')} unchanged outside "
        f"{place} that were edited"
    ]
    if found["encoded_whole"]:
        said.append(
            f"{found['encoded_whole']:,} encoded as a whole, which moved pixels there by {found['mean']:.2g} of 255 "
            f"levels on average, {found['largest']} at most"
        )
    if found["unsaid"]:
        said.append(f"not recorded for {found['unsaid']:,} from earlier versions")
    return "; ".join(said) + "."


def settings(configuration: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The configuration by section: (section, [(field, value)])."""
    plain = [(name, number(value)) for name, value in configuration.items() if not isinstance(value, Mapping)]
    sections = [
        (name, [(field, number(value)) for field, value in section.items()])
        for name, section in configuration.items()
        if isinstance(section, Mapping)
    ]
    return [("run", plain), *sections]


# contact sheet


@dataclass(frozen=True)
class Card:
    """A published photo on the contact sheet."""

    photo_id: str
    short_id: str
    file: str
    faces: int
    uri: str
    width: int
    height: int


def choose(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most ``most`` photos, those with faces first, evenly spaced in the order of their ids."""
    ordered = sorted(rows, key=lambda row: str(row["photo_id"]))
    with_faces = _spaced([row for row in ordered if row["faces"]], most)
    return with_faces + _spaced([row for row in ordered if not row["faces"]], most - len(with_faces))


def _spaced(rows: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    most = max(0, min(most, len(rows)))
    return [rows[place * len(rows) // most] for place in range(most)]


def _card(folder: Path, row: Mapping[str, Any]) -> Card:
    small = thumbnail(load(folder / row["file"]))
    return Card(
        photo_id=row["photo_id"],
        short_id=row["photo_id"][:_SHORT_ID],
        file=row["file"],
        faces=row["faces"],
        uri=jpeg_uri(as_jpeg(small, _JPEG_QUALITY)),
        width=small.shape[1],
        height=small.shape[0],
    )


def thumbnail(rgb: Pixels, alpha: Alpha | None = None) -> Pixels:
    """The photo with its long side at most 260 px; what is transparent becomes white."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _THUMBNAIL_PX / max(height, width))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    if alpha is not None:
        opacity = cv2.resize(alpha, size_wh, interpolation=cv2.INTER_AREA)[..., None] / 255
        small = np.rint(small * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return np.ascontiguousarray(small)
