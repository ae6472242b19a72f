"""How a user describes an ONNX face detector: a YAML file that says what goes in, what comes out, and whose it is.

Everything that can be wrong without the network is refused when the file is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from photo_anonymizer.modelfile import ModelFile, read_described
from photo_anonymizer.users_onnx import Colour, Layout, Three

Side = Annotated[int, Field(ge=16, le=8192)]
Column = Annotated[int, Field(ge=0, le=10_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Input(_Part):
    """What the network is given."""

    name: str | None = Field(None, description="Name of the input; empty: the only one.")
    size: tuple[Side, Side] | None = Field(
        None, description="Width and height (pixels); empty: any size, then the long side is detection.long_side_px."
    )
    multiple_of: int = Field(32, ge=1, le=256, description="Without 'size': sides are filled up to a multiple of it.")
    layout: Layout = "nchw"
    colour: Colour = "rgb"
    mean: Three = Field((0.0, 0.0, 0.0), description="Taken from every channel (0–255), in the order of 'colour'.")
    scale: Three = Field((1.0, 1.0, 1.0), description="Then every channel is multiplied by this.")
    fit: Literal["centre", "top_left", "stretch"] = Field(
        "centre", description="Where the scaled photo lies in the input; 'stretch' changes its proportions."
    )
    fill: int = Field(0, ge=0, le=255, description="Grey level around it, before mean and scale.")
    seen_face_px: int = Field(
        16, ge=4, le=1024, description="Height in the input from which faces are found; decides when tiles are needed."
    )


class Grid(_Part):
    """Cells of an anchor-free head: values are distances from a cell's centre, in strides."""

    stride: int = Field(ge=1, le=256, description="Side of a cell (pixels of the input).")
    per_cell: int = Field(1, ge=1, le=64, description="Candidates of one cell, one after the other.")
    offset: float = Field(0.0, ge=0, le=1, description="Where in its cell the centre is: 0 top left, 0.5 middle.")


class Values(_Part):
    """Columns of an output that holds one candidate a row."""

    output: str
    transposed: bool = Field(False, description="Candidates are columns of the output, not rows.")


class Boxes(Values):
    """Where the boxes are."""

    columns: tuple[Column, Column, Column, Column] = (0, 1, 2, 3)
    format: Literal["xyxy", "xywh", "cxcywh", "ltrb"] = Field(
        description="Two corners; corner and size; centre and size; or, with a grid, distances to the four sides."
    )
    unit: Literal["pixels", "relative"] = Field("pixels", description="Pixels of the input, or shares of its sides.")


class Scores(Values):
    """Where the scores are."""

    column: Column = 0
    sigmoid: bool = Field(False, description="The output is a logit: apply the logistic function.")


class Points(Values):
    """Where the landmarks are."""

    columns: tuple[Column, ...] = Field(
        tuple(range(10)),
        min_length=10,
        max_length=10,
        description="x and y of left eye, right eye, nose, left and right mouth corner, as seen in the picture.",
    )
    unit: Literal["pixels", "relative"] = "pixels"


class Head(_Part):
    """Candidates of one scale; most networks have one head."""

    boxes: Boxes
    scores: Scores
    landmarks: Points | None = None
    grid: Grid | None = None

    @model_validator(mode="after")
    def _grid_for_distances(self) -> Head:
        if (self.boxes.format == "ltrb") != (self.grid is not None):
            raise ValueError("boxes of format 'ltrb' need a grid, and only they")
        units = {self.boxes.unit, self.landmarks.unit if self.landmarks else "pixels"}
        if self.grid and units != {"pixels"}:
            raise ValueError("values of a grid are in strides: leave 'unit' out")
        return self


class Description(ModelFile):
    """A user's ONNX face detector."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="What it is called in tables and reports.")
    input: Input = Input()
    heads: tuple[Head, ...] = Field(min_length=1, max_length=16)
    threshold: float | None = Field(
        None, gt=0, le=1, description="Lowest score that counts; empty: detection.doubt_score."
    )
    overlap: float = Field(
        0.4, gt=0, le=1, description="Of two boxes that overlap by more (intersection over union) the better one stays."
    )


def read_description(path: Path) -> Description:
    """The description in a YAML file; see :func:`~photo_anonymizer.modelfile.read_described`."""
    return read_described(path, Description, "a user's detector")
