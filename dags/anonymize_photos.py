"""
# Anonymize photos

Turns a folder of photos into a release in which nobody can be recognised, and attacks the result before it publishes it.

**Trigger it** with the form: `source` is the folder or URL with the photos, `out` the folder that holds the three roots
`workspace/`, `vault/` and `releases/`. Everything else has a conservative default.

| stage | what happens | when it fails |
|---|---|---|
| prepare_run | parameters, source and models are checked, the dataset is claimed | correct what the message names, trigger anew |
| ingest_photos, plan_shards | every file gets an id and a row in the ledger; photos are cut into shards | clear the task |
| strip_metadata, detect_faces | clean upright copies; faces, doubtful ones to the review queue | clear the failed shard |
| choose_method, anonymize_* | one branch a run; a patch for every face | clear the failed shard |
| gather_donors | synthetic only: who in the batch may lend features to whom | clear the task; too few people: correct the configuration |
| collect_shards, remove_residual_cues, render_photos | patterns around faces flattened; every photo encoded once at most | clear the failed shard |
| embed_faces, measure_reidentification | the attack; faces that are still linked get a stronger method | clear the task |
| reid_gate | Great Expectations judges counts and rates | nothing is published; the message says why. Never retried |
| export_release | a new immutable version appears by rename | clear the task; nothing is published twice |
| close_run | the dataset is free again; intermediate files of a good run are deleted | clear the task |

**A failed task** can always be cleared: finished shards are kept, half-written ones do not count. **A run that was
triggered twice** waits until the first has ended. **Where things are**: the release in `releases/<dataset>/vNNNN`, why a
photo is not in it in `vault/<dataset>/ledger.parquet`. The operations runbook is `docs/operations.md`.
"""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule, chain

from photo_anonymizer_airflow.deployment import defaults, schedule, task_defaults
from photo_anonymizer_airflow.operators.anonymize_faces import AnonymizeFacesOperator
from photo_anonymizer_airflow.operators.choose_method import ChooseMethodOperator
from photo_anonymizer_airflow.operators.close_run import CloseRunOperator
from photo_anonymizer_airflow.operators.collect_shards import CollectShardsOperator
from photo_anonymizer_airflow.operators.detect_faces import DetectFacesOperator
from photo_anonymizer_airflow.operators.embed_faces import EmbedFacesOperator
from photo_anonymizer_airflow.operators.export_release import RELEASES, ExportReleaseOperator
from photo_anonymizer_airflow.operators.gather_donors import GatherDonorsOperator
from photo_anonymizer_airflow.operators.ingest_photos import IngestPhotosOperator
from photo_anonymizer_airflow.operators.measure_reidentification import MeasureReidentificationOperator
from photo_anonymizer_airflow.operators.plan_shards import PlanShardsOperator
from photo_anonymizer_airflow.operators.prepare_run import PrepareRunOperator
from photo_anonymizer_airflow.operators.reid_gate import ReidentificationGateOperator
from photo_anonymizer_airflow.operators.remove_residual_cues import RemoveResidualCuesOperator
from photo_anonymizer_airflow.operators.render_photos import RenderPhotosOperator
from photo_anonymizer_airflow.operators.strip_metadata import StripMetadataOperator
from photo_anonymizer_airflow.params import dag_params

METHODS = ("blur", "pixelate", "mask", "avatar", "synthetic", "feature_preserving")
# A template and not prepare.output: that would make every task a direct downstream of prepare_run, and the join after the
# branch may have no upstream but the branches.
RUN_FOLDER = "{{ ti.xcom_pull(task_ids='prepare_run') }}"

with DAG(
    dag_id="anonymize_photos",
    description="Photos in, a release in which nobody can be recognised out.",
    doc_md=__doc__,
    schedule=schedule("PHOTO_ANONYMIZER_SCHEDULE"),
    catchup=False,
    # Runs of one dataset must not interleave; prepare_run claims the dataset as well, whoever else may work on it.
    max_active_runs=1,
    params=dag_params(defaults()),
    tags=["photos", "privacy"],
    default_args=task_defaults(retries=3),
) as dag:
    prepare = PrepareRunOperator(task_id="prepare_run", pool="photo_io").as_setup()
    ingest = IngestPhotosOperator(task_id="ingest_photos", run_folder=RUN_FOLDER, pool="photo_io")
    plan = PlanShardsOperator(task_id="plan_shards", run_folder=RUN_FOLDER, pool="photo_io")
    strip = StripMetadataOperator.partial(
        task_id="strip_metadata",
        run_folder=RUN_FOLDER,
        pool="photo_io",
        map_index_template="{{ task.shard }}",
    ).expand(shard=plan.output)
    detect = DetectFacesOperator.partial(
        task_id="detect_faces", run_folder=RUN_FOLDER, map_index_template="{{ task.shard }}"
    ).expand(shard=plan.output)

    choose = ChooseMethodOperator(task_id="choose_method", run_folder=RUN_FOLDER, pool="photo_io")
    branches = [
        AnonymizeFacesOperator.partial(
            task_id=f"anonymize_{method}",
            run_folder=RUN_FOLDER,
            method=method,
            map_index_template="{{ task.shard }}",
        ).expand(shard=plan.output)
        for method in METHODS
    ]

    # Synthetic faces may be averaged from others of the batch, which must be seen as a whole first.
    donors = GatherDonorsOperator(task_id="gather_donors", run_folder=RUN_FOLDER)
    firsts = [donors if branch.task_id == "anonymize_synthetic" else branch for branch in branches]
    donors >> branches[METHODS.index("synthetic")]

    # Runs when exactly one branch did; with another upstream task it would run even though no branch had.
    collect = CollectShardsOperator(
        task_id="collect_shards",
        run_folder=RUN_FOLDER,
        pool="photo_io",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )
    cues = RemoveResidualCuesOperator.partial(
        task_id="remove_residual_cues", run_folder=RUN_FOLDER, map_index_template="{{ task.shard }}"
    ).expand(shard=collect.output)
    rendered = RenderPhotosOperator.partial(
        task_id="render_photos", run_folder=RUN_FOLDER, map_index_template="{{ task.shard }}"
    ).expand(shard=collect.output)
    embedded = EmbedFacesOperator.partial(
        task_id="embed_faces", run_folder=RUN_FOLDER, map_index_template="{{ task.shard }}"
    ).expand(shard=collect.output)

    measured = MeasureReidentificationOperator(task_id="measure_reidentification", run_folder=RUN_FOLDER)
    gate = ReidentificationGateOperator(task_id="reid_gate", run_folder=RUN_FOLDER, retries=0)
    export = ExportReleaseOperator(task_id="export_release", run_folder=RUN_FOLDER, pool="photo_io", outlets=[RELEASES])
    close = CloseRunOperator(task_id="close_run", run_folder=RUN_FOLDER, pool="photo_io")

    chain(
        prepare,
        ingest,
        plan,
        strip,
        detect,
        choose,
        firsts,
    )
    chain(
        branches,
        collect,
        cues,
        rendered,
        embedded,
        measured,
        gate,
        export,
    )
    export >> close.as_teardown(setups=prepare)
