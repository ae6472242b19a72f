"""A release names the models that a user brought, with hash and licence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.methods.surrogate.donors import DonorPool
from photo_anonymizer.users_models import users_models


def describe(path: Path, data: bytes = b"model", **further: Any) -> str:
    """A model file and its description, whose path is returned."""
    path.write_bytes(data)
    values = {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "licence": "CC BY 4.0", **further}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(values))
    return str(path.with_suffix(".yaml"))


def bank(folder: Path, people: int = 12) -> str:
    shapes = np.repeat(mean_shape()[np.newaxis].astype(np.float32), people, axis=0)
    pool = DonorPool("bank", np.full((people, 256, 256, 3), 150, np.uint8), shapes, np.zeros((people, 5), np.float32))
    return describe(folder / "bank.npz", pool.to_bytes())


def named(**fields: Any) -> list[dict[str, Any]]:
    models = users_models(load_config({"source": "-", **fields}))
    assert all(len(model["sha256"]) == 64 and model["licence"] == "CC BY 4.0" for model in models)
    return models


def test_a_run_without_any_names_none() -> None:
    assert named(method="synthetic") == []


def test_a_bank_is_named_with_the_number_of_its_people(tmp_path: Path) -> None:
    (model,) = named(method="synthetic", synthetic={"bank": bank(tmp_path)})
    assert (model["name"], model["package"], model["people"]) == ("donor_bank", "user's own", 12)
    assert "12 people" in model["use"]
    assert model["sha256"] == hashlib.sha256((tmp_path / "bank.npz").read_bytes()).hexdigest()
    assert str(tmp_path) not in str(model)


def test_a_generator_is_named_and_not_the_bank_that_it_replaces(tmp_path: Path) -> None:
    generator = describe(tmp_path / "face.onnx", size_px=64, output="made")
    own = {"bank": bank(tmp_path), "generator": "onnx", "generator_model": generator}
    assert [model["name"] for model in named(method="synthetic", synthetic=own)] == ["generator.onnx"]


def test_what_a_run_does_not_use_is_not_named(tmp_path: Path) -> None:
    own = {"bank": bank(tmp_path)}
    assert named(method="blur", synthetic=own) == []
    assert named(method="synthetic", synthetic={**own, "donors": "rendered"}) == []
    assert named(detection={"yunet_model": describe(tmp_path / "yunet.onnx")}) == []


def test_detectors_of_the_users_are_named(tmp_path: Path) -> None:
    models = named(
        detection={
            "detectors": "retinaface,yunet,user_onnx",
            "yunet_model": describe(tmp_path / "yunet.onnx"),
            "user_model": describe(tmp_path / "mine.onnx", name="mine"),
        }
    )
    assert [model["name"] for model in models] == ["yunet", "user_onnx"]


def test_a_description_that_is_gone_is_said(tmp_path: Path) -> None:
    own = bank(tmp_path)
    Path(own).unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        users_models(load_config({"source": "-", "method": "synthetic", "synthetic": {"bank": own}}))
