"""Small MediaPipe networks through LiteRT, one interpreter a thread because an interpreter is not thread-safe."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights

_local = threading.local()


def run(name: str, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """All outputs of the registered network ``name`` for one input.

    :param batch: float32, of exactly the network's input shape.
    :raises ModelError: the model is missing or altered.
    """
    interpreter = _interpreter(name)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
    interpreter.invoke()
    return [interpreter.get_tensor(output["index"]).copy() for output in interpreter.get_output_details()]


def _interpreter(name: str) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    held: dict[str, Any] = _local.__dict__
    if name not in held:
        held[name] = Interpreter(str(weights.path_of(name)), num_threads=1)
        held[name].allocate_tensors()
    return held[name]
