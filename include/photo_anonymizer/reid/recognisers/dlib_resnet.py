"""dlib's face recogniser: a ResNet with 128 numbers a face, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.errors import ModelError
from photo_anonymizer.reid.recognisers.protocol import check_chips

_SIZE_PX = 150
_EMBEDDING_SIZE = 128
_BATCH = 16
"""More hardly helps: 5.9, 4.9, 4.9 ms a face at 1, 8, 32 with one thread; 3.4, 2.9, 2.7 with two."""


def _template() -> NDArray[np.float64]:
    template = np.array([[46.9, 46.1], [102.3, 46.1], [74.6, 78.5], [50.4, 103.7], [98.8, 103.7]])
    template.setflags(write=False)
    return template


TEMPLATE = _template()
"""Where RetinaFace's five landmarks lie in the chips that the network learned from.

dlib aligns by other points: the corners of the eyes and the base of the nose, as its ``get_face_chip`` puts
them for 150 px and padding 0.25. These are means over 119 press photos: RetinaFace's landmarks in the frame
of dlib's chip, then made symmetric, because either side of a face is as likely to be near. (dlib's mean eye
corners would put the eyes at (47.7, 47.1) and (100.3, 47.1); RetinaFace's lie a little higher and further
apart.) On 100 of these photos, 10 of each of 10 people, aligning by them left 98.4 % of the same-person pairs
and 0.3 % of the others within 0.6; dlib's own landmarks and chips 97.8 % and 0.3 %.
"""


class DlibResnet:
    """King's recogniser of 2017 (``dlib_face_recognition_resnet_model_v1``, CC0), without dlib.

    Distances are Euclidean; the embeddings are not of unit length. dlib's documentation calls two faces the
    same person below 0.6, which reached 99.38 % on Labeled Faces in the Wild.

    :param onnx_path: file with the model that ``dlib_onnx.build`` made.
    :param threads: threads of ONNX Runtime for one batch.
    :raises ModelError: the model is missing, cannot be loaded, or is another one.
    """

    name = "dlib_resnet"
    threshold = 0.6
    chip_size_px = _SIZE_PX
    template = TEMPLATE

    def __init__(self, onnx_path: Path, threads: int = 2) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelError(
                f"dlib's recogniser cannot be loaded ({error}); delete {onnx_path} and it is built again"
            ) from error
        want = [("chips", [_SIZE_PX, _SIZE_PX, 3]), ("embeddings", [_EMBEDDING_SIZE])]
        if [(end.name, end.shape[1:]) for end in (*session.get_inputs(), *session.get_outputs())] != want:
            raise ModelError(f"{onnx_path} is not dlib's recogniser; delete it and it is built again")
        self._session = session

    @classmethod
    def load(cls, threads: int) -> DlibResnet:
        """The registered model.

        :raises ModelError: as :meth:`__init__`, or its source is missing or altered.
        """
        return cls(weights.onnx_path_of(cls.name), threads)

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (N, 128) of chips (N, 150, 150, 3), RGB.

        :raises ValueError: the chips have another shape or type.
        """
        check_chips(chips, self.chip_size_px)
        embeddings = np.empty((len(chips), _EMBEDDING_SIZE), np.float32)
        for start in range(0, len(chips), _BATCH):
            batch = np.ascontiguousarray(chips[start : start + _BATCH])
            embeddings[start : start + _BATCH] = self._session.run(None, {"chips": batch})[0]
        return embeddings
