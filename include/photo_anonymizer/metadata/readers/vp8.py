"""The quantiser of a lossy WebP's picture, and the encoder quality that it stands for.

Sources: RFC 6386 sections 7.3 (boolean decoder), 9.2 to 9.6 and 19.2 (frame header); libwebp ``src/enc/quant_enc.c``,
``QualityToCompression`` and ``VP8SetSegmentParams`` (quality to quantiser).
"""

from __future__ import annotations

_HEADER = 10
"""Bytes of a key frame before its first partition: frame tag, start code, dimensions."""
_HEADER_BYTES = 128
"""Enough of the first partition to reach the quantiser: less than 200 bits, each coded in no more than two."""
_SEGMENTS = 4
_LARGEST = 127


class _Bools:
    """Reads bits that were coded with even odds (RFC 6386 section 7.3); behind the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)
        self._value = self._byte() << 8 | self._byte()
        self._range, self._shifted = 255, 0

    def _byte(self) -> int:
        return next(self._rest, 0)

    def bit(self) -> int:
        split = 1 + (((self._range - 1) * 128) >> 8)
        taken = int(self._value >= split << 8)
        if taken:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value, self._range, self._shifted = self._value << 1, self._range << 1, self._shifted + 1
            if self._shifted == 8:
                self._shifted = 0
                self._value |= self._byte()
        return taken

    def number(self, bits: int) -> int:
        """The next bits, highest first."""
        value = 0
        for _ in range(bits):
            value = value << 1 | self.bit()
        return value

    def optional(self, bits: int, *, signed: bool = True) -> int:
        """A number behind a flag that says whether it is there; 0 if it is not."""
        if not self.bit():
            return 0
        value = self.number(bits)
        return -value if signed and self.bit() else value


def quantiser(frame: bytes) -> int:
    """How coarsely a picture was quantised: the index of its AC coefficients' step, 0 (finest) to 127.

    Of segments with quantisers of their own it is the second finest: libwebp sets them around what it was asked for,
    and this one is nearest to it (measured on photos: mostly within 1 of the quality; the median is up to 11 too low).

    :param frame: a key frame, the payload of a ``VP8`` chunk.
    """
    bits = _Bools(frame[_HEADER : _HEADER + _HEADER_BYTES])
    bits.number(2)  # colour space, clamping
    absolute, segments = _segments(bits) if bits.bit() else (False, [0] * _SEGMENTS)
    bits.number(1 + 6 + 3)  # loop filter: type, level, sharpness
    if bits.bit() and bits.bit():  # adjustments to the loop filter
        for _ in range(8):
            bits.optional(6)
    bits.number(2)  # partitions
    base = bits.number(7)
    steps = segments if absolute else [base + delta for delta in segments]
    return min(max(sorted(steps)[1], 0), _LARGEST)


def _segments(bits: _Bools) -> tuple[bool, list[int]]:
    """Do the segments' values replace the frame's (or add to it), and what are they?"""
    has_map, has_values = bits.bit(), bits.bit()
    absolute, values = False, [0] * _SEGMENTS
    if has_values:
        absolute = bool(bits.bit())
        values = [bits.optional(7) for _ in range(_SEGMENTS)]
        for _ in range(_SEGMENTS):
            bits.optional(6)  # of the loop filter
    if has_map:
        for _ in range(_SEGMENTS - 1):
            bits.optional(8, signed=False)
    return absolute, values


def quality(step: int) -> int:
    """The quality (0 to 100) at which libwebp chooses a quantiser.

    :param step: as :func:`quantiser` gives it.
    """
    linear = (1 - step / _LARGEST) ** 3
    return round(100 * (linear * 1.5 if linear < 0.5 else (linear + 1) / 2))
