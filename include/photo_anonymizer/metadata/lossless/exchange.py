"""A published JPEG given other coefficients: what a later stage that changes some blocks needs, and no more."""

from __future__ import annotations

from photo_anonymizer.metadata.lossless.scan import has_standard_tables
from photo_anonymizer.metadata.lossless.transcode import coefficients, written
from photo_anonymizer.metadata.readers import jpeg, jpegfile
from photo_anonymizer.model.coefficients import Coefficients


def coefficients_of(published: bytes, max_pixels: int) -> Coefficients:
    """The coefficients of a JPEG that ``strip`` made. Thread-safe.

    It is taken apart once more before C code sees it: a child that hostile bytes took over may have made it.

    :raises PhotoError: it has more pixels than allowed, or is no JPEG of one or three components.
    """
    return coefficients(jpeg.parse(published, max_pixels).clean)


def with_coefficients(published: bytes, picture: Coefficients) -> bytes:
    """The same file with these coefficients, as one baseline scan. Thread-safe.

    Colour segments and profile stay. Standard Huffman tables stay too, so that the size is that of the input; others
    are made anew for the picture.

    :raises PhotoError: UNDECODABLE if the coefficients cannot be written as baseline.
    """
    data = written(picture, published, fitted=not has_standard_tables(published))
    profile = jpegfile.profile_of(published)
    return jpegfile.with_profile(data, profile) if profile else data
