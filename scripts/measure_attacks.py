"""How well does each method hold against attackers who try? On photos of people whom you know.

    measure_attacks.py PHOTOS … [--people folder | estimated | FILE.json] [--methods NAME …] [--attacks NAME …]
                       [--recognisers NAME …] [--draws N] [--folds N] [--seed N] [--repeats N] [--set blur.cells=4 …]

Lists of names are separated by commas.

PHOTOS are folders. Whose a photo's largest face is says ``--people``: the sub-folder (the default; a JSON file in a
folder without sub-folders), a JSON file that maps file names to people, or nobody (``estimated``: the originals are
clustered by the recogniser's distances, and a person whom it splits in two makes every attack look weaker).

Faces are found once, as a run finds them. Every method paints them as a run would, on its first rung, with chance drawn
anew for every face; pictures are encoded as JPEG at quality 90, and faces are cut out where the original's landmarks
are. ``none`` changes nothing: the control, in which an attack that is worth anything finds nearly everybody. ``mask``
is always measured: what it lets through is what hair, clothes and background give away, the floor for the others.

The attacks, by name or rung: ``naive`` (A0), ``cross_photo`` (A1), ``parrot`` (A2), ``restoration`` (A3), ``linkage``
(A4), ``near_duplicates``; ``docs/threat-model.md`` says what they do. Those that learn do so on other people than they
are tested on: people are split by ``--seed`` into ``--folds`` groups, each tested once. Chance is the mean share of the
gallery's entries that are the right answer. ``--repeats`` publishes and splits so often, with the next seeds, and gives
means. *Over the mask* is the difference of rates (or from chance, where the mask
lets through less), with a bootstrap over people; *found* has the exact interval over faces, which does not know that a
person's faces resemble each other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from attack_figures.people import ESTIMATED, FOLDER, numbered, read_photos
from attack_figures.tables import attack_table, consistency_table

from photo_anonymizer.config import RunConfig, load_config, merge, unflatten
from photo_anonymizer.errors import ConfigError, PhotoAnonymizerError
from photo_anonymizer.heavy.figure import FLOOR
from photo_anonymizer.heavy.publishing import CLEAR, probes_of
from photo_anonymizer.heavy.seeing import Remembering
from photo_anonymizer.methods import METHODS
from photo_anonymizer.reid.attacks import ATTACKS
from photo_anonymizer.reid.attacks.linkage import Consistency, consistency
from photo_anonymizer.reid.attacks.protocol import AttackResult, Probes, Setting
from photo_anonymizer.reid.stage import load_recogniser

RUNGS = {"A0": "naive", "A1": "cross_photo", "A2": "parrot", "A3": "restoration", "A4": "linkage"}


def measure(asked: argparse.Namespace, config: RunConfig) -> None:
    """Prints the tables.

    :raises ConfigError: the photos do not say whom they show, or are too few.
    """
    recognisers = [load_recogniser(name, 2) for name in asked.recognisers]
    photos = read_photos(asked.photos, asked.people, config)
    people = numbered(photos, recognisers[0]) if photos else None
    if people is None or len(set(people.tolist())) < 2:
        raise ConfigError("an attack needs photos of at least two people; see --help for how to say who is who")
    results: dict[str, list[AttackResult]] = {}
    alike: dict[tuple[str, str], Consistency] = {}
    eyes: dict[str, Remembering] = {}
    for method in dict.fromkeys([*asked.methods, FLOOR]):
        for seed in range(asked.seed, asked.seed + asked.repeats):
            print(f"{method}, seed {seed} …", file=sys.stderr)
            made = probes_of(photos, people, method, config, recognisers, asked.draws, seed)
            found: list[AttackResult] = []
            for recogniser in recognisers:
                probes = made[recogniser.name]
                seeing = eyes.setdefault(recogniser.name, Remembering(recogniser, probes.original))
                setting = Setting(seeing, seed, asked.folds)
                found += attacked(probes, setting, asked.attacks, found)
                alike.setdefault((method, recogniser.name), consistency(probes, setting))
            results.setdefault(method, []).extend(found)
    said = {FOLDER: "as the folders say", ESTIMATED: "estimated by clustering"}.get(asked.people, "as the file says")
    faces = f"{len(photos)} faces of {len(set(people.tolist()))} people ({said})"
    print(
        f"{faces}, {asked.folds} folds, {asked.draws} draws of the attacker's own, "
        f"seed {asked.seed}, {asked.repeats} times\n"
    )
    print(f"{attack_table(results)}\n\n{consistency_table(alike)}")


def attacked(
    probes: Probes, setting: Setting, names: Sequence[str], known: Sequence[AttackResult]
) -> list[AttackResult]:
    """What the attacks find; those that need no recogniser are not repeated for the next one."""
    done = {(one.attack, one.recogniser) for one in known}
    found = [one for name in names for one in ATTACKS.load(name)().measure(probes, setting)]
    return [one for one in found if (one.attack, one.recogniser) not in done]


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--people", default=FOLDER, help="folder, estimated, or a JSON file")
    parser.add_argument("--methods", type=_words, default=[CLEAR, "blur", "pixelate", "mask"])
    parser.add_argument("--attacks", type=_words, default=list(ATTACKS))
    parser.add_argument("--recognisers", type=_words, default=["dlib_resnet"])
    parser.add_argument("--draws", type=int, default=3, help="how often the attacker anonymizes every photo")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="configuration of the methods"
    )
    asked = parser.parse_args(words)
    asked.attacks = [RUNGS.get(name, name) for name in asked.attacks]
    for name, known in ((asked.methods, {CLEAR, *METHODS}), (asked.attacks, set(ATTACKS))):
        if unknown := set(name) - known:
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(sorted(known))}")
    if min(asked.draws, asked.repeats) < 1 or asked.folds < 2:
        parser.error("--draws and --repeats are at least 1, --folds at least 2")
    return asked


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def configured(settings: Sequence[str]) -> RunConfig:
    """The default configuration with some fields set.

    :raises ConfigError: no such field or value.
    """
    pairs = [text.partition("=") for text in settings]
    flat = {name: yaml.safe_load(value) for name, _, value in pairs}
    return load_config(merge({"source": "-"}, unflatten(flat)))


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures; 2: something asked for cannot be done."""
    asked = arguments(words)
    try:
        measure(asked, configured(asked.set))
    except PhotoAnonymizerError as error:
        print(f"measure_attacks: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
