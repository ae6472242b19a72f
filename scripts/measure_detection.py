"""How many faces are found, by whom, at what cost, and are the scores probabilities? On your own labelled photos.

    measure_detection.py FOLDER [--members NAME … | all] [--efforts NAME …] [--photos N | NAME …] [--fit]
    measure_detection.py FOLDER --sheet FILE [--alarms N]            a picture of the false alarms, to be judged by eye
    measure_detection.py FOLDER --robustness [--efforts NAME …]      the same photos turned, small, dark, covered …
    measure_detection.py FOLDER --unlabelled [--efforts NAME …]      how many faces each photo has, labels or not

FOLDER holds pictures and ``annotations.json``: file name → ``{"boxes_xywh": [[x, y, w, h], …]}`` with optional lists of
flags beside it, one a face, 0 = none: ``occlusion`` and ``blur`` (0–2), ``pose`` (0–1), ``invalid`` (1: not asked for).

- A face counts as covered when at least 60 % of its box lies in a detected box enlarged by 1.3.
- A detection whose enlarged box touches no labelled face, asked for or not, is a false alarm.
- Average precision: area under the precision-recall curve (all points, as PASCAL VOC since 2010) at an IoU of 0.5; a
  second detection of a face is wrong, one of a face not asked for is left out.
- Expected calibration error: probability against "overlaps a labelled face" (IoU of 0.3: boxes of faces a few pixels
  high are no more exact than that), over all candidates of a raw score of at least ``--floor``. In sample when the
  calibration in use was fitted on these labels (that is said); with ``--fit`` out of sample, every fifth of the photos
  judged by a calibration fitted on the others.

A false alarm may be a head that nobody labelled. ``--sheet`` lays the consensus' surest ones out, ``--alarms`` a photo,
in the order of their probability. It shows people: keep it where the photos are kept.

"As a run finds them" is the stage itself, with the package's calibration: the configured detector, all ways of holding
a photo, the second look, at the configured ``doubt_score`` and the thresholds asked for. The members below it look
once, at the photo as it is. Who shall be in a calibration must be named with ``--fit``.

Every row is measured in a process of its own, so that its memory is its own. Scores shown are probabilities.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from detection_figures import labels as labelled
from detection_figures import tables
from detection_figures.fitting import CONSENSUS, Photos, candidates_of, consensus_of, fit, out_of_sample, with_facts
from detection_figures.labels import Labels, chosen, read_labels
from detection_figures.looks import Look, RunLook, apart, look_apart, look_as_a_run
from detection_figures.sheet import alarm_sheet
from detection_figures.variants import VARIANTS
from PIL import Image

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection import DETECTORS, calibration
from photo_anonymizer.detection.calibration import Calibration
from photo_anonymizer.detection.effort import EFFORTS
from photo_anonymizer.errors import ConfigError, PhotoAnonymizerError
from photo_anonymizer.model.pixels import Pixels

EVERYBODY = "all"
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".heic", ".avif"}


def configuration(effort: str, floor: float | None = None) -> DetectionConfig:
    """The configuration of an effort level; with a floor: with candidates down to it."""
    return DetectionConfig.model_validate({"effort": effort, **({} if floor is None else {"doubt_score": floor})})


def measure(effort: str, labels: Labels, asked: argparse.Namespace) -> None:
    """Prints the tables of one effort level, and writes the calibration where that is asked for.

    :raises ConfigError: members or photos are not usable.
    :raises ModelError: the calibration cannot be read.
    """
    names = sorted(DETECTORS) if asked.members == [EVERYBODY] else asked.members
    targets = {name: target or name for name, _, target in (item.partition("=") for item in names)}
    looks = look_apart(targets, configuration(effort, asked.floor), asked.threads, asked.folder, list(labels))
    if not looks:
        raise ConfigError("none of the members could run; see above")
    # A run knows no other calibration than the package's.
    others = asked.fit or asked.uncalibrated or asked.calibration
    run = None if others else as_a_run(effort, labels, asked)
    print_members(effort, labels, looks, run, asked)


def print_members(
    effort: str, labels: Labels, looks: Mapping[str, Look], run: RunLook | None, asked: argparse.Namespace
) -> None:
    """The tables of the members, their consensus and a run."""
    known, unseen, photos = known_calibration(asked, effort), None, Photos(asked.folder)
    sha256 = hashlib.sha256((asked.folder / labelled.FILE).read_bytes()).hexdigest()
    if asked.fit:
        unseen = out_of_sample(labels, looks, photos)
        known = with_facts(fit(labels, looks, photos), labels, unseen, effort, sha256)
        (asked.write or calibration.file_of(effort)).write_text(known.model_dump_json(indent=1) + "\n")
    found = {name: candidates_of(name, item, known) for name, item in looks.items()}
    found[CONSENSUS] = consensus_of(looks, labels, known, photos)
    own = known.fitted is not None and known.fitted.labels_sha256 == sha256
    sample = "out of sample" if asked.fit or not own else "IN SAMPLE: fitted on these labels"
    first = asked.thresholds[0]
    if asked.sheet:
        write_sheet(asked.sheet, alarm_sheet(labels, found[CONSENSUS], photos, round(asked.alarms * len(labels))))
    print(f"\n## Effort: {effort}\n\n{tables.by_height(labels, found, asked.thresholds, asked.alarms, run)}\n")
    print(f"From probability {first:.2f}:\n\n{tables.by_flag(labels, found, first, run)}\n")
    print(f"Calibration error {sample}.\n\n{tables.costs(labels, found, looks, unseen or found, first, run)}")


def write_sheet(path: Path, sheet: Pixels) -> None:
    """Writes a picture.

    :raises ConfigError: not there, or not in that format.
    """
    try:
        Image.fromarray(sheet).save(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the sheet cannot be written ({type(error).__name__}); name a .png in a folder") from None


def as_a_run(effort: str, labels: Labels, asked: argparse.Namespace) -> RunLook:
    """What a run finds at the thresholds asked for, in a process of its own."""
    config = configuration(effort)
    thresholds = list(dict.fromkeys([config.doubt_score, *asked.thresholds]))
    return apart(look_as_a_run, config, thresholds, asked.threads, asked.folder, labels)


def measure_robustness(effort: str, labels: Labels, asked: argparse.Namespace) -> None:
    """Prints what a run finds in changed photos."""
    runs = {}
    for variant in VARIANTS:
        print(f"{effort}: {variant}", file=sys.stderr)
        config = configuration(effort)
        runs[variant] = look_as_a_run(config, asked.thresholds, asked.threads, asked.folder, labels, variant)
    for threshold in asked.thresholds:
        print(f"\n## Effort: {effort}, probability from {threshold:.2f}\n\n{tables.robustness(runs, threshold)}")


def count(effort: str, photos: Labels, asked: argparse.Namespace) -> None:
    """Prints how many faces a run finds in photos without labels."""
    print(f"\n## Effort: {effort}\n\n{tables.how_many(as_a_run(effort, photos, asked))}")


def pictures_in(folder: Path) -> Labels:
    """Every picture below a folder, without labels.

    :raises ConfigError: there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise ConfigError("there are no pictures in the folder")
    return {str(path.relative_to(folder)): [] for path in paths}


def known_calibration(asked: argparse.Namespace, effort: str) -> Calibration:
    """The calibration to measure with; none where one is about to be fitted."""
    if asked.fit or asked.uncalibrated:
        return Calibration()
    return calibration.shipped(effort) if asked.calibration is None else calibration.read(asked.calibration)


# command


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    usual = DetectionConfig()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--robustness", action="store_true", help="what a run finds in changed photos")
    ways.add_argument("--unlabelled", action="store_true", help="how many faces a run finds in photos without labels")
    ways.add_argument("--fit", action="store_true", help="fit a calibration on these labels (one effort level)")
    parser.add_argument(
        "--members",
        nargs="+",
        default=list(usual.detector_names),
        help=f"registered names, name=module:Class, or {EVERYBODY} (default: the configuration's)",
    )
    efforts = sorted(EFFORTS)
    parser.add_argument("--efforts", nargs="+", default=[usual.effort], choices=efforts, help="effort levels")
    parser.add_argument("--photos", nargs="+", default=[], help="so many, evenly spaced, or those named")
    parser.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        default=[usual.doubt_score, usual.accept_score],
        help="probabilities to count from (default: the configuration's doubt_score and accept_score)",
    )
    parser.add_argument("--alarms", type=float, default=1.5, help="also at so many false alarms a photo")
    parser.add_argument("--sheet", type=Path, help="write the false alarms to this picture (one effort level)")
    parser.add_argument("--floor", type=float, default=0.05, help="lowest raw score looked at")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--calibration", type=Path, help="a file instead of the package's (leaves the run out)")
    parser.add_argument("--uncalibrated", action="store_true", help="boxes and scores as the members give them")
    parser.add_argument("--write", type=Path, help="where --fit writes it (default: the package's)")
    asked = parser.parse_args(words)
    if (asked.fit or asked.sheet) and len(asked.efforts) > 1:
        parser.error("--fit and --sheet take one effort level")
    return asked


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures; 2: something asked for cannot be done."""
    asked = arguments(words)
    try:
        run(asked)
    except PhotoAnonymizerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def run(asked: argparse.Namespace) -> None:
    """Does what the command line asks for.

    :raises ConfigError: labels, photos or members are not usable.
    :raises ModelError: the calibration or a network cannot be read.
    """
    labels = chosen(pictures_in(asked.folder) if asked.unlabelled else read_labels(asked.folder), asked.photos)
    faces = sum(label.asked for group in labels.values() for label in group)
    print(f"{len(labels)} photos, {faces} faces asked for")
    work = count if asked.unlabelled else measure_robustness if asked.robustness else measure
    for effort in asked.efforts:
        work(effort, labels, asked)


if __name__ == "__main__":
    sys.exit(main())
