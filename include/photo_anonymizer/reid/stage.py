"""Embed: every anonymized face, in the originals and in the rendered files, cut out where the **original's** landmarks
say, by every recogniser. Faces that are kept are meant to be recognised; they are not attacked.

A detector that no longer finds the anonymized face therefore cannot make the result look better than it is.
Embeddings go to the vault, encrypted, and are deleted when the run was published or refused.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import ReidConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.imagefile import decode, sha256_of
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.reid.align import align
from photo_anonymizer.reid.attacks.restorers.quick import quick_looks, restored
from photo_anonymizer.reid.recognisers import RECOGNISERS
from photo_anonymizer.reid.recognisers.protocol import Embeddings, Recogniser
from photo_anonymizer.reid.recognisers.user_onnx import UserOnnx
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.sealed import SealedFolder
from photo_anonymizer.skin_tone import face_angle_deg
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

STAGE = "embed_faces"
SKIN_TONE = "skin_tone"
"""Beside the recognisers' folders: no recogniser is called so."""
RESTORED = "+restored"
"""What follows a recogniser's name in that of its folder with restored faces."""

# Where the five landmarks lie in a frontal face's box: used when a detector gives landmarks that cannot be aligned.
_FRONTAL = ((0.30, 0.40), (0.70, 0.40), (0.50, 0.60), (0.35, 0.78), (0.65, 0.78))


@dataclass(frozen=True)
class FacePairs:
    """Embeddings of the same faces before and after, row by row.

    :param keys: (photo_id, face_id) of every row.
    :param original: float32 (n, D).
    :param mirrored: float32 (n, D), the originals seen in a mirror: the same people, who must be recognised.
    :param published: float32 (n, D).
    :param blank: float32 (n, D), of faces that the photo's edge cuts off: the published chip with nothing in it but its
        mean colour and the same edge. Other rows are not numbers; ``None``: all are.
    """

    keys: tuple[tuple[str, str], ...]
    original: Embeddings
    mirrored: Embeddings
    published: Embeddings
    blank: Embeddings | None = None


def embed_faces(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Embeds all anonymized faces of a shard into the vault."""
    config = run.config
    recognisers = recognisers_of(config.reid, threads_each(config.workers))
    folders = {recogniser.name: embeddings_folder(run, recogniser.name) for recogniser in recognisers}
    tones = embeddings_folder(run, SKIN_TONE)
    looks = looks_of(config.reid)
    restored_folders = (
        {recogniser.name: restored_folder(run, recogniser) for recogniser in recognisers} if looks else {}
    )
    originals = {record.photo_id: record.file for record in run.records("strip_metadata", shard)}

    def work(record: PhotoRecord, _: StageOutput) -> PhotoRecord:
        started = time.monotonic()
        rendered = (run.path / record.file).read_bytes()
        faces = record.anonymized_faces
        if faces:
            before, after = decode((run.path / originals[record.photo_id]).read_bytes()), decode(rendered)
            write_skin_tones(tones, record, [face_angle_deg(before, face.landmarks) for face in faces])
            for recogniser in recognisers:
                known = known_of(before, faces, recogniser)
                seen = see(after, faces, recogniser)
                write_pairs(folders[recogniser.name], record, *known, *seen.embedded(recogniser))
                if looks:
                    again = seen.restored(recogniser, looks)
                    write_restored(restored_folders[recogniser.name], record, *known, again)
        return record.with_(attacked_sha256=sha256_of(rendered)).timed(attack=time.monotonic() - started)

    return run_photo_stage(run, STAGE, previous, shard, work)


def cut(rgb: Pixels, faces: Sequence[Face], recogniser: Recogniser) -> Pixels:
    """The given faces of a picture as the recogniser wants them: uint8 (n, side, side, 3)."""
    return np.stack([chip_of(rgb, face, recogniser) for face in faces])


def known_of(rgb: Pixels, faces: Sequence[Face], recogniser: Recogniser) -> tuple[Embeddings, Embeddings]:
    """Embeddings of the given faces of an original, and of the same seen in a mirror: float32 (n, D) each."""
    original = cut(rgb, faces, recogniser)
    return recogniser.embed(original), recogniser.embed(original[:, :, ::-1])


@dataclass(frozen=True)
class Seen:
    """Published faces as one recogniser wants them.

    :param chips: uint8 (n, S, S, 3).
    :param at_edge: bool (n,), does the photo's edge cut the chip off?
    :param blank: uint8 (k, S, S, 3), of those: the chip with nothing in it but its mean colour and the same edge. Black
        beyond the edge is in the original's chip too, and a recogniser may know a face by that alone.
    """

    chips: Pixels
    at_edge: NDArray[np.bool_]
    blank: Pixels

    def embedded(self, recogniser: Recogniser) -> tuple[Embeddings, Embeddings]:
        """Embeddings of the faces and of what :class:`FacePairs` calls blank, row by row."""
        return self.restored(recogniser, [""])[0]

    def restored(self, recogniser: Recogniser, looks: Sequence[str]) -> list[tuple[Embeddings, Embeddings]]:
        """The same after each of these ways to look at both, some of :func:`looks_of`; ``""``: as they are.

        All are embedded at once, which takes less time than one after the other.
        """
        edge = [self.blank] if self.at_edge.any() else []
        shown = [_seen_so(chips, look) for look in looks for chips in (self.chips, *edge)]
        rows = np.split(recogniser.embed(np.concatenate(shown)), np.cumsum([len(chips) for chips in shown])[:-1])
        found = []
        for published, *blanks in (rows[at : at + 1 + len(edge)] for at in range(0, len(rows), 1 + len(edge))):
            blank = np.full_like(published, np.nan)
            if blanks:
                blank[self.at_edge] = blanks[0]
            found.append((published, blank))
        return found


def _seen_so(chips: Pixels, look: str) -> Pixels:
    return restored(chips, quick_looks()[look]) if look else chips


def see(rgb: Pixels, faces: Sequence[Face], recogniser: Recogniser) -> Seen:
    """The faces of a rendered picture."""
    chips = cut(rgb, faces, recogniser)
    inside = cut(np.broadcast_to(np.uint8(255), rgb.shape), faces, recogniser)
    at_edge = inside.min(axis=(1, 2, 3)) < 255
    share = inside[at_edge] / 255.0
    colour = chips[at_edge].sum(axis=(1, 2), keepdims=True) / np.maximum(share.sum(axis=(1, 2), keepdims=True), 1)
    return Seen(chips, at_edge, np.clip(np.rint(colour * share), 0, 255).astype(np.uint8))


def looks_of(config: ReidConfig) -> tuple[str, ...]:
    """The ways to look at a published face that a run's restoration tries; none where it is not asked for."""
    return tuple(quick_looks()) if "restoration" in config.attack_names else ()


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
    """A registered recogniser, loaded once a process.

    :raises ConfigError: there is none of that name.
    :raises ModelError: its model is missing or altered.
    """
    recogniser: Recogniser = RECOGNISERS.load(name).load(threads)
    return recogniser


@cache
def recognisers_of(config: ReidConfig, threads: int) -> tuple[Recogniser, ...]:
    """The recognisers that attack, the user's own last; loaded once a process.

    :raises ConfigError: an unknown name, a description that is not usable, or two of one name.
    :raises ModelError: a model is missing, altered or cannot be loaded.
    """
    registered = [load_recogniser(name, threads) for name in config.recogniser_names]
    own = [UserOnnx(path, threads) for path in config.user_recogniser_files]
    recognisers = (*registered, *own)
    names = [recogniser.name for recogniser in recognisers]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"reid.user_recognisers: {', '.join(twice)} is there twice; give each its own name")
    return recognisers


# embeddings in the vault


def embeddings_folder(run: RunFolder, name: str) -> SealedFolder:
    """Where this run's embeddings by one recogniser lie, encrypted, until it ends."""
    vault = Vault.of(run.config)
    return SealedFolder.of(vault.private_folder(run.path.name) / "embeddings", name, vault.key())


def restored_folder(run: RunFolder, recogniser: Recogniser) -> SealedFolder:
    """Where its embeddings of restored faces lie."""
    return embeddings_folder(run, f"{recogniser.name}{RESTORED}")


def remove_embeddings(run: RunFolder) -> None:
    """Deletes this run's embeddings, and what their key was made from."""
    shutil.rmtree(Vault.of(run.config).private_folder(run.path.name) / "embeddings", ignore_errors=True)


def write_pairs(
    folder: SealedFolder,
    record: PhotoRecord,
    original: Embeddings,
    mirrored: Embeddings,
    published: Embeddings,
    blank: Embeddings,
) -> None:
    """Keeps the embeddings of one photo's anonymized faces, in their order."""
    rows = np.stack([original, mirrored, published, blank]).astype("<f4")
    folder.write(record.photo_id, rows.tobytes())


def write_skin_tones(folder: SealedFolder, record: PhotoRecord, angles_deg: Sequence[float]) -> None:
    """Keeps how light the skin of one photo's anonymized faces is in the original, in their order."""
    folder.write(record.photo_id, np.array(angles_deg, "<f4").tobytes())


def read_skin_tones(folder: SealedFolder, record: PhotoRecord) -> list[float]:
    """Typology angles in degrees of a photo's anonymized faces; not a number where none was kept."""
    data, faces = folder.read(record.photo_id), len(record.anonymized_faces)
    known = np.frombuffer(data, "<f4").tolist() if data is not None else []
    return known if len(known) == faces else [math.nan] * faces


def read_pairs(folder: SealedFolder, records: Sequence[PhotoRecord]) -> FacePairs:
    """The embeddings of all anonymized faces of these photos; photos without embeddings are left out."""
    keys: list[tuple[str, str]] = []
    blocks: list[Embeddings] = []
    for record in records:
        faces = record.anonymized_faces
        if faces and (data := folder.read(record.photo_id)) is not None:
            blocks.append(np.frombuffer(data, "<f4").reshape(4, len(faces), -1))
            keys.extend((record.photo_id, face.face_id) for face in faces)
    if not blocks:
        empty = np.zeros((0, 0), np.float32)
        return FacePairs((), empty, empty, empty)
    rows = np.concatenate(blocks, axis=1)
    return FacePairs(tuple(keys), rows[0], rows[1], rows[2], rows[3])


def write_restored(
    folder: SealedFolder,
    record: PhotoRecord,
    original: Embeddings,
    mirrored: Embeddings,
    looks: Sequence[tuple[Embeddings, Embeddings]],
) -> None:
    """Keeps what one photo's faces (published, blank) are after each look, side by side in one row."""
    known = (np.tile(rows, (1, len(looks))) for rows in (original, mirrored))
    write_pairs(folder, record, *known, *(np.hstack(rows) for rows in zip(*looks, strict=True)))


def read_restored(folder: SealedFolder, records: Sequence[PhotoRecord], looks: Sequence[str]) -> dict[str, FacePairs]:
    """Look → the faces of these photos, as :func:`read_pairs` gives them; photos without embeddings are left out."""
    every = read_pairs(folder, records)
    if not looks or not every.keys:
        return dict.fromkeys(looks, every)
    columns = [
        np.split(rows, len(looks), axis=1)
        for rows in (every.original, every.mirrored, every.published, cast(Embeddings, every.blank))
    ]
    return {look: FacePairs(every.keys, *parts) for look, *parts in zip(looks, *columns, strict=True)}
