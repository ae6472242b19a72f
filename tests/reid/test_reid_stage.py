"""What is embedded of a run's faces, by whom, and where it is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faces import face
from photo_anonymizer.config import ReidConfig, RunConfig
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.attacks.restorers.quick import quick_looks
from photo_anonymizer.reid.recognisers.lbp import Lbp
from photo_anonymizer.reid.stage import (
    embeddings_folder,
    looks_of,
    read_pairs,
    read_restored,
    recognisers_of,
    remove_embeddings,
    see,
    write_pairs,
    write_restored,
)
from photo_anonymizer.stages import start_run
from photo_anonymizer.vault import Vault
from pipeline_run import rendered_and_attacked, small_config
from recognisercases import cells, described
from sealing import sealed


def names(config: ReidConfig) -> list[str]:
    return [recogniser.name for recogniser in recognisers_of(config, 1)]


def test_dlib_attacks_unless_others_are_named() -> None:
    assert names(ReidConfig()) == ["dlib_resnet"]
    assert names(ReidConfig(recognisers="lbp,dlib_resnet,lbp")) == ["lbp", "dlib_resnet"]


def test_any_number_of_the_users_own_attack_too(tmp_path: Path) -> None:
    own = [described(tmp_path, cells(), name) for name in ("one", "two")]
    config = ReidConfig(user_recognisers=f"{own[0]}, {own[1]}")
    assert names(config) == ["dlib_resnet", "user_onnx.one", "user_onnx.two"]


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    own = described(tmp_path, cells())
    with pytest.raises(ConfigError, match=r"user_onnx\.tiny is there twice"):
        recognisers_of(ReidConfig(user_recognisers=f"{own},{own}"), 1)


@pytest.mark.parametrize(
    ("reid", "error", "problem"),
    [
        ({"recognisers": "facenet"}, ConfigError, "unknown recogniser 'facenet'"),
        ({"user_recognisers": "missing.yaml"}, ConfigError, "cannot be read"),
    ],
)
def test_no_run_starts_with_a_recogniser_that_cannot_be_loaded(
    config: Callable[..., RunConfig], astronaut: np.ndarray, write_photo, tmp_path: Path, reid, error, problem
) -> None:
    chosen = config(reid=reid)
    write_photo(tmp_path / "photos" / "a.png", astronaut[:64, :64])
    with pytest.raises(error, match=problem):
        start_run(chosen, "run-1")
    assert not (tmp_path / "out" / "workspace").exists()


def test_no_run_starts_with_an_altered_model(
    config: Callable[..., RunConfig], astronaut: np.ndarray, write_photo, tmp_path: Path
) -> None:
    own = described(tmp_path, cells())
    (tmp_path / "tiny.onnx").write_bytes(b"something else")
    write_photo(tmp_path / "photos" / "a.png", astronaut[:64, :64])
    with pytest.raises(ModelError, match="SHA-256 differs"):
        start_run(config(reid={"user_recognisers": str(own)}), "run-1")


def record(*faces) -> PhotoRecord:
    return PhotoRecord(photo_id="one", source_uri="file:///one.jpg", faces=faces)


def test_what_is_kept_of_a_face_is_read_back(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 2, 16)).astype(np.float32)
    two = record(face(0, 0, 20, 30), face(40, 0, 20, 30, face_id="f0001"))
    write_pairs(sealed(tmp_path), two, *rows)
    found = read_pairs(sealed(tmp_path), [two])
    assert found.keys == (("one", "f0000"), ("one", "f0001"))
    assert found.blank is not None
    np.testing.assert_array_equal(np.stack([found.original, found.mirrored, found.published, found.blank]), rows)


def test_a_run_leaves_no_readable_embedding_in_the_vault(tmp_path: Path) -> None:
    run = rendered_and_attacked(small_config(tmp_path))
    folder = embeddings_folder(run, "dlib_resnet")
    pairs = read_pairs(folder, run.all_records("embed_faces"))
    assert len(pairs.keys) == 2
    vault = b"".join(path.read_bytes() for path in Vault.of(run.config).path.rglob("*") if path.is_file())
    numbers = [rows[0, at : at + 2].tobytes() for rows in (pairs.original, pairs.published) for at in range(127)]
    assert not [eight_bytes for eight_bytes in numbers if eight_bytes in vault]
    remove_embeddings(run)
    assert not list(folder.path.parent.parent.glob("embeddings*"))


def test_only_of_a_face_that_the_edge_cuts_off_there_is_an_empty_picture_of_its_own(astronaut: np.ndarray) -> None:
    whole, cut_off = face(180, 60, 90, 120), face(-40, 60, 90, 120, face_id="f0001")
    published, blank = see(astronaut, [whole, cut_off], Lbp()).embedded(Lbp())
    assert np.isfinite(published).all()
    assert np.isnan(blank[0]).all()
    assert np.isfinite(blank[1]).all()


def test_a_face_of_one_colour_is_its_own_empty_picture(astronaut: np.ndarray) -> None:
    covered = np.full_like(astronaut, 192)
    published, blank = see(covered, [face(-40, 60, 90, 120)], Lbp()).embedded(Lbp())
    np.testing.assert_allclose(blank, published, atol=0.02)
    published, blank = see(astronaut, [face(-40, 60, 90, 120)], Lbp()).embedded(Lbp())
    assert np.linalg.norm(blank - published) > 0.3


def test_restored_rows_are_kept_side_by_side_and_read_by_look(tmp_path: Path) -> None:
    record = PhotoRecord(photo_id="p", source_uri="file:///p.jpg", faces=(face(0, 0, 60, 80),))
    known, blank = np.ones((1, 4), np.float32), np.full((1, 4), np.nan, np.float32)
    looks = {"one": np.full((1, 4), 2, np.float32), "two": np.full((1, 4), 3, np.float32)}
    write_restored(sealed(tmp_path), record, known, known, [(rows, blank) for rows in looks.values()])
    found = read_restored(sealed(tmp_path), [record], list(looks))
    assert list(found) == list(looks)
    for look, pairs in found.items():
        np.testing.assert_array_equal(pairs.published, looks[look])
        np.testing.assert_array_equal(pairs.original, known)
        assert pairs.blank is not None
        assert np.isnan(pairs.blank).all()


def test_a_run_without_restoration_looks_at_faces_as_they_are() -> None:
    assert looks_of(ReidConfig(attacks="naive,cross_photo")) == ()
    assert looks_of(ReidConfig()) == tuple(quick_looks())


def test_faces_seen_in_several_ways_at_once_are_as_seen_one_after_the_other(astronaut: np.ndarray) -> None:
    """With and without a face that the photo's edge cuts off."""
    for faces in ([face(175, 60, 105, 130)], [face(175, 60, 105, 130), face(-40, 60, 90, 120)]):
        seen = see(astronaut, faces, Lbp())
        looks = ["", *quick_looks()]
        for look, (published, blank) in zip(looks, seen.restored(Lbp(), looks), strict=True):
            ((alone, alone_blank),) = seen.restored(Lbp(), [look])
            np.testing.assert_allclose(published, alone, atol=1e-6)
            np.testing.assert_allclose(blank, alone_blank, atol=1e-6)
            assert np.isfinite(blank).all(axis=1).tolist() == seen.at_edge.tolist()
        assert not np.allclose(seen.restored(Lbp(), ["wiener"])[0][0], seen.embedded(Lbp())[0])
