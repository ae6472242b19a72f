"""How many faces are found, by whom, at what cost, and are the scores probabilities? On your own labelled photos.

    measure_detection.py FOLDER [--members NAME …] [--efforts NAME …] [--photos N | NAME …] [--fit]

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

Every member runs in a process of its own, so that its memory is its own. Scores shown are probabilities.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection import DETECTORS, calibration
from photo_anonymizer.detection.calibration import Calibration, Fitting, MemberCalibration
from photo_anonymizer.detection.consensus import MergedFace, merge
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.detection.reliability import expected_calibration_error, reliability
from photo_anonymizer.errors import ConfigError, ModelError, PhotoAnonymizerError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.geometry import Box, intersection_over_union

COVERED, ENLARGED, TOUCHED = 0.6, 1.3, 0.1
SAME_IOU, FACE_IOU = 0.5, 0.3
HEIGHTS_PX = (0, 10, 16, 32, 64)
BOX_FIT_FROM_PX = 16
"""Labels of smaller faces are too coarse to measure a member's boxes by."""
FOLDS = 5
CONSENSUS = "consensus"
CALIBRATION_FILE = Path(calibration.__file__).parent / calibration.FILE


# labels


@dataclass(frozen=True)
class Label:
    """A labelled face; ``flags`` holds those that the file gives (occlusion, pose, blur), 0 = none."""

    box: Box
    asked: bool
    flags: Mapping[str, int]


Labels = dict[str, list[Label]]
"""File name → its faces."""


def read_labels(folder: Path) -> Labels:
    """The labels of a folder; boxes without an area are left out.

    :raises ConfigError: there are none, or they cannot be understood.
    """
    try:
        stored = json.loads((folder / "annotations.json").read_text())
        return {name: list(_labels_of(entry)) for name, entry in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the folder needs an annotations.json as described by --help ({type(error).__name__})"
        ) from None


def _labels_of(entry: Any) -> Iterable[Label]:
    if isinstance(entry, list):  # one object a face, as some label files have it
        entry = {"boxes_xywh": [face["box_xywh"] for face in entry]}
    boxes = entry["boxes_xywh"]
    flags = {name: entry[name] for name in ("occlusion", "pose", "blur") if entry.get(name)}
    invalid = entry.get("invalid") or [0] * len(boxes)
    for place, (x, y, width, height) in enumerate(boxes):
        if width > 0 and height > 0:
            box = Box(x0=x, y0=y, x1=x + width, y1=y + height)
            yield Label(box, not invalid[place], {name: values[place] for name, values in flags.items()})


def chosen(labels: Labels, photos: Sequence[str]) -> Labels:
    """All photos, so many evenly spaced ones (one number), or those named.

    :raises ConfigError: a name is not among the labels.
    """
    names = list(labels)
    if len(photos) == 1 and photos[0].isdigit():
        count = max(1, min(int(photos[0]), len(names)))
        names = [names[place * len(names) // count] for place in range(count)]
    elif photos:
        names = list(photos)
    if missing := [name for name in names if name not in labels]:
        raise ConfigError(f"{len(missing)} of the photos named are not in annotations.json")
    return {name: labels[name] for name in names}


# running the members


@dataclass(frozen=True)
class Look:
    """What one member found in all photos, and what that took."""

    found: dict[str, list[Detection]]
    seconds: float
    """Median of a photo, decoding not counted."""
    start_mb: float
    peak_mb: float


def look(target: str, config: DetectionConfig, threads: int, folder: Path, names: Sequence[str]) -> Look:
    """Runs one member over the photos; meant for a process of its own.

    :param target: a registered name, or ``module:Class``.
    :raises ConfigError: no such member, or a package of its is missing.
    :raises ModelError: its model is missing.
    """
    start_mb = _peak_mb()
    detector: Detector = _class_of(target)(config, threads)
    found, seconds = {}, []
    for name in names:
        rgb = decode(strip((folder / name).read_bytes(), Policy(max_pixels=10**9)).data)
        started = time.perf_counter()
        found[name] = detector.detect(rgb)
        seconds.append(time.perf_counter() - started)
    return Look(found, statistics.median(seconds), start_mb, _peak_mb())


def _class_of(target: str) -> Any:
    module, _, name = target.partition(":")
    if not name:
        return DETECTORS.load(target)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{target} cannot be loaded ({type(error).__name__}); name it as module:Class") from None


def _peak_mb() -> float:
    """Most memory this process ever held, in MB.

    From /proc where there is one: the kernel's other figure starts at the parent process's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def look_apart(
    targets: Mapping[str, str], config: DetectionConfig, threads: int, folder: Path, names: Sequence[str]
) -> dict[str, Look]:
    """Every member in a fresh process, one after the other; one that cannot run is named on stderr and left out.

    :param targets: member → target of :func:`look`, which has the other parameters too.
    """
    looks: dict[str, Look] = {}
    for name, target in targets.items():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            try:
                looks[name] = process.submit(look, target, config, threads, folder, names).result()
            except (ConfigError, ModelError) as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
    return looks


# what was found


@dataclass(frozen=True)
class Candidate:
    """A detection as it is judged: its box, and the probability, 0 to 1, that it is a face."""

    box: Box
    probability: float


Found = dict[str, list[Candidate]]
"""Photo → candidates."""


def candidates_of(member: str, look_: Look, known: Calibration) -> Found:
    """A member's detections, boxes and scores corrected."""
    fitted = known.of(member)
    return {
        photo: [Candidate(fitted.box.apply(item.box), fitted.score.probability(item.score)) for item in items]
        for photo, items in look_.found.items()
    }


def merged(looks: Mapping[str, Look], photos: Iterable[str], known: Calibration) -> dict[str, list[MergedFace]]:
    """Photo → its merged faces."""
    return {photo: merge({name: item.found[photo] for name, item in looks.items()}, known) for photo in photos}


def consensus_of(looks: Mapping[str, Look], photos: Iterable[str], known: Calibration) -> Found:
    """The merged faces as candidates."""
    return {
        photo: [Candidate(face.box, face.score) for face in faces]
        for photo, faces in merged(looks, photos, known).items()
    }


# figures


def share_inside(face: Box, region: Box) -> float:
    """Share of a face's box that lies in a region, 0 to 1."""
    width = min(face.x1, region.x1) - max(face.x0, region.x0)
    height = min(face.y1, region.y1) - max(face.y0, region.y0)
    return max(0.0, width) * max(0.0, height) / (face.width * face.height)


def coverage(labels: Labels, found: Found, threshold: float) -> list[tuple[Label, bool]]:
    """Every face asked for, and whether it is covered by a candidate of at least this probability."""
    return [
        (label, any(share_inside(label.box, region) >= COVERED for region in regions))
        for photo, faces in labels.items()
        for regions in [_regions(found[photo], threshold)]
        for label in faces
        if label.asked
    ]


def _regions(candidates: Sequence[Candidate], threshold: float) -> list[Box]:
    return [item.box.scaled(ENLARGED) for item in candidates if item.probability >= threshold]


def alarms_of(labels: Labels, found: Found) -> list[float]:
    """The probabilities of all candidates that touch no labelled face."""
    return [
        item.probability
        for photo, faces in labels.items()
        for item in found[photo]
        for region in [item.box.scaled(ENLARGED)]
        if all(share_inside(label.box, region) <= TOUCHED for label in faces)
    ]


def false_alarms(alarms: Sequence[float], photos: int, threshold: float) -> float:
    """How many of the alarms are at or above a threshold, a photo."""
    return sum(alarm >= threshold for alarm in alarms) / photos


def threshold_for(alarms: Sequence[float], photos: int, budget: float) -> float:
    """The lowest probability, in steps of 0.01, from which on there are at most so many false alarms a photo."""
    steps = (step / 100 for step in range(101))
    return next((step for step in steps if false_alarms(alarms, photos, step) <= budget), 1.0)


def recall(covered: Sequence[tuple[Label, bool]], wanted: Callable[[Label], bool] = lambda _: True) -> str:
    """Share covered of the faces wanted, as text; a dash when there are none."""
    hits = [hit for label, hit in covered if wanted(label)]
    return f"{sum(hits) / len(hits):.2f}" if hits else "–"


def average_precision(labels: Labels, found: Found) -> float:
    """Area under the precision-recall curve, 0 to 1."""
    outcomes = sorted(
        (item for photo, faces in labels.items() for item in _outcomes(faces, found[photo])), key=lambda item: -item[0]
    )
    asked = sum(label.asked for faces in labels.values() for label in faces)
    right: NDArray[np.float64] = np.cumsum([hit for _, hit in outcomes], dtype=float)
    if not asked or not len(right):
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best_from_here * np.diff(right, prepend=0)).sum() / asked)


def _outcomes(faces: Sequence[Label], candidates: Sequence[Candidate]) -> list[tuple[float, bool]]:
    """(probability, is it right?) of a photo's candidates, each face given to the surest that overlaps it best."""
    taken: set[int] = set()
    outcomes = []
    for item in sorted(candidates, key=lambda item: -item.probability):
        overlaps = [intersection_over_union(item.box, label.box) for label in faces]
        best = int(np.argmax(overlaps)) if overlaps else -1
        overlapping = best >= 0 and overlaps[best] >= SAME_IOU
        if overlapping and not faces[best].asked:
            continue
        outcomes.append((item.probability, overlapping and best not in taken))
        if overlapping:
            taken.add(best)
    return outcomes


def is_face(box: Box, faces: Sequence[Label]) -> bool:
    """Does a box overlap a labelled face, asked for or not?"""
    return any(intersection_over_union(box, label.box) >= FACE_IOU for label in faces)


def judged(labels: Labels, found: Found) -> tuple[list[float], list[bool]]:
    """The candidates' probabilities, and whether each is a face."""
    pairs = [(item.probability, is_face(item.box, faces)) for photo, faces in labels.items() for item in found[photo]]
    return [probability for probability, _ in pairs], [truth for _, truth in pairs]


# fitting


def fit(labels: Labels, looks: Mapping[str, Look]) -> Calibration:
    """The calibration of all members and their consensus on these photos, without the facts about it."""
    members = {name: _fit_member(labels, look_.found) for name, look_ in looks.items()}
    known = Calibration(members=members)
    faces = [(face, photo) for photo, group in merged(looks, labels, known).items() for face in group]
    consensus = calibration.fit_consensus(
        [[sighting.probability for sighting in face.seen_by] for face, _ in faces],
        len(looks),
        [is_face(face.box, labels[photo]) for face, photo in faces],
    )
    return known.model_copy(update={"consensus": consensus})


def _fit_member(labels: Labels, found: Mapping[str, Sequence[Detection]]) -> MemberCalibration:
    box_map = calibration.fit_box(list(_pairs(labels, found)))
    rated = [
        (item.score, is_face(box_map.apply(item.box), faces))
        for photo, faces in labels.items()
        for item in found[photo]
    ]
    score_map = calibration.fit_score([score for score, _ in rated], [truth for _, truth in rated])
    return MemberCalibration(box=box_map, score=score_map, candidates=len(rated))


def _pairs(labels: Labels, found: Mapping[str, Sequence[Detection]]) -> Iterable[tuple[Box, Box]]:
    """(a member's box, the label it overlaps best) where both clearly mean the same face."""
    for photo, faces in labels.items():
        large = [label.box for label in faces if label.box.height >= BOX_FIT_FROM_PX]
        for item in found[photo]:
            overlaps = [intersection_over_union(item.box, box) for box in large]
            if overlaps and max(overlaps) >= FACE_IOU:
                yield item.box, large[int(np.argmax(overlaps))]


def out_of_sample(labels: Labels, looks: Mapping[str, Look]) -> dict[str, Found]:
    """Member (and consensus) → candidates, each photo judged by a calibration that was fitted on other photos.

    :raises ConfigError: fewer photos than folds.
    """
    if len(labels) < FOLDS:
        raise ConfigError(f"fitting needs at least {FOLDS} photos")
    found: dict[str, Found] = {name: {} for name in [*looks, CONSENSUS]}
    for fold in range(FOLDS):
        test = [photo for place, photo in enumerate(labels) if place % FOLDS == fold]
        known = fit({photo: faces for photo, faces in labels.items() if photo not in test}, looks)
        for name, look_ in looks.items():
            judged_ = candidates_of(name, look_, known)
            found[name].update({photo: judged_[photo] for photo in test})
        found[CONSENSUS].update(consensus_of(looks, test, known))
    return found


def with_facts(
    fitted: Calibration, labels: Labels, found: Mapping[str, Found], effort: str, sha256: str
) -> Calibration:
    """The calibration with its reliability on photos that it did not see, and where it comes from."""
    tables = {name: reliability(*judged(labels, item)) for name, item in found.items()}
    members = {name: item.model_copy(update={"reliability": tables[name]}) for name, item in fitted.members.items()}
    facts = Fitting(
        photos=len(labels),
        faces=sum(label.asked for faces in labels.values() for label in faces),
        folds=FOLDS,
        effort=effort,
        labels_sha256=sha256,
    )
    return fitted.model_copy(update={"members": members, "reliability": tables[CONSENSUS], "fitted": facts})


# tables


def _height_name(place: int) -> str:
    if place + 1 == len(HEIGHTS_PX):
        return f"≥ {HEIGHTS_PX[place]} px"
    return f"{HEIGHTS_PX[place]}–{HEIGHTS_PX[place + 1]} px"


def in_height(place: int) -> Callable[[Label], bool]:
    """Does a face's height lie in this step of HEIGHTS_PX?"""
    low, high = HEIGHTS_PX[place], [*HEIGHTS_PX[1:], float("inf")][place]
    return lambda label: low <= label.box.height < high


def has_flag(flag: str, value: int) -> Callable[[Label], bool]:
    """Is a face flagged so?"""
    return lambda label: label.flags.get(flag) == value


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_height(labels: Labels, found: Mapping[str, Found], thresholds: Sequence[float], budget: float) -> str:
    """Recall by face height and false alarms of every member, at each threshold and where it gives so many alarms."""
    heights = range(len(HEIGHTS_PX))
    rows = []
    for name, item in found.items():
        alarms = alarms_of(labels, item)
        for threshold in [*thresholds, threshold_for(alarms, len(labels), budget)]:
            covered = coverage(labels, item, threshold)
            sizes = [recall(covered, in_height(place)) for place in heights]
            large = recall(covered, lambda label: label.box.height >= BOX_FIT_FROM_PX)
            alarmed = f"{false_alarms(alarms, len(labels), threshold):.1f}"
            rows.append([name, f"{threshold:.2f}", recall(covered), large, *sizes, alarmed])
    head = ["member", "probability from", "all", "≥ 16 px", *map(_height_name, heights), "false alarms a photo"]
    return table(head, rows)


def by_flag(labels: Labels, found: Mapping[str, Found], threshold: float) -> str:
    """Recall by occlusion, pose and blur of every member, at one threshold; empty without flags."""
    groups = sorted({item for faces in labels.values() for label in faces for item in label.flags.items()})
    rows = []
    for name, item in found.items():
        covered = coverage(labels, item, threshold)
        rows.append([name, *(recall(covered, has_flag(*group)) for group in groups)])
    return table(["member", *(f"{flag} {value}" for flag, value in groups)], rows) if groups else ""


def calibration_error(labels: Labels, found: Found, threshold: float) -> str:
    """The expected calibration error of the candidates of at least this probability, as text.

    Over all candidates it flatters: most are rightly all but impossible.
    """
    pairs = [pair for pair in zip(*judged(labels, found), strict=True) if pair[0] >= threshold]
    error = expected_calibration_error(reliability([pair[0] for pair in pairs], [pair[1] for pair in pairs]))
    return "–" if error is None else f"{error:.3f}"


def costs(
    labels: Labels,
    found: Mapping[str, Found],
    looks: Mapping[str, Look],
    promised: Mapping[str, Found],
    threshold: float,
) -> str:
    """Average precision, calibration error, seconds and memory of every member.

    The consensus takes what its members take: seconds are added up, memory above that of the bare library too, so that
    it is an upper bound.

    :param promised: the candidates by whose probabilities the calibration is judged.
    :param threshold: the calibration error is also given for candidates from this probability on.
    """
    rows = []
    for name, item in found.items():
        parts = [looks[name]] if name in looks else list(looks.values())
        memory_mb = parts[0].start_mb + sum(part.peak_mb - part.start_mb for part in parts)
        precision, seconds = average_precision(labels, item), sum(part.seconds for part in parts)
        errors = [calibration_error(labels, promised[name], least) for least in (0.0, threshold)]
        rows.append([name, f"{precision:.3f}", *errors, f"{seconds:.3f}", f"{memory_mb:.0f}"])
    head = ["calibration error", f"of those from {threshold:.2f}", "seconds a photo", "peak memory (MB)"]
    return table(["member", "average precision", *head], rows)


# command


def configuration(effort: str, floor: float) -> DetectionConfig:
    """The configuration of an effort level, with candidates down to the floor.

    :raises ConfigError: no such level.
    """
    wanted: dict[str, Any] = {"doubt_score": floor}
    if effort != "default":
        wanted["effort"] = effort
    try:
        return DetectionConfig(**wanted)
    except ValueError:
        raise ConfigError(f"there is no effort level {effort!r} in this version") from None


def measure(effort: str, labels: Labels, looks: Mapping[str, Look], asked: argparse.Namespace, sha256: str) -> None:
    """Prints the tables of one effort level, and writes the calibration where that is asked for."""
    known, unseen = asked.known, None
    if asked.fit:
        unseen = out_of_sample(labels, looks)
        known = with_facts(fit(labels, looks), labels, unseen, effort, sha256)
        asked.write.write_text(known.model_dump_json(indent=1) + "\n")
    found = {name: candidates_of(name, item, known) for name, item in looks.items()}
    found[CONSENSUS] = consensus_of(looks, labels, known)
    own = known.fitted is not None and known.fitted.labels_sha256 == sha256
    sample = "out of sample" if asked.fit or not own else "IN SAMPLE: fitted on these labels"
    print(f"\n## Effort: {effort}\n\n{by_height(labels, found, asked.thresholds, asked.alarms)}\n")
    print(f"From probability {asked.thresholds[0]:.2f}:\n\n{by_flag(labels, found, asked.thresholds[0])}\n")
    print(f"Calibration error {sample}.\n\n{costs(labels, found, looks, unseen or found, asked.thresholds[0])}")


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--members", nargs="+", default=sorted(DETECTORS), help="registered names, or name=module:Class"
    )
    parser.add_argument("--efforts", nargs="+", default=["default"], help="effort levels; default: the configuration's")
    parser.add_argument("--photos", nargs="+", default=[], help="so many, evenly spaced, or those named")
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.2, 0.5], help="probabilities to count from")
    parser.add_argument("--alarms", type=float, default=1.5, help="also at so many false alarms a photo")
    parser.add_argument("--floor", type=float, default=0.05, help="lowest raw score looked at")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--calibration", type=Path, help="a file instead of the package's")
    parser.add_argument("--uncalibrated", action="store_true", help="take boxes and scores as the members give them")
    parser.add_argument("--fit", action="store_true", help="fit a calibration on these labels (one effort level)")
    parser.add_argument("--write", type=Path, default=CALIBRATION_FILE, help="where --fit writes it")
    asked = parser.parse_args(words)
    if asked.fit and len(asked.efforts) > 1:
        parser.error("--fit takes one effort level")
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

    :raises ConfigError: labels, photos, members or effort levels are not usable.
    :raises ModelError: the calibration cannot be read.
    """
    labels = chosen(read_labels(asked.folder), asked.photos)
    sha256 = hashlib.sha256((asked.folder / "annotations.json").read_bytes()).hexdigest()
    asked.known = known_calibration(asked)
    targets = {name: target or name for name, _, target in (item.partition("=") for item in asked.members)}
    faces = sum(label.asked for group in labels.values() for label in group)
    print(f"{len(labels)} photos, {faces} faces asked for")
    for effort in asked.efforts:
        config = configuration(effort, asked.floor)
        looks = look_apart(targets, config, asked.threads, asked.folder, list(labels))
        if not looks:
            raise ConfigError("none of the members could run; see above")
        measure(effort, labels, looks, asked, sha256)


def known_calibration(asked: argparse.Namespace) -> Calibration:
    """The calibration to measure with; none where one is about to be fitted."""
    if asked.fit or asked.uncalibrated:
        return Calibration()
    return calibration.shipped() if asked.calibration is None else calibration.read(asked.calibration)


if __name__ == "__main__":
    sys.exit(main())
