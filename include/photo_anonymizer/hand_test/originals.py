"""The clear photos behind a release: from a run's intermediate files while they are there, else from the source."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import decode, load
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.stage import STAGE as STRIP
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import Reason
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.sources import Limits, read_file
from photo_anonymizer.vault import Vault, photo_id_of

_FRAME, _REPLACED = "#frame=", "#was="


@dataclass(frozen=True)
class Originals:
    """Where the clear photos of a dataset are.

    :param files: photo_id → stripped original in the workspace.
    :param uris: photo_id → names at the source.
    """

    config: RunConfig
    key: bytes
    files: Mapping[str, Path]
    uris: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, config: RunConfig) -> Originals:
        """Looks them up in the workspace and in the ledger."""
        vault = Vault.of(config)
        uris: dict[str, list[str]] = defaultdict(list)
        for row in vault.iter_ledger("source_uri", "photo_id", "reason"):
            if row["reason"] != Reason.DELETED_AT_SOURCE and _REPLACED not in row["source_uri"]:
                uris[row["photo_id"]].append(row["source_uri"])
        return cls(config, vault.key(), dict(_in_workspace(config)), uris)

    def folder(self, photo_id: str) -> str:
        """The folder at the source in which the photo lies; empty when it is not known."""
        return next(iter(self.uris.get(photo_id, ())), "").rpartition("/")[0]

    def load(self, photo_id: str) -> Pixels | None:
        """A clear photo, upright: uint8 (H, W, 3); ``None``: it is gone, or another picture is in its place."""
        if path := self.files.get(photo_id):
            return load(path)
        for uri in self.uris.get(photo_id, ()):
            try:
                return self._read(photo_id, uri)
            except (PhotoError, OSError):
                continue
        return None

    def _read(self, photo_id: str, uri: str) -> Pixels:
        file, _, number = uri.partition(_FRAME)
        frame = int(number) - 1 if number else 0
        data = read_file(file, int(self.config.ingest.max_file_mb * 1_000_000), Limits.of(self.config))
        if photo_id_of(self.key, hashlib.sha256(data).digest(), frame) != photo_id:
            raise PhotoError(Reason.UNREADABLE, "changed since it was published")
        return decode(strip_apart(sandbox_of(self.config), data, Policy.of(self.config), frame).data)


def _in_workspace(config: RunConfig) -> Iterator[tuple[str, Path]]:
    """Stripped originals of runs whose intermediate files are still there. An id stands for a content, in every run."""
    for folder in sorted((Path(config.out).absolute() / "workspace" / config.dataset).glob("*")):
        run = RunFolder(folder)
        for shard in run.shards(STRIP):
            for record in run.iter_records(STRIP, shard):
                if record.file and (folder / record.file).is_file():
                    yield record.photo_id, folder / record.file
