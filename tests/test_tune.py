"""The weakest setting that passes on a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from skimage import data
from skimage.io import imsave

from photo_anonymizer import cli, tune
from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.reid.measure import Attack, measure
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.tune import SETTINGS, Sampled, Tried, attacked, passes, sampled, weakest, written

N = 40


def attack(linked: int = 0, *, known: bool = True, degenerate: bool = False) -> Attack:
    """A real measurement over made-up embeddings, in which so many faces stay where they were.

    :param known: the recogniser knows the originals in the mirror.
    """
    rng = np.random.default_rng(7)
    original = rng.normal(0, 0.07, (N, 128)).astype(np.float32)
    if degenerate:
        original[:] = 0.1
    published = rng.normal(0, 0.07, (N, 128)).astype(np.float32)
    published[:linked] = original[:linked] + np.float32(0.001)
    keys = tuple((f"p{number}", "f0000") for number in range(N))
    pairs = FacePairs(keys, original, original if known else original[::-1], published)
    return measure(pairs, "dlib_resnet", 0.6, np.zeros((1, 128), np.float32))


CONFIG = load_config({"source": "-"})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (attack(), True),
        (attack(linked=1), False),
        (attack(linked=20), False),
        (attack(known=False), False),
        (attack(degenerate=True), False),
    ],
)
def test_a_setting_passes_only_when_a_working_attack_finds_nobody(found: Attack, verdict: bool) -> None:
    assert passes(found, CONFIG) == verdict


def test_the_search_goes_from_strong_to_weak_and_ends_at_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def fake(_sample: Any, config: Any, _method: Any, _recogniser: Any) -> Attack:
        asked.append(config.pixelate.cells)
        return attack(linked=0 if config.pixelate.cells <= 3 else 2)

    someone = Sampled(np.zeros((8, 8, 3), np.uint8), tuple(range(40)))  # type: ignore[arg-type]
    monkeypatch.setattr(tune, "sampled", lambda *_: [someone])
    monkeypatch.setattr(tune, "attacked", fake)
    tried = tune.tune(CONFIG, "pixelate", 10)
    assert asked == [1, 2, 3, 4]
    found = weakest(tried)
    assert found is not None
    assert found.setting == {"pixelate.cells": 3}


def test_where_the_strongest_fails_nothing_is_found() -> None:
    assert weakest([Tried({"blur.cells": 1}, attack(linked=1), passed=False)]) is None


def test_what_is_found_is_written_as_configuration_with_its_numbers() -> None:
    text = written(Tried({"blur.cells": 3}, attack(), passed=True), "blur")
    assert yaml.safe_load(text) == {"method": "blur", "blur": {"cells": 3}}
    assert "0 linked to their originals (95 % interval up to 8.8 %)" in text
    load_config({"source": "-", **yaml.safe_load(text)})


@pytest.mark.parametrize("method", sorted(SETTINGS))
def test_every_setting_is_a_valid_configuration(method: Any) -> None:
    for setting in SETTINGS[method]:
        assert tune._with(CONFIG, method, setting).chosen_method == method


def test_every_method_can_be_tuned() -> None:
    from typing import get_args

    from photo_anonymizer.config import MethodName

    assert set(SETTINGS) == set(get_args(MethodName))


def test_too_few_faces_prove_nothing(tmp_path: Path) -> None:
    imsave(tmp_path / "one.png", data.astronaut())
    (tmp_path / "note.txt").write_text("no photo")
    with pytest.raises(ConfigError, match="shows 1 faces"):
        tune.tune(load_config({"source": str(tmp_path), "detection": {"effort": "fast"}}), "mask", 5)


def test_a_source_that_is_no_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="local folder"):
        list(sampled(load_config({"source": "s3://bucket"}), 5))


def test_a_clear_face_is_linked_and_a_masked_one_is_not(tmp_path: Path) -> None:
    imsave(tmp_path / "one.png", data.astronaut())
    config = load_config({"source": str(tmp_path), "detection": {"effort": "fast"}})
    sample = list(sampled(config, 1))
    recogniser = tune.load_recogniser("dlib_resnet", 1)
    assert attacked(sample, config, "mask", recogniser).linked.hits == 0
    weak = load_config({"source": "-", "blur": {"cells": 8, "levels": 64, "noise": 0, "sigma": 0.1}})
    clear = attacked(sample, weak, "blur", recogniser)
    assert clear.control.hits == 1
    assert clear.same_photo != attacked(sample, config, "mask", recogniser).same_photo


def test_the_command_prints_every_try_and_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = [Tried({"mask.x": 1}, attack(), passed=True), Tried({"mask.x": 2}, attack(linked=3), passed=False)]
    monkeypatch.setattr(tune, "tune", lambda *_: tries)
    (tmp_path / "photos").mkdir()
    assert cli.main(["tune", str(tmp_path / "photos"), "--write", str(tmp_path / "tuned.yaml")]) == 0
    said = capsys.readouterr().out
    assert "passes  mask.x=1" in said
    assert "3 of 40 faces linked" in said
    assert yaml.safe_load((tmp_path / "tuned.yaml").read_text())["method"] == "mask"


def test_the_command_says_when_nothing_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tune, "tune", lambda *_: [Tried({"mask.x": 1}, attack(linked=1), passed=False)])
    assert cli.main(["tune", str(tmp_path), "--write", str(tmp_path / "t.yaml")]) == cli.EXIT_REFUSED
    assert not (tmp_path / "t.yaml").exists()
