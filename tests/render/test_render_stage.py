"""Rendering: what is published of a photo, with and without edits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from faces import noise_picture
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import coefficients_of, decode, encode, profile_in
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.outside import UNCHANGED, change_outside
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.render import jpeg_blocks
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
    assert render_photo(original, [], record(encoding, final=True)).data == original


def test_a_photo_that_is_not_final_is_encoded_once_and_from_its_exact_pixels() -> None:
    intermediate = encode(drawn(), PNG)
    assert render_photo(intermediate, [], record(JPEG, final=False)).data == encode(drawn(), JPEG)


def test_edits_are_composed_before_the_one_encoding() -> None:
    wanted = drawn()
    wanted[REGION.slices] = 0
    for original, final in ((encode(drawn(), PNG), False), (encode(drawn(), PNG), True)):
        assert render_photo(original, [PATCH], record(JPEG, final=final)).data == encode(wanted, JPEG)


@pytest.mark.parametrize("encoding", [PNG, Encoding(format="tiff"), Encoding(format="webp", lossless=True)])
def test_outside_the_edits_a_lossless_photo_is_the_same(encoding: Encoding) -> None:
    original = encode(drawn(), encoding)
    made = render_photo(original, [PATCH], record(encoding, final=True))
    assert made.outside == UNCHANGED
    after = decode(made.data)
    changed = (after != drawn()).any(axis=2)
    assert changed[REGION.slices].all()
    changed[REGION.slices] = False
    assert not changed.any()


def coefficients(data: bytes) -> list[np.ndarray]:
    return [one.blocks for one in coefficients_of(data, drawn().size).components]


def test_in_a_jpeg_only_blocks_that_the_edits_touch_are_encoded_again() -> None:
    original = encode(drawn(), JPEG)
    made = render_photo(original, [PATCH], record(JPEG, final=True))
    assert made.outside == UNCHANGED
    for old, new in zip(coefficients(original), coefficients(made.data), strict=True):
        changed = (old != new).any(axis=(2, 3))
        assert changed.any()
        assert not changed[4:].any()  # the patch and its neighbours end above pixel row 24 ...
        assert not changed[:, 4:].any()  # ... and left of column 32


def test_a_jpeg_whose_blocks_cannot_be_exchanged_is_encoded_as_a_whole_and_says_by_how_much_it_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jpeg_blocks, "with_edits", lambda *_: None)
    rough = JPEG.model_copy(update={"quality": 40, "subsampling": 2})
    original = encode(noise_picture(120, 90), rough)
    made = render_photo(original, [PATCH], record(rough, final=True))
    assert made.data == encode(compose(decode(original), [PATCH]), rough)
    assert made.outside == change_outside(decode(original), decode(made.data), [PATCH], lossless=False)
    assert made.outside.mean > 0
    assert made.outside.largest >= 1


def test_a_photo_that_is_encoded_from_its_pixels_says_by_how_much_that_changed_it() -> None:
    picture = noise_picture(120, 90)
    for patches in ([], [PATCH]):
        made = render_photo(encode(picture, PNG), patches, record(JPEG, final=False))
        assert made.outside == change_outside(picture, decode(made.data), patches, lossless=False)
        assert made.outside.largest > 1


def test_an_edited_photo_keeps_the_profile_that_its_pixels_are_in() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = JPEG.model_copy(update={"profile": "generic"})
    data = render_photo(encode(drawn(), named, profile), [PATCH], record(named, final=True)).data
    assert profile_in(data) == profile


def test_a_grey_photo_stays_grey_when_it_is_edited() -> None:
    grey = Encoding(format="jpeg", quality=92, grey=True)
    data = render_photo(encode(drawn(), grey), [PATCH], record(grey, final=True)).data
    assert Image.open(io.BytesIO(data)).mode == "L"


def test_a_photo_that_was_never_stripped_is_not_published() -> None:
    with pytest.raises(PhotoError) as caught:
        render_photo(encode(drawn(), PNG), [], record(None, final=True))
    assert caught.value.reason == Reason.STAGE_ERROR
