"""Google's and Azure's stores: read with their real client libraries, from small servers that speak their protocols.

The servers are :mod:`storeservers`; of a credential it is only tested that it was sent.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fsspec
import pytest

import dag_run  # noqa: F401 - before anything imports Airflow: it gives Airflow a home of its own
from photo_anonymizer.errors import PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import check_source, read_file, using
from photo_anonymizer_airflow.connections import Options, storage_options
from sourcelist import list_source
from storeservers import ACCOUNT, Store, azure, google

LIMIT = 1 << 20
PHOTOS = {"in/a.jpg": b"1", "in/sub/ü b%20#?.jpg": b"22", "in/sub/empty.jpg": b"", "other/c.jpg": b"333"}
KEY = base64.b64encode(b"s3cr3t").decode()


@dataclass
class Case:
    """A store with :data:`PHOTOS`, and what a connection to it says."""

    store: Store
    protocol: str
    options: Options

    def source(self, path: str = "in") -> str:
        return f"{self.protocol}://{self.store.bucket}/{path}"

    def contents(self, path: str = "in") -> list[bytes]:
        return sorted(read_file(item.uri, LIMIT) for item in list_source(self.source(path)))


@pytest.fixture(autouse=True)
def _no_credentials_of_the_testers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE_", "GOOGLE_", "STORAGE_EMULATOR"))]:
        monkeypatch.delenv(name)


@pytest.fixture(params=["google_cloud_platform", "generic", "wasb"])
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    store = Store("jane", dict(PHOTOS))
    with azure(store) if request.param == "wasb" else google(store):
        if request.param == "wasb":
            text = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={store.url};"
            yield Case(store, "az", options_of("wasb", {"connection_string": text}))
            return
        extra: dict[str, Any] = {"storage_options": {"gs": {"token": "anon", "endpoint_url": store.url}}}
        if request.param == "google_cloud_platform":
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", store.url)
            extra = {"is_anonymous": True}
        yield Case(store, "gs", options_of(request.param, extra))


def options_of(conn_type: str, extra: dict[str, Any]) -> Options:
    from airflow.sdk import Connection  # here, so that dag_run comes first

    return storage_options(Connection(conn_id="c", conn_type=conn_type, extra=json.dumps(extra)))


def test_no_bucket_s_kind_is_asked_by_a_protocol_that_may_not_get_out() -> None:
    import gcsfs

    assert gcsfs.GCSFileSystem is gcsfs.core.GCSFileSystem
    assert fsspec.get_filesystem_class("gs") is gcsfs.core.GCSFileSystem


def test_a_folder_is_listed_and_read_with_the_options_of_a_connection(case: Case) -> None:
    with using(case.options):
        check_source(case.source())
        found = [item.uri for item in list_source(case.source())]
        assert found == [
            case.source(f"in/{name}") for name in ("a.jpg", "sub/%C3%BC%20b%2520%23%3F.jpg", "sub/empty.jpg")
        ]
        assert [read_file(uri, LIMIT) for uri in found] == [b"1", b"22", b""]
        assert case.contents("") == [b"", b"1", b"22", b"333"]


def test_the_key_of_the_connection_signs_every_request(case: Case) -> None:
    with using(case.options):
        case.contents()
    signed = {text.partition(":")[0] for text in case.store.credentials}
    assert signed == ({f"SharedKey {ACCOUNT}"} if case.protocol == "az" else {""})


def test_a_listing_of_several_pages_is_complete(case: Case) -> None:
    case.store.objects = {f"in/{number}.jpg": str(number).encode() for number in range(5)}
    case.store.page = 3
    with using(case.options):
        assert case.contents() == [b"0", b"1", b"2", b"3", b"4"]
    assert case.store.later_pages


def test_an_object_above_the_limit_is_refused_and_no_more_of_it_is_asked_for(case: Case) -> None:
    with using(case.options):
        assert read_file(case.source("other/c.jpg"), 3) == b"333"
        with pytest.raises(PhotoError, match="file_too_large"):
            read_file(case.source("other/c.jpg"), 2)
    assert case.store.ranges == ["bytes=0-3"]


def test_an_object_that_went_away_since_the_listing_is_a_rejected_photo(case: Case) -> None:
    with using(case.options):
        found = list_source(case.source())
        del case.store.objects["in/a.jpg"]
        with pytest.raises(PhotoError) as caught:
            read_file(found[0].uri, LIMIT)
    assert caught.value.reason == Reason.UNREADABLE


def test_an_object_that_never_was_is_a_rejected_photo(case: Case) -> None:
    with using(case.options), pytest.raises(PhotoError) as caught:
        read_file(case.source("in/none.jpg"), LIMIT)
    assert caught.value.reason == Reason.UNREADABLE


def test_an_object_that_came_since_is_in_the_next_listing(case: Case) -> None:
    with using(case.options):
        before = len(list_source(case.source()))
        case.store.objects["in/new.jpg"] = b"4"
        assert len(list_source(case.source())) == before + 1


def test_a_refusal_while_photos_are_read_is_worth_a_retry_and_costs_no_photo(case: Case) -> None:
    with using(case.options):
        found = list_source(case.source())
        case.store.refuses_to_read = True
        for item in found[:2]:  # of an empty one Google's store is asked for nothing more
            with pytest.raises(OSError, match="credentials have expired or lack the right to read") as caught:
                read_file(item.uri, LIMIT)
            assert not any(word in str(caught.value) for word in (KEY, "SharedKey", "anon", "jane", "jpg", "127.0.0.1"))
            assert caught.value.__cause__ is None


@pytest.mark.parametrize("ask", [check_source, list_source])
def test_a_store_that_refuses_to_be_listed_is_no_source(case: Case, ask: Any) -> None:
    case.store.refuses_to_list = True
    with using(case.options), pytest.raises(SourceError, match="access was refused") as caught:
        ask(case.source())
    assert not any(word in str(caught.value) for word in (KEY, "jane", "127.0.0.1"))


@pytest.mark.parametrize("ask", [check_source, list_source])
@pytest.mark.parametrize("place", ["jane/none", "none/in"])
def test_a_bucket_or_folder_that_is_not_there_is_no_source(case: Case, ask: Any, place: str) -> None:
    with using(case.options), pytest.raises(SourceError):
        ask(f"{case.protocol}://{place}")


def test_an_archive_in_a_store_is_a_source(case: Case) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("a.jpg", b"1")
        target.writestr("b/c.jpg", b"2")
    case.store.objects["all photos.zip"] = made.getvalue()
    with using(case.options):
        assert case.contents("all photos.zip") == [b"1", b"2"]


def test_a_forked_process_reads_too(case: Case) -> None:
    """Airflow's tasks are forks of a process that may have read before."""
    with using(case.options):
        assert case.contents() == [b"", b"1", b"22"]
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            code = 1
            try:
                code = 0 if case.contents() == [b"", b"1", b"22"] else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
