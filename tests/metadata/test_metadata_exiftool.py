"""exiftool as a second reader: what it finds is named, never quoted, and a file that it cannot read is a finding."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.exiftool import UNREAD, ExifTool
from photo_anonymizer.model.encoding import EXTENSIONS, Encoding
from residue import JPEG, PLANTED, PUBLISHED, SRGB, drawn, jpeg_with

TOOL = exiftool.find()
installed = pytest.mark.skipif(TOOL is None, reason="exiftool is not installed")


def read(folder: Path, files: dict[str, bytes]) -> dict[str, tuple[str, ...]]:
    assert TOOL is not None
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return exiftool.read(TOOL, folder, list(files), workers=2)


def fake(folder: Path, script: str) -> ExifTool:
    """An exiftool that does something else."""
    path = folder / "exiftool"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return ExifTool(str(path), "0")


@installed
def test_published_files_hold_nothing(tmp_path: Path) -> None:
    files = {f"{number}.bin": data for number, data in enumerate(PUBLISHED.values())}
    assert set(read(tmp_path, files).values()) == {()}


@installed
@pytest.mark.parametrize("format", EXTENSIONS)
def test_grey_files_hold_nothing(format: str, tmp_path: Path) -> None:
    data = encode(drawn(), Encoding(format=format, grey=True, quality=80))
    assert read(tmp_path, {"0": data}) == {"0": ()}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    files = {f"{number}.{item.extension}": item.data for number, item in enumerate(PLANTED.values())}
    found = read(tmp_path_factory.mktemp("planted"), files)
    return dict(zip(PLANTED, found.values(), strict=True))


@installed
@pytest.mark.parametrize("name", [name for name, item in PLANTED.items() if item.exiftool])
def test_planted_residue_is_found(name: str, planted: dict[str, tuple[str, ...]]) -> None:
    assert any(kind.startswith(PLANTED[name].exiftool) for kind in planted[name]), planted[name]


@installed
def test_values_are_never_told(planted: dict[str, tuple[str, ...]]) -> None:
    assert not any("Jane" in kind for kinds in planted.values() for kind in kinds)


@installed
def test_a_file_that_is_missing_empty_or_no_picture_is_a_finding(tmp_path: Path) -> None:
    found = read(tmp_path, {"empty.jpg": b"", "text.jpg": b"Jane"})
    assert "ExifTool:Error" in found["empty.jpg"]
    assert "File:FileType" in found["text.jpg"]
    assert TOOL is not None
    assert exiftool.read(TOOL, tmp_path, ["gone.jpg"]) == {"gone.jpg": (UNREAD,)}


@installed
def test_names_are_never_options_or_comments(tmp_path: Path) -> None:
    names = ["-delete_original", "#comment", " space.jpg", "-@", "$(touch x).jpg"]
    found = read(tmp_path, dict.fromkeys(names, PLANTED["jpeg: GPS"].data))
    assert all("GPS:GPSLatitude" in found[name] for name in names)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@installed
def test_files_of_many_processes_are_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exiftool, "_BATCH", 3)
    files = {f"{number}.jpg": JPEG for number in range(10)} | {"10.jpg": JPEG + JPEG}
    found = read(tmp_path, files)
    assert list(found) == list(files)
    assert [name for name, kinds in found.items() if kinds] == ["10.jpg"]


@installed
def test_a_configuration_of_the_user_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ExifTool_config").write_text("die 'loaded';\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read(tmp_path, {"0.jpg": JPEG}) == {"0.jpg": ()}


@installed
def test_a_profile_is_a_finding_that_can_be_set_aside(tmp_path: Path) -> None:
    data = jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + SRGB)
    (kinds,) = read(tmp_path, {"0.jpg": data}).values()
    assert any(kind.startswith("ICC_Profile:") for kind in kinds)
    assert exiftool.without_profile(kinds) == ()
    assert exiftool.without_profile((*kinds, "GPS:GPSLatitude")) == ("GPS:GPSLatitude",)


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo nonsense", "echo '[1]'", "echo '{}'", 'echo \'[{"SourceFile": "./other.jpg"}]\''],
)
def test_an_answer_that_cannot_be_trusted_clears_nothing(script: str, tmp_path: Path) -> None:
    tool = fake(tmp_path, script)
    assert exiftool.read(tool, tmp_path, ["0.jpg"]) == {"0.jpg": (UNREAD,)}


def test_a_process_that_hangs_is_ended_and_clears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exiftool, "_START_S", 0.2)
    monkeypatch.setattr(exiftool, "_FILE_S", 0)
    assert exiftool.read(fake(tmp_path, "exec sleep 30"), tmp_path, ["0.jpg"]) == {"0.jpg": (UNREAD,)}


def bad_at(*names: str, how: str = "exit 1") -> str:
    """A script that fails for these files, and finds nothing in others; it notes how often it was started."""
    return f"""
echo >> "$0.runs"
names=$(cat)
case "$names" in {"|".join(f"*./{name}*" for name in names)}) {how} ;; esac
echo "$names" | sed -e 's/.*/{{"SourceFile":"&","File:FileType":"JPEG"}},/' -e '1s/^/[/' -e '$s/,$/]/'"""


@pytest.mark.parametrize("how", ["exit 1", "kill -9 $$", "echo '[{'; exit", "exec sleep 30"])
def test_only_the_file_at_fault_is_unread(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exiftool, "_START_S", 0.5)
    monkeypatch.setattr(exiftool, "_FILE_S", 0)
    names = [f"{number}.jpg" for number in range(9)]
    found = exiftool.read(fake(tmp_path, bad_at("4.jpg", how=how)), tmp_path, names)
    assert list(found) == names
    assert {name for name, kinds in found.items() if kinds} == {"4.jpg"}
    assert found["4.jpg"] == (UNREAD,)


def test_an_exiftool_that_always_fails_is_given_up(tmp_path: Path) -> None:
    tool = fake(tmp_path, 'echo >> "$0.runs"; exit 1')
    found = exiftool.read(tool, tmp_path, [f"{number}.jpg" for number in range(500)])
    assert set(found.values()) == {(UNREAD,)}
    assert len(Path(f"{tool.path}.runs").read_text(encoding="utf-8").splitlines()) < 2 * exiftool._FAILURES


def test_three_files_at_fault_in_a_batch_are_told_apart_from_the_others(tmp_path: Path) -> None:
    names = [f"{number:03}.jpg" for number in range(500)]
    bad = {"000.jpg", "250.jpg", "499.jpg"}
    found = exiftool.read(fake(tmp_path, bad_at(*bad)), tmp_path, names)
    assert {name for name, kinds in found.items() if kinds} == bad


def test_nothing_to_read_starts_nothing(tmp_path: Path) -> None:
    assert exiftool.read(ExifTool("/nowhere/exiftool", "0"), tmp_path, []) == {}


def test_it_is_found_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, "echo 13.25")
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = exiftool.find()
    assert tool is not None
    assert tool.name == "exiftool 13.25"


@pytest.mark.parametrize("script", [None, "exit 2"])
def test_one_that_does_not_run_is_not_found(
    script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        fake(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert exiftool.find() is None


def test_a_run_that_requires_it_is_refused_without_it(
    config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exiftool, "find", lambda: None)
    with pytest.raises(ConfigError, match="libimage-exiftool-perl"):
        exiftool.check(config(metadata={"second_reader": "require"}))
    for choice in ("auto", "off"):
        exiftool.check(config(metadata={"second_reader": choice}))


def test_a_run_that_requires_it_starts_with_it(
    config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exiftool, "find", lambda: ExifTool("/usr/bin/exiftool", "13.25"))
    exiftool.check(config(metadata={"second_reader": "require"}))


def test_a_run_can_do_without_it(config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exiftool, "find", lambda: ExifTool("/usr/bin/exiftool", "13.25"))
    assert exiftool.wanted(config(metadata={"second_reader": "off"})) is None
    assert exiftool.wanted(config(metadata={"second_reader": "auto"})) is not None


def test_no_shell_sees_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, object]] = []
    real = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda *args, **how: seen.append(how) or real(*args, **how))
    exiftool.read(fake(tmp_path, "cat"), tmp_path, ["$(touch x)"])
    assert len(seen) == 1
    assert not seen[0].get("shell")
    assert not (tmp_path / "x").exists()
