"""Photos as a run would publish them, and the faces cut out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from photo_anonymizer.config import MethodName, RunConfig
from photo_anonymizer.methods.ladder import Step, ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.patch import Patch, compose
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.reid.align import align
from photo_anonymizer.reid.attacks.linkage import SIZE_PX, TEMPLATE
from photo_anonymizer.reid.attacks.prints import Prints, print_of
from photo_anonymizer.reid.attacks.protocol import Labels, Probes
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of

QUALITY = 90
CLEAR = "none"
"""No method at all: the control, in which an attack that works finds nearly everybody."""
PUBLISHED = 0
"""The draw of chance that is published; later ones are the attacker's own."""
HEAD = 1.6
"""What no method reaches beyond, relative to the box of an upright face."""


@dataclass(frozen=True)
class Photo:
    """One photo that shows somebody.

    :param faces: all that a run finds and anonymizes.
    :param person: whom the largest of them shows; "" where that is still to be estimated.
    """

    rgb: Pixels
    faces: tuple[Face, ...]
    person: str

    @property
    def largest(self) -> Face:
        """The face that is attacked."""
        return max(self.faces, key=lambda face: face.box.height)


def probes_of(
    photos: Sequence[Photo],
    people: Labels,
    method: str,
    config: RunConfig,
    recognisers: Sequence[Recogniser],
    draws: int,
    seed: int,
) -> dict[str, Probes]:
    """The largest face of every photo before and after a method, for every recogniser by its name.

    :param draws: how often the attacker anonymizes every photo with chance of his own.
    """
    step = None if method == CLEAR else ladder(config, cast(MethodName, method))[0]
    cut: dict[str, list[list[Pixels]]] = {recogniser.name: [] for recogniser in recognisers}
    context, prints, treatments = [], [], []
    for number, photo in enumerate(photos):
        pictures = []
        for draw in range(draws + 1):
            picture, patches = published(photo, step, config.region.feather, (seed, draw, number))
            pictures.append(picture)
            if draw == PUBLISHED:
                context.append(_context(picture, photo))
                prints.append(print_of(picture, head_boxes(photo)))
                treatments.append(_treatment(photo, patches))
        for recogniser in recognisers:
            shown = [photo.rgb, *pictures]
            cut[recogniser.name].append([chip_of(picture, photo.largest, recogniser) for picture in shown])
    chips = {name: np.stack([np.stack(row) for row in rows], axis=1) for name, rows in cut.items()}
    return {
        name: Probes(
            original=stacks[0],
            published=stacks[1],
            enrolled=stacks[2:],
            context=np.stack(context),
            people=people,
            photos=np.arange(len(photos)),
            prints=Prints.of(prints),
            treatments=tuple(treatments),
        )
        for name, stacks in chips.items()
    }


def published(photo: Photo, step: Step | None, feather: float, seed: tuple[int, ...]) -> tuple[Pixels, list[Patch]]:
    """The photo as it would be published, every face with chance of its own, and its edits.

    :param seed: of this photo and draw.
    """
    if step is None:
        return as_jpeg(photo.rgb), []
    made = [
        patch_of(photo.rgb, face, step, feather, np.random.default_rng((*seed, place)))
        for place, face in reversed(list(enumerate(photo.faces)))
    ]
    patches = [patch for patch in made if patch]
    return as_jpeg(compose(photo.rgb, patches)), patches


def as_jpeg(rgb: Pixels) -> Pixels:
    """The picture after JPEG encoding at quality 90: uint8 (H, W, 3)."""
    _, encoded = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))[..., ::-1]


def head_boxes(photo: Photo) -> list[PixelBox]:
    """What does not count in a photo's print: every face with what a method may change around it."""
    size_wh = photo.rgb.shape[1], photo.rgb.shape[0]
    covers = [face.box.scaled(HEAD).cover(size_wh) for face in photo.faces]
    return [cover for cover in covers if cover]


def _context(picture: Pixels, photo: Photo) -> Pixels:
    try:
        return align(np.ascontiguousarray(picture), photo.largest.landmarks.points, TEMPLATE, SIZE_PX)
    except ValueError:
        return np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)


def _treatment(photo: Photo, patches: Sequence[Patch]) -> str:
    """Who changed the face that is attacked."""
    own = [patch.author for patch in patches if patch.face_id == photo.largest.face_id]
    return own[-1] if own else "kept"
