"""What the gate looks at: one row of counts and rates about a run, with no id in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import ConsentConfig, RunConfig
from photo_anonymizer.escalation import STAGE as MEASURE
from photo_anonymizer.escalation import Measured, measure_and_escalate
from photo_anonymizer.gate.standing import pooled
from photo_anonymizer.heavy.result import known, now
from photo_anonymizer.imagefile import decode, sha256_of
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.outside import UNCHANGED, change_outside
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose, load_edits, load_patches
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord, Status
from photo_anonymizer.reid.attackers import CROSS_PHOTO, NAIVE, RESTORATION
from photo_anonymizer.reid.claims import upper_end
from photo_anonymizer.reid.measure import Attack, Attacks
from photo_anonymizer.release.carried_over import CarriedOver
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault

_SMALL = 1e-9


class Aggregates(BaseModel):
    """One run in numbers. ``None`` is a measure that is missing, which the gate never takes for a good one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: int
    to_release: int
    """Photos that this run worked on and that would be published."""
    carried_over: int = 0
    """Photos that would be published as an earlier version holds them; they were attacked then."""
    carried_faces: int = 0
    held: int
    rejected: int
    unaccounted: int
    """Inputs that are none of the three; anything but 0 means that a photo got lost or was counted twice."""
    faces: int
    """Faces in photos to be released, without those that are kept."""
    faces_without_edit: int
    """Of those, faces that nothing was done to."""
    faces_kept: int = 0
    """Faces in photos to be released that stay as they are, because consent says so."""
    faces_kept_wrongly: int = 0
    """Of those, faces in doubt, and faces kept for a reason that the configuration does not give."""
    faces_not_as_edited: int
    """Faces that, in the finished file, look more like the original than like the patch that should cover them."""
    faces_measured: int
    photos_with_faces: int
    """Photos to be released with faces that are not kept."""
    photos_measured: int
    files_missing: int
    files_changed: int
    """Files that are not, byte for byte, the ones that were attacked."""
    files_changed_outside: int
    """Files that differ from the original where nothing was edited, and were said not to."""
    metadata_residue: int
    """Files in which the independent reader found anything that is not on its list."""
    second_reader: str = ""
    """The second reader's name and version (``exiftool 12.57``); empty where none is used."""
    second_reader_residue: int | None = None
    """Files in which it found anything besides the picture; ``None`` without a second reader."""
    recogniser_degenerate: bool
    """Does no recogniser tell the originals apart?"""
    control_rate: float | None
    """Share of the originals that a recogniser knows in the mirror, the highest of all that tell them apart; with those
    of photos that were taken over."""
    linked_rate: float | None
    """Share of the faces that at least one attack of one recogniser links."""
    rank1_low_excess: float | None
    """Lower end of rank-1's interval minus chance, the highest of all recognisers."""
    furthest: str = ""
    """Whose that is."""
    resembles_low_excess: float | None = None
    """Lower end of the interval of how many faces are taken for another person of the run, minus how many originals
    are, the highest of all recognisers; 0 where nobody else is there."""
    attacks_missing: int = 0
    """Attacks that the configuration asks for, and that say nothing although there were faces to attack."""
    faces_unrestored: int = 0
    """Faces that were measured and not attacked by restoration, if that is asked for."""
    naive_linked_rate: float | None = None
    """Share of the faces that the naive attack links."""
    cross_photo_linked_rate: float | None = None
    """Share of the faces with another photo of the same person that this attack links; ``None`` where there are none,
    or where it is not asked for. So for the following."""
    cross_photo_rank1_low_excess: float | None = None
    cross_photo_furthest: str = ""
    restoration_linked_rate: float | None = None
    restoration_rank1_low_excess: float | None = None
    restoration_furthest: str = ""
    heavy_missing: int = 0
    """1: the configuration requires a result of heavy attacks, and there is none for this method and these settings
    that tested anything."""
    heavy_stale: int = 0
    """1: it requires one, and the only one is too old."""
    heavy_excess: float | None = None
    """How far heavy attacks get above what a solid mask gives away, at most: the lower end of the interval or, where a
    proof is asked for, the upper end. ``None`` where no result is known, or none matters."""
    heavy_furthest: str = ""
    people: int | None = None
    """People whom the measured faces show, as far as a recogniser tells them apart."""
    linked_upper: float | None = None
    """Upper end (one-sided, 95 %) of the share of people of whom a face is linked."""
    rank1_upper_excess: float | None = None
    """Upper end (one-sided, 95 %) of rank-1 minus chance, the highest of all recognisers, as if every person had one
    face."""

    @property
    def to_publish(self) -> int:
        """Photos of the version that would be published."""
        return self.to_release + self.carried_over

    @property
    def faces_to_publish(self) -> int:
        """Faces in them, changed or kept."""
        return self.faces + self.faces_kept + self.carried_faces


@dataclass(frozen=True)
class SecondLook:
    """What a second reader found in the files to be published."""

    reader: str = ""
    residue: int | None = None


@dataclass(frozen=True)
class FileLook:
    """What the gate finds when it reads a rendered file once more."""

    missing: bool = False
    changed: bool = False
    residue: bool = False
    changed_outside: bool = False
    faces_not_as_edited: int = 0


@dataclass(frozen=True)
class HeavyLook:
    """What is known of heavy attacks on this run's method; see :class:`Aggregates`."""

    missing: bool = False
    stale: bool = False
    excess: float | None = None
    furthest: str = ""

    @classmethod
    def of(cls, config: RunConfig, vault: Vault) -> HeavyLook:
        """Looks into the vault, as the configuration says."""
        asked = config.reid
        if asked.heavy == "off":
            return cls()
        result = known(config, vault)
        required = asked.heavy == "required"
        if result is None or not result.judged:
            return cls(missing=required)
        ends = {
            f"{one.attack} by {one.recogniser}": one.over_floor.judged(asked.claim)
            for one in result.judged
            if one.over_floor is not None
        }
        most = max(ends, key=lambda form: ends[form])
        stale = required and result.age_days(now()) > asked.heavy_max_age_days
        return cls(stale=stale, excess=ends[most], furthest=most)


def final_records(run: RunFolder) -> list[PhotoRecord]:
    """Every input of the run as its last stage left it, in the order of ingest."""
    newest = {record.source_uri: record for record in run.all_records("ingest")}
    newest.update({record.source_uri: record for record in run.records(MEASURE)})
    return list(newest.values())


def aggregate(run: RunFolder) -> Aggregates:
    """Counts the run, and reads every file that would be published once more."""
    measured = measure_and_escalate(run)
    records = final_records(run)
    going = [record for record in records if record.pending]
    with ThreadPoolExecutor(run.config.workers) as pool:
        originals = {record.photo_id: record.file for record in run.all_records("strip_metadata")}
        found = list(pool.map(lambda record: _look_at(run, record, originals[record.photo_id]), going))
    return tally(
        inputs=len(run.all_records("ingest")),
        records=records,
        edited_faces={record.photo_id: edited_faces(run, record) for record in going},
        files=found,
        measured=measured,
        consent=run.config.consent,
        second=second_look(run, going),
        carried=CarriedOver.of(run.config, Vault.of(run.config), records),
        asked=run.config.reid.attack_names,
        heavy=HeavyLook.of(run.config, Vault.of(run.config)),
    )


def tally(
    *,
    inputs: int,
    records: Iterable[PhotoRecord],
    edited_faces: dict[str, set[str]],
    files: Iterable[FileLook],
    measured: Measured,
    consent: ConsentConfig,
    second: SecondLook = SecondLook(),
    carried: CarriedOver | None = None,
    asked: Sequence[str] = (NAIVE,),
    heavy: HeavyLook = HeavyLook(),
) -> Aggregates:
    """The row, from what was counted.

    :param files: what was found in the file of every photo to be released.
    :param asked: the attacks that the configuration asks for.
    """
    records, files = list(records), list(files)
    going = [record for record in records if record.pending]
    carried = carried or CarriedOver({})
    taken = sum(record.status is Status.RELEASED for record in records)
    held = sum(record.status is Status.HELD for record in records)
    rejected = sum(record.status is Status.REJECTED for record in records)
    attacks = measured.after
    # What a broken recogniser says counts for nothing, unless there is no other.
    seeing = [attack for attack in attacks.by_recogniser.values() if not attack.degenerate]
    heard = seeing or list(attacks.by_recogniser.values())
    by_person = attacks.linked_by_person
    return Aggregates(
        inputs=inputs,
        to_release=len(going),
        carried_over=taken,
        carried_faces=len(carried.face_rows),
        held=held,
        rejected=rejected,
        unaccounted=inputs - len(going) - taken - held - rejected,
        faces=sum(len(record.anonymized_faces) for record in going),
        faces_without_edit=sum(
            face.face_id not in edited_faces.get(record.photo_id, set())
            for record in going
            for face in record.anonymized_faces
        ),
        faces_kept=sum(len(record.kept_faces) for record in going),
        faces_kept_wrongly=sum(not may_stay(face, consent) for record in going for face in record.kept_faces),
        faces_not_as_edited=sum(file.faces_not_as_edited for file in files),
        faces_measured=attacks.linked.n,
        photos_with_faces=measured.photos_with_faces,
        photos_measured=measured.photos_measured,
        files_missing=sum(file.missing for file in files),
        files_changed=sum(file.changed for file in files),
        files_changed_outside=sum(file.changed_outside for file in files),
        metadata_residue=sum(file.residue for file in files),
        second_reader=second.reader,
        second_reader_residue=second.residue,
        recogniser_degenerate=not seeing,
        control_rate=_highest(pooled(attack.control, carried.controls.get(attack.recogniser, ())) for attack in heard),
        linked_rate=attacks.linked.rate,
        rank1_low_excess=_highest(attack.rank1.low_excess for attack in heard),
        furthest=_furthest(heard),
        resembles_low_excess=_highest(attack.resemblance.low_excess for attack in heard if attack.resemblance),
        attacks_missing=sum(_says_nothing(attacks, name) for name in asked),
        faces_unrestored=attacks.linked.n - _faces(attacks, RESTORATION) if RESTORATION in asked else 0,
        naive_linked_rate=_linked_rate(attacks, NAIVE),
        cross_photo_linked_rate=_linked_rate(attacks, CROSS_PHOTO),
        cross_photo_rank1_low_excess=_furthest_form(attacks, CROSS_PHOTO)[0],
        cross_photo_furthest=_furthest_form(attacks, CROSS_PHOTO)[1],
        restoration_linked_rate=_linked_rate(attacks, RESTORATION),
        restoration_rank1_low_excess=_furthest_form(attacks, RESTORATION)[0],
        restoration_furthest=_furthest_form(attacks, RESTORATION)[1],
        heavy_missing=int(heavy.missing),
        heavy_stale=int(heavy.stale),
        heavy_excess=heavy.excess,
        heavy_furthest=heavy.furthest,
        people=by_person.people if by_person else None,
        linked_upper=upper_end(by_person.hit.hits, by_person.people) if by_person and by_person.people else None,
        rank1_upper_excess=_highest(_upper_excess(attack) for attack in heard),
    )


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _furthest(attacks: Sequence[Attack]) -> str:
    excess = {attack.recogniser: found for attack in attacks if (found := attack.rank1.low_excess) is not None}
    return max(excess, key=lambda name: excess[name], default="")


def _faces(attacks: Attacks, name: str) -> int:
    return attacks.by_attack[name].n if name in attacks.by_attack else 0


def _linked_rate(attacks: Attacks, name: str) -> float | None:
    return attacks.by_attack[name].rate if name in attacks.by_attack else None


def _says_nothing(attacks: Attacks, name: str) -> bool:
    """Was it not made, or has it no rate although faces were attacked?"""
    found = attacks.by_attack.get(name)
    return found is None or (found.rate is None and found.n > 0)


def _furthest_form(attacks: Attacks, name: str) -> tuple[float | None, str]:
    """How far the lower end of rank-1's interval lies above chance, at most, and which form and recogniser that is."""
    heard = [one for one in attacks.further if one.attack == name and not one.degenerate]
    excess = {f"{one.form} by {one.recogniser}": found for one in heard if (found := one.rank1.low_excess) is not None}
    most = max(excess, key=lambda form: excess[form], default="")
    return excess.get(most), most


def _upper_excess(attack: Attack) -> float | None:
    rate, chance, by_person = attack.rank1.rate, attack.rank1.chance, attack.rank1_by_person
    if rate is None or chance is None or by_person is None or not by_person.people:
        return None
    return upper_end(math.ceil(rate * by_person.people - _SMALL), by_person.people) - chance


def may_stay(face: Face, consent: ConsentConfig) -> bool:
    """Can this run's consent be why the face is kept?"""
    asked = {"region": consent.regions, "person": consent.people}
    return face.band == "accept" and bool(asked.get(face.kept))


def second_look(run: RunFolder, records: list[PhotoRecord]) -> SecondLook:
    """Lets exiftool read every file to be published, where the configuration wants it and it is installed.

    A colour profile passes in a file that is said to carry a well-known one: the first reader knows its bytes.
    """
    tool = exiftool.wanted(run.config)
    if tool is None:
        return SecondLook()
    found = exiftool.read(tool, run.path, [record.file for record in records], run.config.workers)
    residue = 0
    for record in records:
        kinds = found[record.file]
        profiled = record.encoding is not None and bool(record.encoding.profile)
        residue += bool(exiftool.without_profile(kinds) if profiled else kinds)
    return SecondLook(tool.name, residue)


def edited_faces(run: RunFolder, record: PhotoRecord) -> set[str]:
    """Ids of the faces of a photo that a patch replaces."""
    edits = (edit for path in record.patches for edit in load_edits(run.path / path))
    return {str(edit["face_id"]) for edit in edits if edit["layer"] == FACE_LAYER}


def _look_at(run: RunFolder, record: PhotoRecord, original: str) -> FileLook:
    path = run.path / record.file
    if not path.is_file():
        return FileLook(missing=True)
    data = path.read_bytes()
    look = FileLook(changed=sha256_of(data) != record.attacked_sha256, residue=bool(inspect(data)))
    patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
    if not patches:
        return look
    before, after = decode((run.path / original).read_bytes()), decode(data)
    return replace(
        look,
        faces_not_as_edited=faces_not_as_edited(patches, before, after),
        changed_outside=changed_outside(record, patches, before, after),
    )


def faces_not_as_edited(patches: Sequence[Patch], before: Pixels, after: Pixels) -> int:
    """Faces whose patch does not show in the finished file: notices a face left clear without any recogniser."""
    wanted = compose(before, patches)
    return sum(not _shows(patch, before, wanted, after) for patch in patches if patch.layer == FACE_LAYER)


def changed_outside(record: PhotoRecord, patches: Sequence[Patch], before: Pixels, after: Pixels) -> bool:
    """Does the finished file differ where nothing was edited, although render says that it does not?"""
    if record.encoding is None or record.outside is None:
        return True  # nothing was said
    if record.outside != UNCHANGED:
        return False
    return change_outside(before, after, patches, lossless=record.encoding.is_lossless) != UNCHANGED


def _shows(patch: Patch, before: Pixels, wanted: Pixels, after: Pixels) -> bool:
    core, place = patch.alpha == 255, patch.region.slices
    if not core.any():
        return False
    old, new, found = (picture[place][core].astype(np.int16) for picture in (before, wanted, after))
    if np.abs(new - old).mean() < 1:  # the photo had the patch's colours there already
        return True
    return bool(np.abs(found - new).mean() < np.abs(found - old).mean())
