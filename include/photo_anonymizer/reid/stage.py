"""Embed: every anonymized face, in the originals and in the rendered files, cut out where the **original's** landmarks
say. Faces that are kept are meant to be recognised; they are not attacked.

A detector that no longer finds the anonymized face therefore cannot make the result look better than it is.
Embeddings go to the vault and are deleted when the run was published or refused.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.files import write_bytes
from photo_anonymizer.imagefile import decode, sha256_of
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.reid.align import align
from photo_anonymizer.reid.recognisers import RECOGNISERS
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

STAGE = "embed_faces"
Embeddings = NDArray[np.float32]

# Where the five landmarks lie in a frontal face's box: used when a detector gives landmarks that cannot be aligned.
_FRONTAL = ((0.30, 0.40), (0.70, 0.40), (0.50, 0.60), (0.35, 0.78), (0.65, 0.78))


@dataclass(frozen=True)
class FacePairs:
    """Embeddings of the same faces before and after, row by row.

    :param keys: (photo_id, face_id) of every row.
    :param original: float32 (n, D).
    :param mirrored: float32 (n, D), the originals seen in a mirror: the same people, who must be recognised.
    :param published: float32 (n, D).
    """

    keys: tuple[tuple[str, str], ...]
    original: Embeddings
    mirrored: Embeddings
    published: Embeddings


def embed_faces(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Embeds all anonymized faces of a shard into the vault."""
    config = run.config
    folder = embeddings_folder(run)
    recogniser = load_recogniser(config.reid.recogniser, threads_each(config.workers))
    originals = {record.photo_id: record.file for record in run.records("strip_metadata", shard)}

    def work(record: PhotoRecord, _: StageOutput) -> PhotoRecord:
        started = time.monotonic()
        rendered = (run.path / record.file).read_bytes()
        faces = record.anonymized_faces
        if faces:
            original = chips_of((run.path / originals[record.photo_id]).read_bytes(), faces, recogniser)
            write_pairs(
                folder,
                record,
                recogniser.embed(original),
                recogniser.embed(original[:, :, ::-1]),
                recogniser.embed(chips_of(rendered, faces, recogniser)),
            )
        return record.with_(attacked_sha256=sha256_of(rendered)).timed(attack=time.monotonic() - started)

    return run_photo_stage(run, STAGE, previous, shard, work)


def chips_of(photo: bytes, faces: Sequence[Face], recogniser: Recogniser) -> Pixels:
    """The given faces of a picture file's content as the recogniser wants them: uint8 (n, side, side, 3)."""
    rgb = decode(photo)
    return np.stack([chip_of(rgb, face, recogniser) for face in faces])


def chip_of(rgb: Pixels, face: Face, recogniser: Recogniser) -> Pixels:
    """The face as the recogniser wants it; landmarks that make no face are replaced by those of a frontal one."""
    for points in (face.landmarks.points, _frontal(face)):
        try:
            return align(rgb, points, recogniser.template, recogniser.chip_size_px)
        except ValueError:
            continue
    # A face whose box touches the photo by less than a pixel: nothing to recognise, but it is measured all the same.
    return np.zeros((recogniser.chip_size_px, recogniser.chip_size_px, 3), np.uint8)


def _frontal(face: Face) -> list[tuple[float, float]]:
    return [(face.box.x0 + x * face.box.width, face.box.y0 + y * face.box.height) for x, y in _FRONTAL]


@cache
def load_recogniser(name: str, threads: int) -> Recogniser:
    """A recogniser, loaded once a process."""
    recogniser: Recogniser = RECOGNISERS.load(name)(weights.onnx_path_of(name), threads)
    return recogniser


# embeddings in the vault


def embeddings_folder(run: RunFolder) -> Path:
    """Where this run's embeddings lie until it ends."""
    folder = Vault.of(run.config).private_folder(run.path.name) / "embeddings"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def remove_embeddings(run: RunFolder) -> None:
    """Deletes this run's embeddings."""
    shutil.rmtree(Vault.of(run.config).private_folder(run.path.name) / "embeddings", ignore_errors=True)


def write_pairs(
    folder: Path, record: PhotoRecord, original: Embeddings, mirrored: Embeddings, published: Embeddings
) -> None:
    """Keeps the embeddings of one photo's anonymized faces, in their order."""
    rows = np.stack([original, mirrored, published]).astype("<f4")
    write_bytes(folder / f"{record.photo_id}.f32", rows.tobytes())


def read_pairs(folder: Path, records: Sequence[PhotoRecord]) -> FacePairs:
    """The embeddings of all anonymized faces of these photos; photos without embeddings are left out."""
    keys: list[tuple[str, str]] = []
    blocks: list[Embeddings] = []
    for record in records:
        path, faces = folder / f"{record.photo_id}.f32", record.anonymized_faces
        if faces and path.is_file():
            blocks.append(np.frombuffer(path.read_bytes(), "<f4").reshape(3, len(faces), -1))
            keys.extend((record.photo_id, face.face_id) for face in faces)
    if not blocks:
        empty = np.zeros((0, 0), np.float32)
        return FacePairs((), empty, empty, empty)
    rows = np.concatenate(blocks, axis=1)
    return FacePairs(tuple(keys), rows[0], rows[1], rows[2])
