"""The figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from detection_figures.figures import (
    Found,
    alarms_of,
    average_precision,
    coverage,
    false_alarms,
    judged,
    recall,
    threshold_for,
)
from detection_figures.labels import HEIGHTS_PX, Labels, has_flag, in_height, large
from detection_figures.looks import Cost, Look, RunLook
from detection_figures.variants import UNTOUCHED, VARIANTS
from photo_anonymizer.detection.reliability import expected_calibration_error, reliability

AS_A_RUN = "**as a run finds them**"
NONE = "–"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


# how many are found


def by_height(
    labels: Labels, found: Mapping[str, Found], thresholds: Sequence[float], budget: float, run: RunLook | None = None
) -> str:
    """Recall by face height and false alarms: of a run, and of every member at each threshold and at the budget.

    :param budget: false alarms a photo that a member may give.
    """
    rows = [
        _height_row(AS_A_RUN, labels, item, threshold) for threshold, item in (run.found_from if run else {}).items()
    ]
    for name, item in found.items():
        within = threshold_for(alarms_of(labels, item), len(labels), budget)
        rows += [_height_row(name, labels, item, threshold) for threshold in [*thresholds, within]]
    steps = [_height_name(place) for place in range(len(HEIGHTS_PX))]
    return table(["member", "probability from", "all", "≥ 16 px", *steps, "false alarms a photo"], rows)


def _height_row(name: str, labels: Labels, found: Found, threshold: float) -> list[str]:
    covered = coverage(labels, found, threshold)
    steps = [recall(covered, in_height(place)) for place in range(len(HEIGHTS_PX))]
    shares = [recall(covered), recall(covered, large), *steps]
    alarms = false_alarms(alarms_of(labels, found), len(labels), threshold)
    return [name, f"{threshold:.2f}", *map(_share, shares), f"{alarms:.1f}"]


def _height_name(place: int) -> str:
    if place + 1 == len(HEIGHTS_PX):
        return f"≥ {HEIGHTS_PX[place]} px"
    return f"{HEIGHTS_PX[place]}–{HEIGHTS_PX[place + 1]} px"


def by_flag(labels: Labels, found: Mapping[str, Found], threshold: float, run: RunLook | None = None) -> str:
    """Recall by occlusion, pose and blur, at one threshold; empty without flags."""
    groups = sorted({item for faces in labels.values() for label in faces for item in label.flags.items()})
    everybody = {**({AS_A_RUN: run.found_from[threshold]} if run else {}), **found}
    rows = []
    for name, item in everybody.items():
        covered = coverage(labels, item, threshold)
        rows.append([name, *(_share(recall(covered, has_flag(*group))) for group in groups)])
    return table(["member", *(f"{flag} {value}" for flag, value in groups)], rows) if groups else ""


# what it costs, and what a probability is worth


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
    run: RunLook | None = None,
) -> str:
    """Average precision, calibration error, seconds and memory.

    The consensus takes what its members take: seconds are added up, memory above that of the bare library too, so that
    it is an upper bound. A run keeps nothing below its threshold, so that some of its figures cannot be had.

    :param promised: the candidates by whose probabilities the calibration is judged.
    :param threshold: the calibration error is also given for candidates from this probability on.
    """
    rows = []
    if run:
        error = calibration_error(labels, run.found_from[threshold], threshold)
        rows.append([AS_A_RUN, NONE, NONE, error, *_cost_cells([run.cost])])
    for name, item in found.items():
        parts = [looks[name].cost] if name in looks else [look.cost for look in looks.values()]
        errors = [calibration_error(labels, promised[name], least) for least in (0.0, threshold)]
        rows.append([name, f"{average_precision(labels, item):.3f}", *errors, *_cost_cells(parts)])
    head = ["calibration error", f"of those from {threshold:.2f}", "seconds a photo", "median", "peak memory (MB)"]
    return table(["member", "average precision", *head], rows)


def _cost_cells(parts: Sequence[Cost]) -> list[str]:
    memory_mb = parts[0].start_mb + sum(part.peak_mb - part.start_mb for part in parts)
    means, medians = sum(part.mean_s for part in parts), sum(part.median_s for part in parts)
    return [f"{means:.3f}", f"{medians:.3f}", f"{memory_mb:.0f}"]


# changed photos


def robustness(runs: Mapping[str, RunLook], threshold: float) -> str:
    """Recall and false alarms on changed photos, beside the untouched ones, in points (hundredths).

    :param runs: variant → what a run finds; :data:`UNTOUCHED` among them.
    """
    figures = {name: _recalls(run, threshold) for name, run in runs.items()}
    rows = []
    for name, run in runs.items():
        points = [_points(now, before) for now, before in zip(figures[name], figures[UNTOUCHED], strict=True)]
        alarms = false_alarms(alarms_of(run.labels, run.found_from[threshold]), len(run.labels), threshold)
        told = [NONE if value is None else f"{value:+.1f}" for value in points]
        rows.append([name, *map(_share, figures[name]), f"{alarms:.1f}", *told, _verdict(name, points)])
    changes = ["all, points", "≥ 16 px, points", "target"]
    return table(["photos", "all", "≥ 16 px", "false alarms a photo", *changes], rows)


def _recalls(run: RunLook, threshold: float) -> tuple[float | None, float | None]:
    covered = coverage(run.labels, run.found_from[threshold], threshold)
    return recall(covered), recall(covered, large)


def _points(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else round(100 * (now - before), 1)


def _verdict(variant: str, points: Sequence[float | None]) -> str:
    """Is no more lost than the target allows, of all faces and of the large ones?"""
    allowed = VARIANTS[variant].allowed_points
    if allowed is None:
        return NONE
    met = all(value is None or value >= -allowed for value in points)
    return f"−{allowed:g}: {'met' if met else 'missed'}"


# photos without labels


def how_many(run: RunLook) -> str:
    """In how many photos no face was found, one, or more; and how many of the faces are doubtful."""
    found = next(iter(run.found_from.values()))
    counts = [len(faces) for faces in found.values()]
    more = sum(count > 1 for count in counts)
    numbers = [len(counts), counts.count(0), counts.count(1), more, sum(counts), run.doubtful]
    head = ["photos", "without a face", "with one", "with more", "faces", "of these doubtful"]
    return table([*head, "seconds a photo"], [[*map(str, numbers), f"{run.cost.mean_s:.3f}"]])
