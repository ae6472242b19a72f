"""Broken files of every kind end as a clean photo or as a refusal with a reason, whatever was done to them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from hostile import POLICIES, POLICY, SECRET, Bench, BrokenPromiseError, broken, drawn, seeds, spans, tried
from photo_anonymizer.metadata.strip import count_pictures
from photo_anonymizer.sandbox import Sandbox

FORMATS = sorted(seeds())


@pytest.fixture(scope="module")
def bench():
    made = Bench.set_up()
    yield made
    made.close()


@pytest.mark.parametrize("format", FORMATS)
@settings(
    max_examples=120,
    deadline=None,
    # A smaller file says no more than the one that was found, and looking for it takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
@given(number=st.integers(0, 2**32 - 1))
def test_a_broken_file_does_no_harm(bench, format, number):
    chance = random.Random(number)
    data = broken(chance.choice(seeds()[format]), format, chance)
    tried(data, bench, chance, chance.choice(POLICIES))


@pytest.mark.parametrize("format", FORMATS)
def test_unbroken_files_are_known_as_what_they_are(bench, format):
    outcomes = {tried(data, bench, random.Random(0)).split()[0] for data in seeds()[format]}
    assert outcomes & {"final", "intermediate"}


@pytest.mark.parametrize("format", FORMATS)
def test_every_kind_is_broken_in_many_ways(format):
    (seed, *_), chance = seeds()[format], random.Random(0)
    assert len({broken(seed, format, chance) for _ in range(200)}) > 150


@pytest.mark.parametrize("format", FORMATS)
def test_the_parts_of_a_file_are_found(format):
    assert all(len(spans(data, format)) >= 3 for data in seeds()[format])


@pytest.mark.parametrize("data", [b"", b"\xff", SECRET, *(file[:20] for files in seeds().values() for file in files)])
def test_counting_pictures_of_stumps_gives_a_number(data):
    assert count_pictures(data) >= 1


# what was found by it, once


def plain_jpeg() -> bytearray:
    out = io.BytesIO()
    drawn().save(out, "JPEG", subsampling=0)
    return bytearray(out.getvalue())


@pytest.mark.parametrize("component", [0, 4, 179])
def test_a_scan_of_a_component_that_the_picture_does_not_have_crashes_nothing(bench, component):
    data = plain_jpeg()
    scan = data.index(b"\xff\xda")
    data[scan + 7] = component
    assert tried(bytes(data), bench, random.Random(0)) == "undecodable"


@pytest.mark.parametrize("factors", [0x00, 0x01, 0x10, 0x13, 0x31, 0x44, 0xFF])
@pytest.mark.parametrize("component", [0, 1, 2])
def test_any_sampling_of_a_jpeg_is_written_clean_or_refused(bench, component, factors):
    data = plain_jpeg()
    frame = data.index(b"\xff\xc0")
    data[frame + 11 + 3 * component] = factors
    assert tried(bytes(data), bench, random.Random(0)) in {"undecodable", "final jpeg", "intermediate jpeg"}


@pytest.mark.parametrize(
    ("format", "width", "output_format"),
    [
        ("PNG", 16_384, "same"),
        ("PNG", 16_384, "jpeg"),
        ("PNG", 16_384, "webp"),
        ("TIFF", 65_501, "same"),
        ("TIFF", 65_501, "jpeg"),
        ("JPEG2000", 65_501, "same"),
        ("BMP", 70_000, "same"),
        ("BMP", 70_000, "webp"),
        ("AVIF", 65_536, "same"),
    ],
)
def test_a_picture_that_is_too_wide_for_a_format_is_published_in_another_or_refused(
    bench, format, width, output_format
):
    out = io.BytesIO()
    Image.new("RGB", (width, 2), "teal").save(out, format)
    policy = POLICY.model_copy(update={"output_format": output_format})
    outcome = tried(out.getvalue(), bench, random.Random(0), policy)
    assert outcome.startswith(("final", "intermediate")) or outcome in {"undecodable", "unsupported_format"}


# the promises can be seen to be broken


def leaving_the_marker(header, data):
    from photo_anonymizer.metadata.worker import work

    answer, made = work(header, data)
    return answer, made + SECRET


def leaving_a_comment(header, data):
    from photo_anonymizer.metadata.worker import work

    answer, made = work(header, data)
    return answer, made + b"comment"


def saying_another_size(header, data):
    from photo_anonymizer.metadata.worker import work

    answer, made = work(header, data)
    return {**answer, "width": answer["width"] + 1}, made


def cutting_short(header, data):
    from photo_anonymizer.metadata.worker import work

    answer, made = work(header, data)
    return answer, made[: len(made) // 2]


def failing(header, data):
    raise ValueError


def counting_none(header, data):
    return {"pictures": 0, "seconds": 0.0}, b""


def counting_slowly(header, data):
    return {"pictures": 1, "seconds": 2.0}, b""


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (leaving_the_marker, "the marker is in the result"),
        (leaving_a_comment, "the result holds"),
        (saying_another_size, "decoder_crashed|another size"),
        (cutting_short, "the result holds|cannot be decoded"),
        (failing, "stage_error"),
    ],
)
@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
def test_a_fault_in_stripping_is_noticed(bench, fault, complaint, format):
    with (
        Sandbox(f"{__name__}:{fault.__name__}", bench.stripping.limits, 1) as faulty,
        pytest.raises(BrokenPromiseError, match=complaint),
    ):
        tried(seeds()[format][0], Bench(bench.counting, faulty), random.Random(0))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [(counting_none, "fewer than one"), (counting_slowly, "took 2.0 s"), (failing, "stage_error")],
)
def test_a_fault_in_counting_is_noticed(bench: Bench, fault: Callable, complaint: str):
    with (
        Sandbox(f"{__name__}:{fault.__name__}", bench.counting.limits, 1) as faulty,
        pytest.raises(BrokenPromiseError, match=complaint),
    ):
        tried(seeds()["png"][0], Bench(faulty, bench.stripping), random.Random(0))
