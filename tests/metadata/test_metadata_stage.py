"""The stage that strips: every photo in a process that may die, and only that photo's row says so."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError
from photo_anonymizer.metadata import stage, worker
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.stage import STAGE, strip_metadata
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.sandbox import Limits, Sandbox
from photo_anonymizer.sources import read_file
from photo_anonymizer.vault import Vault, photo_id_of

POLICY = Policy(max_pixels=1_000_000)
SECRET = "Jane-Doe-7413"


def picture(shade: int = 0, format: str = "JPEG", comment: bytes = b"", **save) -> bytes:
    out = io.BytesIO()
    if format == "JPEG" and comment:
        save["comment"] = comment
    Image.fromarray(np.full((24, 32, 3), shade, np.uint8)).save(out, format, **save)
    return out.getvalue()


def located() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = SECRET
    exif[0x8825] = {1: "N", 2: (0.0, 0.0, 0.0)}
    return exif


@pytest.fixture
def run_of(config):
    """A run with one shard of these files."""

    def make(*files: bytes, **changes) -> RunFolder:
        chosen = config(**changes)
        run = RunFolder.of(chosen, "one")
        run.start(chosen, "one")
        key = Vault.of(chosen).key()
        records = []
        for number, data in enumerate(files):
            path = Path(chosen.source, f"{SECRET}-{number}")
            path.write_bytes(data)
            photo_id = photo_id_of(key, hashlib.sha256(data).digest())
            records.append(PhotoRecord(photo_id=photo_id, source_uri=path.as_uri()))
        with run.publish("before", "0000") as output:
            output.write_records(records)
        return run

    return make


def stripped(run: RunFolder) -> list[PhotoRecord]:
    return strip_metadata(run, "0000", "before")


def test_the_worker_gives_what_strip_gives(run_of):
    files = [picture(10, exif=located()), picture(20, "PNG"), picture(30, "WEBP"), picture(40, "TIFF")]
    run = run_of(*files)
    policy = Policy.of(run.config)
    for record, data in zip(stripped(run), files, strict=True):
        here = strip(data, policy)
        assert (run.path / record.file).read_bytes() == here.data
        assert (record.encoding, record.final, record.removed) == (here.encoding, here.final, here.removed)
        assert (record.width, record.height, record.kept) == (32, 24, here.kept)
        assert record.file == f"{STAGE}/0000/{record.photo_id}.{here.encoding.extension if here.final else 'png'}"


def test_a_crash_a_loop_and_a_bomb_cost_three_photos_and_not_the_shard(run_of, monkeypatch, caplog):
    monkeypatch.setattr(worker, "TARGET", "sandbox_targets:decode")
    run = run_of(
        picture(1, exif=located()),
        picture(2, comment=b"CRASH"),
        picture(3),
        picture(4, comment=b"LOOP"),
        picture(5, comment=b"BOMB"),
        picture(6, "PNG"),
        ingest={"max_decode_s": 2, "max_decode_mb": 512},
    )
    records = stripped(run)
    assert [(record.status, record.reason) for record in records] == [
        (Status.PENDING, None),
        (Status.REJECTED, Reason.DECODER_CRASHED),
        (Status.PENDING, None),
        (Status.REJECTED, Reason.DECODER_TIMEOUT),
        (Status.REJECTED, Reason.DECODER_MEMORY),
        (Status.PENDING, None),
    ]
    assert [inspect((run.path / record.file).read_bytes()) for record in records if record.pending] == [()] * 3
    assert run.records(STAGE, "0000") == records
    assert SECRET not in caplog.text + "".join(record.detail for record in records)


def test_a_broken_photo_keeps_the_reason_that_strip_gives(run_of):
    large = Image.new("L", (2000, 2000))
    out = io.BytesIO()
    large.save(out, "PNG")
    records = stripped(run_of(picture(1)[:-200], out.getvalue(), b"none", ingest={"max_megapixels": 1}))
    assert [record.reason for record in records] == [
        Reason.UNDECODABLE,
        Reason.TOO_MANY_PIXELS,
        Reason.UNSUPPORTED_FORMAT,
    ]


def test_a_photo_that_changed_since_it_was_listed_is_not_taken(run_of):
    run = run_of(picture(1))
    next(Path(run.config.source).iterdir()).write_bytes(picture(2))
    (record,) = stripped(run)
    assert (record.reason, record.detail) == (Reason.UNREADABLE, "changed since it was listed")


def test_the_wanted_frame_is_asked_for(run_of, monkeypatch):
    asked = []

    def listening(sandbox, data, policy, frame):
        asked.append(frame)
        return strip(data, policy)

    monkeypatch.setattr(stage, "strip_apart", listening)
    run = run_of(picture(1))
    (record,) = run.records("before", "0000")
    with run.publish("third", "0000") as output:
        photo_id = photo_id_of(Vault.of(run.config).key(), hashlib.sha256(picture(1)).digest(), 2)
        output.write_records([record.with_(frame=2, photo_id=photo_id)])
    strip_metadata(run, "0000", "third")
    assert asked == [2]


def pages(count: int, trailing: int = 0, seed: int = 0) -> bytes:
    out = io.BytesIO()
    first, *others = (Image.new("L", (16, 16), seed + number) for number in range(count))
    first.save(out, "TIFF", save_all=True, append_images=others)
    return out.getvalue() + bytes(trailing)


@pytest.fixture
def frames_of(run_of):
    """A run with one shard of all the frames of these files."""

    def make(files: dict[bytes, int], **changes) -> RunFolder:
        run = run_of(*files, **changes)
        key = Vault.of(run.config).key()
        records = []
        for first, (data, count) in zip(run.records("before", "0000"), files.items(), strict=True):
            digest = hashlib.sha256(data).digest()
            records += [first] + [
                first.with_(
                    photo_id=photo_id_of(key, digest, frame),
                    source_uri=f"{first.source_uri}#frame={frame + 1}",
                    frame=frame,
                )
                for frame in range(1, count)
            ]
        with run.publish("frames", "0000") as output:
            output.write_records(records)
        return run

    return make


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The files that the stage reads, in order."""
    asked: list[str] = []

    def reading(uri, *limits):
        asked.append(uri)
        return read_file(uri, *limits)

    monkeypatch.setattr(stage, "read_file", reading)
    return asked


@pytest.mark.parametrize("workers", [1, 3])
def test_a_file_with_many_frames_is_read_once(frames_of, reads, workers):
    run = frames_of({pages(5): 5, picture(1): 1, pages(3, seed=9): 3}, workers=workers)
    records = strip_metadata(run, "0000", "frames")
    assert len(reads) == len(set(reads)) == 3
    shades = [
        int(np.asarray(Image.open(run.path / record.file))[0, 0]) for record in records if record.format == "tiff"
    ]
    assert shades == [0, 1, 2, 3, 4, 9, 10, 11]


def test_a_file_is_let_go_with_its_last_frame(frames_of):
    """A frame that was stopped before, and one that is refused, must not keep it."""
    size = 8_000_000
    run = frames_of({pages(2, size, seed): 3 for seed in range(8)}, workers=1)
    records = run.records("frames", "0000")
    with run.publish("partly", "0000") as output:
        output.write_records([records[0].stopped(Reason.DUPLICATE), *records[1:]])
    sandbox_of(run.config)
    tracemalloc.start()
    try:
        stopped = [record for record in strip_metadata(run, "0000", "partly") if not record.pending]
        assert tracemalloc.get_traced_memory()[1] < 3 * size
    finally:
        tracemalloc.stop()
    assert len(stopped) == 9  # the third page, which none of the files has, and the one from before


def test_a_file_with_many_frames_that_changed_is_taken_for_none_of_them(frames_of, reads):
    run = frames_of({pages(3): 3})
    next(Path(run.config.source).iterdir()).write_bytes(pages(3, seed=7))
    assert {record.detail for record in strip_metadata(run, "0000", "frames")} == {"changed since it was listed"}
    assert len(reads) == 1


def test_a_worker_that_cannot_start_stops_the_task_and_blames_no_photo(run_of, monkeypatch):
    monkeypatch.setattr(worker, "TARGET", "no_such_module:work")
    run = run_of(picture(1))
    with pytest.raises(PhotoAnonymizerError, match="cannot be started"):
        stripped(run)
    assert not run.done(STAGE, "0000")


def test_shards_of_one_process_use_the_same_children(config):
    assert sandbox_of(config()) is sandbox_of(config(method="blur"))
    assert sandbox_of(config()) is not sandbox_of(config(ingest={"max_decode_s": 1}))


def _strip_in_this_process(run: RunFolder) -> None:
    assert all(record.pending for record in stripped(run))


@pytest.mark.parametrize("before", [False, True])
def test_the_stage_works_in_a_daemonic_process_also_when_the_parent_has_children_already(run_of, before):
    run = run_of(picture(1), picture(2, "PNG"))
    if before:
        strip_apart(sandbox_of(run.config), picture(3), POLICY)
    process = multiprocessing.get_context("fork").Process(target=_strip_in_this_process, args=(run,), daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert run.done(STAGE, "0000")


def test_the_stage_works_after_a_fork(run_of):
    run = run_of(picture(1), picture(2))
    strip_apart(sandbox_of(run.config), picture(3), POLICY)
    forked = os.fork()
    if not forked:
        os._exit(0 if all(record.pending for record in stripped(run)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    assert strip_apart(sandbox_of(run.config), picture(4), POLICY).width == 32


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000"])
def test_a_worker_decodes_in_one_thread(format):
    """On a machine with many processors the threads alone would use up the memory limit."""
    data = picture(1, format)
    with Sandbox("sandbox_targets:threads_of_decoding", Limits(30, 1000, 10**6), 1) as sandbox:
        told = sandbox.call({"policy": POLICY.model_dump(mode="json"), "frame": 0}, data, lambda header, _: header)
    assert told == {"more_threads": 0}


# what a worker that was taken over may answer

HONEST = strip(picture(7), POLICY)
HONEST_PNG = strip(picture(7, "PNG"), POLICY)


def answered(honest=HONEST, **changes) -> tuple[dict, bytes]:
    header, data = worker.work({"policy": POLICY.model_dump(mode="json"), "frame": 0}, honest.data)
    return {**header, **changes}, data


def test_an_honest_answer_is_accepted():
    assert worker._stripped(*answered(), POLICY) == strip(HONEST.data, POLICY)


@pytest.mark.parametrize(
    "lie",
    [
        {"width": 0},
        {"height": -1},
        {"width": "wide"},
        {"width": 100_000},
        {"removed": [SECRET]},
        {"removed": ["JOHN_DOE_52_5200N"]},
        {"removed": ["exif"] * 1000},
        {"kept": {"capture_year": 2020}},
        {"kept": {"latitude": 5}},
        {"encoding": {"format": "exe"}},
        {"encoding": {"format": "png"}},
        {"final": False},
        {"data": "more"},
    ],
    ids=str,
)
def test_a_lie_about_a_photo_is_refused(lie):
    header, data = answered(**lie)
    with pytest.raises(ValueError):
        worker._stripped(header, data, POLICY)


def test_a_missing_word_is_refused():
    header, data = answered()
    del header["encoding"]
    with pytest.raises(ValueError):
        worker._stripped(header, data, POLICY)


def test_a_picture_of_another_size_than_said_is_refused():
    header, data = answered(HONEST_PNG, width=31)
    with pytest.raises(ValueError, match="another size"):
        worker._stripped(header, data, POLICY)


def test_what_the_policy_keeps_may_come_back():
    header, data = answered(kept={"capture_year": 2020})
    policy = POLICY.model_copy(update={"keep_capture_year": True})
    assert worker._stripped(header, data, policy).kept == {"capture_year": 2020}


def test_a_picture_as_large_as_the_default_limits_allow_fits_into_the_default_memory(config):
    """120 megapixels with transparency: the most expensive of the common kinds."""
    ingest = config().ingest
    out = io.BytesIO()
    Image.new("RGBA", (12_000, 10_000), (10, 20, 30, 200)).save(out, "PNG", compress_level=1)
    limits = Limits(300, ingest.max_decode_mb, 10 * 120_000_000)
    started = time.monotonic()
    with Sandbox(worker.TARGET, limits, 1) as sandbox:
        result = strip_apart(sandbox, out.getvalue(), Policy.of(config()))
    assert (result.width, result.height, "transparency" in result.removed) == (12_000, 10_000, True)
    assert time.monotonic() - started < 300


def test_a_picture_beyond_the_memory_limit_is_rejected_as_such():
    out = io.BytesIO()
    Image.new("RGB", (10_000, 9_000)).save(out, "PNG", compress_level=1)
    with Sandbox(worker.TARGET, Limits(60, 200, 10**9), 1) as sandbox, pytest.raises(PhotoError) as caught:
        strip_apart(sandbox, out.getvalue(), Policy(max_pixels=10**8))
    assert caught.value.reason == Reason.DECODER_MEMORY
