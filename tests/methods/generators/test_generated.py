"""Faces by a user's model in photos: in place, recorded, and another method's where the model fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from generatorcases import SPECKLED, SPECKLED_INPUTS, Told, described, noisy
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.methods import synthetic
from photo_anonymizer.methods.generators import paint
from photo_anonymizer.methods.generators.paint import check_generator, load_generator
from photo_anonymizer.methods.generators.protocol import Canvas, Scene
from photo_anonymizer.methods.ladder import Step, ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import OfferedDonors, Person, Subject
from photo_anonymizer.model.patch import Patch, compose
from photo_anonymizer.release.tables import public_parameters
from photo_anonymizer.software import deciding_versions, software_versions
from photo_anonymizer.stages import start_run
from subjects import subject

Made = Callable[..., Patch]


def rungs() -> tuple[Step, ...]:
    own = {"generator": "onnx", "generator_model": "/home/jane/my model.yaml"}
    return ladder(load_config({"source": "-", "method": "synthetic", "synthetic": own}), "synthetic")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """The patch that takes a subject's place when a generator answers in some way."""

    def make(
        generator: Any, someone: Subject | None = None, seed: int = 0, donors: OfferedDonors | None = None
    ) -> Patch:
        someone = someone or subject(120)
        monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
        monkeypatch.setattr(synthetic, "load_generator", lambda *_: generator)
        patch = patch_of(someone.rgb, someone.face, rungs()[0], 0.08, np.random.default_rng(seed), donors)
        assert patch is not None
        return patch

    return make


def of_the_mesh(someone: Subject, points: list[int] | slice = slice(None)) -> np.ndarray:
    """The hull of some points of the mesh in the region's box: bool (h, w)."""
    box = someone.region.box
    mask = np.zeros((box.height, box.width), np.uint8)
    inner = np.round(someone.mesh.points[points, :2] - (box.x0, box.y0)).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(inner), 1)
    return mask > 0


# the photo


def test_the_middle_of_the_face_is_replaced_entirely_and_nothing_beside_it(made: Made) -> None:
    someone = subject(120)
    patch = made(Told(noisy), someone)
    assert patch.author == "methods.synthetic"
    assert patch.alpha[of_the_mesh(someone, [33, 263, 1, 61, 291, 17, 9])].min() == 255
    assert patch.alpha[~cv2.dilate(of_the_mesh(someone).astype(np.uint8), np.ones((5, 5))).astype(bool)].max() == 0
    result = compose(someone.rgb, [patch])
    changed = np.argwhere((result != someone.rgb).any(axis=2))
    hull = cv2.convexHull(np.ascontiguousarray(someone.mesh.points[:, :2]))
    assert min(cv2.pointPolygonTest(hull, (float(x), float(y)), True) for y, x in changed[::7]) > -3


def test_what_the_generator_makes_is_what_is_shown(made: Made) -> None:
    """Bright where it was bright: the left half of the face here."""

    def halves(scene: Scene, rng: np.random.Generator) -> Canvas:
        shown = scene.picture.astype(np.float32)
        shown[:, : scene.side_px // 2] += 30
        return shown

    someone = subject(120, roll=0.0)
    patch = made(Told(halves), someone)
    left, right = (
        patch.pixels[of_the_mesh(someone, points)].mean() for points in ([50, 36, 205, 187], [280, 266, 425, 411])
    )
    assert left > right + 10


def test_it_is_told_where_other_features_shall_be_and_the_outline_as_it_is(made: Made) -> None:
    generator = Told(noisy)
    someone = subject(120)
    made(generator, someone)
    (scene,) = generator.shown
    own = someone.mesh.points[:, :2] @ scene.matrix[:, :2].T + scene.matrix[:, 2]
    away = np.linalg.norm(scene.points - own, axis=1)
    assert away[[10, 152, 234, 454]].max() < 0.01
    assert np.median(away[[33, 263, 61, 291, 1]]) > 0.4


def test_hair_over_the_forehead_stays(made: Made) -> None:
    photo = subject(200).rgb.copy()
    photo[:160, 235:] = (25, 20, 18)
    someone = subject(200, photo=photo)
    result = compose(photo, [made(Told(noisy, 128), someone)])
    strand = (slice(138, 150), slice(255, 268))
    assert np.abs(result[strand].astype(int) - photo[strand]).mean() < 25


def test_the_same_chance_makes_the_same_face_and_another_another(made: Made) -> None:
    first, again, other = (made(Told(noisy), seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.pixels, again.pixels)
    assert np.abs(first.pixels.astype(int) - other.pixels)[first.alpha == 255].mean() > 3


def test_a_person_who_shall_look_the_same_is_made_with_the_same_chance(made: Made) -> None:
    donors = OfferedDonors(None, frozenset(), Person(7, (0.0,) * 5))
    generator = Told(lambda scene, rng: noisy(scene, rng))
    for seed in (1, 2):
        made(generator, seed=seed, donors=donors)
    assert np.array_equal(generator.shown[0].points, generator.shown[1].points)


# the records


def test_the_records_say_which_model_it_was_and_not_where_it_lies(made: Made) -> None:
    parameters = public_parameters(made(Told(noisy)).parameters)
    assert (parameters["source"], parameters["model"]) == ("told", "ab" * 6)
    assert "jane" not in str(parameters)
    assert "k" not in parameters  # of donors, who are none here


def test_a_face_that_is_still_linked_gets_another_face_next() -> None:
    first, second = rungs()[:2]
    assert second.method == "synthetic"
    assert second.parameters["strength"] > first.parameters["strength"]


# what fails


def broken(scene: Scene, rng: np.random.Generator) -> Canvas:
    raise RuntimeError("out of memory at /home/jane/model")


def no_number(scene: Scene, rng: np.random.Generator) -> Canvas:
    shown = noisy(scene, rng)
    shown[5, 5] = np.nan
    return shown


def untouched(scene: Scene, rng: np.random.Generator) -> Canvas:
    return scene.picture.astype(np.float32)


def black(scene: Scene, rng: np.random.Generator) -> Canvas:
    return np.zeros(scene.picture.shape, np.float32)


def grey(scene: Scene, rng: np.random.Generator) -> Canvas:
    return noisy(scene, rng)[..., 0]


def oblong(scene: Scene, rng: np.random.Generator) -> Canvas:
    return noisy(scene, rng)[::2]


@pytest.mark.parametrize("answer", [broken, no_number, untouched, black, grey, oblong])
def test_where_it_fails_the_face_is_blurred_and_the_records_say_why(
    made: Made, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    someone = subject(120)
    patch = made(Told(answer), someone)
    assert patch.author == "methods.blur"
    assert (patch.parameters["instead_of"], patch.parameters["because"]) == ("synthetic", "generator_failed")
    assert patch.alpha.max() == 255
    assert "jane" not in caplog.text


def test_a_profile_is_not_shown_to_it(made: Made) -> None:
    generator = Told(noisy)
    assert made(generator, subject(120, yaw=1.0)).parameters["because"] == "profile_view"
    assert generator.shown == []


# before the first photo


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paint, "_LOADED", {})


def test_versions_of_its_packages_count_in_runs_that_ask_it_and_in_no_others() -> None:
    assert {"diffusers", "torch", "transformers"} <= set(deciding_versions("diffusers")) & set(
        software_versions("diffusers")
    )
    assert "torch" not in deciding_versions("onnx")


@pytest.mark.usefixtures("fresh")
def test_a_model_is_loaded_once(tmp_path: Path) -> None:
    path = str(described(tmp_path, SPECKLED, inputs=SPECKLED_INPUTS))
    assert load_generator("onnx", path) is load_generator("onnx", path)


@pytest.mark.usefixtures("fresh")
def test_a_run_without_a_usable_model_does_not_start(tmp_path: Path, config: Callable[..., RunConfig]) -> None:
    path = described(tmp_path, SPECKLED, inputs=SPECKLED_INPUTS, sha256="0" * 64)
    wanted = {"generator": "onnx", "generator_model": str(path)}
    with pytest.raises(ModelError, match="SHA-256 differs"):
        check_generator(config(method="synthetic", synthetic=wanted))
    check_generator(config(method="blur", synthetic=wanted))  # asks no generator


@pytest.mark.usefixtures("fresh")
def test_a_run_says_so_before_its_first_photo(
    tmp_path: Path, config: Callable[..., RunConfig], write_photo: Callable[..., Path]
) -> None:
    write_photo(tmp_path / "photos" / "a.png", np.zeros((8, 8, 3), np.uint8))
    wanted = {"generator": "onnx", "generator_model": str(tmp_path / "none.yaml")}
    with pytest.raises(ConfigError, match="cannot be read"):
        start_run(config(method="synthetic", synthetic=wanted), "run-1")


def test_both_the_runtime_and_the_model_are_named_or_neither() -> None:
    for half in ({"generator": "onnx"}, {"generator_model": "/home/jane/model.yaml"}):
        with pytest.raises(ConfigError, match="give both, or neither") as caught:
            load_config({"source": "-", "synthetic": half})
        assert "jane" not in str(caught.value)
