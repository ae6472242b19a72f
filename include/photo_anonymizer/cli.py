"""``photo-anonymizer``: the library's own command line, without Airflow."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from photo_anonymizer import __version__, claim, review, weights
from photo_anonymizer.commandline import LOCAL_FOLDER, add_run_arguments, run_config
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError, GateRefusedError, PhotoAnonymizerError, SourceError
from photo_anonymizer.heavy.sample_size import FEWEST, HOW_DRAWN, MOST, PEOPLE_NEEDED, SAMPLE
from photo_anonymizer.vault import Vault

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code (0 done, 1 failed, 2 bad usage, 3 the gate refused)."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("photo_anonymizer").setLevel(logging.INFO)
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except (ConfigError, SourceError) as error:
        print(f"photo-anonymizer: {error}", file=sys.stderr)
        return EXIT_USAGE
    except GateRefusedError as error:
        print(f"photo-anonymizer: {error}", file=sys.stderr)
        return EXIT_REFUSED
    except PhotoAnonymizerError as error:
        print(f"photo-anonymizer: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        print(f"photo-anonymizer: a file cannot be read or written ({error.strerror or error})", file=sys.stderr)
        return EXIT_FAILED


def new_run_id() -> str:
    """A run id that no other run has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="photo-anonymizer", description="Anonymizes photos and checks releases.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="anonymize one folder, without Airflow")
    add_run_arguments(run)
    run.set_defaults(command=_run)

    verify = commands.add_parser("verify", help="check a release: checksums, audit chain, tables against files")
    verify.add_argument("release", type=Path, help="releases/<dataset>/vNNNN")
    verify.add_argument("--vault", type=Path, help="vault/<dataset>: compare the audit log's end with the vault's note")
    verify.set_defaults(command=_verify)

    models = commands.add_parser("models", help="names, pins, hashes and licences of all models; present or not")
    models.add_argument("--prepare", action="store_true", help="verify all and make the conversions now")
    models.set_defaults(command=_models)

    tuned = commands.add_parser("tune", help="the weakest setting of a method that passes the attack on a sample")
    add_run_arguments(tuned, LOCAL_FOLDER)
    _sample_argument(tuned, 60)
    tuned.add_argument("--write", type=Path, default=Path("tuned.yaml"), metavar="FILE", help="default: tuned.yaml")
    tuned.set_defaults(command=_tune)

    heavy = commands.add_parser("attack", help="attacks that learn, on a sample; the next run's gate judges the result")
    add_run_arguments(heavy, f"{LOCAL_FOLDER}; {PEOPLE_NEEDED}")
    _sample_argument(heavy, SAMPLE)
    heavy.set_defaults(command=_attack)

    queue = commands.add_parser("review", help="doubtful faces that wait, or a decision about one")
    _dataset_arguments(queue)
    wanted = queue.add_mutually_exclusive_group()
    wanted.add_argument("--decide", nargs=3, metavar=("PHOTO_ID", "FACE_ID", "VERDICT"), help="face or not_a_face")
    wanted.add_argument(
        "--sheet", nargs="?", const="", metavar="FILE.html", help="one page with all of them (default: in the vault)"
    )
    queue.set_defaults(command=_review)

    by_hand = commands.add_parser(
        "hand-test", help="can a person tell who a published face was? a sheet, or its answers"
    )
    _dataset_arguments(by_hand)
    by_hand.add_argument("--triplets", type=int, default=30, metavar="N", help="faces to ask about (default: 30)")
    by_hand.add_argument(
        "--another-photo",
        action="store_true",
        help="show another photo of the person: each folder of the source holds the photos of one; photos that show "
        "several faces are left out",
    )
    by_hand.add_argument("--result", type=Path, metavar="ANSWERS.json", help="score what the sheet saved")
    by_hand.set_defaults(command=_hand_test)

    listed = commands.add_parser("versions", help="published versions; which hold photos that are gone at the source")
    _dataset_arguments(listed)
    listed.set_defaults(command=_versions)

    withdraw = commands.add_parser("withdraw", help="delete a published version for good")
    withdraw.add_argument("version", help="such as v0001")
    _dataset_arguments(withdraw)
    withdraw.set_defaults(command=_withdraw)

    abandon = commands.add_parser("abandon", help="free a dataset whose run is dead, delete all its intermediate files")
    _dataset_arguments(abandon)
    abandon.set_defaults(command=_abandon)
    return parser


def _sample_argument(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--sample",
        type=int,
        default=default,
        metavar="N",
        help=f"photos to draw, {FEWEST} to {MOST} (default: {default}): {HOW_DRAWN}",
    )


def _dataset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FOLDER", default="out", help="folder that holds vault/ (default: ./out)")
    parser.add_argument("--dataset", metavar="NAME", default="photos", help="name of the collection (default: photos)")


def _run(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.stages import run_all

    os.environ.setdefault(claim.OWNER_VARIABLE, str(os.getpid()))
    exported = run_all(run_config(arguments), new_run_id())
    if exported["unchanged"]:
        print("nothing is new: no version was made")
    if gone := exported["deleted_at_source"]:
        print(f"{gone} photos are no longer at the source; older versions may hold them: photo-anonymizer versions")
    print(
        f"released {exported['released']} ({exported['carried_over']} taken over from earlier versions), "
        f"held {exported['held']}, rejected {exported['rejected']}"
    )
    print(f"release: {exported['release']}")
    print(f"report:  {Path(exported['release']) / 'data' / 'report.html'}")
    return EXIT_DONE


def _verify(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.release.verify import verify

    checked = verify(arguments.release, Vault(arguments.vault) if arguments.vault else None)
    print("intact: " + ", ".join(f"{count} {name}" for name, count in checked.items()))
    return EXIT_DONE


def _tune(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.tune import in_words, tune, weakest, written

    config = run_config(arguments, samples=False)
    method = config.chosen_method
    print(method if config.method == method else f"{method} (auto, purpose {config.purpose})")
    tried = tune(config, method, arguments.sample)
    for one in tried:
        setting = ", ".join(f"{field}={value}" for field, value in one.setting.items())
        print(f"{'passes' if one.passed else 'fails':8}{setting:28}{in_words(one.attacks)}")
        for refusal in one.refusals:
            print(f"{'':8}{refusal}")
    if (found := weakest(tried)) is None:
        print("no setting passes (a run would change the linked faces again); use the mask, or another method")
        return EXIT_REFUSED
    arguments.write.write_text(written(found, method), encoding="utf-8")
    print(f"written: {arguments.write}")
    return EXIT_DONE


def _attack(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.gate.aggregates import HeavyLook
    from photo_anonymizer.heavy.attack import attack_method
    from photo_anonymizer.heavy.result import keep
    from photo_anonymizer.heavy.told import lines

    config = run_config(arguments, samples=False)
    result = attack_method(config, arguments.sample)
    print("\n".join(lines(result, config.reid)))
    vault = Vault.of(config)
    print(f"written: {keep(result, vault)}")
    look, most = HeavyLook.of(config, vault), config.reid.max_rank1_excess
    if look.excess is not None and look.excess > most:
        print(f"too much: {look.furthest} gets furthest; the gate will refuse")
        return EXIT_REFUSED
    return EXIT_DONE


def _models(arguments: argparse.Namespace) -> int:
    if arguments.prepare:
        weights.prepare_all()
    states = {item.name: weights.state_of(item) for item in weights.registered().values()}
    for item in weights.registered().values():
        print(f"{item.name:22}{states[item.name]:9}{item.package}=={item.pin}\n{'':22}{item.use}; {item.licence}")
        print(f"{'':22}sha256 {item.sha256}")
    return EXIT_DONE if set(states.values()) == {"present"} else EXIT_FAILED


def _known_dataset(arguments: argparse.Namespace) -> RunConfig:
    """The configuration that names an existing dataset.

    :raises ConfigError: there is none, probably a mistyped folder.
    """
    config = load_config({"source": "-", "out": arguments.out, "dataset": arguments.dataset})
    if not (Path(config.out) / "vault" / config.dataset).is_dir():
        raise ConfigError(f"there is no dataset {config.dataset!r} in that folder; check --out and --dataset")
    return config


def _review(arguments: argparse.Namespace) -> int:
    config = _known_dataset(arguments)
    vault = Vault.of(config)
    if arguments.decide:
        return _decide(config, vault, arguments.decide)
    if arguments.sheet is not None:
        from photo_anonymizer.review_sheet import write_sheet

        print(f"sheet: {write_sheet(config, Path(arguments.sheet) if arguments.sheet else None)}")
        print("it shows clear faces: keep it to yourself, and delete it when you are done")
        return EXIT_DONE
    rows = review.waiting(vault)
    for row in rows:
        reasons = ",".join(row["reasons"]) or "unknown"
        picture = str(vault.path / row["picture"]) if row["picture"] else "no picture"
        place = f"{row['width']:.0f}×{row['height']:.0f} px at {row['x']:.0f},{row['y']:.0f}"
        print(f"{row['photo_id']} {row['face_id']}  {reasons}  score {row['score']:.2f}  {place}  {picture}")
    print(f"{len(rows)} faces wait")
    return EXIT_DONE


def _decide(config: RunConfig, vault: Vault, decision: Sequence[str]) -> int:
    shown = vault.review_sheet_path.is_file()
    review.decide(vault, *decision)
    if shown:
        from photo_anonymizer.review_sheet import write_sheet

        write_sheet(config)  # the reviewer works with it: without the face that was just decided
    print("recorded; the next run follows it")
    return EXIT_DONE


def _hand_test(arguments: argparse.Namespace) -> int:
    config = _known_dataset(arguments)
    if arguments.result:
        from photo_anonymizer.hand_test.result import score

        print(score(Vault.of(config), arguments.result).in_words)
        print("kept in the vault, and said in the next version's report; the sheet is deleted")
        return EXIT_DONE
    from photo_anonymizer.hand_test.sheet import answers_file, write_sheet

    print(f"sheet: {write_sheet(config, arguments.triplets, arguments.another_photo)}")
    where = shlex.join(["--out", arguments.out, "--dataset", arguments.dataset])
    print("it shows clear faces: keep it to yourself. Answer it, save, and score what your browser saved:")
    print(f"  photo-anonymizer hand-test {where} --result {answers_file(config)}")
    return EXIT_DONE


def _versions(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.release.withdraw import list_versions

    for version in list_versions(_known_dataset(arguments)):
        photos = "not as it was published" if version.photos is None else f"{version.photos} photos"
        gone = f", {version.deleted_at_source} deleted at the source since" if version.deleted_at_source else ""
        print(f"{version.name}  {photos}{gone}")
    return EXIT_DONE


def _withdraw(arguments: argparse.Namespace) -> int:
    from photo_anonymizer.release.withdraw import unfinished_runs, withdraw

    config = _known_dataset(arguments)
    photos = withdraw(config, arguments.version)
    print(f"{arguments.version} is deleted; {photos} of its photos are published nowhere now")
    if runs := unfinished_runs(config):
        print(
            f"the workspace still holds files of {runs} runs, clear pictures among them; see: photo-anonymizer abandon"
        )
    return EXIT_DONE


def _abandon(arguments: argparse.Namespace) -> int:
    runs = claim.abandon(_known_dataset(arguments))
    print(f"the dataset is free; intermediate files of {runs} runs are deleted")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
