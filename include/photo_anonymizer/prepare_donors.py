"""Makes a bank of donors out of portraits, for ``synthetic.bank``.

    python -m photo_anonymizer.prepare_donors PORTRAITS --out FOLDER --licence TEXT --consent TEXT

PORTRAITS holds photos of people who agreed to lend their features, or generated ones: several of one person in a
folder of their own, else one file a person. Of each person the clearest usable portrait becomes one row. FOLDER then
holds ``bank.npz`` (unrolled faces without light, and where features are: no picture, no name), ``bank.yaml``, which
``synthetic.bank`` names, and ``CARD.md``, which says what it is.

Two names whom the recogniser takes for one person become one row: the rule of k-Same, that nobody has more than 1.25/k
of an averaged face, counts people.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from photo_anonymizer import __version__
from photo_anonymizer.config import RunConfig, SyntheticConfig, load_config
from photo_anonymizer.consent import photos_by_person, read_photo
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.donors import DONOR_FROM_PX, RECOGNISER, Embeddings, Lent, grouped, lent_by
from photo_anonymizer.errors import ConfigError, PhotoAnonymizerError, PhotoError, SourceError
from photo_anonymizer.files import published_folder
from photo_anonymizer.methods.surrogate.donors import DonorPool
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser
from photo_anonymizer.threads import threads_each

BANK, DESCRIPTION, CARD = "bank.npz", "bank.yaml", "CARD.md"
FEWEST = 5
"""People below which no run could use the bank: the least ``synthetic.k``."""
MEANT = 0.5
"""A portrait is of its largest face if all others are lower than this share of it; else whose it is remains open."""
_LISTED = 12
REASONS: Mapping[str, str] = {
    "unreadable": "cannot be read as a photo",
    "no_face": "shows no face beyond doubt",
    "several_faces": "shows several faces of like size; crop it to one",
    "too_small": f"the face is less than {DONOR_FROM_PX} px high",
    "not_clear": "the face mesh is not sure of the face",
    "turned": "the head is turned or nods by more than 23°; let it look at the camera",
    "partly_hidden": "something covers the face: hair, a hand, a beard, strong shade",
    "glasses": "glasses, or something like their bar across the nose",
    "other_portrait": "another portrait of the same person is clearer",
    "same_person": "the recogniser takes the person for one who is in the bank already",
}
"""Why a portrait is not in the bank."""
GROUPS = (
    ("very light", 55.0, 90.0),
    ("light", 41.0, 55.0),
    ("intermediate", 28.0, 41.0),
    ("tan", 10.0, 28.0),
    ("brown", -30.0, 10.0),
    ("dark", -90.0, -30.0),
)
"""Groups of the individual typology angle in degrees (Del Bino & Bernerd, British Journal of Dermatology 169, 2013)."""


@dataclass(frozen=True)
class Candidate:
    """A usable portrait.

    :param person: whom it shows, by the folder; never written anywhere.
    :param chip: the face as the recogniser wants it.
    """

    person: str
    lent: Lent
    chip: Pixels


@dataclass(frozen=True)
class Prepared:
    """A bank and what became of the portraits.

    :param left_out: reason → numbers of the portraits, from 1 in the order of their paths.
    """

    pool: DonorPool
    portraits: int
    left_out: Mapping[str, Sequence[int]]


def prepare(folder: Path, config: RunConfig) -> Prepared:
    """Reads all portraits and keeps one row a person.

    :raises ConfigError: no folder, or too few usable people.
    """
    if not folder.is_dir():
        raise ConfigError("PORTRAITS is not a folder, or does not exist")
    photos = photos_by_person(folder)
    recogniser = load_recogniser(RECOGNISER, threads_each(config.workers))
    with ThreadPoolExecutor(config.workers) as pool:
        looked = list(pool.map(lambda path: candidate_of(path, photos[path], config, recogniser), photos))
    return chosen(looked, recogniser)


def candidate_of(path: Path, person: str, config: RunConfig, recogniser: Recogniser) -> Candidate | str:
    """What a portrait lends, or a word of :data:`REASONS`."""
    try:
        rgb = read_photo(path, config)
    except PhotoError:
        return "unreadable"
    faces = sorted(faces_of(rgb, config), key=lambda face: -face.box.height)
    if not faces or faces[0].band != "accept":
        return "no_face"
    largest, *others = faces
    if others and others[0].box.height > MEANT * largest.box.height:
        return "several_faces"
    lent = lent_by(rgb, largest)
    return Candidate(person, lent, chip_of(rgb, largest, recogniser)) if isinstance(lent, Lent) else lent


def chosen(looked: Sequence[Candidate | str], recogniser: Recogniser) -> Prepared:
    """One row for each of the people, who are told apart by their folder and by the recogniser.

    :raises ConfigError: too few people.
    """
    left_out: dict[str, list[int]] = {}
    rows: list[tuple[int, Candidate]] = []
    persons: set[str] = set()
    usable = [(number, item) for number, item in enumerate(looked, start=1) if isinstance(item, Candidate)]
    for number, item in sorted(usable, key=lambda pair: -pair[1].lent.quality):
        if item.person in persons:
            left_out.setdefault("other_portrait", []).append(number)
        else:
            persons.add(item.person)
            rows.append((number, item))
    people: dict[int, Candidate] = {}
    for (number, item), same in zip(rows, grouped(_embedded(rows, recogniser)), strict=True):
        if same in people:  # the clearer one came first
            left_out.setdefault("same_person", []).append(number)
        else:
            people[same] = item
    for number, word in enumerate(looked, start=1):
        if isinstance(word, str):
            left_out.setdefault(word, []).append(number)
    if len(people) < FEWEST:
        raise ConfigError(
            f"a bank needs {FEWEST} different people at least, and {len(people)} have a usable portrait"
            + "".join(f"; {line}" for line in told(left_out))
        )
    return Prepared(_pool(list(people.values())), len(looked), {name: sorted(left_out[name]) for name in left_out})


def told(left_out: Mapping[str, Sequence[int]]) -> list[str]:
    """A line for each reason, with the portraits' numbers."""
    lines = []
    for reason, numbers in sorted(left_out.items(), key=lambda item: -len(item[1])):
        shown = ", ".join(map(str, sorted(numbers)[:_LISTED])) + (", …" if len(numbers) > _LISTED else "")
        lines.append(f"{len(numbers)} {reason} ({REASONS[reason]}): number {shown}")
    return lines


def write(prepared: Prepared, out: Path, licence: str, consent: str) -> None:
    """Writes the bank's folder, whole or not at all."""
    data = prepared.pool.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    description = {"path": BANK, "sha256": sha256, "licence": licence}
    with published_folder(out) as folder:
        (folder / BANK).write_bytes(data)
        (folder / DESCRIPTION).write_text(yaml.safe_dump(description, allow_unicode=True, sort_keys=False), "utf-8")
        (folder / CARD).write_text(card(prepared, sha256, licence, consent), "utf-8")


def groups_of(pool: DonorPool) -> dict[str, int]:
    """How many people are in which group of the typology angle."""
    angles = pool.traits[:, 0]
    return {name: int(((angles > low) & (angles <= high)).sum()) for name, low, high in GROUPS}


def card(prepared: Prepared, sha256: str, licence: str, consent: str) -> str:
    """The bank's model card, Markdown."""
    people, default_k = len(prepared.pool), SyntheticConfig().k
    groups = "\n".join(f"| {name} | {count} |" for name, count in groups_of(prepared.pool).items())
    reasons = Counter({name: len(numbers) for name, numbers in prepared.left_out.items()}).most_common()
    left_out = ", ".join(f"{count} {name}" for name, count in reasons) or "none"
    return f"""# Donor bank

| | |
|---|---|
| people | {people} |
| file | `{BANK}`, SHA-256 `{sha256}` |
| licence | {_cell(licence)} |
| consent | {_cell(consent)} |
| made with | photo-anonymizer {__version__}, `prepare_donors` |

## What it is for

The method `synthetic` of photo-anonymizer replaces faces by averages of people in this bank:
`synthetic.donors: bank`, `synthetic.bank: {DESCRIPTION}`. Not for recognising anybody, nor for training.

**The rule (k-Same).** Every averaged face is a mean of k people (`synthetic.k`, {default_k} unless set; at most
{people} with this bank) with nearly equal shares, none above 1.25/k: who attributes it to one of them is right at most
so often. Each person is one row.

## What it holds

For each person: the face unrolled to 256 × 256 px, freed of light, plain skin beside it; 468 points of its shape;
five numbers (skin's typology angle, beard, lips, brows, lines). It does **not** hold: source pictures, hair, ears,
background, names, file names, embeddings. Rows are in the order of their content's hash, not of the files.

## How it was made

{prepared.portraits} portraits were read under the limits of a run, each in a process of its own. The largest face of
each was taken if it was beyond doubt, at least {DONOR_FROM_PX} px high, looked at the camera, and was neither covered
nor behind glasses. Of each person the clearest one became a row. Left out: {left_out}.

## Whom it suits

People by the individual typology angle of their skin, as measured in the portraits and under their light:

| group | people |
|---|---|
{groups}

A face gets donors of like skin and presentation. Where a group has fewer than about 2·k people, its faces get less
fitting or always the same donors.

## Limits

- The bank itself is **not anonymous**: an unrolled face can be recognised. Keep it as you keep portraits; publish
  releases, not the bank.
- The rule protects donors against attribution of one face. Over many releases the average of the whole bank shows.
- Whoever is in the bank should not be in the photos: a person could lend to their own face.
- Two people whom the recogniser takes for one count as one; one person under two names whom it does not know again
  counts twice.
- Consent can be withdrawn: prepare the bank again without the person. Releases made before keep their share of 1.25/k.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code (0 done, 1 failed, 2 bad usage or unusable portraits)."""
    arguments = _parser().parse_args(argv)
    try:
        _run(arguments)
    except (ConfigError, SourceError) as error:
        print(f"prepare_donors: {error}", file=sys.stderr)
        return 2
    except PhotoAnonymizerError as error:
        print(f"prepare_donors: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"prepare_donors: a file cannot be read or written ({error.strerror or error})", file=sys.stderr)
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out.expanduser()
    if not arguments.licence.strip() or not arguments.consent.strip():
        raise ConfigError("--licence and --consent: say under which terms the features may be used, and who agreed how")
    if out.exists():
        raise ConfigError("--out exists already; name a new folder, so that no bank changes under a release")
    prepared = prepare(arguments.portraits.expanduser(), load_config({"source": "-"}))
    write(prepared, out, arguments.licence.strip(), arguments.consent.strip())
    people, default_k = len(prepared.pool), SyntheticConfig().k
    print(f"{people} people out of {prepared.portraits} portraits")
    for line in told(prepared.left_out):
        print(f"left out: {line}")
    if people < 2 * default_k:
        print(f"with fewer than {2 * default_k} people faces look alike; synthetic.k can be at most {people}")
    print(f"bank: {out / DESCRIPTION}   (synthetic.donors=bank, synthetic.bank={out / DESCRIPTION})")
    print(f"card: {out / CARD}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prepare_donors", description="Makes a bank of donors out of portraits.")
    parser.add_argument("portraits", metavar="PORTRAITS", type=Path, help="folder; a sub-folder or a file is a person")
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="new folder for the bank")
    parser.add_argument("--licence", metavar="TEXT", required=True, help="licence or terms, recorded in every release")
    parser.add_argument("--consent", metavar="TEXT", required=True, help="who agreed to what and how, for the card")
    return parser


def _embedded(rows: Sequence[tuple[int, Candidate]], recogniser: Recogniser) -> list[Embeddings]:
    return list(recogniser.embed(np.stack([item.chip for _, item in rows]))) if rows else []


def _pool(people: Sequence[Candidate]) -> DonorPool:
    """In the order of the faces' hashes: that of the files could tell names."""
    lent = sorted((item.lent for item in people), key=lambda one: hashlib.sha256(one.albedo.tobytes()).digest())
    albedos, shapes, traits = ([getattr(one, name) for one in lent] for name in ("albedo", "shape", "traits"))
    return DonorPool("bank", np.stack(albedos), np.stack(shapes), np.stack(traits).astype(np.float32))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
