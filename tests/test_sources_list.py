"""A list of URLs as a source: each entry a row, whatever becomes of fetching it. The web, to fetch them from."""

from __future__ import annotations

import io
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.errors import ConfigError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import check_apart, check_source, read_file, remote, web
from photo_anonymizer.sources.failure import failure
from photo_anonymizer.sources.url_list import entry
from sourcelist import list_source

LIMIT = 1000
HERE = "file:///lists/list.csv"


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a.jpg", "sub/b c.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


@pytest.fixture
def memory():
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def csv_at(path: Path, text: str, encoding: str = "utf-8") -> str:
    path.write_text(text, encoding=encoding, newline="")
    return str(path)


def parquet_bytes(**columns: object) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.table(columns), made)
    return made.getvalue()


def contents(source: str) -> list[bytes]:
    return sorted(read_file(item.uri, LIMIT) for item in list_source(source) if item.problem is None)


def refused(uri: str, limit: int = LIMIT) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        read_file(uri, limit)
    assert "127.0.0.1" not in str(caught.value)
    return caught.value.reason, caught.value.detail


# the table


@pytest.mark.parametrize("name", ["url", "URI", " Path "])
def test_the_column_is_known_by_its_name(folder, name):
    source = csv_at(folder / "list.csv", f"id,{name},when\n1,a.jpg,x\n2,sub/b c.jpg,y\n")
    check_source(source)
    assert contents(source) == [b"a.jpg", b"sub/b c.jpg"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("photo\na.jpg\n", "utf-8"),
        ("url,id\r\na.jpg,1\r\n", "utf-8-sig"),
        ("id;url\n1;a.jpg\n", "utf-8"),
        ("id\turl\n1\ta.jpg\n", "utf-8"),
        ('id,url\n"1,\n2","a.jpg"', "utf-8"),
        ("id,url\n1,a.jpg\n2,\n3\n\n,  \n", "utf-8"),
    ],
)
def test_the_dialects_of_csv_are_read(folder, text, encoding):
    assert contents(csv_at(folder / "list.csv", text, encoding)) == [b"a.jpg"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_a_parquet_table_is_read_whatever_it_is_called(folder, kind):
    column = pa.array(["a.jpg", None, "a.jpg", "sub/b c.jpg"], pa.string()).cast(kind)
    (folder / "list.data").write_bytes(parquet_bytes(url=column, size=[1, 2, 3, 4]))
    check_source(str(folder / "list.data"))
    assert contents(str(folder / "list.data")) == [b"a.jpg", b"sub/b c.jpg"]


def test_a_list_may_be_remote(memory):
    memory.pipe({"/in/list.csv": b"path\nsub/b ?%.jpg\n", "/in/sub/b ?%.jpg": b"1"})
    check_source("memory://in/list.csv")
    assert contents("memory://in/list.csv") == [b"1"]


def test_an_entry_that_stands_there_twice_is_one_row(folder):
    text = f"url\na.jpg\n./a.jpg\n{folder / 'a.jpg'}\n{(folder / 'a.jpg').as_uri()}\n"
    assert len(list_source(csv_at(folder / "list.csv", text))) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "column url, uri or path"),
        ("name,size\na.jpg,1\n", "column url, uri or path"),
        ("a.jpg\nb.jpg\n", "names of columns"),
        ("https://example.org/a\n", "names of columns"),
        ("url\n", "no files|is empty"),
        ("url\n\n \n", "no files|is empty"),
        ("url\n" + "x" * 200_000, "no readable CSV"),
    ],
)
@pytest.mark.parametrize("ask", [list_source, check_source])
def test_a_list_that_says_nothing_is_refused(folder, ask, text, expected):
    with pytest.raises(SourceError, match=expected):
        ask(csv_at(folder / "list.csv", text))


def test_a_list_in_another_encoding_is_refused(folder):
    with pytest.raises(SourceError, match="UTF-8"):
        list_source(csv_at(folder / "list.csv", "url\nmünchen.jpg\n", "latin-1"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (parquet_bytes(name=["a"], size=[1]), "column url"),
        (parquet_bytes(url=[1]), "holds no text"),
        (parquet_bytes(url=["a.jpg"] * 100)[:-20], "no readable Parquet"),
    ],
)
def test_a_parquet_table_that_says_nothing_is_refused(folder, data, expected):
    (folder / "list.parquet").write_bytes(data)
    with pytest.raises(SourceError, match=expected):
        list_source(str(folder / "list.parquet"))


# what an entry means


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("a b%.jpg", "file:///lists/a%20b%25.jpg"),
        ("../x/a.jpg", "file:///x/a.jpg"),
        ("/x/ä.jpg", "file:///x/%C3%A4.jpg"),
        ("file:///x/a%20b.jpg", "file:///x/a%20b.jpg"),
        ("https://example.org/a%20b ä.jpg?x=1&y=%2F", "https://example.org/a%20b%20%C3%A4.jpg?x=1&y=%2F"),
        ("HTTP://example.org/a.jpg", "http://example.org/a.jpg"),
        ("s3://bucket/a b%20#.jpg", "s3://bucket/a%20b%2520%23.jpg"),
        ("gs://bucket/x::y", "gs://bucket/x%3A%3Ay"),
        ("az://container/a.jpg", "az://container/a.jpg"),
    ],
)
def test_what_an_entry_names(text, uri):
    found = entry(text, HERE)
    assert (found.uri, found.problem) == (uri, None)


@pytest.mark.parametrize(
    ("text", "place", "uri"),
    [
        ("b/a ä.jpg", "https://example.org/x/list.csv?token=1", "https://example.org/x/b/a%20%C3%A4.jpg"),
        ("b/a ä.jpg", "s3://bucket/x/list.csv", "s3://bucket/x/b/a%20%C3%A4.jpg"),
        ("../a.jpg", "s3://bucket/x/list.csv", "s3://bucket/a.jpg"),
    ],
)
def test_a_relative_entry_of_a_remote_list(text, place, uri):
    assert entry(text, place).uri == uri


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("/etc/passwd", "s3://bucket/x/list.csv", Reason.UNSAFE_PATH),
        ("file:///etc/passwd", "https://example.org/list.csv", Reason.UNSAFE_PATH),
        ("../../other/a.jpg", "s3://bucket/x/list.csv", Reason.UNSAFE_PATH),
        ("file://host/a.jpg", HERE, Reason.UNSAFE_PATH),
        ("file:///a%00b", HERE, Reason.UNSAFE_PATH),
        ("ftp://example.org/a.jpg", HERE, Reason.UNREADABLE),
        ("simplecache::file:///etc/passwd", HERE, Reason.UNREADABLE),
        ("zip://a.jpg::file:///x.zip", HERE, Reason.UNREADABLE),
        ("://", HERE, Reason.UNREADABLE),
    ],
)
def test_an_entry_that_is_not_followed_is_a_row_with_a_reason(text, place, problem):
    found = entry(text, place)
    assert found.problem is problem
    assert found.detail
    assert found.uri.isascii()


SCHEMES = st.sampled_from(
    ["", "https://h/", "http://h?", "s3://b/", "az://", "file:///", "ftp://", "/", "x#y://", "../"]
)


@given(SCHEMES, st.text(st.characters(codec="utf-8")), st.sampled_from([HERE, "https://h/x.csv", "s3://b/x.csv"]))
def test_no_entry_can_look_like_a_frame_of_another(scheme, text, place):
    """The frames of one file are told apart by what follows a ``#``."""
    assert "#" not in entry(f"{scheme}{text}#frame=2", place).uri


def test_the_fragment_of_a_web_address_names_no_photo_of_its_own(folder):
    text = "url\nhttps://h/x.tif\nhttps://h/x.tif#frame=2\nhttps://h/x.tif#\n"
    assert [item.uri for item in list_source(csv_at(folder / "list.csv", text))] == ["https://h/x.tif"]


def test_an_archive_in_a_list_is_a_file_like_any_other(folder):
    (folder / "a.zip").write_bytes(b"PK\3\4")
    assert len(list_source(csv_at(folder / "list.csv", "url\na.zip\n"))) == 1


def test_an_entry_that_is_not_there_is_a_row_and_refused_when_it_is_read(folder):
    (found,) = list_source(csv_at(folder / "list.csv", "url\nnone.jpg\n"))
    assert refused(found.uri)[0] == Reason.UNREADABLE


def test_a_missing_package_is_named_before_anything_is_read(folder, monkeypatch):
    def url_to_fs(*_arguments, **_options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", url_to_fs)
    with pytest.raises(SourceError, match=r"s3:// needs a package that is not installed: s3fs"):
        list_source(csv_at(folder / "list.csv", "url\ns3://bucket/a.jpg\n"))


def test_a_web_address_cannot_chain_to_another_file_system(folder, site):
    site.pages = {"/a::file:///etc/passwd": site.body(b"own")}
    assert contents(csv_at(folder / "list.csv", f"url\n{site.url}/a::file:///etc/passwd\n")) == [b"own"]


# the output folder


def test_an_output_folder_that_holds_listed_photos_is_refused(folder):
    source = csv_at(folder / "list.csv", "url\nout/releases/a.jpg\n")
    with pytest.raises(ConfigError, match="the list names photos inside"):
        check_apart(source, str(folder / "out"))
    check_apart(source, str(folder / "out2"))


# the web


class Site:
    """A web server of the test's own: path → what it does with a request."""

    def __init__(self) -> None:
        site = self
        self.pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append(self.path)
                site.pages.get(self.path, site.status(404))(self)

            def log_message(self, *_arguments: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(code)
            request.send_header("Content-Length", "0")
            request.end_headers()

        return answer

    @staticmethod
    def body(data: bytes, length: int | None = None, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            for name, value in headers.items():
                request.send_header(name, value)
            if length is not None:
                request.send_header("Content-Length", str(length))
            request.end_headers()
            request.wfile.write(data)

        return answer


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_list_of_web_addresses_is_read(folder, site):
    site.pages = {"/a%20b.jpg?x=1": site.body(b"1", 1), "/b.jpg": site.body(b"22")}
    assert contents(csv_at(folder / "list.csv", f"url\n{site.url}/a%20b.jpg?x=1\n{site.url}/b.jpg\n")) == [b"1", b"22"]
    assert len(site.requests) == 2  # one request a photo


def test_a_list_behind_a_web_address_is_read(site):
    site.pages = {"/x/list.csv": site.body(b"url\na.jpg\n"), "/x/a.jpg": site.body(b"1")}
    check_source(f"{site.url}/x/list.csv")
    assert contents(f"{site.url}/x/list.csv") == [b"1"]


def test_a_web_list_that_is_not_there_is_refused(site):
    with pytest.raises(SourceError, match="cannot be read"):
        list_source(f"{site.url}/none.csv")


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_a_server_refuses_is_a_rejected_row(site, code):
    site.pages["/a"] = site.status(code)
    assert refused(f"{site.url}/a")[0] == Reason.UNREADABLE


@pytest.mark.parametrize("code", [401, 403])
def test_a_web_archive_that_is_refused_while_it_is_read_costs_no_photo(site, code):
    site.pages["/a.zip"] = site.status(code)
    with pytest.raises(OSError, match="renew them"):
        read_file(f"zip://a.jpg::{site.url}/a.zip", LIMIT)


@pytest.mark.parametrize("source", ["{}/a.zip", "zip://may::{}/a.zip"])
def test_a_web_archive_that_is_refused_from_the_start_is_no_source(site, source):
    site.pages["/a.zip"] = site.status(403)
    with pytest.raises(SourceError, match="renew them"):
        list_source(source.format(site.url))


@pytest.mark.parametrize("code", [407, 408, 429, 500, 503])
def test_a_server_in_trouble_is_worth_a_retry(site, code):
    site.pages["/jane"] = site.status(code)
    with pytest.raises(OSError, match=f"HTTP {code}") as caught:
        read_file(f"{site.url}/jane", LIMIT)
    assert "jane" not in str(caught.value)


def test_a_server_that_is_away_is_worth_a_retry(site):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="cannot be read") as caught:
            read_file(f"http://127.0.0.1:{unused.getsockname()[1]}/jane", LIMIT)
    assert "jane" not in str(caught.value)


def test_a_server_that_does_not_answer_is_given_up_and_worth_a_retry(site, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_S", {"total": 0.3})
    site.pages["/a"] = lambda _request: time.sleep(2)
    started = time.monotonic()
    with pytest.raises(OSError, match="Timeout"):
        read_file(f"{site.url}/a", LIMIT)
    assert time.monotonic() - started < 1.5


def test_an_answer_that_breaks_off_is_worth_a_retry(site):
    site.pages["/a"] = site.body(b"half", 8)
    with pytest.raises(OSError, match="ClientPayloadError"):
        read_file(f"{site.url}/a", LIMIT)


def test_a_file_above_the_limit_is_not_fetched(site):
    site.pages["/a"] = site.body(b"", LIMIT + 1)
    assert refused(f"{site.url}/a")[0] == Reason.FILE_TOO_LARGE


def test_a_server_that_sends_without_end_is_cut_off(site):
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while request.wfile.write(bytes(1 << 16)):
            pass

    site.pages["/a"] = endless
    assert refused(f"{site.url}/a")[0] == Reason.FILE_TOO_LARGE


def test_a_file_of_the_limit_is_read(site):
    site.pages["/a"] = site.body(bytes(LIMIT))
    assert len(read_file(f"{site.url}/a", LIMIT)) == LIMIT


@pytest.mark.parametrize("url", ["http://", "http://[x/", "https://exa mple/", "http://host:99999999/"])
def test_an_address_that_is_none_is_a_rejected_row(folder, url):
    (found,) = list_source(csv_at(folder / "list.csv", f"url\n{url}\n"))
    assert found.problem or refused(found.uri)[0] == Reason.UNREADABLE


def test_a_server_name_that_does_not_exist_is_a_rejected_row():
    error = failure(socket.gaierror(socket.EAI_NONAME, "jane.example"))
    assert (error.reason, error.detail) == (Reason.UNREADABLE, "no such server")  # type: ignore[attr-defined]


def test_a_name_server_that_is_away_is_worth_a_retry():
    assert isinstance(failure(socket.gaierror(socket.EAI_AGAIN, "jane.example")), OSError)


def test_an_unknown_error_stays_what_it_is():
    error = RuntimeError("surprise")
    assert failure(error) is error


@pytest.mark.parametrize("partial", [True, False])
def test_a_web_archive_needs_a_server_that_sends_parts(site, partial):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        target.writestr("a.jpg", b"1")
    data = made.getvalue()

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        first, last = (int(x) for x in asked.removeprefix("bytes=").split("-")) if asked else (0, len(data) - 1)
        part = data[first : last + 1] if partial else data
        request.send_response(206 if partial and asked else 200)
        if partial and asked:
            request.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        request.send_header("Content-Length", str(len(part)))
        request.end_headers()
        request.wfile.write(part)

    site.pages["/a.zip"] = answer
    if partial:
        assert contents(f"{site.url}/a.zip") == [b"1"]
    else:
        with pytest.raises(SourceError, match="only as a whole"):
            list_source(f"{site.url}/a.zip")


def test_options_for_the_web_are_used(site):
    def answer(request: BaseHTTPRequestHandler) -> None:
        site.body((request.headers.get("Authorization") or "none").encode())(request)

    site.pages["/a"] = answer
    with remote.using({"http": {"headers": {"Authorization": "yes"}}}):
        assert read_file(f"{site.url}/a", LIMIT) == b"yes"
    assert read_file(f"{site.url}/a", LIMIT) == b"none"
