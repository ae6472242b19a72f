"""The whole pipeline without Airflow: whatever is put into the folder, every file is accounted for."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photo_anonymizer import claim
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import DatasetBusyError, GateRefusedError, SourceError
from photo_anonymizer.imagefile import load
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.release import tables
from photo_anonymizer.release.verify import verify
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.samples import sample_photos
from photo_anonymizer.stages import run_all, start_run
from photo_anonymizer.vault import Vault
from pipeline_run import located, small_config


def saved(picture: Image.Image, **how: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, **how)  # type: ignore[arg-type]
    return stream.getvalue()


def huge_png() -> bytes:
    """30,000 × 30,000 black pixels in about a megabyte."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(30_001)) for _ in range(30_000)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


ASTRONAUT = Image.fromarray(data.astronaut())
GREY16 = Image.fromarray(np.asarray(ASTRONAUT.convert("L")).astype(np.uint16) * 257)
FURTHER = ("pages.tiff#frame=2", "animated.webp#frame=2")
"""The second pictures of files with two."""
ANIMATED = saved(ASTRONAUT, format="WEBP", save_all=True, append_images=[ASTRONAUT.rotate(90)])

# file name → (content, status, reason)
FOLDER: dict[str, tuple[bytes, str, str]] = {
    "plain.jpg": (saved(ASTRONAUT, format="JPEG", exif=located()), "released", ""),
    "the same again.jpeg": (saved(ASTRONAUT, format="JPEG", exif=located()), "rejected", "duplicate"),
    "a PNG called.jpg": (saved(ASTRONAUT, format="PNG"), "released", ""),
    "grey.jpg": (saved(ASTRONAUT.convert("L"), format="JPEG"), "released", ""),
    "cmyk.jpg": (saved(ASTRONAUT.convert("CMYK"), format="JPEG"), "released", ""),
    "sixteen bit.png": (saved(GREY16, format="PNG"), "released", ""),
    "with alpha.webp": (saved(ASTRONAUT.convert("RGBA"), format="WEBP"), "released", ""),
    "pages.tiff": (saved(ASTRONAUT, format="TIFF", save_all=True, append_images=[ASTRONAUT]), "released", ""),
    "animated.webp": (ANIMATED, "released", ""),
    "empty.jpg": (b"", "rejected", "empty_file"),
    "truncated.jpg": (saved(ASTRONAUT, format="JPEG")[:9_000], "rejected", "undecodable"),
    "text.png": (b"I am no picture\n", "rejected", "not_a_photo"),
    "huge.png": (huge_png(), "rejected", "too_many_pixels"),
    "drawing.gif": (saved(ASTRONAUT, format="GIF"), "released", ""),
    "scan.bmp": (saved(ASTRONAUT, format="BMP"), "released", ""),
    "layers.psd": (b"8BPS" + bytes(60), "rejected", "unsupported_format"),
    "no face.jpg": (saved(Image.fromarray(data.rocket()), format="JPEG"), "released", ""),
    "صورة.jpg": (saved(ASTRONAUT.rotate(3), format="JPEG"), "released", ""),
    "🙂.jpg": (saved(ASTRONAUT.rotate(-3), format="JPEG"), "released", ""),
    "two\nlines.jpg": (saved(ASTRONAUT.rotate(2), format="JPEG"), "released", ""),
}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunConfig, Path]:
    """One run over a folder in which everything is that people have in folders; its configuration and its release."""
    root = tmp_path_factory.mktemp("mixed")
    folder = root / "photos" / "deep" / "er"
    folder.mkdir(parents=True)
    for name, (content, _, _) in FOLDER.items():
        (folder / name).write_bytes(content)
    (root / "secret.jpg").write_bytes(FOLDER["plain.jpg"][0])
    (folder / "link.jpg").symlink_to(root / "secret.jpg")
    os.mkfifo(folder / "pipe.jpg")
    config = small_config(root, method="pixelate", detection={"person_score": 1.0})
    return config, Path(run_all(config, "mixed")["release"])


def by_name(config: RunConfig) -> dict[str, dict[str, str]]:
    from urllib.parse import unquote

    return {unquote(row["source_uri"]).rsplit("/", 1)[-1]: row for row in Vault.of(config).ledger()}


@pytest.mark.parametrize("name", [*FOLDER, *FURTHER, "link.jpg", "pipe.jpg"])
def test_every_file_ends_as_it_should(mixed: tuple[RunConfig, Path], name: str) -> None:
    expected = {"link.jpg": ("rejected", "symbolic_link"), "pipe.jpg": ("rejected", "not_a_regular_file")}
    expected |= dict.fromkeys(FURTHER, ("released", ""))
    status, reason = expected.get(name) or FOLDER[name][1:]
    row = by_name(mixed[0])[name]
    assert (row["status"], row["reason"]) == (status, reason), row["detail"]


def test_the_ledger_has_a_row_for_every_file_and_the_release_verifies(mixed: tuple[RunConfig, Path]) -> None:
    config, release = mixed
    rows = Vault.of(config).ledger()
    assert len(rows) == len(FOLDER) + len(FURTHER) + 2
    released = [row for row in rows if row["status"] == "released"]
    published = list((release / "data" / "photos").iterdir())
    assert verify(release, Vault.of(config))["photos"] == len(released) == len(published)


def test_published_files_carry_nothing_but_pixels(mixed: tuple[RunConfig, Path]) -> None:
    for path in (mixed[1] / "data" / "photos").iterdir():
        assert inspect(path.read_bytes()) == ()


def test_a_photo_without_a_face_is_published_as_it_is_but_clean(mixed: tuple[RunConfig, Path]) -> None:
    config, release = mixed
    row = by_name(config)["no face.jpg"]
    published = load(release.parent / row["output"])
    original = np.asarray(Image.open(io.BytesIO(FOLDER["no face.jpg"][0])))
    assert np.array_equal(published, original)


def test_outside_the_changed_regions_a_lossless_photo_is_the_same_bit_by_bit(mixed: tuple[RunConfig, Path]) -> None:
    config, release = mixed
    row = by_name(config)["a PNG called.jpg"]
    published = load(release.parent / row["output"])
    changed = (published != np.asarray(ASTRONAUT)).any(axis=2)
    photo_id = row["photo_id"]
    allowed = np.zeros_like(changed)
    from photo_anonymizer.release.audit import read_chain

    for entry in read_chain(release / "data" / "audit.jsonl"):
        if entry["event"] == "photo" and entry["data"]["photo_id"] == photo_id:
            for edit in entry["data"]["edits"]:
                region = edit["region"]
                allowed[region["y0"] : region["y1"], region["x0"] : region["x1"]] = True
    assert changed.any()
    assert not (changed & ~allowed).any()


def test_a_photo_full_of_faces_is_anonymized_face_by_face(tmp_path: Path) -> None:
    """Some two thousand faces: none is skipped, all are measured."""
    head = Image.fromarray(data.astronaut()[40:210, 145:300]).resize((32, 35), Image.Resampling.LANCZOS)
    crowd = Image.new("RGB", (50 * 34, 40 * 37), (90, 110, 130))
    for row in range(40):
        for column in range(50):
            crowd.paste(head, (column * 34 + 1, row * 37 + 1))
    (tmp_path / "photos").mkdir()
    crowd.save(tmp_path / "photos" / "crowd.png")
    config = small_config(tmp_path, detection={"long_side_px": 1856}, residual={"enabled": "off"})
    release = Path(run_all(config, "crowd")["release"])
    faces = tables.read(release / "data" / "faces.parquet")
    assert len(faces) > 1500
    published = load(next((release / "data" / "photos").iterdir()))
    original = np.asarray(crowd)
    middles = [(row["x"] + row["width"] // 2, row["y"] + row["height"] // 2) for row in faces]
    assert all(_varies_at(original, *middle) for middle in middles)
    assert not any(_varies_at(published, *middle) for middle in middles)


def _varies_at(rgb: Pixels, x: int, y: int) -> bool:
    """Are the pixels about a place of several colours?"""
    return bool(np.ptp(rgb[y - 2 : y + 3, x - 2 : x + 3], axis=(0, 1)).any())


def test_too_many_faces_hold_the_photo(tmp_path: Path) -> None:
    twice: Pixels = np.concatenate([data.astronaut(), data.astronaut()], axis=1)
    (tmp_path / "photos").mkdir()
    Image.fromarray(twice).save(tmp_path / "photos" / "two.png")
    config = small_config(tmp_path, detection={"max_faces": 1})
    with pytest.raises(GateRefusedError, match="nothing to judge"):
        run_all(config, "run")
    assert [row["reason"] for row in Vault.of(config).ledger()] == ["too_many_faces"]


class TestDoubt:
    def doubtful(self, root: Path, policy: str, **reid: object) -> RunConfig:
        """With an upper threshold that nothing reaches, every face is in doubt."""
        detection = {"accept_score": 1.0, "doubt_score": 0.3, "uncertain": policy}
        return small_config(root, detection=detection, reid=reid)

    def test_a_doubtful_face_is_anonymized_queued_and_published_meanwhile(self, tmp_path: Path) -> None:
        config = self.doubtful(tmp_path, "release")
        release = Path(run_all(config, "run")["release"])
        faces = tables.read(release / "data" / "faces.parquet")
        assert {row["decision"] for row in faces} == {"anonymized, queued for review"}
        queue = Vault.of(config).review_queue()
        assert {(row["photo_id"], row["face_id"]) for row in queue} == {(r["photo_id"], r["face_id"]) for r in faces}

    def test_hold_keeps_the_photo_back_until_somebody_has_decided(self, tmp_path: Path) -> None:
        from photo_anonymizer import review

        config = self.doubtful(tmp_path, "hold", require_faces=False)
        run_all(config, "first")
        held = [row for row in Vault.of(config).ledger() if row["reason"] == "uncertain_face"]
        assert len(held) == 2
        for row in Vault.of(config).review_queue():
            review.decide(Vault.of(config), row["photo_id"], row["face_id"], "face")
        release = Path(run_all(config, "second")["release"])
        faces = tables.read(release / "data" / "faces.parquet")
        assert {row["photo_id"] for row in faces} == {row["photo_id"] for row in held}
        assert not [row for row in Vault.of(config).ledger() if row["reason"] == "uncertain_face"]


def test_a_hidden_person_is_held(tmp_path: Path) -> None:
    hidden = data.astronaut().copy()
    hidden[50:200, 160:290] = 90
    (tmp_path / "photos").mkdir()
    Image.fromarray(hidden).save(tmp_path / "photos" / "hidden.png")
    Image.fromarray(data.astronaut()).save(tmp_path / "photos" / "open.png")
    config = small_config(tmp_path)
    run_all(config, "run")
    row = by_name(config)["hidden.png"]
    assert row["reason"] == "person_without_face"
    assert re.fullmatch(r"\d+ without a face", row["detail"])


def test_a_folder_without_a_usable_photo_is_refused_by_the_gate_and_accounted_for(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "notes.txt").write_text("nobody")
    config = small_config(tmp_path)
    with pytest.raises(GateRefusedError, match="nothing to judge"):
        run_all(config, "run")
    assert [row["status"] for row in Vault.of(config).ledger()] == ["rejected"]
    assert not list((tmp_path / "out" / "releases").rglob("v*"))


def test_a_collection_without_people_is_refused_unless_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(data.rocket()[:320]).save(tmp_path / "photos" / "rocket.png")
    with pytest.raises(GateRefusedError, match="no face was found"):
        run_all(small_config(tmp_path), "first")
    assert run_all(small_config(tmp_path, reid={"require_faces": False}), "second")["released"] == 1


def test_a_missing_or_empty_folder_stops_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(SourceError, match="empty"):
        start_run(small_config(tmp_path), "run")
    assert not (tmp_path / "out" / "workspace").exists()


def test_a_run_that_cannot_start_does_not_keep_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    config = small_config(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "start", full)
        with pytest.raises(OSError, match="No space left"):
            start_run(config, "first")
    assert claim.held_by(config) is None


def test_two_runs_of_a_dataset_do_not_interleave(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    first = start_run(config, "first")
    with pytest.raises(DatasetBusyError):
        run_all(config, "second")
    claim.give_back(config, first)
    assert run_all(config, "second")["version"] == "v0001"


def test_a_run_that_was_killed_is_finished_by_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it rendered: the second try finds what was finished, redoes the rest, and publishes once."""
    from photo_anonymizer.render import stage as render

    config = small_config(tmp_path)
    whole = render.render_photo

    def dies(original: bytes, patches: object, record: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(render, "render_photo", dies)
    with pytest.raises(KeyboardInterrupt):
        run_all(config, "run")
    run = RunFolder.of(config, "run")
    assert run.done("anonymize", "0000")
    assert not run.done("render", "0000")
    monkeypatch.setattr(render, "render_photo", whole)
    assert run_all(config, "run")["version"] == "v0001"
    assert [path.name for path in (tmp_path / "out" / "releases" / "party").iterdir()] == ["v0001"]


def test_the_samples_show_what_happens_to_everything(tmp_path: Path) -> None:
    folder = sample_photos(tmp_path / "samples")
    assert sample_photos(folder) == folder
    config = load_config({"source": str(folder), "out": str(tmp_path / "out")})
    told = run_all(config, "run")
    assert told["released"] >= 4
    assert told["rejected"] == 2
    reasons = {row["reason"] for row in Vault.of(config).ledger() if row["status"] == "rejected"}
    assert reasons == {"duplicate", "not_a_photo"}


def test_a_run_imports_tensorflow_only_when_its_backend_was_asked_for(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    code = (
        "import json, sys\n"
        "from photo_anonymizer.config import load_config\n"
        "from photo_anonymizer.stages import run_all\n"
        "run_all(load_config(json.loads(sys.argv[1])), 'run')\n"
        "heavy = {'tensorflow', 'mediapipe', 'tf2onnx', '_dlib_pybind11'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    command = [sys.executable, "-c", code, config.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
