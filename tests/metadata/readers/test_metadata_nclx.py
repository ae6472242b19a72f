"""Colour numbers become profiles that give the colours of the standards."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from photo_anonymizer.metadata.colour import to_srgb
from photo_anonymizer.metadata.readers import nclx

BT2020, P3, BT709 = 9, 12, 1
SRGB, PQ, HLG, LINEAR = 13, 16, 18, 8


def in_srgb(primaries: int, transfer: int, *rgb: int) -> tuple[int, ...]:
    """A colour given in these numbers, in sRGB (0–255)."""
    picture, _ = to_srgb(Image.new("RGB", (1, 1), rgb), nclx.profile(primaries, transfer))
    return picture.getpixel((0, 0))


@pytest.mark.parametrize("transfer", [0, 1, 2, 6, 13, 14, 15])
def test_srgb_and_what_is_shown_like_it_need_no_profile(transfer):
    assert nclx.profile(BT709, transfer) == b""


def test_numbers_that_no_table_holds_count_as_srgb():
    assert nclx.profile(77, 13) == nclx.profile(1, 200) == b""


@pytest.mark.parametrize("primaries", [5, 6, 7, BT2020, P3])
def test_a_profile_is_one_that_colour_engines_read(primaries):
    opened = ImageCms.ImageCmsProfile(io.BytesIO(nclx.profile(primaries, SRGB)))
    assert opened.profile.xcolor_space == "RGB "


@pytest.mark.parametrize("primaries", [BT709, 5, 6, BT2020, P3])
@pytest.mark.parametrize("transfer", [4, SRGB, LINEAR])
def test_grey_stays_grey(primaries, transfer):
    seen = in_srgb(primaries, transfer, 128, 128, 128)
    assert max(seen) - min(seen) <= 1


def test_the_columns_of_display_p3_are_those_that_its_vendor_publishes():
    # XYZ under D50 in Apple's own profile
    published = [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
    assert np.abs(nclx._matrix(nclx._PRIMARIES[P3]) - published).max() < 0.0005


def test_a_wide_colour_is_brought_to_the_narrow_space():
    # sRGB red is (234, 51, 35) in Display P3
    seen = in_srgb(P3, SRGB, 234, 51, 35)
    assert np.abs(np.subtract(seen, (255, 0, 0))).max() <= 3


def test_linear_light_is_brightened():
    assert abs(in_srgb(BT709, LINEAR, 55, 55, 55)[0] - 128) <= 1


def test_white_of_the_bright_curves_is_white_and_brighter_is_cut_off():
    # BT.2408: 203 cd/m² is 58 % of PQ and 75 % of HLG
    assert abs(in_srgb(BT2020, PQ, *[148] * 3)[0] - 255) <= 3
    assert abs(in_srgb(BT2020, HLG, *[191] * 3)[0] - 255) <= 2
    assert in_srgb(BT2020, PQ, 255, 255, 255) == (255, 255, 255)
    assert in_srgb(BT2020, PQ, 90, 90, 90)[0] < 150
