"""Object stores: read with the options that are in force, against a real S3 protocol (moto); nothing secret in errors.

Google's and Azure's stores: ``test_sources_stores.py``.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import fsspec
import pytest

from photo_anonymizer.errors import PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import archive, check_source, read_file, remote, using
from photo_anonymizer.sources.failure import failure
from sourcelist import list_source

LIMIT = 1 << 20
PHOTOS = {"a.jpg": b"1", "sub/ü b%20#?.jpg": b"22", "empty.jpg": b""}


@dataclass
class Store:
    """An S3 server that checks keys."""

    url: str
    key: str
    secret: str
    client: Any

    def options(self, **changed: str) -> dict[str, dict[str, Any]]:
        client = {"endpoint_url": self.url, "region_name": "us-east-1"}
        return {"s3": {"key": self.key, "secret": self.secret, "client_kwargs": client, **changed}}


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    import boto3
    import requests
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    url = f"http://{host}:{port}"

    def client(service: str, key: str, secret: str) -> Any:
        return boto3.client(
            service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
        )

    iam = client("iam", "x", "y")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=10)  # from now on keys are checked
    key, secret = made["AccessKeyId"], made["SecretAccessKey"]
    yield Store(url, key, secret, client("s3", key, secret))
    requests.post(f"{url}/moto-api/reset-auth", data=b"inf", timeout=10)
    moto.stop()


@pytest.fixture
def store(server) -> Store:
    server.client.create_bucket(Bucket="bucket")
    for item in server.client.list_objects_v2(Bucket="bucket").get("Contents", []):
        server.client.delete_object(Bucket="bucket", Key=item["Key"])
    for name, data in PHOTOS.items():
        server.client.put_object(Bucket="bucket", Key=f"in/{name}", Body=data)
    return server


@pytest.fixture(autouse=True)
def _no_credentials_of_the_testers(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


def contents(source: str) -> list[bytes]:
    return sorted(read_file(item.uri, LIMIT) for item in list_source(source))


# S3


def test_a_bucket_is_listed_and_read_with_the_options_in_force(store):
    with using(store.options()):
        check_source("s3://bucket/in")
        assert contents("s3://bucket/in") == [b"", b"1", b"22"]
        assert all(item.uri.isascii() and item.uri.isprintable() for item in list_source("s3://bucket/in"))


def test_worker_threads_read_with_the_same_options(store):
    with using(store.options()), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: read_file("s3://bucket/in/a.jpg", LIMIT), range(40))) == [b"1"] * 40


def test_a_forked_process_reads_too(store):
    """Airflow's tasks are forks of a process that may have read before."""
    with using(store.options()):
        assert read_file("s3://bucket/in/a.jpg", LIMIT) == b"1"
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if contents("s3://bucket/in") == [b"", b"1", b"22"] else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("ask", [check_source, list_source])
@pytest.mark.parametrize("wrong", [{"key": "AKIAWRONG"}, {"secret": "wrong-secret"}])
def test_a_wrong_key_is_refused_without_a_word_about_it(store, ask, wrong):
    with using(store.options(**wrong)), pytest.raises(SourceError, match="access was refused") as caught:
        ask("s3://bucket/in")
    assert not any(value in str(caught.value) for value in (store.key, store.secret, *wrong.values(), "bucket"))
    assert caught.value.__cause__ is None


def test_without_credentials_the_message_asks_for_a_connection(store):
    options = {"s3": {"client_kwargs": {"endpoint_url": store.url, "region_name": "us-east-1"}}}
    with using(options), pytest.raises(SourceError, match="name a connection"):
        list_source("s3://bucket/in")


@pytest.mark.parametrize("source", ["s3://none/in", "s3://bucket/none"])
@pytest.mark.parametrize("ask", [check_source, list_source])
def test_a_bucket_or_folder_that_is_not_there_is_no_source(store, ask, source):
    with using(store.options()), pytest.raises(SourceError):
        ask(source)


def test_an_object_that_went_away_since_the_listing_is_a_rejected_photo(store):
    with using(store.options()):
        found = list_source("s3://bucket/in")
        store.client.delete_object(Bucket="bucket", Key="in/a.jpg")
        with pytest.raises(PhotoError) as caught:
            read_file(found[0].uri, LIMIT)
    assert caught.value.reason == Reason.UNREADABLE


def test_an_object_that_came_since_is_in_the_next_listing(store):
    with using(store.options()):
        before = len(list_source("s3://bucket/in"))
        store.client.put_object(Bucket="bucket", Key="in/new.jpg", Body=b"3")
        assert len(list_source("s3://bucket/in")) == before + 1


def test_an_object_above_the_limit_is_refused(store):
    with using(store.options()):
        assert read_file("s3://bucket/in/sub/%C3%BC%20b%2520%23%3F.jpg", 2) == b"22"
        with pytest.raises(PhotoError, match="file_too_large"):
            read_file("s3://bucket/in/sub/%C3%BC%20b%2520%23%3F.jpg", 1)


def test_an_archive_in_a_bucket_is_a_source(store):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("a.jpg", b"1")
        target.writestr("b/c.jpg", b"2")
    store.client.put_object(Bucket="bucket", Key="all photos.zip", Body=made.getvalue())
    with using(store.options()):
        assert contents("s3://bucket/all photos.zip") == [b"1", b"2"]
        assert contents("zip://b::s3://bucket/all photos.zip") == [b"2"]


def test_an_archive_in_a_bucket_that_was_replaced_is_listed_anew(store):
    with using(store.options()):
        for data in (b"1", b"a longer one"):
            made = io.BytesIO()
            with zipfile.ZipFile(made, "w") as target:
                target.writestr("a.jpg", data)
            store.client.put_object(Bucket="bucket", Key="new.zip", Body=made.getvalue())
            assert contents("s3://bucket/new.zip") == [data]


def test_a_list_in_a_bucket_is_a_source(store):
    text = "url\nin/a.jpg\ns3://bucket/in/sub/ü b%20#?.jpg\ns3://none/x.jpg\n"
    store.client.put_object(Bucket="bucket", Key="list.csv", Body=text.encode())
    with using(store.options()):
        found = list_source("s3://bucket/list.csv")
        assert read_file(found[0].uri, LIMIT) == b"1"
        assert read_file(found[1].uri, LIMIT) == b"22"
        with pytest.raises(PhotoError, match="unreadable"):
            read_file(found[2].uri, LIMIT)


def test_a_server_that_is_away_is_worth_a_retry():
    client = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    quick = {"retries": {"max_attempts": 0}}
    options = {"s3": {"key": "k", "secret": "s", "client_kwargs": client, "config_kwargs": quick}}
    with using(options):
        fsspec.filesystem("s3", **options["s3"]).retries = 1
        with pytest.raises(OSError, match="cannot be read"):
            read_file("s3://bucket/jane.jpg", LIMIT)
        with pytest.raises(OSError, match="cannot be read"):
            list_source("s3://bucket/")


def test_an_archive_is_not_read_any_more_with_options_of_before(store):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("a.jpg", b"1")
    store.client.put_object(Bucket="bucket", Key="a.zip", Body=made.getvalue())
    archive.forget()
    with using(store.options()):
        (found,) = list_source("s3://bucket/a.zip")
        assert read_file(found.uri, LIMIT) == b"1"
    with using(store.options(key="AKIAWRONG")), pytest.raises(OSError, match="renew them"):
        read_file(found.uri, LIMIT)


# credentials that expire while photos are read: the run stops, no photo is left out


def test_a_key_that_expires_after_the_listing_is_worth_a_retry_and_costs_no_photo(store):
    with using(store.options()):
        found = list_source("s3://bucket/in")
    with using(store.options(key="AKIAWRONG")):
        for item in found:
            with pytest.raises(OSError, match="credentials have expired or lack the right to read") as caught:
                read_file(item.uri, LIMIT)
            assert not any(word in str(caught.value) for word in ("AKIAWRONG", "bucket", "jpg"))


class GoogleError(Exception):
    code = 401


class AzureError(Exception):
    status_code = 403


REFUSALS = [
    PermissionError("The provided token has expired: jane.jpg"),
    GoogleError("Invalid Credentials: jane.jpg"),
    AzureError("AuthenticationFailed: jane.jpg"),
    OSError("Forbidden: https://store/jane.jpg"),
    ValueError("Bad Request: https://store/jane.jpg\ninvalid_grant"),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_every_store_s_way_to_refuse_is_worth_a_retry(error):
    told = failure(error)
    assert isinstance(told, OSError)
    assert "renew them" in str(told)
    assert "jane" not in str(told)


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_store_that_refuses_to_be_listed_is_no_source(error):
    told = remote.source_failure(error)
    assert isinstance(told, SourceError)
    assert "access was refused" in str(told)
    assert "jane" not in str(told)


def test_what_is_wrong_with_one_object_is_still_its_own_fault():
    assert failure(FileNotFoundError("jane.jpg")).reason == Reason.UNREADABLE  # type: ignore[attr-defined]


def test_an_object_in_an_archive_class_is_a_rejected_photo():
    """S3 answers 403 to it as well, and to nothing else of the source."""

    class ClientError(Exception):
        response = {"Error": {"Code": "InvalidObjectState"}}  # noqa: RUF012 - as botocore has it

    error = PermissionError("The operation is not valid for the object's storage class")
    error.__cause__ = ClientError()
    told = failure(error)
    assert isinstance(told, PhotoError)
    assert (told.reason, "restore it" in told.detail) == (Reason.UNREADABLE, True)


# which options are in force


def test_options_hold_inside_only():
    with using({"s3": {"key": "outer"}}):
        with using({"s3": {"key": "inner"}}):
            assert remote.storage_options("s3://b/a") == {"s3": {"key": "inner"}}
        assert remote.storage_options("s3://b/a") == {"s3": {"key": "outer"}}
    assert remote.storage_options("s3://b/a") == {}


def test_options_end_with_an_error_too():
    with pytest.raises(ValueError, match="x"), using({"s3": {"key": "k"}}):
        raise ValueError("x")
    assert remote.storage_options("s3://b/a") == {}


@pytest.mark.parametrize("name", ["az", "abfs", "abfss"])
def test_a_protocol_s_other_names_have_the_same_options(name):
    with using({"abfs": {"account_name": "a"}}):
        assert remote.storage_options(f"{name}://c/a") == {name: {"account_name": "a"}}


def test_options_are_for_their_protocol_only():
    with using({"s3": {"key": "k"}}):
        assert remote.storage_options("gs://b/a") == {}
        assert remote.storage_options("simplecache::s3://b/a") == {"s3": {"key": "k"}}


@pytest.mark.parametrize(
    ("url", "protocol", "options"),
    [
        ("gs://b/a", "gs", {"token": "anon", "project": "p"}),
        ("az://c/a", "az", {"account_name": "n", "account_key": "a2V5"}),
        ("abfs://c/a", "az", {"account_name": "n", "sas_token": "s"}),
    ],
)
def test_the_file_systems_of_other_clouds_are_made_with_their_options(url, protocol, options):
    with using({protocol: options}):
        filesystem, _ = remote.file_system(url)
    assert filesystem.storage_options == options
    kept = {name: value for name, value in options.items() if name in {"project", "account_name", "account_key"}}
    assert {name: getattr(filesystem, name) for name in kept} == kept


def test_a_key_that_cannot_be_used_is_refused_without_its_content():
    refused = pytest.raises(SourceError, match="check the URL and the connection")
    with using({"gs": {"token": {"type": "service_account", "private_key": "s3cr3t"}}}), refused as caught:
        list_source("gs://bucket/in")
    assert "s3cr3t" not in str(caught.value)


def test_azure_without_an_account_is_refused_with_a_sentence(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(SourceError, match="check the URL and the connection"):
        check_source("az://container/in")


@pytest.mark.parametrize(("url", "package"), [("s3://b/a", "s3fs"), ("gs://b/a", "gcsfs"), ("abfs://c/a", "adlfs")])
def test_a_missing_package_is_named(monkeypatch, url, package):
    def missing(*_arguments: object, **_options: object) -> None:
        raise ImportError("Install it")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(SourceError, match=f"not installed: {package}"):
        check_source(url)
