"""Measure, give every face that is still linked the next stronger step, and measure again.

The loop that ties the attack to the methods and to render; the stages themselves do not know each other.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from photo_anonymizer import donors
from photo_anonymizer.imagefile import decode, sha256_of
from photo_anonymizer.methods.ladder import Step, ladder
from photo_anonymizer.methods.stage import noise_source, patch_of
from photo_anonymizer.model.patch import FACE_LAYER, Patch, load_patches, save_patches
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.reid.attackers import Attacker, Found, attack_all, find, identities_of
from photo_anonymizer.reid.groups import labels_of
from photo_anonymizer.reid.measure import Attacks
from photo_anonymizer.reid.stage import SKIN_TONE, embeddings_folder, looks_of, recognisers_of, restored_folder
from photo_anonymizer.reid.stage import STAGE as EMBED
from photo_anonymizer.render.stage import render_photo
from photo_anonymizer.runfolder import WHOLE, RunFolder, StageOutput
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

log = logging.getLogger(__name__)

STAGE = "measure_reidentification"
RESULT = "attack.json"


class Measured(BaseModel):
    """The attack before and after escalation, and what escalation did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: Attacks
    after: Attacks
    rounds: int
    faces_escalated: int
    photos_held: int
    photos_with_faces: int
    """Photos with faces to anonymize that are still to be released."""
    photos_measured: int
    """Of those, photos whose anonymized faces were all attacked."""


def measure_and_escalate(run: RunFolder) -> Measured:
    """Attacks the rendered photos of the whole run and escalates until nothing is linked or the ladder ends.

    Faces of photos that still fail then are what they are: the photo is held.
    """
    if not run.done(STAGE):
        loop = _Loop(run)
        with run.publish(STAGE) as output:
            measured = loop.work(output)
            (output.folder / RESULT).write_text(measured.model_dump_json(indent=1), encoding="utf-8")
            output.write_records(list(loop.records.values()))
    run.tell(STAGE, WHOLE, 1, 1)
    return Measured.model_validate_json((run.stage(STAGE) / RESULT).read_bytes())


class _Loop:
    def __init__(self, run: RunFolder) -> None:
        config = run.config
        self.run, self.config = run, config
        self.records = {record.photo_id: record for record in run.all_records(EMBED)}
        self.originals = {record.photo_id: record.file for record in run.all_records("strip_metadata")}
        self.attackers = [
            Attacker.of(
                recogniser,
                embeddings_folder(run, recogniser.name),
                self._going(),
                restored_folder(run, recogniser),
                looks_of(config.reid),
            )
            for recogniser in recognisers_of(config.reid, threads_each(1))
        ]
        self.tones = embeddings_folder(run, SKIN_TONE)
        self.key = Vault.of(config).key()
        self.attacks = config.reid.attack_names
        self.steps = ladder(config, config.chosen_method)
        self.last = min(config.reid.max_escalations, len(self.steps) - 1)
        # Asked once: originals do not change, and who is who must not depend on which photos are held.
        links = find(self.attackers, self._going()).any
        self.who = identities_of(self.attackers, self._going(), links, config.reid.identities)

    def work(self, output: StageOutput) -> Measured:
        self.run.tell(STAGE, WHOLE, 0, 1)
        found = self._find()
        before = self._attack(found)
        rounds = 0
        # A face may become linked late: beside a neighbour whose mask grew, or without a held photo that was nearer.
        while failed := _by_photo(found):
            next_rungs = {photo_id: self._next(photo_id, faces) for photo_id, faces in failed.items()}
            if climbing := {photo_id: rungs for photo_id, rungs in next_rungs.items() if rungs}:
                rounds += 1
                log.info("escalation round %d: %d photos with linked faces", rounds, len(climbing))
                for photo_id, rungs in climbing.items():
                    self._escalate(photo_id, rungs, output)
            else:
                self._hold(failed)
            found = self._find()
        held = sum(record.reason is Reason.STILL_RECOGNISED for record in self.records.values())
        with_faces = [record for record in self._going() if record.anonymized_faces]
        return Measured(
            before=before,
            after=self._attack(found),
            rounds=rounds,
            faces_escalated=sum(len(record.escalations) for record in self.records.values()),
            photos_held=held,
            photos_with_faces=len(with_faces),
            photos_measured=len(
                set.intersection(*(self._photos_of(attacker, with_faces) for attacker in self.attackers))
            ),
        )

    def _hold(self, failed: Mapping[str, list[str]]) -> None:
        for photo_id, face_ids in failed.items():
            detail = f"{len(face_ids)} of {len(self.records[photo_id].anonymized_faces)} faces"
            self.records[photo_id] = self.records[photo_id].stopped(Reason.STILL_RECOGNISED, detail)

    def _going(self) -> list[PhotoRecord]:
        """The photos that are still to be released."""
        return [record for record in self.records.values() if record.pending]

    def _photos_of(self, attacker: Attacker, records: list[PhotoRecord]) -> set[str]:
        """Ids of the photos whose faces this recogniser attacked."""
        return {photo_id for photo_id, _ in attacker.pairs(records).keys}

    def _find(self) -> Found:
        return find(self.attackers, self._going(), self.attacks, self.who.people if self.who else None)

    def _attack(self, found: Found) -> Attacks:
        going = self._going()
        labels = labels_of(going, self.tones)
        everybody = list(self.records.values())
        return attack_all(self.attackers, going, labels, self.attacks, self.who, found, everybody)

    def _next(self, photo_id: str, face_ids: list[str]) -> dict[str, int]:
        """The next rung of those of these faces that have one: face → its number."""
        climbed = self.records[photo_id].escalations
        rungs = {face_id: climbed.get(face_id, 0) + 1 for face_id in face_ids}
        return {face_id: rung for face_id, rung in rungs.items() if rung <= self.last}

    def _escalate(self, photo_id: str, rungs: Mapping[str, int], output: StageOutput) -> None:
        """Puts these faces on their rungs, renders the photo anew from its stripped original, embeds it again."""
        record = self.records[photo_id]
        original = (self.run.path / self.originals[photo_id]).read_bytes()
        climbed = {**record.escalations, **rungs}
        name = f"{photo_id}-{sum(climbed.values())}"
        edits = self._repatch(record, original, {face_id: self.steps[rung] for face_id, rung in rungs.items()}, output)
        save_patches(output.folder / f"{name}.npz", edits)
        made = render_photo(original, edits, record)
        picture = f"{name}{Path(record.file).suffix}"
        (output.folder / picture).write_bytes(made.data)
        published = decode(made.data)
        for attacker in self.attackers:
            attacker.look_at(record, published)
        self.records[photo_id] = record.with_(
            file=output.relative(picture),
            attacked_sha256=sha256_of(made.data),
            outside=made.outside,
            patches=(output.relative(f"{name}.npz"),),
            escalations=climbed,
        )

    def _repatch(
        self, record: PhotoRecord, original: bytes, steps: dict[str, Step], output: StageOutput
    ) -> list[Patch]:
        """The photo's edits with those of the given faces made anew, in the order in which they were: where two faces
        overlap the surer one stays on top. A face without an edit is given one."""
        rgb = decode(original)
        edits = [edit for path in record.patches for edit in load_patches(self._path(path, output))]
        anew = {}
        for face in record.anonymized_faces:
            if face.face_id in steps:
                step = steps[face.face_id]
                rng = noise_source(self.key, sha256_of(original), face.face_id, step)
                offer = donors.offered(self.run, record.photo_id, face.face_id)
                anew[face.face_id] = patch_of(rgb, face, step, self.config.region.feather, rng, offer)
        kept = [edit for edit in edits if not (edit.layer == FACE_LAYER and edit.face_id in anew)]
        surest_last = {face.face_id: place for place, face in enumerate(reversed(record.anonymized_faces))}
        together = [*kept, *(patch for patch in anew.values() if patch)]
        return sorted(together, key=lambda edit: surest_last.get(edit.face_id, -1))

    def _path(self, relative: str, output: StageOutput) -> Path:
        """Where a patch file lies now: this stage's own files are still under their temporary name."""
        inside = relative.removeprefix(f"{output.prefix}/")
        return output.folder / inside if inside != relative else self.run.path / relative


def _by_photo(found: Found) -> dict[str, list[str]]:
    """Linked faces by their photo."""
    by_photo: dict[str, list[str]] = defaultdict(list)
    for photo_id, face_id in sorted(found.any):
        by_photo[photo_id].append(face_id)
    return dict(by_photo)
