"""MTCNN's weights are read without the packages that wrote them, and nothing but arrays comes out of them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from photo_anonymizer.detection.members._mtcnn_onnx import arrays_of, build, decompressed
from photo_anonymizer.errors import ModelError

HEADER = b"\x04\x22\x4d\x18" + b"\x40\x40\xc0"
END = bytes(4)


def block(content: bytes) -> bytes:
    """A compressed block with its size before it."""
    return len(content).to_bytes(4, "little") + content


def stored(content: bytes) -> bytes:
    """An uncompressed block with its size before it."""
    return (len(content) | 1 << 31).to_bytes(4, "little") + content


def frame(*blocks: bytes) -> bytes:
    return HEADER + b"".join(blocks) + END


def test_literals_come_out_as_they_are() -> None:
    assert decompressed(frame(block(b"\x30abc"))) == b"abc"


def test_a_long_run_of_literals_says_its_length_in_more_bytes() -> None:
    content = bytes(range(256)) * 2
    assert decompressed(frame(block(b"\xf0\xff\xf2" + content))) == content


def test_a_match_repeats_what_came_before() -> None:
    assert decompressed(frame(block(b"\x40abcd" + b"\x04\x00" + b"\x10!"))) == b"abcdabcd!"


def test_a_match_longer_than_its_distance_repeats_itself() -> None:
    assert decompressed(frame(block(b"\x13a\x01\x00" + b"\x10!"))) == b"aaaaaaaa!"


def test_a_match_reaches_into_the_block_before() -> None:
    assert decompressed(frame(stored(b"abcd"), block(b"\x00\x04\x00" + b"\x10!"))) == b"abcdabcd!"


@pytest.mark.parametrize("damaged", [b"", b"not a frame at all", HEADER[:4] + b"\x64" + HEADER[5:] + END])
def test_what_is_no_plain_frame_is_refused(damaged: bytes) -> None:
    with pytest.raises(ModelError, match="install mtcnn again"):
        decompressed(damaged)


def test_a_match_before_the_beginning_is_refused() -> None:
    with pytest.raises(ModelError, match="damaged"):
        decompressed(frame(block(b"\x10a\x09\x00" + b"\x10!")))


@pytest.mark.parametrize("cut", [8, 12])
def test_a_frame_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ModelError, match="install mtcnn again"):
        decompressed(frame(block(b"\xf0\xff\x01" + bytes(271)))[:cut])


class Evil:
    """Calls something when it is unpickled by anybody who lets it."""

    def __reduce__(self):
        return print, ("called",)


def test_a_pickle_that_would_call_something_is_refused_without_the_call(capsys) -> None:
    with pytest.raises(ModelError, match="something else than arrays"):
        arrays_of(pickle.dumps([Evil()]))
    assert "called" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, np.float64(1), None])
def test_a_pickle_of_anything_but_arrays_is_refused(content: object) -> None:
    with pytest.raises(ModelError, match="something else than arrays"):
        arrays_of(pickle.dumps(content))


def test_no_arrays_make_no_network() -> None:
    with pytest.raises(ModelError, match="not those of pnet"):
        build("pnet", frame(stored(pickle.dumps([]))))
