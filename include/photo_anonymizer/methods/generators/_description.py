"""What the descriptions of all generators say, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from photo_anonymizer.config import read_config_file
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.modelfile import ModelFile


class Description(ModelFile):
    """A user's generator: its file or folder, hash, licence, and the squares that it works on."""

    size_px: int = Field(ge=32, le=2048, multiple_of=8, description="Side of the square that it works on (pixels).")
    margin: float = Field(
        1.6, ge=1.1, le=4, description="Side of the square in heights of the face: how much around it is shown."
    )


Described = TypeVar("Described", bound=Description)


def read_description(path: Path, kind: type[Described]) -> Described:
    """The description in a YAML file; a relative path of the model is looked for beside that file.

    :raises ConfigError: the file cannot be read or is not a description; the message names the fields.
    """
    path = path.expanduser()
    try:
        read = kind.model_validate(read_config_file(path))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'description'}: {item['msg']}" for item in error.errors()
        )
        raise ConfigError(f"the description of a generator is refused: {problems}") from None
    return read.model_copy(update={"path": path.parent / read.path.expanduser()})
