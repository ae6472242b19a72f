"""Export: a new version appears by rename, whole or not at all, as a BagIt bag (RFC 8493)."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import bagit

from photo_anonymizer import __version__, consent, outcome, weights
from photo_anonymizer.accounting import account
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import GateRefusedError, PhotoAnonymizerError
from photo_anonymizer.escalation import Measured, measure_and_escalate
from photo_anonymizer.files import published_folder, write_json
from photo_anonymizer.gate.aggregates import Aggregates, final_records
from photo_anonymizer.gate.stage import result as gate_result
from photo_anonymizer.gate.standing import standings
from photo_anonymizer.gate.suite import Verdict
from photo_anonymizer.hand_test.result import results as hand_tests
from photo_anonymizer.imagefile import sha256_of
from photo_anonymizer.ingest.stage import summary as ingest_summary
from photo_anonymizer.model.patch import FACE_LAYER, load_edits
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.provenance import software
from photo_anonymizer.published import dataset_folder, find_version, manifest_sha256, next_version, sweep, versions
from photo_anonymizer.reid.claims import claim_in_words
from photo_anonymizer.release import audit, tables
from photo_anonymizer.release.carried_over import CarriedOver
from photo_anonymizer.release.changed import changed_evidence, ended_evidence
from photo_anonymizer.release.detected import detection_evidence
from photo_anonymizer.release.report import write_report
from photo_anonymizer.release.unedited import unedited_evidence
from photo_anonymizer.runfolder import WHOLE, RunFolder
from photo_anonymizer.software import software_versions
from photo_anonymizer.users_models import users_models
from photo_anonymizer.vault import Vault

log = logging.getLogger(__name__)

STAGE = "export_release"
# One moment for every published file: the time of writing says nothing about a photo, and nothing else is kept.
PUBLISHED_MTIME_S = 315_532_800  # 1980-01-01, the earliest that ZIP can hold


class Exported(dict[str, Any]):
    """What an export tells the outside: version, place and counts, nothing about any photo."""


def export_release(run: RunFolder) -> Exported:
    """Publishes the run's photos, and those taken over from earlier versions, as the dataset's next version.

    A run that is exported already is only reported. A run that would publish what the newest version holds already
    publishes nothing.

    :raises GateRefusedError: the gate did not let this run pass.
    """
    config, vault = run.config, Vault.of(run.config)
    aggregates, verdict = gate_result(run)
    if not verdict.passed:
        raise GateRefusedError("this run did not pass the gate; nothing is published")
    run.tell(STAGE, WHOLE, 0, 1)
    records = final_records(run)
    dataset = dataset_folder(config)
    dataset.mkdir(parents=True, exist_ok=True)
    token = run_token(vault.key(), run.run_id)
    with vault.locked_for("export"):
        sweep(dataset)
        carried = CarriedOver.of(config, vault, records)
        version = find_version(dataset, token)
        standing = None if version else carried.same_as_newest(dataset, records)
        if version is None and standing is None:
            others = [name for name, note in vault.noted_releases().items() if note.get("run") != token]
            version = next_version([*versions(dataset), *others])
            _build(run, dataset / version, records, carried, token, aggregates, verdict)
    unchanged, version = standing is not None, str(version or standing)
    files = tables.read(dataset / version / "data" / "photos.parquet")
    account(run, records, {row["photo_id"]: f"{version}/data/{row['file']}" for row in files})
    log.info("%s %s with %d photos", "unchanged:" if unchanged else "published", version, aggregates.to_publish)
    exported = Exported(
        version=version,
        release=str(dataset / version),
        released=aggregates.to_publish,
        carried_over=aggregates.carried_over,
        held=aggregates.held,
        rejected=aggregates.rejected,
        inputs=aggregates.inputs,
        faces=aggregates.faces_to_publish,
        deleted_at_source=ingest_summary(run).deleted_at_source,
        unchanged=unchanged,
    )
    outcome.note(config, run, "unchanged" if unchanged else "released", reasons=dict(_reasons(records)), **exported)
    run.tell(STAGE, WHOLE, 1, 1)
    return exported


def run_token(key: bytes, run_id: str) -> str:
    """How a release names its run: the ledger's owner can tell which it was, nobody else can."""
    return hmac.new(key, b"run/" + run_id.encode(), hashlib.sha256).hexdigest()[:32]


def _build(
    run: RunFolder,
    target: Path,
    records: Sequence[PhotoRecord],
    carried: CarriedOver,
    token: str,
    aggregates: Aggregates,
    verdict: Verdict,
) -> None:
    config, measured = run.config, measure_and_escalate(run)
    # The order of the source (often that of time) must not show: ids are keyed, so their order says nothing.
    going = sorted((record for record in records if record.pending), key=lambda record: record.photo_id)
    with published_folder(target, mode=0o755) as folder:
        (folder / "photos").mkdir()
        with ThreadPoolExecutor(config.workers) as pool:
            new_rows = list(pool.map(lambda record: _publish_photo(run, record, folder), going))
        photo_rows = sorted([*new_rows, *carried.copy_photos(folder)], key=lambda row: str(row["photo_id"]))
        edits = {record.photo_id: _edits(run, record) for record in going}
        new_faces = _face_rows(going, edits)
        face_rows = sorted([*new_faces, *carried.face_rows], key=lambda row: str(row["photo_id"]))
        kept = tables.kept_counts(face_rows)
        tables.write(folder / "photos.parquet", photo_rows, tables.photos_schema(config.metadata))
        tables.write(folder / "faces.parquet", face_rows, tables.FACES)
        photo_events = {**_photo_events(config, going, new_rows, new_faces, edits, target.name), **carried.events}
        entries = audit.chain(_events(config, records, photo_events, aggregates, verdict, token))
        (folder / "audit.jsonl").write_text(audit.dump(entries), encoding="utf-8")
        about = _about(config, token, target.name, aggregates, kept, audit.head_of(entries))
        evidence = {
            **_evidence(measured, aggregates, verdict, config, carried, ended_evidence(new_faces)),
            "kept_faces": {**kept, "rule": consent.rule(config)},
            "detection": detection_evidence(config.detection, going),
            "carried_over": carried.evidence,
            "unedited": unedited_evidence(photo_rows),
            "changed": changed_evidence(face_rows, config),
            "hand_tests": [found.model_dump(mode="json") for found in hand_tests(Vault.of(config))],
        }
        write_json(folder / "run.json", about, 0o644)
        write_json(folder / "qa.json", evidence, 0o644)
        write_report(folder, about, evidence, photo_rows, _reasons(records), config.release.contact_sheet_photos)
        bagit.make_bag(
            str(folder),
            {
                "Source-Organization": "photo-anonymizer",
                "External-Identifier": f"{config.dataset}/{target.name}",
            },
            processes=1,
            checksums=["sha256"],
        )
        _seal(folder)
        # Before the version appears: one that the vault did not know would be trusted by nobody.
        Vault.of(config).note_release(
            target.name, {**about["audit"], "run": token, "manifest_sha256": manifest_sha256(folder)}
        )


def _publish_photo(run: RunFolder, record: PhotoRecord, folder: Path) -> dict[str, Any]:
    source = run.path / record.file
    name = f"photos/{record.photo_id}{source.suffix}"
    data = source.read_bytes()
    sha256 = sha256_of(data)
    if sha256 != record.attacked_sha256:
        raise PhotoAnonymizerError("a picture was changed after it was attacked; nothing is published. Start a new run")
    (folder / name).write_bytes(data)
    return {
        "photo_id": record.photo_id,
        "file": name,
        "sha256": sha256,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "method": record.method if record.anonymized_faces else "",
        "faces": len(record.faces),
        "reviewed": record.reviewed,
        "outside_mean": record.outside.mean if record.outside else None,
        "outside_max": record.outside.largest if record.outside else None,
        **record.kept,
    }


def _edits(run: RunFolder, record: PhotoRecord) -> list[dict[str, Any]]:
    return [edit for path in record.patches for edit in load_edits(run.path / path)]


def _face_rows(records: Sequence[PhotoRecord], edits: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        made = {edit["face_id"]: edit for edit in edits[record.photo_id] if edit["layer"] == FACE_LAYER}
        for face in record.faces:
            if face.kept:
                rows.append(tables.kept_face_row(record.photo_id, face, (record.width, record.height)))
            else:
                steps = record.escalations.get(face.face_id, 0)
                rows.append(tables.face_row(record.photo_id, face, made[face.face_id], steps))
    return rows


def _photo_events(
    config: RunConfig,
    records: Sequence[PhotoRecord],
    photo_rows: Sequence[dict[str, Any]],
    face_rows: Sequence[dict[str, Any]],
    edits: dict[str, list[dict[str, Any]]],
    version: str,
) -> dict[str, dict[str, Any]]:
    """What the audit log says about each photo that this run worked on."""
    by_id = {record.photo_id: record for record in records}
    kept = {
        photo_id: {**tables.kept_counts(rows), "rule": consent.rule(config)}
        for photo_id, rows in groupby(face_rows, key=lambda row: str(row["photo_id"]))
        if by_id[photo_id].kept_faces
    }
    return {
        row["photo_id"]: {
            "photo_id": row["photo_id"],
            "sha256": row["sha256"],
            "since": version,
            "basis": by_id[row["photo_id"]].basis,
            "metadata_removed": list(by_id[row["photo_id"]].removed),
            "metadata_kept": sorted(by_id[row["photo_id"]].kept),
            "edits": [
                {**edit, "parameters": tables.public_parameters(edit["parameters"])} for edit in edits[row["photo_id"]]
            ],
            "escalations": by_id[row["photo_id"]].escalations,
            **({"kept_faces": kept[row["photo_id"]]} if row["photo_id"] in kept else {}),
        }
        for row in photo_rows
    }


def _events(
    config: RunConfig,
    records: Sequence[PhotoRecord],
    photo_events: dict[str, dict[str, Any]],
    aggregates: Aggregates,
    verdict: Verdict,
    token: str,
) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("run", {"run": token, "configuration_sha256": config.digest, "software": software()}),
        *(("photo", photo_events[photo_id]) for photo_id in sorted(photo_events)),
        ("not_released", dict(_reasons(records))),
        ("gate", {"passed": verdict.passed, "expectations": len(verdict.findings)}),
        ("published", {"photos": aggregates.to_publish, "carried_over": aggregates.carried_over}),
    ]


def _about(
    config: RunConfig, token: str, version: str, aggregates: Aggregates, kept: dict[str, int], head: audit.Head
) -> dict[str, Any]:
    return {
        "schema": 1,
        "dataset": config.dataset,
        "version": version,
        "run": token,
        "configuration": config.public(),
        "configuration_sha256": config.digest,
        "method": config.chosen_method,
        "residual_cues": config.residual_enabled,
        "software": software_versions(config.synthetic.generator),
        "models": [
            *(
                {
                    "name": item.name,
                    "package": f"{item.package}=={item.pin}",
                    "sha256": item.sha256,
                    "licence": item.licence,
                    "use": item.use,
                }
                for item in weights.registered().values()
            ),
            *users_models(config),
        ],
        "counts": {
            "inputs": aggregates.inputs,
            "released": aggregates.to_publish,
            "carried_over": aggregates.carried_over,
            "held": aggregates.held,
            "rejected": aggregates.rejected,
            "faces": aggregates.faces_to_publish,
            "faces_kept": kept,
        },
        "consent": consent.rule(config),
        "metadata_kept": config.metadata.kept,
        "audit": {"entries": head.entries, "sha256": head.sha256},
        "product": {"name": "photo-anonymizer", "version": __version__},
    }


def _evidence(
    measured: Measured,
    aggregates: Aggregates,
    verdict: Verdict,
    config: RunConfig,
    carried: CarriedOver,
    ended_at: dict[str, int],
) -> dict[str, Any]:
    after = measured.after
    standing = standings(after, carried.controls, config.reid.min_control_rate)
    return {
        "schema": 2,
        "claim": config.reid.claim,
        "claim_in_words": claim_in_words(config.reid.claim, after.linked, after.linked_by_person),
        "attack": attacks_in_words(config.reid.attack_names),
        "aggregates": aggregates.model_dump(mode="json"),
        "recognisers": [item.model_dump(mode="json") for item in standing],
        "before_escalation": measured.before.model_dump(mode="json"),
        "published": measured.after.model_dump(mode="json"),
        "escalation": {
            "rounds": measured.rounds,
            "faces_escalated": measured.faces_escalated,
            "photos_held": measured.photos_held,
            "ended_at": ended_at,
        },
        "bounds": {
            "max_linked_rate": config.reid.max_linked_rate,
            "max_rank1_excess": config.reid.max_rank1_excess,
            "max_resemblance_excess": config.reid.max_resemblance_excess,
            "min_control_rate": config.reid.min_control_rate,
        },
        "gate": verdict.model_dump(mode="json"),
    }


def attacks_in_words(names: Sequence[str]) -> str:
    """What was done to the published faces."""
    words = {
        "naive": "A0: clear originals against published files, same photos, aligned by the originals' landmarks",
        "cross_photo": "A1: clear originals in other photos of the same people",
        "restoration": "A3: A0 and A1 after filters tried to undo the change",
    }
    return "; ".join(words[name] for name in names)


def _reasons(records: Sequence[PhotoRecord]) -> Counter[str]:
    return Counter(f"{record.status}: {record.reason}" for record in records if record.reason)


def _seal(folder: Path) -> None:
    """Read-only files of one age, flushed to the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            os.utime(path, (PUBLISHED_MTIME_S, PUBLISHED_MTIME_S))
            path.chmod(0o444)
