"""What the command lines of the library and of the pipeline have in common: arguments → configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

import yaml

from photo_anonymizer.config import MethodName, RunConfig, load_config, merge, read_config_file, unflatten
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.samples import sample_photos
from photo_anonymizer.sources import is_local

PHOTOS = "folder, archive (.zip, .tar), list of URLs (.csv, .parquet) or an fsspec URL; without it, sample photos"
LOCAL_FOLDER = "folder on this machine; where photos are sorted, with a sub-folder for each person"
"""What samples are drawn from."""


def add_run_arguments(parser: argparse.ArgumentParser, photos: str = PHOTOS) -> None:
    """PHOTOS and the options of a run.

    :param photos: what PHOTOS may be.
    """
    parser.add_argument("photos", nargs="?", metavar="PHOTOS", help=photos)
    parser.add_argument("--out", metavar="FOLDER", help="holds workspace/, vault/ and releases/ (default: ./out)")
    parser.add_argument("--dataset", metavar="NAME", help="name of the collection (default: photos)")
    parser.add_argument("--method", metavar="METHOD", help=f"auto, {', '.join(get_args(MethodName))} (default: auto)")
    parser.add_argument("--config", metavar="FILE", type=Path, help="YAML file with any field of the configuration")
    parser.add_argument(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="one field, such as detection.uncertain=hold; may be repeated",
    )


def run_config(arguments: argparse.Namespace, *, samples: bool = True) -> RunConfig:
    """The validated configuration that the arguments ask for: file, then options, then ``--set``.

    :param samples: may the sample photos stand in for a source that is not named?
    :raises ConfigError: anything that is not usable, naming the field.
    """
    from_file = read_config_file(arguments.config) if arguments.config else {}
    options = {
        name: getattr(arguments, name) for name in ("out", "dataset", "method") if getattr(arguments, name) is not None
    }
    assigned = [unflatten(dict([_assignment(text)])) for text in arguments.set]
    values = merge(from_file, options, *assigned)
    if arguments.photos is not None:
        values["source"] = arguments.photos
    chosen = load_config({"source": "samples", **values})
    if "source" not in values:
        if not samples:
            raise ConfigError("name a folder with photos; the sample photos show one person, which is too few")
        folder = Path(chosen.out).absolute() / "workspace" / "sample photos"  # no dataset can have this name
        return chosen.model_copy(update={"source": str(sample_photos(folder)), "out": _absolute(chosen.out)})
    source = _absolute(chosen.source) if is_local(chosen.source) and "://" not in chosen.source else chosen.source
    return chosen.model_copy(update={"source": source, "out": _absolute(chosen.out)})


def _assignment(text: str) -> tuple[str, Any]:
    field, sign, value = text.partition("=")
    if not sign or not field:
        raise ConfigError(f"--set {text!r}: write FIELD=VALUE, such as detection.uncertain=hold")
    if value.startswith("#"):  # a colour, not a YAML comment
        return field, value
    try:
        return field, yaml.safe_load(value)
    except yaml.YAMLError:
        return field, value


def _absolute(path: str) -> str:
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError:
        raise ConfigError(
            "a path starts with ~ and a name that is no user's; write ./~name for such a folder"
        ) from None
