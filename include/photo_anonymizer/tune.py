"""Finds the weakest setting of a method that passes the attack on a sample, and writes it as configuration.

The guide's "start conservative and loosen": without evidence the conservative defaults stand; this is how evidence is
got. Settings are tried from the strongest to the weakest, and the search ends at the first that fails: what passes by
chance below one that failed is not trusted.

A sample proves little (0 of 60 faces linked leaves up to 6 % open), and the run's own gate judges the whole collection
again. What was found is written with its numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from photo_anonymizer.config import MethodName, RunConfig, load_config, merge, unflatten
from photo_anonymizer.consent import read_photo
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.imagefile import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import compose
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.reid.measure import Attack, empty_embeddings, measure
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import FacePairs, chip_of, load_recogniser
from photo_anonymizer.threads import threads_each

SETTINGS: dict[MethodName, tuple[dict[str, Any], ...]] = {
    "blur": tuple({"blur.cells": cells} for cells in (1, 2, 3, 4, 6, 8)),
    "pixelate": tuple({"pixelate.cells": cells} for cells in (1, 2, 3, 4, 6, 8)),
    "mask": tuple({"region.scale": scale} for scale in (1.8, 1.5, 1.35, 1.2)),
    "avatar": tuple({"region.scale": scale} for scale in (1.8, 1.5, 1.35, 1.2)),
    "feature_preserving": tuple({"feature_preserving.strength": value} for value in (1.5, 1.25, 1.0, 0.75, 0.5)),
    "synthetic": tuple({"synthetic.strength": strength} for strength in (1.5, 1.25, 1.0, 0.75, 0.5)),
}
"""What is tried, strongest first: the fields that change and their values."""
SMALLEST_FACE_PX = 24
"""Lower faces tell the recogniser nothing, and would make every setting look good."""
FEWEST_FACES = 20
"""Fewer prove nothing: 0 of 19 linked leaves 15 % open."""
QUALITY = 90


@dataclass(frozen=True)
class Sampled:
    """One photo of the sample and its faces."""

    rgb: Pixels
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Tried:
    """One setting and what the attack found."""

    setting: dict[str, Any]
    attack: Attack
    passed: bool


def tune(config: RunConfig, method: MethodName, photos: int) -> list[Tried]:
    """Tries the method's settings on a sample of the source, strongest first, until one fails.

    :param photos: how many are drawn, always the same ones from the same folder.
    :raises ConfigError: the source is no folder of photos, or the sample shows too few faces.
    """
    sample = list(sampled(config, photos))
    faces = sum(len(one.faces) for one in sample)
    if faces < FEWEST_FACES:
        raise ConfigError(
            f"the sample shows {faces} faces of {SMALLEST_FACE_PX} px and more, and fewer than {FEWEST_FACES} prove "
            "nothing; take a larger --sample or another folder"
        )
    recogniser = load_recogniser(config.reid.recogniser_names[0], threads_each(1))
    tried: list[Tried] = []
    for setting in SETTINGS[method]:
        attack = attacked(sample, _with(config, method, setting), method, recogniser)
        tried.append(Tried(setting, attack, passes(attack, config)))
        if not tried[-1].passed:
            break
    return tried


def weakest(tried: Sequence[Tried]) -> Tried | None:
    """The weakest setting that passed, if any did."""
    passed = [one for one in tried if one.passed]
    return passed[-1] if passed else None


def passes(attack: Attack, config: RunConfig) -> bool:
    """Does a result meet what the run's gate asks for, with no face linked at all?"""
    rank1, control = attack.rank1, attack.control.rate
    if attack.degenerate or control is None or control < config.reid.min_control_rate:
        return False
    above = (rank1.low or 0.0) - (rank1.chance or 0.0)
    return attack.linked.hits == 0 and above <= config.reid.max_rank1_excess


def sampled(config: RunConfig, photos: int) -> Iterator[Sampled]:
    """Photos of the source that show faces, drawn evenly; what cannot be read is passed over."""
    folder = Path(config.source).expanduser()
    if not folder.is_dir():
        raise ConfigError("tuning samples a local folder of photos; name one")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in random.Random(0).sample(paths, min(photos, len(paths))):
        try:
            rgb = read_photo(path, config)
        except (PhotoError, OSError):
            continue
        if faces := tuple(face for face in faces_of(rgb, config) if face.box.height >= SMALLEST_FACE_PX):
            yield Sampled(rgb, faces)


def attacked(sample: Sequence[Sampled], config: RunConfig, method: MethodName, recogniser: Recogniser) -> Attack:
    """What the naive attack finds in the sample, anonymized and encoded as it would be published."""
    step = ladder(config, method)[0]
    keys, chips = [], []
    for number, photo in enumerate(sample):
        patches = [
            patch_of(photo.rgb, face, step, config.region.feather, np.random.default_rng([number, at]))
            for at, face in enumerate(photo.faces)
        ]
        made = compose(photo.rgb, [patch for patch in reversed(patches) if patch])
        published = decode(encode(made, Encoding(format="jpeg", quality=QUALITY)))
        for face in photo.faces:
            keys.append((str(number), face.face_id))
            chips.append((chip_of(photo.rgb, face, recogniser), chip_of(published, face, recogniser)))
    original, after = (recogniser.embed(np.stack(column)) for column in zip(*chips, strict=True))
    mirrored = recogniser.embed(np.stack([before[:, ::-1] for before, _ in chips]))
    pairs = FacePairs(tuple(keys), original, mirrored, after)
    return measure(pairs, recogniser.name, recogniser.threshold, empty_embeddings(recogniser))


def written(found: Tried, method: MethodName) -> str:
    """The setting as a configuration file, with what it rests on."""
    linked, rank1 = found.attack.linked, found.attack.rank1
    evidence = (
        f"# Found by tuning on {linked.n} faces: {linked.hits} linked to their originals "
        f"(95 % interval up to {100 * (linked.high or 1):.1f} %),\n"
        f"# rank-1 {100 * (rank1.rate or 0):.1f} % at chance {100 * (rank1.chance or 0):.1f} %. "
        "The gate judges the whole collection again.\n"
    )
    return evidence + yaml.safe_dump({"method": method, **unflatten(found.setting)}, sort_keys=False)


def _with(config: RunConfig, method: MethodName, setting: dict[str, Any]) -> RunConfig:
    return load_config(merge(config.model_dump(), {"method": method}, unflatten(setting)))
