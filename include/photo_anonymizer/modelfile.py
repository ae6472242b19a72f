"""A model file that the user brings: where it is, its hash, its licence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from photo_anonymizer.config import read_config_file
from photo_anonymizer.errors import ConfigError, ModelError


def read_model_file(path: Path, kind: type[ModelFile] | None = None) -> ModelFile:
    """What a YAML file says about a model file; its ``path`` may be relative to the YAML file.

    :param kind: what it must be; ``None``: path, sha256 and licence, no more.
    :raises ConfigError: it cannot be read, or a field is missing or wrong.
    """
    values = read_config_file(path.expanduser())
    try:
        model = (kind or ModelFile).model_validate(values)
    except ValidationError as error:
        fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
        raise ConfigError(f"the description of a model file needs path, sha256 and licence; wrong: {fields}") from None
    return model.model_copy(update={"path": path.expanduser().parent / model.path.expanduser()})


Described = TypeVar("Described", bound="ModelFile")


def read_described(path: Path, kind: type[Described], use: str) -> Described:
    """The description of a model in a YAML file; a relative path of the model is looked for beside that file.

    :param use: what the model is, for messages, such as "a user's detector".
    :raises ConfigError: the file cannot be read or is not a description; the message names the fields.
    """
    path = path.expanduser()
    try:
        read = kind.model_validate(read_config_file(path))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'description'}: {item['msg']}" for item in error.errors()
        )
        raise ConfigError(f"the description of {use} is refused: {problems}") from None
    return read.model_copy(update={"path": path.parent / read.path.expanduser()})


class ModelFile(BaseModel):
    """A user's model file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="The model file.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Its SHA-256, 64 small hexadecimal digits.")
    licence: str = Field(min_length=1, description="The licence under which it is used; recorded in the release.")

    def read(self, use: str) -> bytes:
        """The file's bytes, verified.

        :param use: what the model is, for messages.
        :raises ModelError: it is missing, cannot be read or has another hash.
        """
        try:
            data = self.path.expanduser().read_bytes()
        except (OSError, RuntimeError):
            raise ModelError(f"the file of {use} cannot be read; correct its path in the configuration") from None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(
                f"the file of {use} is not the one the configuration names (its SHA-256 differs); "
                "get the right file, or correct sha256 if you trust this one"
            )
        return data
