"""A JPEG upright without being encoded anew: its quantised coefficients stay what they are.

Three ways, the first that is possible: the compressed bytes stay (:mod:`.scan`), the coefficients are written
again (:mod:`.transcode`), or they are turned and written again (:mod:`.turn`).
"""

from __future__ import annotations

from dataclasses import dataclass

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.colour import stays_as_it_is
from photo_anonymizer.metadata.lossless import scan
from photo_anonymizer.metadata.lossless.edges import only_repeats
from photo_anonymizer.metadata.lossless.settings import has_usual_tables
from photo_anonymizer.metadata.lossless.transcode import coefficients, written
from photo_anonymizer.metadata.lossless.turn import upright
from photo_anonymizer.metadata.profiles import well_known
from photo_anonymizer.metadata.readers import jpegfile
from photo_anonymizer.metadata.readers.container import Container

_HARMLESS = ("extraneous bytes", "Inconsistent progression")
"""Complaints of libjpeg about data that the coefficients do not contain: surplus bytes, and scans that a later one
overwrites. Other complaints mean that it had to guess coefficients."""
_ALL = set(range(64))


@dataclass(frozen=True)
class Carried:
    """A published JPEG that was not encoded anew."""

    data: bytes
    profile: str
    """Name of the well-known colour profile in ``data``; empty: sRGB, without a profile."""
    width: int
    """Pixels, upright."""
    height: int


def carried(box: Container) -> Carried | None:
    """The picture of a JPEG container, upright, from its own coefficients. Thread-safe.

    :return: ``None`` if that is impossible, and the pixels must be written anew: four inks, a colour profile that
        must be converted, a turn that its size forbids, a picture that decoders have to guess parts of, something
        beyond its edges, quantisation tables that no encoder would choose.
    """
    if box.format != "jpeg" or not box.exact:
        return None
    profile = ""
    if not stays_as_it_is(box.icc, grey=jpegfile.frame_of(box.clean)[5] == 1):
        profile = well_known(box.icc)
        if not profile:
            return None
    data = (scan.untouched(box.clean) if box.orientation == 1 else None) or _written_again(box)
    if data is None or not has_usual_tables(data):
        return None
    height, width = (int.from_bytes(jpegfile.frame_of(data)[at : at + 2], "big") for at in (1, 3))
    return Carried(jpegfile.with_profile(data, box.icc) if profile else data, profile, width, height)


def _written_again(box: Container) -> bytes | None:
    complaint = scan.complaint_about(box.clean)
    guessed = complaint and not any(words in complaint for words in _HARMLESS)
    if guessed or not _complete(box.clean):
        return None
    try:
        stored = coefficients(box.clean)
        picture = upright(stored, box.orientation) if only_repeats(stored) else None
        data = picture and written(picture, box.clean, fitted=not scan.has_standard_tables(box.clean))
    except PhotoError:
        return None
    # Made from decoded coefficients, so this cannot happen; but then nobody would see it before publication.
    return data if data and not scan.complaint_about(data) else None


def _complete(clean: bytes) -> bool:
    """Do the scans give every bit of every coefficient?

    A decoder smooths a progressive picture as long as they do not (T.81 K.8): then its pixels are not what the
    coefficients say.
    """
    given: dict[int, set[int]] = {}
    for segment in jpegfile.segments(clean):
        if segment.marker == jpegfile.SOS:
            first, last, approximation = segment.payload[-3:]
            if approximation & 15 == 0:
                for name in segment.payload[1:-3:2]:
                    given.setdefault(name, set()).update(range(first, min(last, 63) + 1))
    return all(given.get(name) == _ALL for name in jpegfile.frame_of(clean)[6::3])
