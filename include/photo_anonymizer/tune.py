"""Finds the weakest setting of a method that passes the gate's attacks on a sample, and writes it as configuration.

The guide's "start conservative and loosen": without evidence the conservative defaults stand; this is how evidence is
got. Settings are tried from the strongest to the weakest, and the search ends at the first that fails: what passes by
chance below one that failed is not trusted.

A setting is attacked as the gate would attack a run: every face, every recogniser, every attack of ``reid.attacks``,
judged by the same suite, with no face linked at all, because nothing climbs the ladder here.

A sample proves little (0 of 60 faces linked leaves up to 6 % open), and the run's own gate judges the whole collection
again. What was found is written with its numbers.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from photo_anonymizer.config import MethodName, RunConfig, load_config, merge, unflatten
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.escalation import Measured
from photo_anonymizer.gate.aggregates import tally
from photo_anonymizer.gate.suite import judge
from photo_anonymizer.heavy.publishing import Photo, published
from photo_anonymizer.heavy.sampling import SEED, SMALLEST_FACE_PX, sampled
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.attackers import Attacker, attack_all, find, identities_of
from photo_anonymizer.reid.measure import Attacks
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import RESTORED, known_of, looks_of, recognisers_of, write_pairs
from photo_anonymizer.sealed import SealedFolder
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
FEWEST_FACES = 20
"""Fewer prove nothing: 0 of 19 linked leaves 15 % open."""


@dataclass(frozen=True)
class Tried:
    """One setting, what the attacks found, and for what the gate would refuse it."""

    setting: dict[str, Any]
    attacks: Attacks
    refusals: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Would the gate let it pass?"""
        return not self.refusals


def tune(config: RunConfig, method: MethodName, photos: int) -> list[Tried]:
    """Tries the method's settings on a sample of the source, strongest first, until one fails.

    :param photos: how many are drawn, always the same ones from the same folder.
    :raises ConfigError: the source is no folder of photos, or the sample shows too few faces.
    :raises SourceError: it does not exist.
    """
    sample = list(sampled(config, photos))
    faces = sum(face.box.height >= SMALLEST_FACE_PX for photo in sample for face in photo.faces)
    if faces < FEWEST_FACES:
        raise ConfigError(
            f"the sample shows {faces} faces of {SMALLEST_FACE_PX} px and more, and fewer than {FEWEST_FACES} prove "
            "nothing; take a larger sample or another folder"
        )
    tried: list[Tried] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(sample, config, Path(folder))
        for setting in SETTINGS[method]:
            attacks = bench.attacked(_with(config, method, setting), method)
            tried.append(Tried(setting, attacks, refusals(bench.records, attacks, config)))
            if not tried[-1].passed:
                break
    return tried


def weakest(tried: Sequence[Tried]) -> Tried | None:
    """The weakest setting that passed, if any did."""
    passed = [one for one in tried if one.passed]
    return passed[-1] if passed else None


class Bench:
    """A sample as photos of a run, and every recogniser of the configuration, which knows the originals.

    :param folder: for the embeddings. They are encrypted, and their key is nowhere but here.
    """

    def __init__(self, sample: Sequence[Photo], config: RunConfig, folder: Path) -> None:
        self.photos = tuple(sample)
        self.records = [
            PhotoRecord(photo_id=f"{number}", source_uri=f"{photo.person}/{number}", faces=photo.faces)
            for number, photo in enumerate(self.photos)
        ]
        self._key = secrets.token_bytes(32)
        self._attackers = [
            self._attacker(recogniser, folder, looks_of(config.reid))
            for recogniser in recognisers_of(config.reid, threads_each(1))
        ]
        self._attacks = config.reid.attack_names
        self._who = identities_of(self._attackers, self.records, (), config.reid.identities)

    def _attacker(self, recogniser: Recogniser, folder: Path, looks: Sequence[str]) -> Attacker:
        own, restored = (SealedFolder.of(folder, f"{recogniser.name}{what}", self._key) for what in ("", RESTORED))
        for photo, record in zip(self.photos, self.records, strict=True):
            original, mirrored = known_of(photo.rgb, photo.faces, recogniser)
            # Until something is published the face is as it was; none is known to be cut off.
            write_pairs(own, record, original, mirrored, original, np.full_like(original, np.nan))
        return Attacker.of(recogniser, own, self.records, restored, looks)

    def attacked(self, config: RunConfig, method: MethodName) -> Attacks:
        """What the gate's attacks find in the sample, anonymized and encoded as it would be published."""
        step = ladder(config, method)[0]
        for number, (photo, record) in enumerate(zip(self.photos, self.records, strict=True)):
            picture, _ = published(photo, step, config.region.feather, (SEED, number))
            for attacker in self._attackers:
                attacker.look_at(record, picture)
        people = self._who.people if self._who else None
        found = find(self._attackers, self.records, self._attacks, people)
        return attack_all(self._attackers, self.records, {}, self._attacks, self._who, found)


def refusals(records: Sequence[PhotoRecord], attacks: Attacks, config: RunConfig) -> tuple[str, ...]:
    """For what the gate would refuse these photos, in its words, if no face may be linked; nothing: it would not.

    No sample is large enough for a proof, and attackers who learn are another command's.
    """
    bounds = config.reid.model_copy(update={"max_linked_rate": 0.0, "claim": "observed", "heavy": "off"})
    measured = Measured(
        before=attacks,
        after=attacks,
        rounds=0,
        faces_escalated=0,
        photos_held=0,
        photos_with_faces=len(records),
        photos_measured=len(records),
    )
    row = tally(
        inputs=len(records),
        records=records,
        edited_faces={record.photo_id: {face.face_id for face in record.faces} for record in records},
        files=(),
        measured=measured,
        consent=config.consent,
        asked=bounds.attack_names,
    )
    return tuple(judge([row], bounds).refusals)


def in_words(attacks: Attacks) -> str:
    """``2 of 60 faces linked (naive 1 of 60, cross_photo 0 of 44, restoration 2 of 60)``."""
    each = ", ".join(f"{name} {found.hits} of {found.n}" for name, found in attacks.by_attack.items())
    return f"{attacks.linked.hits} of {attacks.linked.n} faces linked ({each})"


def written(found: Tried, method: MethodName) -> str:
    """The setting as a configuration file, with what it rests on."""
    attacks = found.attacks
    evidence = (
        f"# Found by tuning on a sample: {in_words(attacks)}\n"
        f"# by {', '.join(attacks.by_recogniser)}; the 95 % interval ends at {100 * (attacks.linked.high or 1):.1f} %. "
        "The gate judges the whole collection again.\n"
    )
    return evidence + yaml.safe_dump({"method": method, **unflatten(found.setting)}, sort_keys=False)


def _with(config: RunConfig, method: MethodName, setting: dict[str, Any]) -> RunConfig:
    return load_config(merge(config.model_dump(), {"method": method}, unflatten(setting)))
