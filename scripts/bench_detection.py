"""How fast are faces found in one-megapixel JPEGs, where does the time go, and how far is it from the machine's limit?

    python scripts/bench_detection.py [--photos N] [--efforts NAME …] [--workers N] [--runs N]

The photos are made here and have one to four faces each. What is measured is the stage that a run has for this, each
effort in a process of its own, the efforts in turn; the run with the least processor time counts, as the others were
disturbed more. Loading the models is left out. Processor time depends less on what else the machine does: divided among
idle processors it says what they would reach at most.

The network's least time is what its multiply-adds would take at the speed of a plain large matrix product in the same
runtime: no arrangement of the same network on the same processor comes below it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import onnxruntime
from bench_cleaning import listed_photos
from bench_photos import make_photos
from detection_figures.looks import apart, peak_mb
from detection_figures.tables import table
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig, load_config
from photo_anonymizer.detection import find, stage
from photo_anonymizer.detection.effort import EFFORTS
from photo_anonymizer.detection.retinaface import RetinaFace
from photo_anonymizer.metadata.stage import STAGE as STRIPPED
from photo_anonymizer.metadata.stage import strip_metadata
from photo_anonymizer.model.record import Reason
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.threads import threads_each

SIZE_WH = 1280, 853
PRODUCT_SIDE = 2048
"""Of the square matrices whose product tells the machine's speed."""
TRIES = 9
NETWORK, DECODE, SECOND_LOOK, PERSON, REST = "network", "decode", "second look", "person check", "rest"
Shape = tuple[int, ...]
"""Of a network's input: photos, height, width, channels."""


# the stage


class Clock:
    """Processor seconds of kinds of work, whichever thread does it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.passes: Counter[Shape] = Counter()
        """Shape → how often the network saw it."""
        self._lock = threading.Lock()

    def timed(self, kind: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, with its time counted as ``kind``."""

        def counted(*arguments: Any) -> Any:
            started = time.thread_time()
            try:
                return work(*arguments)
            finally:
                with self._lock:
                    self.seconds[kind] += time.thread_time() - started
                    if kind == NETWORK:
                        self.passes[arguments[0].shape] += 1

        return counted


@dataclass(frozen=True)
class StageFigures:
    """What the stage needed for all photos."""

    photos: int
    faces: int
    wall_s: float
    processor_s: float
    seconds: Mapping[str, float]
    """Kind of work → processor seconds; what is none of the others is the rest."""
    passes: Mapping[Shape, int]
    peak_mb: float

    @property
    def photos_a_second(self) -> float:
        """As it was."""
        return self.photos / self.wall_s

    @property
    def processor_ms(self) -> float:
        """A photo."""
        return 1000 * self.processor_s / self.photos


def prepared(folder: Path, photos: Sequence[Path], effort: str, workers: int) -> RunFolder:
    """A run whose photos are cleaned and wait for the detection, one of them in a shard of its own to warm up with."""
    settings = {"source": str(photos[0].parent), "out": str(folder), "workers": workers}
    config = load_config({**settings, "detection": {"effort": effort}})
    run = RunFolder.of(config, "bench")
    run.start(config, "bench")
    for shard, some in (("warm", photos[:1]), ("0000", photos)):
        with run.publish("listed", shard) as listed:
            listed.write_records(listed_photos(some, config))
        strip_metadata(run, shard, "listed")
    return run


def by_the_stage(run: RunFolder) -> StageFigures:
    """Runs the stage over the photos of a run; meant for a process of its own.

    :raises SystemExit: a photo was stopped, which would measure something else.
    """
    import pandas  # noqa: F401 - the queue of doubtful faces loads it, once a process

    stage.detect_faces(run, "warm", STRIPPED)
    clock, members = Clock(), stage.members_of(run.config.detection, threads_each(run.config.workers))
    places = [(stage, "load", DECODE), (find, "mesh_logit", SECOND_LOOK), (stage, "persons", PERSON)]
    places += [(member, "_network", NETWORK) for group in members for member in group]
    with ExitStack() as stack:
        for place, name, kind in places:
            stack.enter_context(patch.object(place, name, clock.timed(kind, getattr(place, name))))
        wall, processor = time.perf_counter(), time.process_time()
        records = stage.detect_faces(run, "0000", STRIPPED)
        wall_s, processor_s = time.perf_counter() - wall, time.process_time() - processor
    # Only what the stage itself finds out by looking may hold a photo.
    if not all(record.reason in (None, Reason.PERSON_WITHOUT_FACE) for record in records):
        raise SystemExit("a photo was stopped: this would measure something else")
    seconds = {**clock.seconds, REST: processor_s - clock.seconds.total()}
    faces = sum(len(record.faces) for record in records)
    return StageFigures(len(records), faces, wall_s, processor_s, seconds, clock.passes, peak_mb())


def best(runs: Sequence[StageFigures]) -> StageFigures:
    """The run that was disturbed least."""
    return min(runs, key=lambda figures: figures.processor_s)


# what the machine could do


@cache
def multiply_adds(shape: Shape) -> int:
    """Multiply-adds of RetinaFace's convolutions for an input of this shape."""
    return multiply_adds_of(onnx.load(str(weights.onnx_path_of("retinaface"))), shape)


def multiply_adds_of(model: onnx.ModelProto, shape: Shape) -> int:
    """Multiply-adds of a graph's convolutions for an input of this shape; everything else it does is left out.

    :raises ValueError: the size of a convolution's output does not follow from the input's.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for dimension, value in zip(fixed.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        dimension.ClearField("dim_param")
        dimension.dim_value = value
    graph = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    sizes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in [*graph.value_info, *graph.output]
    }
    kernels = {constant.name: list(constant.dims) for constant in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            outputs = int(np.prod(sizes.get(node.output[0], [0])))
            if not outputs:
                raise ValueError(f"the output size of {node.name} is not known")
            # Kernels are (outputs, inputs of a group, height, width).
            total += outputs * int(np.prod(kernels[node.input[1]][1:]))
    return total


def machine_gflops(threads: int, side: int = PRODUCT_SIDE) -> float:
    """10⁹ floating point operations a second in a product of two large float32 matrices, the best of some.

    With one thread in its processor time, with several as the clock on the wall has it.
    """
    values = onnx.helper.make_tensor_value_info
    names = [values(name, onnx.TensorProto.FLOAT, [side, side]) for name in "abc"]
    node = onnx.helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = onnx.helper.make_graph([node], "product", names[:2], names[2:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    session = session_of(model.SerializeToString(), threads)
    rng = np.random.default_rng(0)
    given = {name: rng.random((side, side), np.float32) for name in "ab"}
    clock = time.thread_time if threads == 1 else time.perf_counter
    return 2 * side**3 / least_seconds(lambda: session.run(None, given), clock) / 1e9


def session_of(model: bytes | str, threads: int) -> onnxruntime.InferenceSession:
    """A network on the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def least_seconds(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    """The shortest of some tries, after one that does not count."""
    work()
    return min(_seconds(work, clock) for _ in range(TRIES))


def _seconds(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started


def least_ms(operations: int, gflops: float) -> float:
    """Milliseconds that so many multiply-adds (two operations each) take at least."""
    return 2 * operations / gflops / 1e6


# other arrangements


def times_as_fast(one: Callable[[], Any], other: Callable[[], Any], clock: Callable[[], float]) -> float:
    """How many times as fast the other is: median of the ratios of pairs taken in turn."""
    one(), other()
    return statistics.median(_seconds(one, clock) / _seconds(other, clock) for _ in range(TRIES))


def two_in_one_call(shape: Shape) -> float:
    """How many times as fast two photos in one call are, beside two calls; processor time of one thread."""
    network = RetinaFace(DetectionConfig(), 1)._network
    single = noise(shape)
    double = np.concatenate([single, single])
    return times_as_fast(lambda: (network(single), network(single)), lambda: network(double), time.thread_time)


def two_workers(shape: Shape) -> float:
    """How many times as fast two workers with one thread each are, beside one with two threads."""
    alone, shared = (RetinaFace(DetectionConfig(), threads)._network for threads in (1, 2))
    batches = [noise(shape)] * 4
    with ThreadPoolExecutor(2) as pool:
        return times_as_fast(
            lambda: [shared(batch) for batch in batches], lambda: list(pool.map(alone, batches)), time.perf_counter
        )


def noise(shape: Shape) -> NDArray[np.float32]:
    """An input of that shape: what the network sees does not change how long it takes."""
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


# tables


def speed_table(figures: Mapping[str, StageFigures], workers: int) -> str:
    """Speed and memory of every effort."""
    rows = [
        [
            effort,
            f"{one.photos_a_second:.1f}",
            f"{one.processor_ms:.0f}",
            f"{1000 * workers / one.processor_ms:.1f}",
            f"{one.peak_mb:.0f}",
            f"{one.faces / one.photos:.1f}",
        ]
        for effort, one in figures.items()
    ]
    idle = f"photos a second on {workers} idle processors, at most"
    return table(["effort", "photos a second", "processor ms a photo", idle, "peak memory (MB)", "faces a photo"], rows)


def share_table(figures: Mapping[str, StageFigures]) -> str:
    """Where the processor time goes."""
    kinds = [NETWORK, DECODE, SECOND_LOOK, PERSON, REST]
    rows = [
        [effort, *(f"{one.seconds.get(kind, 0) / one.processor_s:.1%}" for kind in kinds)]
        for effort, one in figures.items()
    ]
    return table(["effort", *kinds], rows)


def least_table(figures: Mapping[str, StageFigures], gflops: float) -> str:
    """The network's time beside the least that it could take, with one thread a pass."""
    rows = []
    for effort, one in figures.items():
        operations = sum(multiply_adds(shape) * count for shape, count in one.passes.items()) / one.photos
        least, took = least_ms(round(operations), gflops), 1000 * one.seconds[NETWORK] / one.photos
        passes = sum(one.passes.values()) / one.photos
        rows.append(
            [effort, f"{passes:.1f}", f"{operations / 1e9:.2f}", f"{least:.0f}", f"{took:.0f}", f"{took / least:.1f}"]
        )
    head = ["passes a photo", "10⁹ multiply-adds a photo", "least ms", "processor ms", "ratio"]
    return table(["effort", *head], rows)


def pass_table(shapes: Sequence[Shape], gflops: float) -> str:
    """Single passes on one thread beside their least time, and what other arrangements would gain."""
    network = RetinaFace(DetectionConfig(), 1)._network
    rows = []
    for shape in shapes:
        took = 1000 * least_seconds(partial(network, noise(shape)), time.thread_time)
        least = least_ms(multiply_adds(shape), gflops)
        measured = [f"{multiply_adds(shape) / 1e9:.2f}", f"{least:.0f}", f"{took:.0f}", f"{took / least:.1f}"]
        gains = [f"{two_in_one_call(shape):.2f}", f"{two_workers(shape):.2f}"]
        rows.append([f"{shape[2]} × {shape[1]}", *measured, *gains])
    head = ["10⁹ multiply-adds", "least ms", "ms", "ratio", "two photos in one call", "2 workers beside 2 threads"]
    return table(["input", *head], rows)


# command


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--efforts", nargs="+", default=list(EFFORTS), choices=list(EFFORTS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--stage-only", action="store_true", help="without the network by itself")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    asked = arguments(words)
    runs: dict[str, list[StageFigures]] = {effort: [] for effort in asked.efforts}
    with tempfile.TemporaryDirectory() as place:
        photos = sorted(make_photos(Path(place, "photos"), asked.photos, SIZE_WH).iterdir())
        for number in range(asked.runs):
            for effort, figures in runs.items():
                run = prepared(Path(place, f"{effort}{number}"), photos, effort, asked.workers)
                figures.append(apart(by_the_stage, run))
    figures = {effort: best(group) for effort, group in runs.items()}
    print(
        f"{asked.photos} photos of {SIZE_WH[0]} × {SIZE_WH[1]} px, {asked.workers} workers, {asked.runs} runs in turn\n"
    )
    print(f"{speed_table(figures, asked.workers)}\n\n{share_table(figures)}\n")
    speeds = {threads: machine_gflops(threads) for threads in (1, 2)}
    told = ", ".join(
        f"{speed:.0f} GFLOP/s with {threads} thread{'s' * (threads > 1)}" for threads, speed in speeds.items()
    )
    print(f"A product of float32 matrices of {PRODUCT_SIDE}²: {told}.\n\n{least_table(figures, speeds[1])}")
    if not asked.stage_only:
        shapes = sorted({max(one.passes, key=multiply_adds) for one in figures.values()}, key=multiply_adds)
        print("\nOne pass on one thread, and how many times as fast other arrangements are:\n")
        print(pass_table(shapes, speeds[1]))


if __name__ == "__main__":
    main()
