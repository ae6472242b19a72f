"""The operators: each hands its work to the library, returns counts, and knows what is worth another try."""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dag_run import NAMES
from photo_anonymizer import claim, outcome, stages
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import DatasetBusyError, ModelError, PhotoAnonymizerError
from photo_anonymizer.files import write_json
from photo_anonymizer.gate.suite import Verdict
from photo_anonymizer.ingest.stage import SHARDS
from photo_anonymizer.release.export import versions
from photo_anonymizer.release.verify import verify
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault
from photo_anonymizer_airflow.operators.anonymize_faces import AnonymizeFacesOperator
from photo_anonymizer_airflow.operators.base import PhotoAnonymizerOperator
from photo_anonymizer_airflow.operators.choose_method import ChooseMethodOperator
from photo_anonymizer_airflow.operators.close_run import CloseRunOperator
from photo_anonymizer_airflow.operators.collect_shards import CollectShardsOperator
from photo_anonymizer_airflow.operators.detect_faces import DetectFacesOperator
from photo_anonymizer_airflow.operators.embed_faces import EmbedFacesOperator
from photo_anonymizer_airflow.operators.export_release import RELEASES, ExportReleaseOperator
from photo_anonymizer_airflow.operators.ingest_photos import IngestPhotosOperator
from photo_anonymizer_airflow.operators.measure_reidentification import MeasureReidentificationOperator
from photo_anonymizer_airflow.operators.plan_shards import PlanShardsOperator
from photo_anonymizer_airflow.operators.prepare_run import PrepareRunOperator
from photo_anonymizer_airflow.operators.reid_gate import ReidentificationGateOperator
from photo_anonymizer_airflow.operators.remove_residual_cues import RemoveResidualCuesOperator
from photo_anonymizer_airflow.operators.render_photos import RenderPhotosOperator
from photo_anonymizer_airflow.operators.strip_metadata import StripMetadataOperator
from photo_anonymizer_airflow.params import param_values

RUN_ID = "manual__2026-01-01"
SHARD_OPERATORS = {
    "strip_metadata": StripMetadataOperator,
    "detect_faces": DetectFacesOperator,
    "anonymize": AnonymizeFacesOperator,
    "remove_residual_cues": RemoveResidualCuesOperator,
    "render": RenderPhotosOperator,
    "embed_faces": EmbedFacesOperator,
}
RUN_OPERATORS = (
    IngestPhotosOperator,
    PlanShardsOperator,
    CollectShardsOperator,
    MeasureReidentificationOperator,
    ReidentificationGateOperator,
    ExportReleaseOperator,
    CloseRunOperator,
)


class Events(dict[Any, Any]):
    """``outlet_events`` of a task's context."""

    def __missing__(self, asset: Any) -> SimpleNamespace:
        return self.setdefault(asset, SimpleNamespace(extra={}))


class Executed:
    """Operators executed one after the other on one run, with what they returned."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.returned: dict[str, Any] = {}
        self.events = Events()
        self.run_folder = ""

    def execute(self, operator: type[BaseOperator], name: str = "", **arguments: Any) -> Any:
        """What the operator returns; kept under ``name``."""
        name = name or operator.__name__
        if operator is not PrepareRunOperator:
            arguments["run_folder"] = self.run_folder
        context: Any = {"params": param_values(self.config), "run_id": RUN_ID, "outlet_events": self.events}
        self.returned[name] = operator(task_id="t", **arguments).execute(context)
        return self.returned[name]

    def stage(self, stage: str, shard: str) -> Any:
        """Executes the operator of one stage for one shard."""
        method = {"method": self.config.chosen_method} if stage == "anonymize" else {}
        return self.execute(SHARD_OPERATORS[stage], f"{stage}/{shard}", shard=shard, **method)

    def all(self) -> Executed:
        """The whole run but its end."""
        self.run_folder = self.execute(PrepareRunOperator)
        self.execute(IngestPhotosOperator)
        shards = self.execute(PlanShardsOperator)
        for stage in SHARD_OPERATORS:
            for shard in shards:
                self.stage(stage, shard)
            if stage == "anonymize":
                self.execute(CollectShardsOperator)
        self.execute(MeasureReidentificationOperator)
        self.execute(ReidentificationGateOperator)
        self.execute(ExportReleaseOperator)
        return self


@pytest.fixture(scope="module")
def executed(party: Path, tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """A whole run in shards of two photos, not closed yet."""
    out = tmp_path_factory.mktemp("executed") / "out"
    values = {"source": str(party), "out": str(out), "dataset": "party", "method": "pixelate"}
    return Executed(load_config({**values, "ingest": {"shard_size": 2}})).all()


@pytest.fixture
def prepared(config_of: Callable[..., RunConfig]) -> Executed:
    """A run that has just been prepared."""
    run = Executed(config_of())
    run.run_folder = run.execute(PrepareRunOperator)
    return run


def raising(error: BaseException) -> BaseOperator:
    """An operator whose work fails."""

    class Failing(PhotoAnonymizerOperator):
        def work(self, context: Any) -> None:
            raise error

    return Failing(task_id="failing")


# what the tasks tell each other


def test_prepare_run_returns_where_the_run_lies(executed: Executed) -> None:
    run = RunFolder(Path(executed.returned["PrepareRunOperator"]))
    assert run.run_id == RUN_ID
    assert run.config == executed.config


def test_ingest_returns_how_many_photos_there_are_and_how_many_are_new(executed: Executed) -> None:
    counts = {"photos": 4, "going_on": 3, "taken_over": 0, "carried_over": 0, "deleted_at_source": 0}
    assert executed.returned["IngestPhotosOperator"] == counts


def test_planning_returns_the_names_of_the_shards(executed: Executed) -> None:
    assert executed.returned["PlanShardsOperator"] == ["0000", "0001"]


@pytest.mark.parametrize("stage", SHARD_OPERATORS)
def test_a_stage_returns_how_many_photos_it_saw_and_how_many_go_on(executed: Executed, stage: str) -> None:
    counts = [executed.returned[f"{stage}/{shard}"] for shard in ("0000", "0001")]
    assert [count["photos"] for count in counts] == [2, 1]
    assert all(count["going_on"] <= count["photos"] for count in counts)


def test_collecting_returns_the_shards_that_were_worked_on(executed: Executed) -> None:
    assert executed.returned["CollectShardsOperator"] == ["0000", "0001"]


def test_measuring_returns_counts(executed: Executed) -> None:
    measured = executed.returned["MeasureReidentificationOperator"]
    assert set(measured) == {"faces", "escalated", "photos_held"}
    assert measured["faces"] >= 2


def test_the_gate_returns_how_many_expectations_were_met(executed: Executed) -> None:
    assert executed.returned["ReidentificationGateOperator"]["expectations_met"] > 10


def test_the_export_returns_version_and_counts(executed: Executed) -> None:
    told = executed.returned["ExportReleaseOperator"]
    counts = {"inputs", "released", "carried_over", "held", "rejected", "faces", "deleted_at_source"}
    assert set(told) == {"dataset", "version", *counts}
    assert told["inputs"] == told["released"] + told["held"] + told["rejected"] == 4


def test_the_asset_event_carries_what_the_export_returned_and_no_more(executed: Executed) -> None:
    assert executed.events[RELEASES].extra == executed.returned["ExportReleaseOperator"]


def test_nothing_that_is_returned_names_a_photo(executed: Executed) -> None:
    told = json.dumps(executed.returned)
    assert [name for name in NAMES if name in told] == []
    ids = [row["photo_id"] for row in Vault.of(executed.config).ledger()]
    assert [photo_id for photo_id in ids if photo_id in told] == []


def test_what_is_released_is_intact(executed: Executed) -> None:
    release = Path(executed.config.out) / "releases" / "party" / "v0001"
    assert (
        verify(release, Vault.of(executed.config))["photos"] == executed.returned["ExportReleaseOperator"]["released"]
    )


# doing it again


@pytest.mark.parametrize("stage", SHARD_OPERATORS)
def test_a_stage_that_is_done_is_not_done_again(executed: Executed, stage: str) -> None:
    folder = RunFolder(Path(executed.run_folder)).stage(stage, "0000")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    first = executed.returned[f"{stage}/0000"]
    assert executed.stage(stage, "0000") == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_same_run_exported_twice_is_one_version(executed: Executed) -> None:
    first = executed.returned["ExportReleaseOperator"]
    assert executed.execute(ExportReleaseOperator) == first
    assert versions(Path(executed.config.out) / "releases" / "party") == ["v0001"]


def test_preparing_the_same_run_again_changes_nothing(prepared: Executed) -> None:
    assert prepared.execute(PrepareRunOperator) == prepared.run_folder


# prepare_run


def test_a_bad_configuration_fails_at_once(config_of: Callable[..., RunConfig]) -> None:
    params = {**param_values(config_of()), "workers": 0}
    with pytest.raises(AirflowFailException, match="workers"):
        PrepareRunOperator(task_id="t").execute({"params": params, "run_id": RUN_ID})  # type: ignore[typeddict-item]


def test_a_missing_source_fails_at_once(config_of: Callable[..., RunConfig], tmp_path: Path) -> None:
    with pytest.raises(AirflowFailException, match="does not exist"):
        Executed(config_of(source=str(tmp_path / "nowhere"))).execute(PrepareRunOperator)


def test_an_empty_source_fails_at_once(config_of: Callable[..., RunConfig], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AirflowFailException, match="empty"):
        Executed(config_of(source=str(tmp_path / "empty"))).execute(PrepareRunOperator)


def test_an_altered_model_fails_at_once(config_of: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    def altered() -> None:
        raise ModelError("the model is not the registered file")

    monkeypatch.setattr(stages.weights, "prepare_all", altered)
    with pytest.raises(AirflowFailException, match="registered"):
        Executed(config_of()).execute(PrepareRunOperator)


def test_a_dataset_on_which_another_run_works_is_worth_another_try(prepared: Executed) -> None:
    other = {"folder": "another-run", "host": socket.gethostname(), "pid": None}
    (Path(prepared.run_folder).parent / "another-run").mkdir()
    write_json(Vault.of(prepared.config).path / "active_run.json", other)
    with pytest.raises(DatasetBusyError, match="another run"):
        prepared.execute(PrepareRunOperator)


# which failures are tried again


def test_the_project_s_own_errors_fail_at_once() -> None:
    with pytest.raises(AirflowFailException, match="a shard is missing"):
        raising(PhotoAnonymizerError("a shard is missing")).execute({})


def test_a_full_disk_is_worth_another_try() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        raising(OSError(errno.ENOSPC, "No space left on device")).execute({})
    assert raised.value.errno == errno.ENOSPC


def test_airflow_s_own_exceptions_pass() -> None:
    with pytest.raises(AirflowSkipException):
        raising(AirflowSkipException("nothing to do")).execute({})


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/camera/Anna Example.jpg"),
        OSError("cannot open s3://camera/Anna Example.jpg"),
        ValueError("Anna Example.jpg is odd"),
    ],
)
def test_an_error_is_passed_on_without_the_file_s_name(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises((OSError, RuntimeError)) as raised:
        raising(error).execute({})
    assert "Anna" not in f"{raised.value}{raised.value.__context__ if not raised.value.__suppress_context__ else ''}"
    assert "Anna" not in caplog.text
    assert type(error).__name__ in str(raised.value)
    assert "test_operators.py" in str(raised.value)


# the branch


@pytest.mark.parametrize(
    ("fields", "branch"),
    [
        ({"method": "blur"}, "anonymize_blur"),
        ({"method": "pixelate"}, "anonymize_pixelate"),
        ({"method": "mask"}, "anonymize_mask"),
        ({"method": "avatar"}, "anonymize_avatar"),
        ({"method": "synthetic"}, "gather_donors"),
        ({"purpose": "internal_review"}, "anonymize_blur"),
        ({"purpose": "realism"}, "gather_donors"),
        ({}, "anonymize_mask"),
    ],
)
def test_the_branch_is_that_of_the_run_s_method(
    config_of: Callable[..., RunConfig], fields: dict[str, Any], branch: str
) -> None:
    config = config_of(**fields)
    run = RunFolder.of(config, RUN_ID)
    run.start(config, RUN_ID)
    assert ChooseMethodOperator(task_id="t", run_folder=str(run.path)).choose_branch({}) == branch


def test_a_branch_that_is_not_the_run_s_fails_at_once(prepared: Executed) -> None:
    with pytest.raises(AirflowFailException, match=r"'blur'.*'mask'"):
        prepared.execute(AnonymizeFacesOperator, method="blur", shard="0000")


def test_a_shard_that_no_branch_has_worked_on_is_noticed(prepared: Executed) -> None:
    prepared.execute(IngestPhotosOperator)
    for shard in prepared.execute(PlanShardsOperator):
        for stage in ("strip_metadata", "detect_faces"):
            prepared.stage(stage, shard)
    assert RunFolder(Path(prepared.run_folder)).shards(SHARDS) == ["0000"]
    with pytest.raises(AirflowFailException, match="no result"):
        prepared.execute(CollectShardsOperator)


# the gate


def test_a_refusal_fails_at_once_and_publishes_nothing(prepared: Executed, monkeypatch: pytest.MonkeyPatch) -> None:
    from photo_anonymizer.gate import stage as gate

    def refusing(run: RunFolder) -> Verdict:
        gate.refuse(run, Verdict(passed=False, findings=()))
        raise AssertionError

    prepared.execute(IngestPhotosOperator)
    monkeypatch.setattr(gate, "pass_gate", refusing)
    monkeypatch.setattr(gate, "final_records", lambda run: run.records("ingest"))
    with pytest.raises(AirflowFailException, match="the gate refused"):
        prepared.execute(ReidentificationGateOperator)
    rows = Vault.of(prepared.config).ledger()
    assert {row["reason"] for row in rows if row["status"] == "held"} == {"gate_refused"}
    assert not (Path(prepared.config.out) / "releases").exists()


# the end


def test_closing_frees_the_dataset(prepared: Executed) -> None:
    prepared.execute(CloseRunOperator)
    assert claim.held_by(prepared.config) is None


def test_closing_keeps_the_files_of_a_run_that_failed(prepared: Executed) -> None:
    prepared.execute(CloseRunOperator)
    assert Path(prepared.run_folder).is_dir()


def test_closing_removes_the_files_of_a_run_that_published(prepared: Executed) -> None:
    run = RunFolder(Path(prepared.run_folder))
    outcome.note(prepared.config, run, "released")
    prepared.execute(CloseRunOperator)
    assert not run.path.exists()


# templates


def operators_of_a_run() -> Iterator[BaseOperator]:
    """One of each, with templates where the DAG has them."""
    for number, kind in enumerate((*RUN_OPERATORS, ChooseMethodOperator)):
        yield kind(task_id=f"run_{number}", run_folder="{{ folder }}")
    for stage, kind in SHARD_OPERATORS.items():
        method = {"method": "blur"} if stage == "anonymize" else {}
        yield kind(task_id=f"{stage}_shard", run_folder="{{ folder }}", shard="{{ shard }}", **method)


@pytest.mark.parametrize("operator", operators_of_a_run(), ids=lambda operator: type(operator).__name__)
def test_run_folder_and_shard_are_templates(operator: Any) -> None:
    operator.render_template_fields({"folder": "/out/workspace/party/r", "shard": "0007"})
    assert operator.run_folder == "/out/workspace/party/r"
    assert getattr(operator, "shard", "0007") == "0007"
