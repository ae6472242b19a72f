"""Which runtime runs RetinaFace faster on a CPU, and do they agree? Prints ms a picture and the largest difference.

The default of ``detection.backend`` follows from this table.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from skimage import data

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.retinaface import RetinaFace


def main() -> None:
    """Runs both on the same pictures, in turn, so that a machine whose speed drifts treats them alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    started = time.perf_counter()
    onnx = RetinaFace(DetectionConfig(), arguments.threads)
    onnx_start_s = time.perf_counter() - started
    started = time.perf_counter()
    tensorflow = RetinaFace(DetectionConfig(backend="tensorflow"), arguments.threads)
    tensorflow_start_s = time.perf_counter() - started
    print(f"start (import and load): onnxruntime {onnx_start_s:.1f} s, tensorflow {tensorflow_start_s:.1f} s")
    picture = np.tile(data.astronaut(), (2, 3, 1))
    for height, width in ((512, 512), (768, 1024), (1024, 1536)):
        shown = np.ascontiguousarray(picture[:height, :width])
        times: dict[str, list[float]] = {"onnxruntime": [], "tensorflow": []}
        found = {}
        for run in range(arguments.runs + 1):
            for name, detector in (("onnxruntime", onnx), ("tensorflow", tensorflow)):
                started = time.perf_counter()
                found[name] = detector.detect(shown)
                if run:
                    times[name].append((time.perf_counter() - started) * 1000)
        pairs = zip(found["onnxruntime"], found["tensorflow"], strict=True)
        apart = max(
            (
                abs(p - q)
                for a, b in pairs
                for p, q in zip(a.box.model_dump().values(), b.box.model_dump().values(), strict=True)
            ),
            default=0.0,
        )
        medians = {name: statistics.median(values) for name, values in times.items()}
        print(
            f"{width} × {height} px: onnxruntime {medians['onnxruntime']:.0f} ms, "
            f"tensorflow {medians['tensorflow']:.0f} ms, "
            f"ratio {medians['onnxruntime'] / medians['tensorflow']:.2f}, boxes differ by at most {apart:.3f} px"
        )


if __name__ == "__main__":
    main()
