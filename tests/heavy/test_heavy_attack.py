"""Heavy attacks on a sample: what is drawn, who is who, and that attackers who can win do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faces import face, noise_picture
from photo_anonymizer import cli
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy import attack as module
from photo_anonymizer.heavy import sampling
from photo_anonymizer.heavy.attack import attack_method
from photo_anonymizer.heavy.result import FILE, HeavyResult, known
from photo_anonymizer.vault import Vault
from reid.attacks.drawn import Thumbnails

PEOPLE, PHOTOS_EACH = 4, 2


@pytest.fixture
def source(tmp_path: Path, write_photo) -> Path:
    """Noise, the same for each person: what the drawn recogniser knows them by."""
    folder = tmp_path / "photos"
    for person in range(PEOPLE):
        for number in range(PHOTOS_EACH):
            picture = noise_picture(120, 120, person).astype(int) + 2 * number
            write_photo(folder / f"person{person}" / f"{number}.png", np.clip(picture, 0, 255).astype(np.uint8))
    (folder / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(autouse=True)
def everybody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One face a photo, and a recogniser that is a thumbnail: nothing is loaded."""
    monkeypatch.setattr(sampling, "faces_of", lambda rgb, config: (face(25, 20, 60, 80),))
    monkeypatch.setattr(module, "recognisers_of", lambda config, threads: (Thumbnails(),))


def config(source: Path, **values: Any) -> RunConfig:
    return load_config({"source": str(source), "out": str(source.parent / "out"), "method": "pixelate", **values})


WEAK = {"pixelate": {"cells": 8, "levels": 64, "noise": 0}}


def test_too_few_people_are_refused(source: Path) -> None:
    with pytest.raises(ConfigError, match="people with at least two photos each"):
        attack_method(config(source, reid={"identities": "folders"}), 8)


def test_a_sample_without_a_face_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "faces_of", lambda rgb, config: ())
    with pytest.raises(ConfigError, match="shows a face of 24 px"):
        attack_method(config(source), 100)


@pytest.fixture
def weak(source: Path) -> HeavyResult:
    return attack_method(config(source, reid={"identities": "folders"}, **WEAK), 100)


def test_every_rung_is_told_and_linkage_is_not_judged(weak: HeavyResult) -> None:
    assert (weak.photos, weak.people, weak.identities) == (PEOPLE * PHOTOS_EACH, PEOPLE, "folders")
    assert {one.attack[:2] for one in weak.attacks if one.bounded} == {"A2", "A3"}
    assert {one.attack[:2] for one in weak.attacks if not one.bounded} == {"A4"}


def test_a_weak_method_is_opened_further_than_a_mask(weak: HeavyResult) -> None:
    enrolled = next(one for one in weak.attacks if one.attack == "A2 parrot, enrolled")
    assert (enrolled.found.hits, enrolled.found.n) == (PEOPLE * PHOTOS_EACH, PEOPLE * PHOTOS_EACH)
    assert enrolled.over_floor is not None


def test_the_mask_itself_is_its_own_floor(source: Path) -> None:
    found = attack_method(config(source, method="mask", reid={"identities": "folders"}), 100)
    assert all(one.found == one.floor for one in found.attacks)
    assert all(one.over_floor is None or one.over_floor.middle <= 0 for one in found.attacks)


def test_the_command_keeps_the_result_and_says_it(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(source.parent / "out")
    words = ["attack", str(source), "--out", out, "--method", "mask", "--sample", "100"]
    assert cli.main([*words, "--set", "reid.identities=folders"]) == cli.EXIT_DONE
    said = capsys.readouterr().out
    assert "mask: 8 photos of 4 people (folders)" in said
    assert re.search(r"^A2 parrot, enrolled .* within$", said, re.MULTILINE)
    asked = config(source, method="mask")
    vault = Vault.of(asked)
    assert known(asked, vault) is not None
    stored = (vault.path / FILE).read_text()
    assert not [name for name in ("person0", "f0000", str(source)) if name in stored]


@pytest.mark.parametrize("size", ["-1", "0", "5001"])
@pytest.mark.parametrize("command", ["attack", "tune"])
def test_the_commands_refuse_a_sample_of_no_size(
    source: Path, capsys: pytest.CaptureFixture[str], command: str, size: str
) -> None:
    assert cli.main([command, str(source), "--out", str(source.parent / "out"), "--sample", size]) == cli.EXIT_USAGE
    assert f"sample: {size} photos; ask for 8 to 5,000" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["attack", "tune"])
def test_the_sample_photos_are_not_offered_where_they_show_too_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert cli.main([command, "--out", str(tmp_path / "out")]) == cli.EXIT_USAGE
    assert "name a folder with photos" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "without it, sample photos" not in said
    assert "folder on this machine" in said
    assert "at most 10 of each" in said
