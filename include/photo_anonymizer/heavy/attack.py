"""Attacks that learn, on a sample of the source: parrot (A2), restoration by learning (A3), linkage (A4).

The sample is anonymized as configured, on the ladder's first rung, and once more behind a solid mask: what is found
there hair, clothes and background give away, and only what goes beyond it is the method's. People are split into
halves; each is attacked by somebody who learned from the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy.figure import FLOOR, Figure, over_floor
from photo_anonymizer.heavy.publishing import Photo, probes_of
from photo_anonymizer.heavy.result import HeavyAttack, HeavyResult, OverFloor, now, settings_digest
from photo_anonymizer.heavy.sample_size import SAMPLE
from photo_anonymizer.heavy.sampling import SEED, SMALLEST_FACE_PX, sampled
from photo_anonymizer.heavy.seeing import Remembering
from photo_anonymizer.reid.attacks.linkage import Linkage
from photo_anonymizer.reid.attacks.parrot import Parrot
from photo_anonymizer.reid.attacks.protocol import Attack, AttackResult, Labels, Probes, Setting
from photo_anonymizer.reid.attacks.restoration import Restoration
from photo_anonymizer.reid.attacks.restorers import RESTORERS
from photo_anonymizer.reid.attacks.restorers.quick import QUICK
from photo_anonymizer.reid.identities import Identities, identities
from photo_anonymizer.reid.measure import empty_embeddings
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import FacePairs, chip_of, recognisers_of
from photo_anonymizer.threads import threads_each

DRAWS = 3
"""How often the attacker anonymizes every photo with chance of his own."""


def attack_method(config: RunConfig, photos: int = SAMPLE) -> HeavyResult:
    """Attacks the configured method on a sample of the source.

    :param photos: how many are drawn, always the same ones from the same folder.
    :raises ConfigError: the source is no folder of photos, or shows too few people with several photos.
    :raises SourceError: it does not exist.
    """
    sample = [photo for photo in sampled(config, photos) if photo.largest.box.height >= SMALLEST_FACE_PX]
    if not sample:
        raise ConfigError(
            f"none of the {photos} photos that were drawn shows a face of {SMALLEST_FACE_PX} px and more; "
            "take a larger sample or another folder"
        )
    recognisers = recognisers_of(config.reid, threads_each(1))
    who = people_of(sample, recognisers[0], config)
    people = people_labels(who, sample)
    method = config.chosen_method
    eyes: dict[str, Remembering] = {}
    attacked, floor = (
        _attacked(probes_of(sample, people, name, config, recognisers, DRAWS, SEED), recognisers, eyes)
        for name in (method, FLOOR)
    )
    return HeavyResult(
        method=method,
        settings_sha256=settings_digest(config, method),
        made_at=now(),
        photos=len(sample),
        people=len(set(people.tolist())),
        identities=who.said_by,
        attacks=tuple(_told(one, behind) for one, behind in zip(attacked, floor, strict=True)),
    )


def keys_of(sample: Sequence[Photo]) -> list[tuple[str, str]]:
    """A key for the largest face of every photo: its number, so that no id is needed."""
    return [(str(number), photo.largest.face_id) for number, photo in enumerate(sample)]


def people_of(sample: Sequence[Photo], recogniser: Recogniser, config: RunConfig) -> Identities:
    """Who is the same person in the sample."""
    keys = keys_of(sample)
    rows = recogniser.embed(np.stack([chip_of(photo.rgb, photo.largest, recogniser) for photo in sample]))
    if not np.isfinite(rows).all():
        raise ConfigError(f"{recogniser.name} gives no numbers for these faces; check its description")
    folders = dict(zip(keys, (photo.person for photo in sample), strict=True))
    several = folders if len(set(folders.values())) > 1 else {}
    pairs = FacePairs(tuple(keys), rows, rows, rows)
    return identities(pairs, recogniser.threshold, empty_embeddings(recogniser), set(), several, config.reid.identities)


def people_labels(who: Identities, sample: Sequence[Photo]) -> Labels:
    """A number from 0 for the person of every photo's largest face: int (n,)."""
    return np.unique([who.people[key] for key in keys_of(sample)], return_inverse=True)[1].astype(np.int64)


def _attacked(
    made: dict[str, Probes], recognisers: Sequence[Recogniser], eyes: dict[str, Remembering]
) -> list[AttackResult]:
    """Results in the same order every time; those that need no recogniser are there once."""
    attacks: list[Attack] = [Parrot(), Restoration([name for name in RESTORERS if name not in QUICK]), Linkage()]
    found: dict[tuple[str, str], AttackResult] = {}
    for recogniser in recognisers:
        probes = made[recogniser.name]
        seeing = eyes.setdefault(recogniser.name, Remembering(recogniser, probes.original))
        for attack in attacks:
            for result in attack.measure(probes, Setting(seeing, SEED)):
                found.setdefault((result.attack, result.recogniser), result)
    return list(found.values())


def _told(one: AttackResult, behind: AttackResult) -> HeavyAttack:
    figure, floor = Figure.of([one]), Figure.of([behind])
    useless = one.degenerate or behind.degenerate or not (figure.attacked & floor.attacked).any()
    return HeavyAttack(
        attack=one.attack,
        recogniser=one.recogniser,
        found=figure.rate,
        floor=floor.rate,
        over_floor=None if useless else _over(figure, floor),
        bounded=one.attack.startswith(("A2", "A3")),
    )


def _over(figure: Figure, floor: Figure) -> OverFloor:
    middle, low, high = over_floor(figure, floor)
    return OverFloor(middle=middle, low=low, high=high)
