"""Recognisers that remember what they have seen: every attack asks for the originals again."""

from __future__ import annotations

import hashlib

import numpy as np

from photo_anonymizer.reid.recognisers.protocol import Recogniser, comparison_of


class Remembering:
    """A recogniser that embeds the same stack of chips once, and that has learned from the originals if it is one that
    learns.

    :param originals: uint8 (n, S, S, 3), of the whole collection.
    """

    def __init__(self, recogniser: Recogniser, originals: np.ndarray) -> None:
        self._recogniser = recogniser
        self.name, self.threshold = recogniser.name, recogniser.threshold
        self.chip_size_px, self.template = recogniser.chip_size_px, recogniser.template
        self._compare = comparison_of(recogniser, recogniser.embed(originals))
        self._known: dict[bytes, np.ndarray] = {}

    def embed(self, chips: np.ndarray) -> np.ndarray:
        """See :class:`~photo_anonymizer.reid.recognisers.protocol.Recogniser`."""
        key = hashlib.sha256(np.ascontiguousarray(chips).tobytes()).digest()
        if key not in self._known:
            self._known[key] = np.asarray(self._compare(self._recogniser.embed(chips)), np.float32)
        return self._known[key]
