"""What a file is, is told by its first bytes and never by its name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photo_anonymizer.ingest.kind import ACCEPTED, HEAD_BYTES, kind_of


def head(format: str, **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(out, format, **options)
    return out.getvalue()[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("format", "options", "kind"),
    [
        ("JPEG", {}, "jpeg"),
        ("PNG", {}, "png"),
        ("WEBP", {"lossless": True}, "webp"),
        ("WEBP", {"quality": 80}, "webp"),
        ("TIFF", {}, "tiff"),
        ("TIFF", {"big_tiff": True}, "tiff"),
        ("GIF", {}, "gif"),
        ("BMP", {}, "bmp"),
        ("JPEG2000", {}, "jpeg2000"),
        ("AVIF", {}, "avif"),
    ],
)
def test_pictures_as_programs_write_them(format, options, kind):
    assert kind_of(head(format, **options)) == kind


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"MM\0*", "tiff"),
        (b"II*\0", "tiff"),
        (b"\0\0\0\x20ftypheic", "heif"),
        (b"\0\0\0\x20ftypmif1", "heif"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "avif"),
        (b"\0\0\0\x1cftypmp42\0\0\0\0mp41heicisom", "heif"),
        (b"\0\0\0\x14ftypisom\0\0\0\0isomavif", "video"),
        (b"\0\0\0\x20ftypavif", "avif"),
        (b"\0\0\0\x20ftypisom", "video"),
        (b"\xff\x0a", "jpeg-xl"),
        (b"8BPS", "photoshop"),
    ],
)
def test_pictures_by_their_signature(first, kind):
    assert kind_of(first.ljust(HEAD_BYTES, b"\0")) == kind


@pytest.mark.parametrize(
    "first",
    [b"", b"\xff", b"\xff\xd8", b"GIF80a", b"not a photo\n", b"%PDF-1.7", b"PK\3\4", b"RIFF\0\0\0\0WAVE", b"<svg/>"],
)
def test_what_is_no_picture(first):
    assert kind_of(first) is None


def test_only_these_kinds_go_on():
    assert {"jpeg", "png", "webp", "tiff", "gif", "bmp", "jpeg2000", "heif", "avif"} == ACCEPTED


@given(st.binary(max_size=64))
def test_any_bytes_have_one_answer_and_only_the_head_is_asked(data):
    assert kind_of(data) == kind_of(data[:HEAD_BYTES])
