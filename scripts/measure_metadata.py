"""What does cleaning do to your own photos? Every file of a folder is cleaned as a run would do it, and read again.

    measure_metadata.py FOLDER [--json] [--output-format FORMAT] [--reencode]

Prints how many files were cleaned, held and rejected (and why), how many pictures were carried over without being
encoded anew, how sizes changed, and how many tags exiftool finds besides those that describe the picture itself, by
group, before and after. Names of files are neither printed nor handed to exiftool.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import count_pictures, decode, encode
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import Stripped
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.record import Reason, Status


@dataclass
class Tally:
    """What happened to the files of a folder."""

    files: int = 0
    cleaned: int = 0
    """Files all of whose pictures were cleaned."""
    held: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    pictures: int = 0
    """Pictures of the cleaned files."""
    formats: Counter[str] = field(default_factory=Counter)
    """Pictures by published format."""
    carried: int = 0
    """JPEGs that were not encoded anew."""
    profiled: list[str] = field(default_factory=list)
    """Numbered files that keep a well-known colour profile."""
    first_reader: Counter[str] = field(default_factory=Counter)
    """Findings of the independent check in what would be published."""
    ratios_carried: list[float] = field(default_factory=list)
    """Bytes published for each byte read, of files with one picture that keep their format."""
    ratios_anew: list[float] = field(default_factory=list)
    seconds: float = 0
    """Cleaning and encoding, without the second reader."""


def published(stripped: Stripped) -> bytes:
    """The file as it would be published if nobody edited it."""
    return stripped.data if stripped.final else encode(decode(stripped.data), stripped.encoding)


def cleaned(data: bytes, config: RunConfig) -> list[tuple[Stripped, bytes]]:
    """Every picture of a file, cleaned, and the file that would be published.

    :raises PhotoError: the file would be held or rejected.
    """
    if len(data) > config.ingest.max_file_mb * 1_000_000:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    count = count_pictures(data)
    if count > 1 and (config.ingest.several_pictures == "hold" or count > config.ingest.max_frames):
        raise PhotoError(Reason.SEVERAL_PICTURES)
    policy, sandbox = Policy.of(config), sandbox_of(config)
    pictures = [strip_apart(sandbox, data, policy, frame) for frame in range(count)]
    return [(picture, published(picture)) for picture in pictures]


def note(tally: Tally, size: int, suffix: str, pictures: list[tuple[Stripped, bytes]]) -> None:
    """Adds a cleaned file to the tally."""
    tally.cleaned += 1
    tally.pictures += len(pictures)
    for stripped, data in pictures:
        carried = stripped.final and stripped.encoding.format == "jpeg"
        tally.carried += carried
        tally.formats[stripped.encoding.format] += 1
        tally.first_reader.update(inspect(data))
        if len(pictures) == 1 and _same_format(suffix, stripped.encoding.extension):
            (tally.ratios_carried if carried else tally.ratios_anew).append(len(data) / size)


def _same_format(suffix: str, extension: str) -> bool:
    return {"jpeg": "jpg", "tif": "tiff"}.get(suffix, suffix) == extension


def run(config: RunConfig, before: Path, after: Path) -> Tally:
    """Cleans all files; what went in and what came out lies in ``before`` and ``after`` then, under numbers."""
    tally = Tally()
    for path in sorted(path for path in Path(config.source).rglob("*") if path.is_file()):
        tally.files += 1
        data, suffix = path.read_bytes(), path.suffix.lower().lstrip(".")
        started = time.perf_counter()
        try:
            pictures = cleaned(data, config)
        except PhotoError as error:
            reason = Reason(error.reason)
            (tally.held if reason.status is Status.HELD else tally.rejected)[reason.value] += 1
            continue
        finally:
            tally.seconds += time.perf_counter() - started
        note(tally, len(data), suffix, pictures)
        (before / f"{tally.files}").symlink_to(path.absolute())
        for number, (stripped, made) in enumerate(pictures):
            name = f"{tally.files}-{number}.{stripped.encoding.extension}"
            (after / name).write_bytes(made)
            tally.profiled += [name] if stripped.encoding.profile else []
    return tally


def tags(tool: exiftool.ExifTool, folder: Path, profiled: Collection[str] = ()) -> dict[str, int]:
    """Tags besides those that describe the picture, by group, the commonest group first.

    :param profiled: files whose colour profile is not counted, because it is a well-known one.
    """
    found = exiftool.read(tool, folder, sorted(path.name for path in folder.iterdir()), workers=2)
    counted = (exiftool.without_profile(kinds) if name in profiled else kinds for name, kinds in found.items())
    groups = Counter(kind.split(":")[0] for kinds in counted for kind in kinds)
    return dict(groups.most_common())


def spread(values: list[float]) -> dict[str, float]:
    """Smallest, middle, ninth decile and largest value."""
    if not values:
        return {}
    ordered = sorted(values)
    chosen = (ordered[0], statistics.median(ordered), ordered[(len(ordered) * 9 - 1) // 10], ordered[-1])
    return {
        "n": len(ordered),
        **{name: round(value, 3) for name, value in zip(("min", "median", "p90", "max"), chosen, strict=True)},
    }


def report(config: RunConfig) -> dict[str, object]:
    """Everything that is printed."""
    tool = exiftool.find()
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        before.mkdir()
        after.mkdir()
        tally = run(config, before, after)
        second = {"before": tags(tool, before), "after": tags(tool, after, tally.profiled)} if tool else {}
    shown: dict[str, object] = dict(vars(tally))
    shown["ratios_carried"], shown["ratios_anew"] = spread(tally.ratios_carried), spread(tally.ratios_anew)
    shown["profiled"] = len(tally.profiled)
    shown["seconds"] = round(tally.seconds, 2)
    shown["second_reader"] = tool.name if tool else ""
    shown["tags"] = {when: {"all": sum(groups.values()), **groups} for when, groups in second.items()}
    return shown


def main() -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--output-format", default="same", choices=("same", "jpeg", "png", "webp"))
    parser.add_argument("--reencode", action="store_true")
    given = parser.parse_args()
    if not given.folder.is_dir():
        parser.error("there is no such folder")
    metadata = {"output_format": given.output_format, "reencode": given.reencode}
    shown = report(load_config({"source": str(given.folder), "metadata": metadata}))
    if given.json:
        print(json.dumps(shown, indent=2))
        return
    for name, value in shown.items():
        print(f"{name.replace('_', ' ')}: {value if not isinstance(value, dict) else json.dumps(value)}")


if __name__ == "__main__":
    main()
