"""Are averaged faces taken for one of those who lent them features? For several k, beside how often strangers are.

    .venv/bin/python scripts/measure_donors.py PHOTOS [PHOTOS …] [--k 5 10]

PHOTOS are folders. Every face that lends in a run with ``synthetic.donors: batch`` lends here; each face of 32 px and
more that is beyond doubt is replaced by a mean of k of the others, as a run's first step would. Recognition is dlib's,
told where the original's landmarks were. Only people of other folders count as others; in a folder without sub-folders,
all other faces do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure_methods import embedded, strangers, within_others
from method_figures.subjects import Original, originals

from photo_anonymizer.config import load_config
from photo_anonymizer.donors import MAYBE_SAME_PERSON, Lent, grouped, lent_by
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import OfferedDonors
from photo_anonymizer.methods.surrogate.donors import DonorPool
from photo_anonymizer.model.patch import compose
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser

HEAD = "| k | replaced | drawn instead | taken for the person | for a donor | for another person | two strangers |"


@dataclass(frozen=True)
class Batch:
    """The people who lend.

    :param pool: one row a person.
    :param embeddings: of each person, the photos that could lend: float32 (photos, D).
    """

    pool: DonorPool
    embeddings: Sequence[np.ndarray]

    def excluded(self, embedding: np.ndarray) -> frozenset[int]:
        """Rows of people who may be this one."""
        nearest = [float(np.linalg.norm(own - embedding, axis=1).min()) for own in self.embeddings]
        return frozenset(row for row, distance in enumerate(nearest) if distance < MAYBE_SAME_PERSON)


def main() -> None:
    """Prints a line for every k."""
    parser = argparse.ArgumentParser(description="Are averaged faces taken for a donor?")
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10])
    arguments = parser.parse_args()
    faces = [one for folder in arguments.photos for one in originals(folder)]
    recogniser = load_recogniser("dlib_resnet", 2)
    before = embedded(faces, recogniser)
    batch = batch_of(faces, before)
    print(f"{len(faces)} faces, {len(batch.pool)} people who lend\n\n{HEAD}", "|---" * 7 + "|", sep="\n")
    usual = strangers(before, faces, recogniser)
    for k in arguments.k:
        print(line(k, faces, before, batch, recogniser, usual), flush=True)


def batch_of(faces: Sequence[Original], embeddings: np.ndarray) -> Batch:
    """One row for each of the people who can lend, told apart by the recogniser; of each the photo that is seen best.

    :raises SystemExit: nobody can.
    """
    lending = [(lent, row) for face, row in zip(faces, embeddings, strict=True) if (lent := _lent(face)) is not None]
    if not lending:
        raise SystemExit("no face in those folders is seen well enough to lend anything")
    lending.sort(key=lambda pair: -pair[0].quality)
    members: dict[int, list[tuple[Lent, np.ndarray]]] = {}
    for pair, person in zip(lending, grouped([row for _, row in lending]), strict=True):
        members.setdefault(person, []).append(pair)
    rows = [own[0][0] for own in members.values()]
    albedos, shapes, traits = (np.stack([getattr(row, name) for row in rows]) for name in ("albedo", "shape", "traits"))
    pool = DonorPool("batch", albedos, shapes, traits.astype(np.float32))
    return Batch(pool, [np.stack([row for _, row in own]) for own in members.values()])


def _lent(face: Original) -> Lent | None:
    lent = lent_by(face.rgb, face.face)
    return lent if isinstance(lent, Lent) else None


def line(
    k: int, faces: Sequence[Original], before: np.ndarray, batch: Batch, recogniser: Recogniser, usual: float
) -> str:
    """One row of the table."""
    config = load_config({"source": "-", "method": "synthetic", "synthetic": {"donors": "batch", "k": k}})
    step = ladder(config, "synthetic")[0]
    made, chips, to_donors = [], [], []
    for number, (face, row) in enumerate(zip(faces, before, strict=True)):
        excluded = batch.excluded(row)
        offer = OfferedDonors(batch.pool, excluded)
        patch = patch_of(face.rgb, face.face, step, config.region.feather, np.random.default_rng(number), offer)
        if patch is None or "instead_of" in patch.parameters:
            continue
        made.append(number)
        chips.append(chip_of(compose(face.rgb, [patch]), face.face, recogniser))
        to_donors.append([own for at, own in enumerate(batch.embeddings) if at not in excluded])
    if not made:
        return f"| {k} | 0 | {len(faces)} | – | – | – | {usual:.4f} |"
    after = recogniser.embed(np.stack(chips))
    own = np.linalg.norm(after.astype(float) - before[made], axis=1)
    donors = [
        float(np.linalg.norm(row - person[0]))
        for row, lenders in zip(after.astype(float), to_donors, strict=True)
        for person in lenders
    ]
    others = within_others(after, [faces[number] for number in made], before, faces, recogniser.threshold)
    shares = (float((np.asarray(some) <= recogniser.threshold).mean()) for some in (own, donors))
    return (
        f"| {k} | {len(made)} | {len(faces) - len(made)} | "
        + " | ".join(f"{share:.4f}" for share in (*shares, others, usual))
        + " |"
    )


if __name__ == "__main__":
    main()
