"""What the four container readers (jpeg, png, webp, tiff) have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata import ifd
from photo_anonymizer.model.record import Reason

_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769
_GPS_IFD = 0x8825
_MAKER_NOTE = 0x927C
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


@dataclass(frozen=True)
class Container:
    """One picture, taken out of its container."""

    format: str
    width: int
    """Pixels as stored, before orientation is applied."""
    height: int
    clean: bytes
    """The same pixels with structural parts only: what a decoder gets to see, never published as it is."""
    exact: bool
    """Can this kind of file take the pixels without loss, if they need no change?"""
    kinds: frozenset[str]
    """What was found and is not in ``clean``."""
    icc: bytes = b""
    orientation: int = 1
    depth: int = 8
    """Bits a channel, as stored."""
    inverted: bool = False
    """Is zero white (TIFF 6.0, PhotometricInterpretation 0)?"""


@dataclass
class Findings:
    """Collects what a container reader comes across."""

    kinds: set[str] = field(default_factory=set)
    icc: bytes = b""
    exif_orientation: int = 0
    xmp_orientation: int = 0

    @property
    def orientation(self) -> int:
        """1 to 8; the EXIF value wins over the XMP one, as the XMP specification part 3 asks."""
        return self.exif_orientation or self.xmp_orientation or 1

    def all_kinds(self) -> frozenset[str]:
        """The kinds, with ``orientation`` if there was one that turns pixels."""
        return frozenset(self.kinds | ({"orientation"} if self.orientation != 1 else set()))

    def saw_exif(self, block: bytes) -> None:
        """Note an EXIF block (starting at its TIFF header; the ``Exif`` prefix is tolerated)."""
        self.kinds.add("exif")
        block = block.removeprefix(b"Exif\x00\x00")
        try:
            form = ifd.layout(block)
            main = ifd.directory(block, form, form.first)
            self._saw_directory(block, form, main)
        except ifd.BrokenDirectoryError:
            return  # removed all the same; a broken block only cannot say how the picture is turned

    def _saw_directory(self, block: bytes, form: ifd.Layout, main: ifd.Directory) -> None:
        turn = ifd.integer(main.entries.get(_ORIENTATION), form)
        if 1 <= turn <= 8:
            self.exif_orientation = self.exif_orientation or turn
        if _GPS_IFD in main.entries:
            self.kinds.add("gps")
        if main.next:
            self.kinds.add("thumbnail")
        camera = ifd.integer(main.entries.get(_EXIF_IFD), form)
        if camera and _MAKER_NOTE in ifd.directory(block, form, camera).entries:
            self.kinds.add("maker_note")

    def saw_xmp(self, packet: bytes) -> None:
        """Note an XMP packet."""
        self.kinds.add("xmp")
        match = _XMP_ORIENTATION.search(packet)
        if match:
            self.xmp_orientation = int(match.group(1))


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse an empty or an oversized picture from its header, before anything is decoded.

    :raises PhotoError: UNDECODABLE or TOO_MANY_PIXELS.
    """
    if width < 1 or height < 1:
        raise undecodable("the picture has no width or no height")
    if width * height > max_pixels:
        raise PhotoError(Reason.TOO_MANY_PIXELS, "the picture has more pixels than the configuration allows")


def undecodable(detail: str) -> PhotoError:
    """A broken file."""
    return PhotoError(Reason.UNDECODABLE, detail)


def unsupported(detail: str) -> PhotoError:
    """Another kind of file."""
    return PhotoError(Reason.UNSUPPORTED_FORMAT, detail)


def several(detail: str) -> PhotoError:
    """A file with more than one picture: all of them would have to be checked."""
    return PhotoError(Reason.SEVERAL_PICTURES, detail)
