"""The weakest setting that passes the gate's attacks on a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from skimage import data
from skimage.io import imsave

from faces import face, noise_picture
from photo_anonymizer import cli, tune
from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy.publishing import Photo
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.measure import Attacks, measure
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import rate
from photo_anonymizer.tune import SETTINGS, Bench, Tried, refusals, weakest, written
from reid.attacks.drawn import Thumbnails

N = 40
RECORDS = [
    PhotoRecord(photo_id=f"p{number}", source_uri=f"p{number}", faces=(face(0, 0, 50, 60),)) for number in range(N)
]


def attacks(linked: int = 0, *, restored: int = 0, known: bool = True, degenerate: bool = False) -> Attacks:
    """A real measurement over made-up embeddings, in which so many faces stay where they were.

    :param restored: faces that only restoration links.
    :param known: the recogniser knows the originals in the mirror.
    """
    rng = np.random.default_rng(7)
    original = rng.normal(0, 0.07, (N, 128)).astype(np.float32)
    if degenerate:
        original[:] = 0.1
    published = rng.normal(0, 0.07, (N, 128)).astype(np.float32)
    published[:linked] = original[:linked] + np.float32(0.001)
    keys = tuple((record.photo_id, "f0000") for record in RECORDS)
    pairs = FacePairs(keys, original, original if known else original[::-1], published)
    found = measure(pairs, "dlib_resnet", 0.6, np.zeros((1, 128), np.float32))
    return Attacks(
        linked=rate(max(linked, restored), N),
        linked_by_person=None,
        by_recogniser={"dlib_resnet": found},
        by_attack={"naive": rate(linked, N), "cross_photo": rate(0, N), "restoration": rate(restored, N)},
    )


CONFIG = load_config({"source": "-"})


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        (attacks(), ""),
        (attacks(linked=1), "naive: more than 0.0% of the faces are linked"),
        (attacks(restored=1), "restoration: more than 0.0% of the faces are linked"),
        (attacks(known=False), "no recogniser knows 80% of the original faces in the mirror"),
        (attacks(degenerate=True), "no recogniser tells the originals apart"),
    ],
)
def test_a_setting_passes_where_the_gate_would_let_it_pass(found: Attacks, refused: str) -> None:
    said = refusals(RECORDS, found, CONFIG)
    assert bool(said) == bool(refused)
    assert refused in " ".join(said)


def test_no_bound_that_a_run_may_loosen_lets_a_linked_face_pass() -> None:
    loose = load_config({"source": "-", "reid": {"max_linked_rate": 0.5}})
    assert refusals(RECORDS, attacks(linked=1), loose)


def test_the_search_goes_from_strong_to_weak_and_ends_at_the_first_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Fake:
        records = RECORDS

        def __init__(self, *_: Any) -> None: ...

        def attacked(self, config: Any, _method: Any) -> Attacks:
            asked.append(config.pixelate.cells)
            return attacks(linked=0 if config.pixelate.cells <= 3 else 2)

    crowd = Photo(np.zeros((8, 8, 3), np.uint8), tuple(face(0, 0, 50, 60) for _ in range(40)), "")
    monkeypatch.setattr(tune, "sampled", lambda *_: [crowd])
    monkeypatch.setattr(tune, "Bench", Fake)
    tried = tune.tune(CONFIG, "pixelate", 10)
    assert asked == [1, 2, 3, 4]
    found = weakest(tried)
    assert found is not None
    assert found.setting == {"pixelate.cells": 3}


def test_where_the_strongest_fails_nothing_is_found() -> None:
    assert weakest([Tried({"blur.cells": 1}, attacks(linked=1), ("linked",))]) is None


def test_what_is_found_is_written_as_configuration_with_its_numbers() -> None:
    text = written(Tried({"blur.cells": 3}, attacks()), "blur")
    assert yaml.safe_load(text) == {"method": "blur", "blur": {"cells": 3}}
    assert "0 of 40 faces linked (naive 0 of 40, cross_photo 0 of 40, restoration 0 of 40)" in text
    assert "by dlib_resnet; the 95 % interval ends at 8.8 %" in text
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
        tune.tune(load_config({"source": str(tmp_path), "detection": {"effort": "fast"}}), "mask", 8)


# the attacks


class Second(Thumbnails):
    name = "second"


def people(count: int, photos_each: int) -> list[Photo]:
    """Drawn people, each with a small stranger behind them; a folder each."""
    made = []
    for person in range(count):
        for number in range(photos_each):
            rgb = noise_picture(120, 120, person).astype(int) + 2 * number
            faces = face(25, 20, 60, 80), face(95, 4, 14, 18, face_id="f0001")
            made.append(Photo(np.clip(rgb, 0, 255).astype(np.uint8), faces, f"person{person}"))
    return made


def bench(folder: Path, monkeypatch: pytest.MonkeyPatch, **reid: str) -> Bench:
    monkeypatch.setattr(tune, "recognisers_of", lambda *_: (Thumbnails(), Second()))
    return Bench(people(6, 2), load_config({"source": "-", "reid": {"identities": "folders", **reid}}), folder)


def test_every_face_is_attacked_by_every_recogniser_in_every_way_of_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bench(tmp_path, monkeypatch).attacked(CONFIG, "mask")
    assert found.linked.n == 6 * 2 * 2
    assert set(found.by_recogniser) == {"thumbnails", "second"}
    assert {name: one.n > 0 for name, one in found.by_attack.items()} == {
        "naive": True,
        "cross_photo": True,
        "restoration": True,
    }
    assert found.identities == "folders"


def test_an_attack_that_the_run_leaves_out_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = bench(tmp_path, monkeypatch, attacks="naive").attacked(CONFIG, "mask")
    assert set(found.by_attack) == {"naive"}


def test_every_setting_is_attacked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tested = bench(tmp_path, monkeypatch)
    weak = load_config({"source": "-", "pixelate": {"cells": 8, "levels": 64, "noise": 0, "surroundings": 0}})
    before = tested.attacked(CONFIG, "mask")
    assert tested.attacked(weak, "pixelate").linked.hits > before.linked.hits
    assert tested.attacked(CONFIG, "mask") == before


# the command


def test_the_command_prints_every_try_and_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries = [Tried({"mask.x": 1}, attacks()), Tried({"mask.x": 2}, attacks(linked=3), ("naive: too many",))]
    monkeypatch.setattr(tune, "tune", lambda *_: tries)
    (tmp_path / "photos").mkdir()
    assert cli.main(["tune", str(tmp_path / "photos"), "--write", str(tmp_path / "tuned.yaml")]) == 0
    said = capsys.readouterr().out
    assert "mask (auto, purpose unsure)" in said
    assert "passes  mask.x=1" in said
    assert "3 of 40 faces linked (naive 3 of 40" in said
    assert "\n        naive: too many\n" in said
    assert yaml.safe_load((tmp_path / "tuned.yaml").read_text())["method"] == "mask"


def test_the_command_says_when_nothing_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tune, "tune", lambda *_: [Tried({"mask.x": 1}, attacks(linked=1), ("linked",))])
    assert cli.main(["tune", str(tmp_path), "--write", str(tmp_path / "t.yaml")]) == cli.EXIT_REFUSED
    assert not (tmp_path / "t.yaml").exists()
