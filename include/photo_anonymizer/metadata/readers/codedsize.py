"""How large the pictures inside HEVC and AV1 data are: what a decoder will ask memory for, whatever the boxes say.

Sources: ITU-T H.265 sections 7.3.1, 7.3.2.2, 7.3.3 and 9.2; ISO/IEC 14496-15 section 8.3.3.1 (``hvcC``); AV1
Bitstream Specification sections 4.10, 5.3 and 5.5.
"""

from __future__ import annotations

from collections.abc import Iterator

from photo_anonymizer.metadata.readers.isobmff import BrokenBoxError

Size = tuple[int, int]
"""(width, height) in pixels."""

_MAX_UNITS = 65_536
_SEQUENCE_PARAMETERS = 33
_SEQUENCE_HEADER = 1
_HEADER_BYTES = 512
"""Enough of a parameter set to reach its size; what follows is not looked at."""


class _Bits:
    """Reads a bit field from its front."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data), 8 * len(data)

    def take(self, count: int) -> int:
        """The next bits as a number."""
        if count > self._left:
            raise BrokenBoxError("a parameter set ends too early")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def golomb(self) -> int:
        """An unsigned number with as many leading zeros as it has further digits (H.265 9.2, AV1 4.10.3)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise BrokenBoxError("a number in a parameter set is too large")
        return (1 << zeros) - 1 + self.take(zeros)


# --- HEVC


def hevc(config: bytes, payload: bytes) -> tuple[Size, ...]:
    """Sizes in all sequence parameter sets of an HEVC picture.

    :param config: content of its ``hvcC`` box.
    :param payload: its NAL units, each behind its length.
    :raises BrokenBoxError: they are not readable.
    """
    if len(config) < 23:
        raise BrokenBoxError("an HEVC configuration ends too early")
    units = [*_configured(config), *_units(payload, (config[21] & 3) + 1)]
    sets = [unit for unit in units if unit and unit[0] >> 1 & 63 == _SEQUENCE_PARAMETERS]
    return tuple(_hevc_size(unit) for unit in sets)


def _configured(config: bytes) -> Iterator[bytes]:
    """The heads of the NAL units in the configuration's arrays."""
    at = 23
    for _ in range(config[22]):
        if at + 3 > len(config):
            raise BrokenBoxError("an HEVC configuration ends too early")
        count = int.from_bytes(config[at + 1 : at + 3])
        at += 3
        for _ in range(count):
            length = int.from_bytes(config[at : at + 2])
            if at + 2 + length > len(config):
                raise BrokenBoxError("an HEVC configuration ends too early")
            yield config[at + 2 : at + 2 + min(length, _HEADER_BYTES)]
            at += 2 + length


def _units(payload: bytes, width: int) -> Iterator[bytes]:
    """The heads of the NAL units. Three zero bytes never occur in one (H.265 section 7.4.2)."""
    at = 0
    for _ in range(_MAX_UNITS):
        if at == len(payload):
            return
        length = int.from_bytes(payload[at : at + width])
        start, at = at + width, at + width + length
        # The decoder conceals what is missing: a hole in the file would become a grey area.
        if length == 0 or at > len(payload) or payload.find(b"\0\0\0", start, at) >= 0:
            raise BrokenBoxError("an HEVC picture with a hole")
        yield payload[start : min(at, start + _HEADER_BYTES)]
    raise BrokenBoxError("too many NAL units")


def _hevc_size(unit: bytes) -> Size:
    bits = _Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))  # 7.4.2: the 3 only keeps start codes out
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb(), bits.golomb()


# --- AV1


def av1(payload: bytes) -> tuple[Size, ...]:
    """Sizes in all sequence headers of AV1 data (a sample, or what follows the four first bytes of ``av1C``).

    :raises BrokenBoxError: the data is not readable.
    """
    return tuple(_av1_size(body) for kind, body in _obus(payload) if kind == _SEQUENCE_HEADER)


def _obus(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(payload):
            return
        head = payload[at]
        at += 2 if head & 4 else 1
        if head & 2:
            length, at = _leb128(payload, at)
        else:
            length = len(payload) - at
        if not 0 <= length <= len(payload) - at:
            raise BrokenBoxError("AV1 data that ends too early")
        yield head >> 3 & 15, payload[at : at + min(length, _HEADER_BYTES)]
        at += length
    raise BrokenBoxError("too many AV1 units")


def _leb128(payload: bytes, at: int) -> tuple[int, int]:
    """A number in groups of 7 bits, lowest first, and the offset behind it."""
    value = 0
    for index, byte in enumerate(payload[at : at + 8]):
        value |= (byte & 127) << 7 * index
        if not byte & 128:
            return value, at + index + 1
    raise BrokenBoxError("an AV1 length without an end")


def _av1_size(body: bytes) -> Size:
    bits = _Bits(body)
    bits.take(3 + 1)
    if bits.take(1):  # a still picture has a short header
        bits.take(5)
    else:
        _skip_timing(bits)
    across, down = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(across) + 1, bits.take(down) + 1


def _skip_timing(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):
        bits.take(64)
        if bits.take(1):
            bits.golomb()
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)
