"""A compressed JPEG scan that may stay as it is, byte for byte, because nothing but its picture is in it.

Writing the coefficients anew (:mod:`.transcode`) takes three to five times as long (measured). It is spared a scan
for which all of this is shown:

- Baseline or extended Huffman coding, 8 bits a sample, grey or three components, one scan with all of them.
- Its Huffman tables are those of ITU-T T.81 Annex K, so that nothing hides in a table. Around the scan only tables
  that it uses are written, in one fixed wording (:func:`_file`).
- No marker lies inside it, so no restart interval either: libjpeg passes over a few bytes before a restart marker.
- A strict decoder reads it without complaint, and misses something when the last bit that could belong to the picture
  is spoiled: so the last block ends there, and the padding behind it is ones, as T.81 F.1.2.3 asks.
- Blocks beyond the edges of the picture, which fill up the last unit of subsampled components, hold what an encoder
  puts there that has nothing to say: the brightness of the block before, and no detail. Blocks that the edges cut
  hold their last column and row once more (:mod:`.edges`).

What remains is how the coefficients were chosen, and how runs of zeros were written down (a run before the end of a
block can be spelt out or left out): somebody who wants to hide a message in a picture can do it there, nothing gets
there by itself. Keeping coefficients is never safe from the former; a photo written from its pixels is.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.lossless.edges import only_repeats
from photo_anonymizer.metadata.lossless.transcode import coefficients
from photo_anonymizer.metadata.readers import jpegfile

_LUMA_TABLES = (
    bytes.fromhex("00 00010501010101010100000000000000 000102030405060708090a0b"),
    bytes.fromhex(
        "10 0002010303020403050504040000017d 01020300041105122131410613516107227114328191a1082342b1c11552d1f024"
        "33627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475"
        "767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3"
        "d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
)
"""Huffman tables for DC and AC of luma (T.81 tables K.3 and K.5), as DHT segments hold them."""
_CHROMA_TABLES = (
    bytes.fromhex("01 00030101010101010101010000000000 000102030405060708090a0b"),
    bytes.fromhex(
        "11 00020102040403040705040400010277 000102031104052131061241510761711322328108144291a1b1c109233352f015"
        "6272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768696a7374"
        "75767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9ca"
        "d2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
)
"""T.81 tables K.4 and K.6."""
_MOST_BLOCKS = 65500 // 8
"""Along one side: what libjpeg decodes."""
_WHOLE = b"\x00\x3f\x00"
"""End of a scan header: all coefficients, in full (T.81 B.2.3)."""
_MISSED = ("premature end", "bad Huffman code")
"""Complaints of libjpeg (jerror.h) that it misses bits or meets wrong ones.

That it found too many bytes is another matter: that can depend on how far it read ahead.
"""


@dataclass(frozen=True)
class _Scan:
    """A picture with one scan and standard tables, in parts."""

    head: tuple[jpegfile.Segment, ...]
    """JFIF and Adobe segments."""
    frame: bytes
    """Payload of the frame header."""
    steps: tuple[bytes, ...]
    """The quantisation table of every component: 64 steps of 1–255, in zigzag order."""
    packed: bytes
    """The compressed bytes."""


def untouched(clean: bytes) -> bytes | None:
    """The picture with its compressed bytes as they are; ``None`` if that cannot be shown to be safe. Thread-safe.

    :param clean: what :func:`.jpeg.parse` made.
    """
    scan = _taken_apart(clean)
    if scan is None or not _nothing_beyond_the_edges(scan) or not _ends_with_its_picture(scan):
        return None
    return _file(scan)


def has_standard_tables(clean: bytes) -> bool:
    """Are the Huffman tables of the first scan of a cleaned JPEG those of Annex K, as libjpeg assigns them?"""
    segments = jpegfile.segments_of(clean)
    tables = _huffman_tables(segments)
    header = segments[-1].payload
    used = [(tables.get(both >> 4), tables.get(16 | both & 15)) for both in header[2:-3:2]]
    luma, chroma = (tuple(table[1:] for table in pair) for pair in (_LUMA_TABLES, _CHROMA_TABLES))
    return used == [luma, *[chroma] * (len(used) - 1)]


def _taken_apart(clean: bytes) -> _Scan | None:
    segments, rest = jpegfile.head_of(clean)
    packed = rest[:-2]
    kind, frame = next((one.marker, one.payload) for one in segments if one.marker in jpegfile.FRAMES)
    header = segments[-1].payload
    one_scan = header[1:-3:2] == frame[6::3] and header[-3:] == _WHOLE
    if kind == jpegfile.PROGRESSIVE or not one_scan or not _usual(frame) or not has_standard_tables(clean):
        return None
    if not packed or _has_marker(packed):
        return None
    tables = jpegfile.step_tables(segments)
    steps = [tables.get(number, (0,)) for number in frame[8::3]]
    if any(min(table) < 1 or max(table) > 255 for table in steps):
        return None
    head = tuple(one for one in segments if one.marker in jpegfile.COLOUR_SEGMENTS)
    return _Scan(head, frame, tuple(map(bytes, steps)), packed)


def _has_marker(packed: bytes) -> bool:
    """Does a byte of ones stand anywhere without the zero behind it that makes it data? (T.81 B.1.1.5)"""
    values = np.frombuffer(packed, np.uint8)
    ones = np.flatnonzero(values == 0xFF)
    return bool(values[-1] == 0xFF or values[ones + 1].any())


def _usual(frame: bytes) -> bool:
    """Grey, or three components of which only the first has more than one block a unit."""
    factors = [divmod(both, 16) for both in frame[7::3]]
    return factors == [(1, 1)] or (len(factors) == 3 and factors[1:] == [(1, 1), (1, 1)] and 0 not in factors[0])


def _huffman_tables(segments: list[jpegfile.Segment]) -> dict[int, bytes]:
    """Class and number (Tc and Th of T.81 B.2.4.2 in one byte) → lengths and symbols."""
    found: dict[int, bytes] = {}
    for payload in (one.payload for one in segments if one.marker == jpegfile.DHT):
        at = 0
        while at < len(payload):
            end = at + 17 + sum(payload[at + 1 : at + 17])
            found[payload[at]] = payload[at + 1 : end]
            at = end
    return found


def _file(scan: _Scan) -> bytes:
    """The picture with the tables that it uses, numbered in the order of use, and nothing else."""
    distinct = list(dict.fromkeys(scan.steps))
    frame = bytearray(scan.frame)
    names = jpegfile.names_for(scan.frame)
    frame[6::3] = names
    frame[8::3] = bytes(distinct.index(table) for table in scan.steps)
    tables = _LUMA_TABLES if len(names) == 1 else _LUMA_TABLES + _CHROMA_TABLES
    selectors = b"".join(bytes((name, 0x11 if index else 0)) for index, name in enumerate(names))
    segments = [
        *scan.head,
        *(jpegfile.Segment(jpegfile.DQT, bytes([number]) + table) for number, table in enumerate(distinct)),
        jpegfile.Segment(jpegfile.BASELINE, bytes(frame)),
        *(jpegfile.Segment(jpegfile.DHT, table) for table in tables),
        jpegfile.Segment(jpegfile.SOS, bytes([len(names)]) + selectors + _WHOLE),
    ]
    return b"".join([b"\xff\xd8", *(one.written() for one in segments), scan.packed, b"\xff\xd9"])


def _ends_with_its_picture(scan: _Scan) -> bool:
    """Is the last zero bit part of the picture?

    :param scan: one that was decoded without complaint.
    """
    complaint = complaint_about(_file(replace(scan, packed=_spoiled(scan.packed))))
    return any(words in complaint for words in _MISSED)


def _spoiled(packed: bytes) -> bytes:
    """The scan with its last zero bit flipped: if that is no padding, all bits behind it may be.

    If the last byte has no zero bit, it is left out.
    """
    if packed.endswith(b"\xff\x00"):
        return packed[:-2]
    last = packed[-1]
    flipped = last | (last + 1)
    return packed[:-1] + bytes([flipped]) + (b"\x00" if flipped == 0xFF else b"")


def _nothing_beyond_the_edges(scan: _Scan) -> bool:
    """Is the scan flawless, with nothing where no pixel of the picture comes from?

    Its coded blocks are all read by declaring the picture as large as they are.
    """
    height, width = struct.unpack_from(">HH", scan.frame, 1)
    spare = _spare_blocks(scan.frame)
    if max(spare.shape) > _MOST_BLOCKS:
        return False
    whole = _enlarged(scan, spare.shape)
    if complaint_about(_file(whole)):
        return False
    if whole.frame == scan.frame:
        return True  # no block is cut, which spares 6 ms a megapixel
    try:
        picture = replace(coefficients(_file(whole)), width=width, height=height)
    except PhotoError:
        return False
    return _has_flat_spares(picture.components[0].blocks, spare, scan.frame) and only_repeats(picture)


def _has_flat_spares(blocks: NDArray[np.int16], spare: NDArray[np.bool_], frame: bytes) -> bool:
    """Is every spare block without detail, and as bright as the one coded before it?"""
    values = blocks.reshape(-1, 64)
    coded, unseen = _in_coding_order(np.arange(spare.size).reshape(spare.shape), frame), _in_coding_order(spare, frame)
    later = unseen[:, 1:]  # the first block of a unit always shows something
    bright = (values[coded[:, 1:][later], 0] == values[coded[:, :-1][later], 0]).all()
    return bool(bright and not values[spare.ravel(), 1:].any())


def _spare_blocks(frame: bytes) -> NDArray[np.bool_]:
    """For every coded block of the first component: does it lie wholly beyond the picture? (T.81 A.2.4)"""
    height, width = struct.unpack_from(">HH", frame, 1)
    across, down = divmod(frame[7], 16)
    spare = np.ones((-(-height // (8 * down)) * down, -(-width // (8 * across)) * across), np.bool_)
    spare[: -(-height // 8), : -(-width // 8)] = False
    return spare


def _enlarged(scan: _Scan, blocks: tuple[int, ...]) -> _Scan:
    rows, columns = blocks
    frame = bytearray(scan.frame)
    struct.pack_into(">HH", frame, 1, 8 * rows, 8 * columns)
    return replace(scan, frame=bytes(frame))


def _in_coding_order(blocks: NDArray[Any], frame: bytes) -> NDArray[Any]:
    """The blocks of the first component, one row of the result a coded unit (T.81 A.2.3)."""
    across, down = divmod(frame[7], 16)
    rows, columns = blocks.shape
    units = blocks.reshape(rows // down, down, columns // across, across).transpose(0, 2, 1, 3)
    return units.reshape(-1, down * across)


def complaint_about(data: bytes) -> str:
    """What a strict decoder, which stops at its first complaint, says against a JPEG; nothing if it is flawless.

    In the words of libjpeg (jerror.h). It shows grey at an eighth of the size, which is Huffman decoding and little
    else: 1.7 ms a megapixel, measured.
    """
    try:
        simplejpeg.decode_jpeg(data, "GRAY", fastupsample=True, strict=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return str(error)
    return ""
