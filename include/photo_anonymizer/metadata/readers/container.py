"""What all container readers have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import exif, ifd
from photo_anonymizer.metadata.readers.kinds import kinds_in_xmp, plain_xmp
from photo_anonymizer.model.record import Reason

_XMP_ORIENTATION = re.compile(rb"tiff:Orientation\s*(?:=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


@dataclass(frozen=True)
class Layer:
    """One drawing step of an animation."""

    clean: bytes
    """A still picture of its own, with structural parts only."""
    x: int
    """Where it goes: pixels from the left of the canvas; it does not stick out."""
    y: int
    width: int
    height: int
    over: bool = True
    """Is it blended over what is there? Else it replaces it, transparency included."""
    after: Literal["keep", "clear", "undo"] = "keep"
    """What becomes of its area before the next step: left, made transparent, or as it was before."""


@dataclass(frozen=True)
class Container:
    """One picture, taken out of its container."""

    format: str
    """What kind of file it came from: ``jpeg``, ``png``, ``webp``, ``tiff``, ``gif``, ``bmp``, ``jpeg2000``, ``heif``
    or ``avif``."""
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
    frame: int = 0
    """Which picture of ``clean`` a decoder has to show, counted from 0."""
    kept: dict[str, int] = field(default_factory=dict)
    """What a policy may keep, as found: ``capture_year``, ``exposure_ev`` (stops at ISO 100)."""
    layers: tuple[Layer, ...] = ()
    """Of an animation: what has to be drawn, in this order, to see the picture. ``clean`` is then the last one."""


@dataclass
class Findings:
    """Collects what a container reader comes across."""

    kinds: set[str] = field(default_factory=set)
    icc: bytes = b""
    exif_orientation: int = 0
    xmp_orientation: int = 0
    kept: dict[str, int] = field(default_factory=dict)

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
        except ifd.BrokenDirectoryError:
            return  # removed all the same; a broken block only cannot say how the picture is turned
        self.saw_directory(block, form, main)

    def saw_directory(self, block: bytes, form: ifd.Layout, main: ifd.Directory) -> None:
        """Note the main directory of an EXIF block or of a TIFF page; what was noted first stays."""
        facts = exif.facts_of(block, form, main)
        self.kinds |= facts.kinds
        self.exif_orientation = self.exif_orientation or facts.orientation
        self.kept = {**facts.kept, **self.kept}

    def saw_xmp(self, packet: bytes) -> None:
        """Note an XMP packet, or a part of one."""
        self.kinds |= {"xmp", *kinds_in_xmp(packet)}
        match = _XMP_ORIENTATION.search(plain_xmp(packet))
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


def no_such_picture() -> PhotoError:
    """A file that holds fewer pictures than the one asked for."""
    return undecodable("the file holds no picture of this number")


def several(detail: str) -> PhotoError:
    """A file with more than one picture: all of them would have to be checked."""
    return PhotoError(Reason.SEVERAL_PICTURES, detail)
