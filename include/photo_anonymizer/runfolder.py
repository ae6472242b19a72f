"""The intermediate files of one run: where they lie, how a stage publishes its result, how progress is told.

``workspace/<dataset>/<run>/<stage>/<shard>/`` is written under a temporary name and appears by rename, with its
``manifest.json`` inside. A stage whose manifest exists is done; a task that was killed leaves nothing that counts.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.files import published_folder, read_json, write_json
from photo_anonymizer.model.record import PhotoRecord

MANIFEST = "manifest.json"
WHOLE = "all"
"""Shard name of stages that see the whole run."""


def folder_name(run_id: str) -> str:
    """A run id as a folder name: readable, unique, free of separators."""
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", run_id).strip(".-")[:80] or "run"
    return f"{readable}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class RunFolder:
    """The intermediate files of one run.

    :param path: ``workspace/<dataset>/<run>``.
    """

    path: Path

    @classmethod
    def of(cls, config: RunConfig, run_id: str) -> RunFolder:
        """The folder of a run, whether it exists or not."""
        return cls(Path(config.out).absolute() / "workspace" / config.dataset / folder_name(run_id))

    # the run itself

    def start(self, config: RunConfig, run_id: str) -> None:
        """Makes the folder and writes down what was asked for. Starting the same run again changes nothing.

        :raises PhotoAnonymizerError: the run exists with another configuration.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = {"run_id": run_id, "config": config.model_dump(mode="json")}
        if (self.path / "run.json").is_file():
            if read_json(self.path / "run.json") != wanted:
                raise PhotoAnonymizerError(f"run {run_id!r} exists with another configuration; use another run id")
            return
        write_json(self.path / "run.json", wanted)

    @property
    def config(self) -> RunConfig:
        """The configuration this run was started with."""
        return RunConfig.model_validate(self._about["config"])

    @property
    def run_id(self) -> str:
        """The id this run was started with."""
        return str(self._about["run_id"])

    @property
    def _about(self) -> dict[str, object]:
        about = read_json(self.path / "run.json")
        return dict(about)

    def remove(self) -> None:
        """Deletes all intermediate files of this run."""
        shutil.rmtree(self.path, ignore_errors=True)

    # stages

    def stage(self, stage: str, shard: str = WHOLE) -> Path:
        """The folder of a stage's result for one shard."""
        return self.path / stage / shard

    def done(self, stage: str, shard: str = WHOLE) -> bool:
        """Has this stage published its result?"""
        return (self.stage(stage, shard) / MANIFEST).is_file()

    def shards(self, stage: str) -> list[str]:
        """Names of the shards that a stage has published, sorted."""
        names = (path.parent.name for path in (self.path / stage).glob(f"*/{MANIFEST}"))
        # A task killed between its manifest and the rename leaves a hidden folder that looks finished.
        return sorted(name for name in names if not name.startswith("."))

    @contextmanager
    def publish(self, stage: str, shard: str = WHOLE) -> Iterator[StageOutput]:
        """A temporary folder for a stage's files that becomes the stage's result when the block ends well."""
        with published_folder(self.stage(stage, shard)) as folder:
            yield StageOutput(folder, f"{stage}/{shard}")

    def records(self, stage: str, shard: str = WHOLE) -> list[PhotoRecord]:
        """The photos as a stage left them.

        :raises PhotoAnonymizerError: the stage has no result for this shard.
        """
        return list(self.iter_records(stage, shard))

    def iter_records(self, stage: str, shard: str = WHOLE) -> Iterator[PhotoRecord]:
        """As :meth:`records`, one by one: a whole collection need not fit into memory."""
        path = self.stage(stage, shard) / MANIFEST
        if not path.is_file():
            raise PhotoAnonymizerError(f"the stage {stage!r} has no result for shard {shard!r}; run it first")
        yield from _read_manifest(path)

    def all_records(self, stage: str) -> list[PhotoRecord]:
        """The photos of all shards of a stage, in the shards' order."""
        return [record for shard in self.shards(stage) for record in self.records(stage, shard)]

    # progress, for people who wait

    def tell(self, stage: str, shard: str, done: int, total: int) -> None:
        """Notes how far a task is. Only counts; losing one of these files loses nothing."""
        folder = self.path / "progress" / stage
        folder.mkdir(parents=True, exist_ok=True)
        (folder / shard).write_text(f"{done} {total}", encoding="ascii")

    def progress(self, stage: str) -> tuple[int, int]:
        """(done, known total) over all shards of a stage."""
        done = total = 0
        for path in (self.path / "progress" / stage).glob("*"):
            numbers = path.read_text(encoding="ascii").split()
            if len(numbers) == 2:
                done, total = done + int(numbers[0]), total + int(numbers[1])
        return done, total


@dataclass(frozen=True)
class StageOutput:
    """Where a stage writes while it works.

    :param folder: temporary folder on disk.
    :param prefix: what the folder will be called, relative to the run folder.
    """

    folder: Path
    prefix: str

    def relative(self, name: str) -> str:
        """Path of a file of this stage relative to the run folder, as records carry it."""
        return f"{self.prefix}/{name}"

    def records(self) -> Iterator[PhotoRecord]:
        """What :meth:`write_records` wrote, one by one."""
        return _read_manifest(self.folder / MANIFEST)

    def write_records(self, records: Iterable[PhotoRecord]) -> None:
        """Writes the manifest, a JSON array with a record a line; the last thing a stage does."""
        descriptor = os.open(self.folder / MANIFEST, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            separator = "[\n"
            for record in records:
                stream.write(separator + record.model_dump_json(exclude_defaults=True))
                separator = ",\n"
            stream.write("[]\n" if separator == "[\n" else "\n]\n")
            stream.flush()
            os.fsync(stream.fileno())


def _read_manifest(path: Path) -> Iterator[PhotoRecord]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("{"):
                yield PhotoRecord.model_validate_json(line.rstrip("\n,"))
