"""Donors of the synthetic method: who in a batch may lend features, to whom, and which faces are the same person's.

Before faces are replaced, every face of the batch that is large enough is embedded by the recogniser. Of the larger
ones that are seen well, one a person becomes a row of the pool; people are told apart by average-linkage clustering of
the embeddings. A face never gets features of a row that the recogniser might take for the same person. Smaller faces,
which the recogniser cannot tell apart, are drawn.

The pool, the exclusions and the grouping lie in the run's folder and go with it; embeddings are in memory only.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import RunConfig
from photo_anonymizer.detection.stage import STAGE as DETECT
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.imagefile import decode
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.subject import TEXTURE_PX, OfferedDonors, Person, Subject
from photo_anonymizer.methods.surrogate.donors import DonorPool, load_pool, stored, unevenness
from photo_anonymizer.methods.surrogate.front import bridge_is_bare, hidden_share
from photo_anonymizer.methods.surrogate.looks import traits_of
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.modelfile import read_model_file
from photo_anonymizer.reid.stage import chip_of, load_recogniser
from photo_anonymizer.runfolder import WHOLE, RunFolder
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

log = logging.getLogger(__name__)

STAGE = "gather_donors"
RECOGNISER = "dlib_resnet"
SMALLEST_FACE_PX = 40
"""Height from which a face is embedded; smaller ones cannot be told apart (see :mod:`photo_anonymizer.consent`)."""
DONOR_FROM_PX = 90
"""Height from which a face has enough detail to lend."""
MAX_DONOR_TURN_RAD = 0.4
SURE_LOGIT = 10.0
BLOTCHES_COUNT = 8.0
"""How much less a photo is worth for the blotches on its skin: as much for 0.05 as for being turned by another 23°."""
MAX_HIDDEN = 0.15
SAME_PERSON = 0.55
"""Mean distance up to which two groups of faces are one person's; dlib's limit for two single photos is 0.6."""
MAYBE_SAME_PERSON = 0.65
"""A donor nearer than this to a face does not lend to it."""
MAX_DONORS = 300
MAX_GROUPED = 6000
"""Faces that can be grouped: the distances of all pairs are in memory."""
POOL, OFFERS = "pool.npz", "offers.json"

Embeddings = NDArray[np.float32]
Unfit = Literal["too_small", "not_clear", "turned", "partly_hidden", "glasses"]
"""Why a face lends nothing."""


class Offers(BaseModel):
    """What a run offers to its faces.

    :param sha256: of the pool's file; empty: there is none.
    :param excluded: face → rows of the pool that do not lend to it. A face that is not named gets nobody's features.
    :param people: face → number of its person, where a person shall look the same in all photos.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = ""
    excluded: dict[str, list[int]] = {}
    people: dict[str, int] = {}
    traits: dict[int, list[float]] = {}
    """Person → traits, the mean over the person's faces."""


@dataclass(frozen=True)
class Lent:
    """What a face can lend; see :class:`~photo_anonymizer.methods.surrogate.donors.DonorPool` for the arrays.

    :param quality: how well it is seen, higher is better.
    """

    quality: float
    albedo: NDArray[np.uint8]
    shape: NDArray[np.float32]
    traits: NDArray[np.float64]


@dataclass(frozen=True)
class Lenders:
    """The people who lend, one row each.

    :param best: what is lent: by each person's best face.
    :param embeddings: of all faces of each person that could lend, the best one first: float32 (faces, D).
    """

    best: Sequence[Lent]
    embeddings: Sequence[Embeddings]

    @classmethod
    def of(cls, lending: Sequence[tuple[Lent, Embeddings]]) -> Lenders:
        """From faces, the best first, with the embedding, (D,), of each."""
        members: dict[int, list[tuple[Lent, Embeddings]]] = {}
        for one, person in zip(lending, grouped([embedding for _, embedding in lending]), strict=True):
            members.setdefault(person, []).append(one)
        best = [own[0][0] for own in members.values()]
        return cls(best, [np.stack([embedding for _, embedding in own]) for own in members.values()])

    def pool(self) -> DonorPool:
        """What a run keeps of them; there must be some."""
        albedos, shapes, traits = ([getattr(one, name) for one in self.best] for name in ("albedo", "shape", "traits"))
        return DonorPool("batch", np.stack(albedos), np.stack(shapes), np.stack(traits).astype(np.float32))

    def maybe(self, embedding: Embeddings) -> list[int]:
        """Rows of those of whom one face is nearer than :data:`MAYBE_SAME_PERSON` to this one."""
        nearest = [np.linalg.norm(own - embedding, axis=1).min() for own in self.embeddings]
        return [row for row, distance in enumerate(nearest) if distance < MAYBE_SAME_PERSON]


@dataclass(frozen=True)
class _Seen:
    key: str
    embedding: Embeddings
    traits: NDArray[np.float64]
    lent: Lent | None


def gather(run: RunFolder) -> dict[str, int]:
    """Makes the pool of a run and decides who may lend to whom. Returns counts.

    :raises ConfigError: ``donors: batch`` with too few people, or too many faces to group.
    """
    if not run.done(STAGE):
        config = run.config
        run.tell(STAGE, WHOLE, 0, 1)
        with run.publish(STAGE) as output:
            seen = list(_seen(run)) if _needs_faces(config) else []
            offers = Offers()
            if _lends_batch(config):
                offers = _with_pool(seen, output.folder / POOL, config)
            if config.synthetic.consistency == "per_run":
                offers = _with_people(offers, seen)
            (output.folder / OFFERS).write_text(offers.model_dump_json(), encoding="utf-8")
            output.write_records([])
    run.tell(STAGE, WHOLE, 1, 1)
    offers = _offers_of(run)
    return {"faces": len(offers.excluded), "people": len(set(offers.people.values()))}


def offered(run: RunFolder, photo_id: str, face_id: str) -> OfferedDonors | None:
    """The donors that a face may be averaged from, and its person; ``None`` in runs of other methods."""
    if run.config.chosen_method != "synthetic" or not run.done(STAGE):
        return None
    config, offers, key = run.config, _offers_of(run), f"{photo_id}/{face_id}"
    person = _person(run, offers, key)
    if config.synthetic.generator == "none" and config.synthetic.bank and config.synthetic.donors in ("auto", "bank"):
        return OfferedDonors(bank_of(config), frozenset(), person)
    if not offers.sha256 or key not in offers.excluded:
        return OfferedDonors(None, frozenset(), person)
    pool = load_pool(run.stage(STAGE) / POOL, offers.sha256, "batch")
    return OfferedDonors(pool, frozenset(offers.excluded[key]), person)


def bank_of(config: RunConfig) -> DonorPool:
    """The bank that the configuration names.

    :raises ConfigError: it or its description cannot be read, is altered, is no bank, or holds fewer than k people.
    """
    described = read_model_file(Path(config.synthetic.bank or ""))
    bank = load_pool(described.path.expanduser(), described.sha256, "bank")
    if len(bank) < config.synthetic.k:
        raise ConfigError(
            f"synthetic.bank holds {len(bank)} people, and synthetic.k asks for {config.synthetic.k}; "
            "prepare a larger bank, or choose a smaller k"
        )
    return bank


def donor_of(rgb: Pixels, face: Face) -> Lent | None:
    """What a face can lend; ``None`` where it is not seen well: small, turned, half hidden or behind glasses."""
    lent = lent_by(rgb, face)
    return lent if isinstance(lent, Lent) else None


def lent_by(rgb: Pixels, face: Face) -> Lent | Unfit:
    """What a face can lend, or why it lends nothing."""
    subject = _subject(rgb, face)
    if subject is None or face.box.height < DONOR_FROM_PX:
        return "too_small"
    if subject.mesh.logit < SURE_LOGIT:
        return "not_clear"
    if _turned_rad(subject) > MAX_DONOR_TURN_RAD:
        return "turned"
    if hidden_share(subject.lab) > MAX_HIDDEN:
        return "partly_hidden"
    if not bridge_is_bare(subject.texture):
        return "glasses"
    albedo = stored(subject.unlit(TEXTURE_PX))
    return Lent(
        quality=min(face.box.height / 200, 1.0) - _turned_rad(subject) - BLOTCHES_COUNT * unevenness(albedo),
        albedo=albedo,
        shape=subject.shape.astype(np.float32),
        traits=traits_of(subject.texture),
    )


def _turned_rad(subject: Subject) -> float:
    return max(abs(subject.pose.yaw_rad), abs(subject.pose.pitch_rad))


def _needs_faces(config: RunConfig) -> bool:
    return config.synthetic.consistency == "per_run" or _lends_batch(config)


def _lends_batch(config: RunConfig) -> bool:
    own = config.synthetic
    return own.donors in ("auto", "batch") and not own.bank and own.generator == "none"


def _seen(run: RunFolder) -> Iterator[_Seen]:
    """The faces of the whole run that are large enough, in the run's order."""
    recogniser = load_recogniser(RECOGNISER, threads_each(run.config.workers))

    def work(record: PhotoRecord) -> list[_Seen]:
        faces = [face for face in record.anonymized_faces if face.box.height >= SMALLEST_FACE_PX]
        if not record.pending or not faces:
            return []
        rgb = decode((run.path / record.file).read_bytes())
        embedded = recogniser.embed(np.stack([chip_of(rgb, face, recogniser) for face in faces]))
        return [_one(rgb, record, face, row) for face, row in zip(faces, embedded, strict=True)]

    with ThreadPoolExecutor(run.config.workers) as pool:
        for found in pool.map(work, run.all_records(DETECT)):
            yield from found


def _one(rgb: Pixels, record: PhotoRecord, face: Face, embedding: Embeddings) -> _Seen:
    key = f"{record.photo_id}/{face.face_id}"
    if (lent := donor_of(rgb, face)) is not None:
        return _Seen(key, embedding, lent.traits, lent)
    subject = _subject(rgb, face)
    traits = traits_of(subject.texture) if subject else np.zeros(5)
    return _Seen(key, embedding, traits, None)


def _subject(rgb: Pixels, face: Face) -> Subject | None:
    region = region_of(face, (rgb.shape[1], rgb.shape[0]), scale=1.2, feather=0, shape="ellipse")
    return Subject(rgb, face, region) if region else None


def _with_pool(seen: list[_Seen], path: Path, config: RunConfig) -> Offers:
    """One row a person, and for every face the rows that might be the same person."""
    lending = [(one, one.lent) for one in seen if one.lent]
    lending = sorted(lending, key=lambda pair: -pair[1].quality)[:MAX_DONORS]
    lenders = Lenders.of([(lent, one.embedding) for one, lent in lending])
    people = len(lenders.best)
    log.info("%d people may lend features", people)
    if people <= config.synthetic.k:
        if config.synthetic.donors == "batch":
            raise ConfigError(
                f"synthetic.donors: batch needs {config.synthetic.k + 1} different people whose faces are large and "
                f"clear enough, and this batch has {people}; choose auto, a bank, rendered or a smaller synthetic.k"
            )
        return Offers()
    data = lenders.pool().to_bytes()
    path.write_bytes(data)
    excluded = {one.key: lenders.maybe(one.embedding) for one in seen}
    return Offers(sha256=hashlib.sha256(data).hexdigest(), excluded=excluded)


def _with_people(offers: Offers, seen: list[_Seen]) -> Offers:
    """Which faces are the same person's; nobody lends to any of them who does not lend to all."""
    if len(seen) > MAX_GROUPED:
        raise ConfigError(
            f"synthetic.consistency: per_run groups at most {MAX_GROUPED} faces, and this run has {len(seen)}; "
            "choose fresh, or make smaller runs"
        )
    people = grouped([one.embedding for one in seen])
    by_person: dict[int, list[_Seen]] = {}
    for one, person in zip(seen, people, strict=True):
        by_person.setdefault(person, []).append(one)
    excluded = dict(offers.excluded)
    traits = {}
    for person, own in by_person.items():
        traits[person] = np.mean([one.traits for one in own], axis=0).tolist()
        rows = sorted({row for one in own for row in excluded.get(one.key, [])})
        excluded.update({one.key: rows for one in own if one.key in excluded})
    named = dict(zip((one.key for one in seen), people, strict=True))
    return offers.model_copy(update={"excluded": excluded, "people": named, "traits": traits})


def grouped(embeddings: Sequence[Embeddings]) -> list[int]:
    """A number for every row, the same for rows that are one person's: average-linkage clustering, cut at
    :data:`SAME_PERSON`.

    :param embeddings: float32 (D,) each.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(embeddings) < 2:
        return [0] * len(embeddings)
    labels: Iterable[int] = fcluster(linkage(np.stack(embeddings), "average"), SAME_PERSON, "distance")
    return [int(label) for label in labels]


def _person(run: RunFolder, offers: Offers, key: str) -> Person | None:
    if key not in offers.people:
        return None
    number = offers.people[key]
    message = f"person/{run.run_id}/{number}".encode()
    seed = hmac.new(Vault.of(run.config).key(), message, hashlib.sha256).digest()
    return Person(int.from_bytes(seed, "big"), tuple(offers.traits[number]))


def _offers_of(run: RunFolder) -> Offers:
    path = run.stage(STAGE) / OFFERS
    return _read_offers(path, path.stat().st_mtime_ns)


_CACHE: dict[tuple[Path, int], Offers] = {}


def _read_offers(path: Path, modified_ns: int) -> Offers:
    if (path, modified_ns) not in _CACHE:
        _CACHE.clear()
        _CACHE[path, modified_ns] = Offers.model_validate_json(path.read_bytes())
    return _CACHE[path, modified_ns]
