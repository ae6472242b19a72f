"""Running detectors over photos, each in a process of its own, so that its memory is its own."""

from __future__ import annotations

import hashlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from detection_figures.figures import Candidate, Found
from detection_figures.labels import Labels
from detection_figures.variants import UNTOUCHED, VARIANTS
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection import DETECTORS
from photo_anonymizer.detection.find import find_faces
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.detection.stage import members_of
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.pixels import Pixels

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """What looking took."""

    seconds: tuple[float, ...]
    """Of every photo, decoding not counted."""
    start_mb: float
    peak_mb: float

    @property
    def median_s(self) -> float:
        """Of a photo."""
        return statistics.median(self.seconds)

    @property
    def mean_s(self) -> float:
        """Of a photo: what a collection takes, divided by its photos."""
        return statistics.fmean(self.seconds)


@dataclass(frozen=True)
class Look:
    """What one member found in all photos, and what that took."""

    found: dict[str, list[Detection]]
    cost: Cost


def look(target: str, config: DetectionConfig, threads: int, folder: Path, names: Sequence[str]) -> Look:
    """Runs one member over the photos; meant for a process of its own.

    :param target: a registered name, or ``module:Class``.
    :raises ConfigError: no such member, or a package of its is missing.
    :raises ModelError: its model is missing.
    """
    start_mb = peak_mb()
    detector: Detector = _class_of(target)(config, threads)
    found, seconds = {}, []
    for name in names:
        rgb = read_photo(folder / name)
        started = time.perf_counter()
        found[name] = detector.detect(rgb)
        seconds.append(time.perf_counter() - started)
    return Look(found, Cost(tuple(seconds), start_mb, peak_mb()))


def _class_of(target: str) -> Any:
    module, _, name = target.partition(":")
    if not name:
        return DETECTORS.load(target)
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{target} cannot be loaded ({type(error).__name__}); name it as module:Class") from None


def look_apart(
    targets: Mapping[str, str], config: DetectionConfig, threads: int, folder: Path, names: Sequence[str]
) -> dict[str, Look]:
    """Every member in a fresh process, one after the other; one that cannot run is named on stderr and left out.

    :param targets: member → target of :func:`look`, which has the other parameters too.
    """
    looks: dict[str, Look] = {}
    for name, target in targets.items():
        try:
            looks[name] = apart(look, target, config, threads, folder, names)
        except (ConfigError, ModelError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return looks


# as a run does it


@dataclass(frozen=True)
class RunLook:
    """What a run finds in all photos, what that took, and where the faces are in them."""

    found_from: dict[float, Found]
    """``doubt_score`` → the faces of a run so configured."""
    labels: Labels
    """Moved along with the change of the photos."""
    cost: Cost
    """With the first of the thresholds; memory has a meaning in a process of its own."""
    doubtful: int = 0
    """Faces that a reviewer is asked about, with the first of the thresholds."""


def look_as_a_run(
    config: DetectionConfig,
    thresholds: Sequence[float],
    threads: int,
    folder: Path,
    labels: Labels,
    variant: str = UNTOUCHED,
) -> RunLook:
    """Finds faces as the stage does: all ways of holding a photo, consensus, second look.

    :param thresholds: values of ``doubt_score``, the first timed; one above ``accept_score`` takes that along.
    :param variant: name of what is done to every photo first.
    :raises ConfigError: no such member, or a package of its is missing.
    :raises ModelError: a model is missing.
    """
    start_mb = peak_mb()
    members = members_of(config, threads)
    found_from: dict[float, Found] = {threshold: {} for threshold in thresholds}
    moved: Labels = {}
    seconds, doubtful = [], 0
    for name, faces in labels.items():
        rgb, moved[name] = VARIANTS[variant].change(read_photo(folder / name), faces)
        detectors, glancers = ([Remembering(member) for member in group] for group in members)
        for place, threshold in enumerate(thresholds):
            started = time.perf_counter()
            found = find_faces(rgb, detectors, at_threshold(config, threshold), glancers)
            if place == 0:
                seconds.append(time.perf_counter() - started)
                doubtful += sum(face.band == "doubt" for face in found)
            found_from[threshold][name] = [Candidate(face.box, face.score) for face in found]
    return RunLook(found_from, moved, Cost(tuple(seconds), start_mb, peak_mb()), doubtful)


def at_threshold(config: DetectionConfig, threshold: float) -> DetectionConfig:
    """The configuration with another ``doubt_score``; ``accept_score`` is never below it."""
    accept = max(config.accept_score, threshold)
    return config.model_copy(update={"doubt_score": threshold, "accept_score": accept})


class Remembering:
    """A detector that knows what it found in a picture before, so that another threshold costs nothing again."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self.name = detector, detector.name
        self._known: dict[tuple[bytes, tuple[int, ...]], list[Detection]] = {}

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        key = hashlib.sha256(np.ascontiguousarray(rgb)).digest(), rgb.shape
        if key not in self._known:
            self._known[key] = self._detector.detect(rgb)
        return self._known[key]


# photos and processes


def read_photo(path: Path) -> Pixels:
    """A photo as the stages see it: upright, sRGB."""
    return decode(strip(path.read_bytes(), Policy(max_pixels=10**9)).data)


def apart(work: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a call in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def peak_mb() -> float:
    """Most memory this process ever held, in MB.

    From /proc where there is one: the kernel's other figure starts at the parent process's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024
