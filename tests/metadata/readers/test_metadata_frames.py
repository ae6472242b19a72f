"""Files with several pictures: every one is counted, and every one is what a viewer shows."""

from __future__ import annotations

import binascii
import io
import struct
import time
import zlib
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import count_pictures, strip
from photo_anonymizer.model.record import Reason

POLICY = Policy(max_pixels=1_000_000)
RED, GREEN, BLUE, NONE = (255, 0, 0, 255), (0, 200, 0, 255), (0, 0, 250, 255), (0, 0, 0, 0)
CANVAS = (8, 6)


@dataclass(frozen=True)
class Step:
    """One frame as an animation's author thinks of it: a block of one colour, with a hole or without."""

    colour: tuple[int, int, int, int]
    box: tuple[int, int, int, int] = (0, 0, 8, 6)
    """x, y, width, height; x and y even, as WebP wants them."""
    hole: bool = False
    after: str = "keep"

    @property
    def pixels(self) -> np.ndarray:
        """uint8 (height, width, 4); the hole is the upper left pixel."""
        block = np.full((self.box[3], self.box[2], 4), self.colour, np.uint8)
        if self.hole:
            block[0, 0] = NONE
        return block


def shown(steps: list[Step], wanted: int) -> np.ndarray:
    """What is on the screen, on white: the plain way, every step in turn."""
    canvas = np.zeros((CANVAS[1], CANVAS[0], 4), np.uint8)
    for number, step in enumerate(steps[: wanted + 1]):
        x, y, width, height = step.box
        before = canvas.copy()
        area = canvas[y : y + height, x : x + width]
        np.copyto(area, step.pixels, where=step.pixels[..., 3:] > 0)
        if number == wanted:
            break
        if step.after == "clear":
            area[:] = 0
        elif step.after == "undo":
            canvas = before
    return np.where(canvas[..., 3:] > 0, canvas[..., :3], 255)


# --- writers of our own: Pillow's choose boxes and disposal themselves


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", binascii.crc32(kind + payload))


def packed(pixels: np.ndarray) -> bytes:
    rows = np.concatenate([np.zeros((len(pixels), 1), np.uint8), pixels.reshape(len(pixels), -1)], axis=1)
    return zlib.compress(rows.tobytes())


def apng(steps: list[Step], *, default: np.ndarray | None = None) -> bytes:
    """``default``: a picture of its own for viewers that know no animations."""
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", *CANVAS, 8, 6, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", len(steps), 0)))
    if default is not None:
        parts.append(chunk(b"IDAT", packed(default)))
    order = 0
    for number, step in enumerate(steps):
        x, y, width, height = step.box
        disposal = {"keep": 0, "clear": 1, "undo": 2}[step.after]
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", order, width, height, x, y, 1, 10, disposal, 1)))
        order += 1
        if number == 0 and default is None:
            parts.append(chunk(b"IDAT", packed(step.pixels)))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", order) + packed(step.pixels)))
            order += 1
    return b"".join([*parts, chunk(b"IEND", b"")])


def riff(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)


def u24(*values: int) -> bytes:
    return b"".join(value.to_bytes(3, "little") for value in values)


def webp(steps: list[Step]) -> bytes:
    body = riff(b"VP8X", b"\x12\0\0\0" + u24(CANVAS[0] - 1, CANVAS[1] - 1)) + riff(b"ANIM", bytes(6))
    for step in steps:
        still = io.BytesIO()
        Image.fromarray(step.pixels).save(still, "WEBP", lossless=True, exact=True)
        x, y, width, height = step.box
        head = u24(x // 2, y // 2, width - 1, height - 1, 100) + bytes([step.after == "clear"])
        body += riff(b"ANMF", head + still.getvalue()[12:])
    return riff(b"RIFF", b"WEBP" + body)


COLOURS = [NONE, RED, GREEN, BLUE]


def lzw(indices: bytes) -> bytes:
    """GIF image data that compresses nothing: codes of 3 bits, the table cleared before it grows."""
    codes = [code for at in range(0, len(indices), 2) for code in (4, *indices[at : at + 2])] + [5]
    bits = sum(code << 3 * place for place, code in enumerate(codes))
    data = bits.to_bytes(len(codes) * 3 // 8 + 1, "little")
    blocks = b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))
    return b"\x02" + blocks + b"\0"


def gif(steps: list[Step], *, screen: tuple[int, int] = CANVAS, extra: bytes = b"") -> bytes:
    table = b"".join(bytes(colour[:3]) for colour in COLOURS)
    parts = [b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81, 0, 0) + table, extra]
    for step in steps:
        disposal = {"keep": 1, "clear": 2, "undo": 3}[step.after]
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", disposal << 2 | step.hole, 10, 0) + b"\0")
        indices = np.full((step.box[3], step.box[2]), COLOURS.index(step.colour), np.uint8)
        if step.hole:
            indices[0, 0] = 0
        parts.append(b"\x2c" + struct.pack("<HHHHB", *step.box, 0) + lzw(indices.tobytes()))
    return b"".join([*parts, b";"])


WRITERS = {"apng": apng, "webp": webp, "gif": gif}
BLOCK, CORNER = (2, 2, 4, 2), (4, 4, 4, 2)
STORIES = {
    "whole pictures": [Step(RED), Step(GREEN), Step(BLUE)],
    "parts over a whole": [Step(RED), Step(GREEN, BLOCK), Step(BLUE, CORNER)],
    "parts on nothing": [Step(GREEN, BLOCK), Step(BLUE, CORNER)],
    "holes show what is below": [Step(RED), Step(GREEN, BLOCK, hole=True), Step(BLUE, hole=True)],
    "cleared": [Step(RED), Step(GREEN, BLOCK, after="clear"), Step(BLUE, CORNER)],
    "cleared whole": [Step(RED, after="clear"), Step(GREEN, BLOCK), Step(BLUE, CORNER, hole=True)],
    "undone": [Step(RED), Step(GREEN, BLOCK, after="undo"), Step(BLUE, CORNER, hole=True)],
    "undone first": [Step(RED, after="undo"), Step(GREEN, BLOCK)],
    "undone twice": [Step(RED), Step(GREEN, BLOCK, after="undo"), Step(BLUE, CORNER, after="undo"), Step(RED, BLOCK)],
}


TOLD = [
    (format, story)
    for format in WRITERS
    for story in STORIES
    if format != "webp" or "undone" not in story  # WebP cannot undo a frame
]


@pytest.mark.parametrize(("format", "story"), TOLD)
def test_every_frame_is_what_a_viewer_shows(format: str, story: str) -> None:
    steps = STORIES[story]
    data = WRITERS[format](steps)
    assert count_pictures(data) == len(steps)
    for number in range(len(steps)):
        result = strip(data, POLICY, number)
        assert (result.width, result.height) == CANVAS
        assert np.array_equal(decode(result.data), shown(steps, number)), number


@pytest.mark.parametrize("format", WRITERS)
def test_our_frames_are_those_of_another_reader(format: str) -> None:
    data = WRITERS[format](STORIES["parts over a whole"])
    other = Image.open(io.BytesIO(data))
    for number in range(3):
        other.seek(number)
        assert np.array_equal(decode(strip(data, POLICY, number).data), np.asarray(other.convert("RGB")))


def test_a_default_picture_outside_the_animation_is_a_picture_of_its_own() -> None:
    default = Step(BLUE).pixels
    data = apng([Step(RED), Step(GREEN)], default=default)
    assert count_pictures(data) == 3
    colours = [decode(strip(data, POLICY, number).data)[0, 0].tolist() for number in range(3)]
    assert colours == [list(BLUE[:3]), list(RED[:3]), list(GREEN[:3])]


def test_frames_that_no_viewer_looks_at_are_dropped_and_named() -> None:
    """Without the chunk that announces an animation, PNG viewers show the default picture alone."""
    data = apng([Step(RED), Step(GREEN)])
    at = data.index(b"acTL") - 4
    still = data[:at] + data[at + 20 :]
    assert count_pictures(still) == 1
    result = strip(still, POLICY)
    assert "animation" in result.removed
    assert decode(result.data)[0, 0].tolist() == list(RED[:3])


@pytest.mark.parametrize("format", ["TIFF", "GIF", "PNG", "WEBP"])
def test_frames_as_a_program_writes_them(format: str) -> None:
    rng = np.random.default_rng(7)
    wanted = [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(5)]
    frames = [Image.fromarray(pixels) for pixels in wanted]
    if format == "GIF":
        frames = [frame.quantize(64) for frame in frames]
        wanted = [np.asarray(frame.convert("RGB")) for frame in frames]
    options = {"lossless": True} if format == "WEBP" else {}
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:], **options)
    assert count_pictures(out.getvalue()) == 5
    for number, pixels in enumerate(wanted):
        result = strip(out.getvalue(), POLICY, number)
        assert np.array_equal(decode(result.data), pixels), number
        assert result.lossless


def test_pages_may_differ_in_size_and_colour() -> None:
    pages = [Image.new("L", (20, 10), 7), Image.new("RGB", (5, 30), (1, 2, 3)), Image.new("1", (9, 9), 1)]
    out = io.BytesIO()
    pages[0].save(out, "TIFF", save_all=True, append_images=pages[1:])
    results = [strip(out.getvalue(), POLICY, number) for number in range(3)]
    assert [(one.width, one.height, one.encoding.grey) for one in results] == [
        (20, 10, True),
        (5, 30, False),
        (9, 9, True),
    ]


def test_grey_frames_stay_grey() -> None:
    frames = [Image.new("L", (20, 10), value) for value in (7, 90)]
    out = io.BytesIO()
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    assert strip(out.getvalue(), POLICY, 1).encoding.grey


# --- limits and broken files

MANY = {name: writer(STORIES["parts over a whole"]) for name, writer in WRITERS.items()}


@pytest.mark.parametrize("format", MANY)
def test_a_picture_that_is_not_there_is_refused(format: str) -> None:
    with pytest.raises(PhotoError) as caught:
        strip(MANY[format], POLICY, 3)
    assert caught.value.reason == Reason.UNDECODABLE


@pytest.mark.parametrize("format", MANY)
def test_more_frames_than_allowed_hold_the_file(format: str) -> None:
    assert strip(MANY[format], POLICY.model_copy(update={"max_frames": 3}))
    with pytest.raises(PhotoError) as caught:
        strip(MANY[format], POLICY.model_copy(update={"max_frames": 2}))
    assert caught.value.reason == Reason.SEVERAL_PICTURES


@pytest.mark.parametrize("format", MANY)
def test_the_canvas_counts_and_not_the_frame(format: str) -> None:
    small = POLICY.model_copy(update={"max_pixels": 47})
    with pytest.raises(PhotoError) as caught:
        strip(WRITERS[format]([Step(GREEN, BLOCK)]), small)
    assert caught.value.reason == Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("format", MANY)
def test_counting_never_raises(format: str) -> None:
    data = MANY[format]
    for length in range(len(data)):
        assert 1 <= count_pictures(data[:length]) <= 3
    for at in range(len(data)):
        assert count_pictures(data[:at] + b"\xff" + data[at + 1 :]) >= 1


@pytest.mark.parametrize("format", MANY)
def test_a_broken_later_frame_does_not_pass(format: str) -> None:
    data = MANY[format]
    cut = data[: len(data) * 3 // 4]
    with pytest.raises(PhotoError) as caught:
        strip(cut, POLICY, 0)
    assert caught.value.reason == Reason.UNDECODABLE


def tiff_of_repeats(count: int) -> bytes:
    """SubIFDs two bytes apart, each of 4096 entries that all have the same tag."""
    places = 26 + 4 * count
    directories = b"\x00\x10" * count + bytes(4096 * 12 + 2 * count + 20)
    first = struct.pack("<IHHHII", 8, 1, 330, 4, count, 26) + bytes(4)
    offsets = struct.pack(f"<{count}I", *range(places, places + 2 * count, 2))
    return b"II*\0" + first + offsets + directories


def tiff_of_pages(count: int, tag: int, values: int, size: int) -> bytes:
    """Pages with one tag, whose many values are the same bytes for all."""
    pages = (
        struct.pack("<HHHII", 1, tag, 4, values, size) + struct.pack("<I", 26 + 18 * at if at < count - 1 else 0)
        for at in range(count)
    )
    return (b"II*\0" + struct.pack("<I", 8) + b"".join(pages)).ljust(size + 4 * values, b"\0")


HOSTILE = {
    "gif of one-byte blocks": gif([Step(RED)])[:-1] + b"\x21\xfe" + b"\x01a" * 10_000_000 + b"\0;",
    "gif of empty comments": gif([Step(RED)])[:-1] + b"\x21\xfe\0" * 7_000_000 + b";",
    "png of empty chunks": apng([Step(RED)])[:-12] + chunk(b"teXt", b"") * 1_700_000 + chunk(b"IEND", b""),
    "webp of empty chunks": riff(b"RIFF", webp([Step(RED)])[8:] + riff(b"JUNK", b"") * 2_500_000),
    "tiff of overlapping directories with one tag": tiff_of_repeats(600),
    "tiff of pages that name the same places": tiff_of_pages(9000, 330, 9000, 300_000),
    "tiff of overlapping directories": b"II*\0\x08\0\0\0" + b"\xff\x0f" + bytes(range(1, 253)) * 80_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_counting_wastes_no_time_on_files_made_for_that(name: str) -> None:
    started = time.process_time()
    assert count_pictures(HOSTILE[name]) == 1
    assert time.process_time() - started < 2


def test_one_directory_named_by_thousands_of_pages_costs_no_memory() -> None:
    """Every page's tags may name the whole file as their value; nothing of it is copied."""
    size = 4_000_000
    entries = b"".join(struct.pack("<HHII", 40_000 + number, 1, size, 8) for number in range(4000))
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 4000) + entries + bytes(4)
    started = time.process_time()
    assert count_pictures(head.ljust(size + 8, b"\0")) == 1
    assert time.process_time() - started < 1


def test_pages_that_name_the_same_long_list_cost_no_time() -> None:
    """Only the first value of a list is a number; 9000 pages would otherwise unpack four million values each."""
    started = time.process_time()
    assert count_pictures(tiff_of_pages(9000, 262, 1_000_000, 300_000)) == 9000
    assert time.process_time() - started < 1
