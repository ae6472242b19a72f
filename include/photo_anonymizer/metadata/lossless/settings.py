"""How a JPEG was encoded, so that one written from its pixels resembles it: same steps, same size, same order.

Sources: ITU-T T.81 B.2.2 (frame header), B.2.4.1 (quantisation tables), figure A.6 (zigzag order).
"""

from __future__ import annotations

from typing import Literal

from photo_anonymizer.metadata.lossless.steps import is_usual, usual
from photo_anonymizer.metadata.readers import jpegfile
from photo_anonymizer.metadata.readers.container import undecodable
from photo_anonymizer.model.encoding import Encoding

_SUBSAMPLINGS: dict[tuple[int, int], Literal[0, 1, 2]] = {(2, 1): 1, (2, 2): 2}
"""What Pillow can write besides 4:4:4 (0), by the luma sampling factors when both chroma factors are 1."""
_COARSEST = 255
"""Of baseline (T.81 table B.4); steps of 16 bits are only legal in extended JPEG."""


def jpeg_encoding(clean: bytes, *, turned: bool = False, profile: str = "") -> Encoding:
    """The quantisation tables, chroma subsampling and order of a cleaned JPEG.

    Tables that no encoder would choose become the nearest ones of T.81 Annex K. A subsampling that Pillow cannot
    write becomes 4:4:4, which loses nothing. Four inks are followed with their first two tables, as they are written
    as colour.

    :param clean: what :func:`.jpeg.parse` made.
    :param turned: is the picture turned by a quarter? Then tables and subsampling turn with it.
    :param profile: the name of the well-known colour profile that its pixels are in.
    :raises PhotoError: UNDECODABLE if a quantisation table is missing or holds a step of zero.
    """
    segments = jpegfile.segments_of(clean)
    kind, frame = next((one.marker, one.payload) for one in segments if one.marker in jpegfile.FRAMES)
    stored = jpegfile.step_tables(segments)
    try:
        rows = [_row_by_row(stored[number]) for number in frame[8::3][:2]]
    except KeyError:
        raise undecodable("a JPEG without its quantisation tables") from None
    tables = [usual(one, chroma=index > 0) for index, one in enumerate(rows)]
    return Encoding(
        format="jpeg",
        grey=frame[5] == 1,
        tables=tuple(_turned(one) if turned else one for one in tables),
        subsampling=_subsampling(frame, turned),
        progressive=kind == jpegfile.PROGRESSIVE,
        profile=profile,
    )


def has_usual_tables(data: bytes) -> bool:
    """Would an encoder choose the quantisation tables of a JPEG with one scan?

    :raises PhotoError: UNDECODABLE if one holds a step of zero.
    """
    stored = jpegfile.step_tables(jpegfile.segments_of(data))
    return all(is_usual(_row_by_row(steps)) for steps in stored.values())


def _row_by_row(steps: tuple[int, ...]) -> tuple[int, ...]:
    if 0 in steps:
        raise undecodable("a JPEG with a quantisation step of zero")
    return tuple(min(steps[place], _COARSEST) for place in _PLACES)


def _zigzag_places() -> tuple[int, ...]:
    """For every place of a block, row by row, its place in zigzag order (T.81 figure A.6)."""
    diagonals = sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
    return tuple(diagonals.index((row, column)) for row in range(8) for column in range(8))


_PLACES = _zigzag_places()


def _turned(table: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(table[8 * column + row] for row in range(8) for column in range(8))


def _subsampling(frame: bytes, turned: bool) -> Literal[0, 1, 2]:
    factors = [divmod(both, 16) for both in frame[7::3]]
    if len(factors) != 3 or factors[1:] != [(1, 1), (1, 1)]:
        return 0
    across, down = factors[0]
    return _SUBSAMPLINGS.get((down, across) if turned else (across, down), 0)
