"""The order of the stages: the only place in the library that knows it. The DAG wires the same functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import get_args

from photo_anonymizer import claim, consent, donors, outcome, weights
from photo_anonymizer.config import MethodName, RunConfig
from photo_anonymizer.detection.stage import STAGE as DETECT
from photo_anonymizer.detection.stage import check_detectors, detect_faces
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.escalation import Measured, measure_and_escalate
from photo_anonymizer.gate.stage import pass_gate
from photo_anonymizer.ingest.stage import SHARDS, ingest, plan_shards
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.metadata.stage import STAGE as STRIP
from photo_anonymizer.metadata.stage import strip_metadata
from photo_anonymizer.methods.generators.paint import check_generator
from photo_anonymizer.methods.icons import check_icon
from photo_anonymizer.methods.ladder import choose_method
from photo_anonymizer.methods.stage import STAGE as ANONYMIZE
from photo_anonymizer.methods.stage import anonymize
from photo_anonymizer.reid.stage import STAGE as EMBED
from photo_anonymizer.reid.stage import embed_faces, recognisers_of, remove_embeddings
from photo_anonymizer.release.export import Exported, export_release
from photo_anonymizer.render.stage import STAGE as RENDER
from photo_anonymizer.render.stage import render
from photo_anonymizer.residual.stage import STAGE as RESIDUAL
from photo_anonymizer.residual.stage import remove_residual_cues
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.sources import Limits, check_apart, check_source
from photo_anonymizer.threads import threads_each

PHOTO_STAGES = (STRIP, DETECT, ANONYMIZE, RESIDUAL, RENDER, EMBED)
"""Stages that work shard by shard, in order."""

METHOD_NAMES: tuple[MethodName, ...] = get_args(MethodName)


def start_run(config: RunConfig, run_id: str) -> RunFolder:
    """Checks everything that can be checked before the first photo is read, and makes the run's folder.

    :raises SourceError: no readable photos.
    :raises ModelError: a model file is missing or altered.
    :raises ConfigError: a file or folder that the configuration names cannot be used.
    :raises DatasetBusyError: another run of this dataset is at work.
    """
    check_source(config.source, Limits.of(config))
    check_apart(config.source, config.out)
    exiftool.check(config)
    weights.prepare_all()
    check_detectors(config.detection)
    recognisers_of(config.reid, threads_each(config.workers))
    consent.check(config)
    check_icon(config.mask)
    if config.synthetic.bank:
        donors.bank_of(config)
    check_generator(config)
    run = RunFolder.of(config, run_id)
    claim.take(config, run)
    try:
        run.start(config, run_id)
    except BaseException:
        claim.give_back(config, run)
        raise
    return run


def run_shard_stage(run: RunFolder, stage: str, shard: str) -> None:
    """Runs one of :data:`PHOTO_STAGES` for one shard."""
    if stage == ANONYMIZE:
        anonymize(run, shard, DETECT, choose_method(run.config), partial(donors.offered, run))
        return
    if stage == DETECT:
        detect_faces(run, shard, STRIP, consent.Consent.of(run.config).kept)
        return
    work, previous = {
        STRIP: (strip_metadata, SHARDS),
        RESIDUAL: (remove_residual_cues, ANONYMIZE),
        RENDER: (render, RESIDUAL),
        EMBED: (embed_faces, RENDER),
    }[stage]
    work(run, shard, previous)


def collect(run: RunFolder, shards: Sequence[str]) -> list[str]:
    """Checks that the chosen method has worked on every shard, and returns the shards.

    :raises PhotoAnonymizerError: a shard is missing, or its photos are not those that faces were looked for in.
    """
    for shard in shards:
        before = [record.photo_id for record in run.records(DETECT, shard)]
        after = [record.photo_id for record in run.records(ANONYMIZE, shard)]
        if before != after:
            raise PhotoAnonymizerError(f"shard {shard}: {len(before)} photos went in, {len(after)} came out")
    return list(shards)


def run_all(config: RunConfig, run_id: str) -> Exported:
    """The whole pipeline without Airflow.

    :raises GateRefusedError: nothing was published; the ledger says why.
    """
    run = start_run(config, run_id)
    try:
        run_photo_stages(run)
        measure(run)
        pass_gate(run)
        return export_release(run)
    finally:
        close_run(run)


def run_photo_stages(run: RunFolder) -> None:
    """Everything before the run is judged as a whole: ingest, then the photo stages, shard by shard."""
    ingest(run)
    shards = plan_shards(run)
    for stage in PHOTO_STAGES:
        if stage == ANONYMIZE and choose_method(run.config) == "synthetic":
            donors.gather(run)
        for shard in shards:
            run_shard_stage(run, stage, shard)
        if stage == ANONYMIZE:
            collect(run, shards)


def measure(run: RunFolder) -> Measured:
    """Attack and escalation over the whole run."""
    return measure_and_escalate(run)


def close_run(run: RunFolder) -> None:
    """Frees the dataset. Deletes all intermediate files of a run that published its release, and the embeddings of one
    that the gate refused; a run that failed keeps what a second try needs."""
    config = run.config
    claim.give_back(config, run)
    ending = (outcome.of(config, run) or {}).get("ending")
    if ending in {"released", "unchanged", "refused"}:
        remove_embeddings(run)
    if ending in {"released", "unchanged"} and not config.release.keep_workspace:
        run.remove()
