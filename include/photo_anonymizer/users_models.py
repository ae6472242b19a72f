"""The models that a user brings, as a release names them: beside the registered ones, with hash and licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from photo_anonymizer import donors
from photo_anonymizer.config import RunConfig
from photo_anonymizer.modelfile import ModelFile, read_model_file
from photo_anonymizer.reid.recognisers.user_onnx import NAME as USER_ONNX
from photo_anonymizer.reid.recognisers.user_onnx import read_description


class _Named(ModelFile):
    """What the descriptions of all models say, whatever else they hold."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def users_models(config: RunConfig) -> list[dict[str, Any]]:
    """The user's own models that a run works with, as ``run.json`` lists models; no paths.

    :raises ConfigError: a description or the bank cannot be read any more.
    """
    detection, synthetic = config.detection, config.synthetic
    models = []
    if "yunet" in detection.detector_names:
        models.append(_entry("yunet", detection.yunet_model, "faces: boxes and five landmarks"))
    if "user_onnx" in detection.detector_names:
        models.append(_entry("user_onnx", detection.user_model, "faces"))
    models += [
        _listed(f"{USER_ONNX}.{item.name}", item, "recogniser that attacks the result")
        for item in map(read_description, config.reid.user_recogniser_files)
    ]
    if config.chosen_method != "synthetic":
        return models
    if synthetic.generator != "none":
        use = "makes the faces that replace the original ones"
        models.append(_entry(f"generator.{synthetic.generator}", synthetic.generator_model, use))
    elif synthetic.bank and synthetic.donors in ("auto", "bank"):
        people = len(donors.bank_of(config))
        use = f"donor bank: {people} people, of whom new faces are averaged"
        models.append({**_entry("donor_bank", synthetic.bank, use), "people": people})
    return models


def _entry(name: str, description: str | None, use: str) -> dict[str, Any]:
    return _listed(name, read_model_file(Path(description or ""), _Named), use)


def _listed(name: str, model: ModelFile, use: str) -> dict[str, Any]:
    return {"name": name, "package": "user's own", "sha256": model.sha256, "licence": model.licence, "use": use}
