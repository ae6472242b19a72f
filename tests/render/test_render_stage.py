"""Rendering: what is published of a photo, with and without edits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import decode, encode, profile_in
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.patch import FACE_LAYER, Patch
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.render.stage import render_photo

REGION = PixelBox(x0=8, y0=4, x1=24, y1=20)
PATCH = Patch(
    region=REGION,
    pixels=np.zeros((16, 16, 3), np.uint8),
    alpha=np.full((16, 16), 255, np.uint8),
    layer=FACE_LAYER,
    author="methods.mask",
)
PNG, JPEG = Encoding(format="png"), Encoding(format="jpeg", quality=92)


def drawn() -> np.ndarray:
    """A bright, smooth picture, uint8 (40, 56, 3)."""
    y, x = np.mgrid[0:40, 0:56]
    return np.stack([150 + x, 250 - y, 200 + 0 * x], axis=-1).astype(np.uint8)


def record(encoding: Encoding | None, *, final: bool) -> PhotoRecord:
    return PhotoRecord(photo_id="p", source_uri="file:///p", encoding=encoding, final=final)


@pytest.mark.parametrize("encoding", [PNG, JPEG])
def test_a_final_photo_without_edits_is_published_byte_for_byte(encoding: Encoding) -> None:
    original = encode(drawn(), encoding)
    assert render_photo(original, [], record(encoding, final=True))[0] == original


def test_a_photo_that_is_not_final_is_encoded_once_and_from_its_exact_pixels() -> None:
    intermediate = encode(drawn(), PNG)
    assert render_photo(intermediate, [], record(JPEG, final=False))[0] == encode(drawn(), JPEG)


def test_edits_are_composed_before_the_one_encoding() -> None:
    wanted = drawn()
    wanted[REGION.slices] = 0
    for original, final in ((encode(drawn(), PNG), False), (encode(drawn(), PNG), True)):
        assert render_photo(original, [PATCH], record(JPEG, final=final))[0] == encode(wanted, JPEG)


def test_outside_the_edits_a_lossless_photo_is_the_same() -> None:
    original = encode(drawn(), PNG)
    after = decode(render_photo(original, [PATCH], record(PNG, final=True))[0])
    changed = (after != drawn()).any(axis=2)
    assert changed[REGION.slices].all()
    changed[REGION.slices] = False
    assert not changed.any()


def test_an_edited_photo_keeps_the_profile_that_its_pixels_are_in() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = JPEG.model_copy(update={"profile": "generic"})
    data, _, _ = render_photo(encode(drawn(), named, profile), [PATCH], record(named, final=True))
    assert profile_in(data) == profile


def test_a_grey_photo_stays_grey_when_it_is_edited() -> None:
    grey = Encoding(format="jpeg", quality=92, grey=True)
    data, _, _ = render_photo(encode(drawn(), grey), [PATCH], record(grey, final=True))
    assert Image.open(io.BytesIO(data)).mode == "L"


def test_a_photo_that_was_never_stripped_is_not_published() -> None:
    with pytest.raises(PhotoError) as caught:
        render_photo(encode(drawn(), PNG), [], record(None, final=True))
    assert caught.value.reason == Reason.STAGE_ERROR
