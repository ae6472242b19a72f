"""The DAG as Airflow sees it: it loads, it is wired as the design says, and parsing it costs next to nothing."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import timedelta
from typing import Any, get_args

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, BaseBranchOperator, BaseOperator, TriggerRule, task, task_group
from airflow.sdk.definitions.mappedoperator import MappedOperator

from dag_run import python
from photo_anonymizer.config import MethodName
from photo_anonymizer_airflow.environment import POOLS, ROOT

BRANCHES = {f"anonymize_{method}" for method in get_args(MethodName)}
TASKS = {
    "prepare_run",
    "ingest_photos",
    "plan_shards",
    "strip_metadata",
    "detect_faces",
    "choose_method",
    *BRANCHES,
    "gather_donors",
    "collect_shards",
    "remove_residual_cues",
    "render_photos",
    "embed_faces",
    "measure_reidentification",
    "reid_gate",
    "export_release",
    "close_run",
}
MAPPED = {
    "strip_metadata",
    "detect_faces",
    *BRANCHES,
    "remove_residual_cues",
    "render_photos",
    "embed_faces",
}
HEAVY = ("cv2", "onnxruntime", "pandas", "great_expectations", "tensorflow", "pyarrow", "numpy")
PARSE = f"import sys; sys.path.insert(0, {str(ROOT / 'dags')!r}); import anonymize_photos; dag = anonymize_photos.dag\n"


def without_pool(dag: DAG, pools: Collection[str]) -> set[str]:
    """Tasks whose pool nobody makes: Airflow would never schedule them, and only warn."""
    return {item.task_id for item in dag.tasks if item.pool not in pools}


def unlimited(dag: DAG) -> set[str]:
    """Tasks that may run for a day or for ever."""
    return {
        item.task_id
        for item in dag.tasks
        if item.execution_timeout is None or item.execution_timeout >= timedelta(hours=24)
    }


def branches_in_mapped_groups(dag: DAG) -> set[str]:
    """Branching tasks inside a mapped group: the branches not chosen would run as well (apache/airflow#67265)."""
    return {
        item.task_id
        for item in dag.tasks
        if getattr(item, "inherits_from_skipmixin", False) and item.get_closest_mapped_task_group() is not None
    }


# what is there


def test_every_file_in_dags_loads() -> None:
    assert DagBag(dag_folder=str(ROOT / "dags")).import_errors == {}


def test_there_are_exactly_two_dags() -> None:
    assert set(DagBag(dag_folder=str(ROOT / "dags")).dags) == {"anonymize_photos", "attack_methods"}


def test_the_tasks_are_the_stages(dag: DAG) -> None:
    assert set(dag.task_ids) == TASKS


def test_there_is_a_branch_for_every_method_of_the_configuration(dag: DAG) -> None:
    from photo_anonymizer.stages import METHOD_NAMES

    assert {f"anonymize_{name}" for name in METHOD_NAMES} == BRANCHES


def test_the_docstring_is_the_manual(dag: DAG) -> None:
    assert dag.doc_md is not None
    assert dag.doc_md.lstrip().startswith("# Anonymize photos")


def test_the_manual_names_every_task(dag: DAG) -> None:
    manual = str(dag.doc_md)
    assert {name for name in TASKS if name not in manual} <= BRANCHES
    assert "anonymize_*" in manual


# how it is wired


def test_there_is_no_cycle(dag: DAG) -> None:
    dag.check_cycle()


def test_photos_are_never_mapped_over_only_shards_are(dag: DAG) -> None:
    mapped = [item for item in dag.tasks if isinstance(item, MappedOperator)]
    assert {item.task_id for item in mapped} == MAPPED
    assert {tuple(item.expand_input.value) for item in mapped} == {("shard",)}


def test_the_branch_leads_to_the_methods_and_to_nothing_else(dag: DAG) -> None:
    firsts = BRANCHES - {"anonymize_synthetic"} | {"gather_donors"}
    assert dag.get_task("choose_method").downstream_task_ids == firsts
    assert dag.get_task("anonymize_synthetic").upstream_task_ids >= {"gather_donors"}


def test_the_branch_and_the_methods_wait_for_detection(dag: DAG) -> None:
    assert "detect_faces" in dag.get_task("choose_method").get_flat_relative_ids(upstream=True)


def test_the_collector_s_only_upstreams_are_the_branches(dag: DAG) -> None:
    collector = dag.get_task("collect_shards")
    assert collector.upstream_task_ids == BRANCHES
    assert collector.trigger_rule == TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


@pytest.mark.parametrize("task_id", sorted(TASKS - {"collect_shards", "close_run"}))
def test_no_other_task_runs_after_a_failure(dag: DAG, task_id: str) -> None:
    assert dag.get_task(task_id).trigger_rule == TriggerRule.ALL_SUCCESS


def test_export_comes_after_the_gate_and_after_nothing_else(dag: DAG) -> None:
    assert dag.get_task("export_release").upstream_task_ids == {"reid_gate"}


def test_the_dataset_is_freed_whatever_happened(dag: DAG) -> None:
    assert dag.get_task("prepare_run").is_setup
    assert dag.get_task("close_run").is_teardown


def test_only_the_export_updates_the_asset(dag: DAG) -> None:
    assert [item.task_id for item in dag.tasks if item.outlets] == ["export_release"]


def test_no_branch_lies_in_a_mapped_group(dag: DAG) -> None:
    assert branches_in_mapped_groups(dag) == set()


def test_a_branch_in_a_mapped_group_would_be_noticed() -> None:
    class Planted(BaseBranchOperator):
        def choose_branch(self, context: Any) -> str:
            return "group.after"

    with DAG("planted", schedule=None) as planted:

        @task
        def after() -> None: ...

        @task_group
        def group(item: int) -> None:
            Planted(task_id="branch") >> after()

        group.expand(item=[1, 2])
    assert branches_in_mapped_groups(planted) == {"group.branch"}


# how it is operated


def test_the_dag_has_an_owner_and_tags(dag: DAG) -> None:
    assert {item.owner for item in dag.tasks} == {"photo-anonymizer"}
    assert dag.tags == {"photos", "privacy"}


def test_the_gate_is_never_retried(dag: DAG) -> None:
    assert dag.get_task("reid_gate").retries == 0


@pytest.mark.parametrize("task_id", sorted(TASKS - {"reid_gate"}))
def test_everything_else_is_retried_with_growing_pauses(dag: DAG, task_id: str) -> None:
    item = dag.get_task(task_id)
    assert item.retries > 0
    assert item.retry_exponential_backoff > 1


def test_every_task_ends_within_a_day(dag: DAG) -> None:
    assert unlimited(dag) == set()


def test_a_task_without_a_limit_would_be_noticed() -> None:
    with DAG("planted", schedule=None) as planted:
        BaseOperator(task_id="endless")
        BaseOperator(task_id="long", execution_timeout=timedelta(days=2))
    assert unlimited(planted) == {"endless", "long"}


def test_every_task_says_what_to_do_when_it_fails(dag: DAG) -> None:
    assert {item.task_id for item in dag.tasks if not item.on_failure_callback} == set()


def test_every_pool_is_made_by_the_pools_file(dag: DAG) -> None:
    assert without_pool(dag, json.loads(POOLS.read_text(encoding="utf-8"))) == set()


def test_a_pool_that_nobody_makes_would_be_noticed() -> None:
    with DAG("planted", schedule=None) as planted:
        BaseOperator(task_id="stuck", pool="gpu")
    assert without_pool(planted, {"photo_cpu"}) == {"stuck"}


def test_runs_of_the_dag_do_not_overlap(dag: DAG) -> None:
    assert dag.max_active_runs == 1


def test_missed_schedules_are_not_made_up_for(dag: DAG) -> None:
    assert not dag.catchup


# the schedule


def test_nothing_is_scheduled_unless_somebody_says_so(dag: DAG) -> None:
    assert dag.schedule is None


def test_the_schedule_comes_from_the_environment_with_valid_parameters() -> None:
    shown = python(
        PARSE + "dag.validate(); print(dag.schedule, dag.params['source'], dag.params['out'])",
        PHOTO_ANONYMIZER_SCHEDULE="0 3 * * *",
        PHOTO_ANONYMIZER_SOURCE="/photos",
        PHOTO_ANONYMIZER_OUT="/data",
    )
    assert shown.stdout.split()[-7:] == ["0", "3", "*", "*", "*", "/photos", "/data"], shown.stderr


def test_a_schedule_without_photos_is_refused_with_a_sentence() -> None:
    shown = python(
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"print(DagBag(dag_folder={str(ROOT / 'dags')!r}).import_errors)",
        PHOTO_ANONYMIZER_SCHEDULE="@daily",
    )
    assert "name the photos of the scheduled runs in PHOTO_ANONYMIZER_SOURCE" in shown.stdout


# what parsing costs


def test_two_parses_serialize_to_the_same_bytes() -> None:
    code = (
        PARSE + "import json; from airflow.serialization.serialized_objects import DagSerialization\n"
        "print('serialized', json.dumps(DagSerialization.to_dict(dag), sort_keys=True))"
    )
    first, second = (python(code, PYTHONHASHSEED=seed).stdout.partition("serialized")[2] for seed in ("1", "2"))
    assert len(first) > 1000
    assert first == second


def test_parsing_imports_nothing_heavy() -> None:
    shown = python(PARSE + f"print('heavy', [name for name in {HEAVY!r} if name in sys.modules])")
    assert shown.stdout.strip().endswith("heavy []"), shown.stdout + shown.stderr


def test_parsing_takes_less_than_a_second_beyond_airflow_itself() -> None:
    code = (
        "import time; from airflow.sdk import DAG, Asset, BaseBranchOperator, BaseOperator, Param, TriggerRule, chain\n"
        "import airflow.sdk.exceptions; started = time.process_time()\n"
        + PARSE
        + "print('seconds', time.process_time() - started)"
    )
    seconds = min(float(python(code).stdout.split()[-1]) for _ in range(2))
    assert seconds < 1
