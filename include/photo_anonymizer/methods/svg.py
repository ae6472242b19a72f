"""A user's SVG file as a picture.

An SVG is a program: it can refer to other files and addresses, and a few lines can ask for more shapes than there are
atoms. So what refers to anything outside is refused, and the drawing happens in a process that has little time and
memory and may die (:mod:`photo_anonymizer.sandbox`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.sandbox import Limits, shared

MAX_SVG_BYTES = 500_000
LIMITS = Limits(seconds=10, memory_mb=512, reply_bytes=10_000_000)
TARGET = "photo_anonymizer.methods.svg:work"
_PNG = b"\x89PNG\r\n\x1a\n"
_OUTSIDE = re.compile(r"@import|url\(\s*['\"]?\s*(?!['\"#\s])", re.IGNORECASE)
"""In a style: whatever is not a part of the file itself."""
_FORBIDDEN = frozenset({"script", "foreignobject", "image", "feimage", "text"})
"""Pictures within it would need decoders of their own; letters look as this machine's fonts do, or not at all."""


def picture_of_svg(raw: bytes, side_px: int) -> bytes:
    """The drawing as a PNG whose longer side has so many pixels.

    :raises ConfigError: it is no SVG, refers to something outside, holds pictures, programs or text, or takes too long.
    """
    text = checked(raw)
    try:
        return shared(TARGET, LIMITS, 1).call({"side_px": side_px}, text.encode(), _accepted)
    except PhotoError:
        raise ConfigError("mask.icon: the SVG cannot be drawn; simplify it, or make a PNG of it") from None


def checked(raw: bytes) -> str:
    """The file's text, if nothing in it reaches outside.

    :raises ConfigError: see :func:`picture_of_svg`.
    """
    if len(raw) > MAX_SVG_BYTES:
        raise ConfigError(
            f"mask.icon: the SVG is larger than {MAX_SVG_BYTES // 1000} kB; simplify it, or make a PNG of it"
        )
    try:
        text = raw.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise ConfigError("mask.icon: the SVG has a DOCTYPE; remove that line")
        root = ElementTree.fromstring(text)  # without a DOCTYPE there are no entities to expand
    except (UnicodeDecodeError, ElementTree.ParseError, RecursionError):
        raise ConfigError("mask.icon: the file is no SVG in UTF-8") from None
    for element in root.iter():
        _check(element)
    return text


def _check(element: ElementTree.Element) -> None:
    name = str(element.tag).rpartition("}")[2].lower()
    if name in _FORBIDDEN:
        raise ConfigError(f"mask.icon: the SVG holds <{name}>; convert it to paths, or make a PNG of it")
    values = [*element.attrib.values(), element.text or ""]
    references = [value for key, value in element.attrib.items() if key.rpartition("}")[2].lower() in {"href", "src"}]
    if any(_OUTSIDE.search(value) for value in values) or any(not value.startswith("#") for value in references):
        raise ConfigError("mask.icon: the SVG refers to something outside itself; remove that, or make a PNG of it")


def work(header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """What the child does with one file."""
    import resvg_py  # here, so that only the child loads it

    side = header["side_px"]  # the drawing keeps its proportions within width and height
    drawn = resvg_py.svg_to_bytes(svg_string=data.decode(), width=side, height=side, skip_system_fonts=True)
    return {}, bytes(drawn)


def _accepted(header: dict[str, Any], data: bytes) -> bytes:  # noqa: ARG001
    if not data.startswith(_PNG):
        raise ValueError("not a PNG")
    return data
