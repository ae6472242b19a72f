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
from pathlib import Path

import numpy as np
from measure_methods import embedded, strangers, within_others
from method_figures.subjects import Original, originals

from photo_anonymizer.config import load_config
from photo_anonymizer.donors import Lenders, donor_of
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import OfferedDonors
from photo_anonymizer.model.patch import compose
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser

HEAD = "| k | replaced | drawn instead | taken for the person | for a donor | for another person | two strangers |"


def main() -> None:
    """Prints a line for every k."""
    parser = argparse.ArgumentParser(description="Are averaged faces taken for a donor?")
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10])
    arguments = parser.parse_args()
    faces = [one for folder in arguments.photos for one in originals(folder)]
    recogniser = load_recogniser("dlib_resnet", 2)
    before = embedded(faces, recogniser)
    lenders = lenders_of(faces, before)
    print(f"{len(faces)} faces, {len(lenders.best)} people who lend\n\n{HEAD}", "|---" * 7 + "|", sep="\n")
    usual = strangers(before, faces, recogniser)
    for k in arguments.k:
        print(line(k, faces, before, lenders, recogniser, usual), flush=True)


def lenders_of(faces: Sequence[Original], embeddings: np.ndarray) -> Lenders:
    """The people who can lend, as a run tells them apart.

    :raises SystemExit: there are none.
    """
    found = [(donor_of(face.rgb, face.face), row) for face, row in zip(faces, embeddings, strict=True)]
    lending = sorted(((lent, row) for lent, row in found if lent), key=lambda pair: -pair[0].quality)
    if not lending:
        raise SystemExit("no face in those folders is seen well enough to lend anything")
    return Lenders.of(lending)


def line(
    k: int, faces: Sequence[Original], before: np.ndarray, lenders: Lenders, recogniser: Recogniser, usual: float
) -> str:
    """One row of the table."""
    config = load_config({"source": "-", "method": "synthetic", "synthetic": {"donors": "batch", "k": k}})
    step = ladder(config, "synthetic")[0]
    pool = lenders.pool()
    made, chips, to_donors = [], [], []
    for number, (face, row) in enumerate(zip(faces, before, strict=True)):
        excluded = frozenset(lenders.maybe(row))
        offer = OfferedDonors(pool, excluded)
        patch = patch_of(face.rgb, face.face, step, config.region.feather, np.random.default_rng(number), offer)
        if patch is None or "instead_of" in patch.parameters:
            continue
        made.append(number)
        chips.append(chip_of(compose(face.rgb, [patch]), face.face, recogniser))
        to_donors.append([own for at, own in enumerate(lenders.embeddings) if at not in excluded])
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
