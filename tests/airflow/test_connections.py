"""Airflow connections as file system options: everything that is said arrives, nothing is left out in silence."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from PIL import Image

from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.sources import remote
from photo_anonymizer_airflow.connections import options_of, storage_options
from photo_anonymizer_airflow.operators.base import PhotoAnonymizerOperator
from photo_anonymizer_airflow.operators.ingest_photos import IngestPhotosOperator
from photo_anonymizer_airflow.operators.plan_shards import PlanShardsOperator
from photo_anonymizer_airflow.operators.prepare_run import PrepareRunOperator
from photo_anonymizer_airflow.operators.strip_metadata import StripMetadataOperator
from photo_anonymizer_airflow.params import CONNECTION, param_values


def connection(conn_type: str, extra: dict[str, Any] | None = None, **fields: Any) -> Connection:
    return Connection(conn_id="c", conn_type=conn_type, extra=json.dumps(extra) if extra else None, **fields)


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (connection("aws"), {}),
        (connection("aws", login="k", password="s"), {"key": "k", "secret": "s"}),
        (
            connection(
                "aws",
                {"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_session_token": "t", "region_name": "r"},
            ),
            {"key": "k", "secret": "s", "token": "t", "client_kwargs": {"region_name": "r"}},
        ),
        (connection("aws", {"endpoint_url": "http://e"}), {"client_kwargs": {"endpoint_url": "http://e"}}),
        (
            connection("aws", {"service_config": {"s3": {"endpoint_url": "http://e"}}, "verify": False}),
            {"client_kwargs": {"endpoint_url": "http://e", "verify": False}},
        ),
        (connection("aws", {"anon": True}), {"anon": True}),
        (connection("aws", {"profile_name": "p"}), {"profile": "p"}),
    ],
)
def test_amazon(made: Connection, options: dict[str, Any]) -> None:
    assert storage_options(made) == {"s3": options}


KEY = {"type": "service_account", "project_id": "p"}


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        (None, {}),
        ({"key_path": "/keys/k.json", "project": "p"}, {"token": "/keys/k.json", "project": "p"}),
        ({"keyfile_dict": json.dumps(KEY)}, {"token": KEY}),
        ({"keyfile_dict": KEY}, {"token": KEY}),
        ({"extra__google_cloud_platform__key_path": "/k"}, {"token": "/k"}),
        ({"is_anonymous": True}, {"token": "anon"}),
    ],
)
def test_google(extra: dict[str, Any] | None, options: dict[str, Any]) -> None:
    assert storage_options(connection("google_cloud_platform", extra)) == {"gs": options}


@pytest.mark.parametrize("conn_type", ["wasb", "adls", "azure_data_lake"])
@pytest.mark.parametrize(
    ("fields", "extra", "options"),
    [
        ({"login": "n", "password": "k"}, None, {"account_name": "n", "account_key": "k"}),
        ({}, {"connection_string": "cs"}, {"connection_string": "cs"}),
        ({"login": "n"}, {"sas_token": "t"}, {"account_name": "n", "sas_token": "t"}),
        (
            {"host": "https://n.blob.core.windows.net", "login": "i", "password": "s"},
            {"tenant_id": "t"},
            {"account_name": "n", "tenant_id": "t", "client_id": "i", "client_secret": "s"},
        ),
        (
            {"login": "i", "password": "s"},
            {"tenant": "t", "account_name": "n"},
            {"account_name": "n", "tenant_id": "t", "client_id": "i", "client_secret": "s"},
        ),
        ({"host": "n.dfs.core.windows.net", "password": "k"}, None, {"account_name": "n", "account_key": "k"}),
    ],
)
def test_azure(conn_type: str, fields: dict[str, str], extra: dict[str, Any] | None, options: dict[str, Any]) -> None:
    assert storage_options(connection(conn_type, extra, **fields)) == {"az": options}


def test_a_generic_connection_says_everything_itself() -> None:
    options = {"s3": {"key": "k"}, "sftp": {"host": "h"}}
    assert storage_options(connection("generic", {"storage_options": options})) == options


@pytest.mark.parametrize("extra", [None, {"storage_options": {}}, {"storage_options": {"key": "k"}}, {"key": "k"}])
def test_a_generic_connection_that_says_nothing_is_refused_with_an_example(extra: dict[str, Any] | None) -> None:
    with pytest.raises(ConfigError, match=r"storage_options.*s3"):
        storage_options(connection("generic", extra))


@pytest.mark.parametrize("conn_type", ["postgres", "", "s3"])
def test_another_type_is_refused_with_those_that_are_supported(conn_type: str) -> None:
    with pytest.raises(ConfigError, match="adls, aws, azure_data_lake, generic, google_cloud_platform, wasb"):
        storage_options(connection(conn_type))


@pytest.mark.parametrize(
    ("conn_type", "field"),
    [
        ("aws", "role_arn"),
        ("google_cloud_platform", "impersonation_chain"),
        ("google_cloud_platform", "key_secret_name"),
        ("wasb", "managed_identity_client_id"),
    ],
)
def test_rights_that_cannot_be_had_are_refused_and_not_ignored(conn_type: str, field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        storage_options(connection(conn_type, {field: "x"}))


@pytest.mark.parametrize("extra", ["no json s3cr3t", "[1]"])
def test_an_extra_that_is_no_object_is_refused_without_its_content(extra: str) -> None:
    made = Connection(conn_id="c", conn_type="aws")
    made.extra = extra
    with pytest.raises(ConfigError, match="extra is not a JSON object") as caught:
        storage_options(made)
    assert "s3cr3t" not in str(caught.value)


# from Airflow to the library


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection that Airflow finds in its environment."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_PHOTOS_STORE", json.dumps({"conn_type": "aws", "login": "k", "password": "s3cr3t"})
    )
    return "photos_store"


def test_a_connection_is_found_by_its_name(known: str) -> None:
    assert options_of(known) == {"s3": {"key": "k", "secret": "s3cr3t"}}


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_name_the_environment_s_own_credentials_hold(nothing: str | None) -> None:
    assert options_of(nothing) == {}


class Reads(PhotoAnonymizerOperator):
    reads_source = True

    def work(self, context: Any) -> Any:
        return remote.storage_options("s3://bucket/a")


class DoesNotRead(Reads):
    reads_source = False


def test_a_task_that_reads_the_source_has_the_connection_s_rights_and_only_while_it_works(
    known: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    task = Reads(task_id="reads")
    assert task.execute({"params": {"connection": known}}) == {"s3": {"key": "k", "secret": "s3cr3t"}}  # type: ignore[typeddict-item]
    assert remote.storage_options("s3://bucket/a") == {}
    assert "s3cr3t" not in caplog.text
    assert known not in caplog.text


def test_a_task_that_does_not_read_the_source_has_none(known: str) -> None:
    assert DoesNotRead(task_id="does_not").execute({"params": {"connection": known}}) == {}  # type: ignore[typeddict-item]


def test_a_connection_that_does_not_exist_fails_the_task_at_once() -> None:
    with pytest.raises(AirflowFailException, match="no connection of this name"):
        Reads(task_id="reads").execute({"params": {"connection": "no_such"}})  # type: ignore[typeddict-item]


# a whole store


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket with two photos behind the connection ``photos_store``; its name is the fixture."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    extra = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
    client = boto3.client("s3", **extra, aws_access_key_id="k", aws_secret_access_key="s3cr3t")
    client.create_bucket(Bucket="jane")
    for number in range(2):
        made = io.BytesIO()
        Image.fromarray(np.full((64, 64, 3), 60 + 90 * number, np.uint8)).save(made, "JPEG")
        client.put_object(Bucket="jane", Key=f"in/{number}.jpg", Body=made.getvalue())
    made_connection = {"conn_type": "aws", "login": "k", "password": "s3cr3t", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PHOTOS_STORE", json.dumps(made_connection))
    yield "jane"
    server.stop()


def test_photos_of_a_bucket_are_listed_read_and_stripped_with_a_connection(
    bucket: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    params = param_values(load_config({"source": f"s3://{bucket}/in", "out": str(tmp_path / "out")}))
    context: Any = {"params": {**params, CONNECTION: "photos_store"}, "run_id": "r"}
    folder = PrepareRunOperator(task_id="prepare_run").execute(context)
    IngestPhotosOperator(task_id="ingest_photos", run_folder=folder).execute(context)
    shards = PlanShardsOperator(task_id="plan_shards", run_folder=folder).execute(context)
    strip = StripMetadataOperator(task_id="strip_metadata", run_folder=folder, shard=shards[0])
    assert strip.execute(context) == {"photos": 2, "going_on": 2}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"photos_store" not in written
    assert b"s3cr3t" not in written
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")  # the server's
    assert not any(secret in logged for secret in ("photos_store", "s3cr3t", bucket))


def test_a_bucket_without_its_connection_is_refused(bucket: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    params = param_values(load_config({"source": f"s3://{bucket}/in", "out": str(tmp_path / "out")}))
    with pytest.raises(AirflowFailException, match="name a connection"):
        PrepareRunOperator(task_id="prepare_run").execute({"params": params, "run_id": "r"})  # type: ignore[typeddict-item]
