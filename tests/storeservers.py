"""Two small object stores on this machine: as much of Google's and Azure's protocols as listing and reading need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

ACCOUNT = "account"
WHEN = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass
class Store:
    """One bucket (Azure: container), and what was asked of it."""

    bucket: str
    objects: dict[str, bytes]
    page: int = 1000
    """So many names a listing's page holds."""
    refuses_to_list: bool = False
    refuses_to_read: bool = False
    url: str = ""
    later_pages: int = 0
    """So many were asked for."""
    ranges: list[str] = field(default_factory=list)
    credentials: set[str] = field(default_factory=set)
    """The Authorization headers of all requests, empty where there was none."""

    def names(self, prefix: str, delimiter: str, start: int) -> tuple[list[str], list[str], int | None]:
        """One page: objects, folders, and where the next page begins."""
        self.later_pages += start > 0
        found = {name: _cut(name, prefix, delimiter) for name in self.objects if name.startswith(prefix)}
        entries = sorted(set(found.values()))
        page = entries[start : start + self.page]
        following = start + self.page if start + self.page < len(entries) else None
        return [name for name in page if name in found], [name for name in page if name not in found], following


def _cut(name: str, prefix: str, delimiter: str) -> str:
    """The name, or the folder that a listing shows in its place."""
    head, separator, _ = name.removeprefix(prefix).partition(delimiter) if delimiter else (name, "", "")
    return prefix + head + separator if separator else name


@contextmanager
def google(store: Store) -> Iterator[Store]:
    """Serves Google's JSON API at ``store.url``."""
    with _served(store, _Google):
        yield store


@contextmanager
def azure(store: Store) -> Iterator[Store]:
    """Serves Azure's blob service; ``store.url`` is its BlobEndpoint."""
    with _served(store, _Azure):
        store.url += f"/{ACCOUNT}"
        yield store


@contextmanager
def _served(store: Store, handler: type[_Handler]) -> Iterator[None]:
    bound = type(handler.__name__, (handler,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        store.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    store: Store

    def do_GET(self) -> None:
        self.store.credentials.add(self.headers["Authorization"] or "")
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.respond(parts.path, asked)

    def do_HEAD(self) -> None:
        self.do_GET()

    def respond(self, path: str, asked: dict[str, str]) -> None:
        raise NotImplementedError

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_range(self, data: bytes, wanted: str | None, headers: dict[str, str]) -> None:
        """The whole object, or the part that a Range header names."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
        if not found:
            self.answer(200, data, headers)
            return
        self.store.ranges.append(found[0])
        first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
        if first > last:
            self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}", **headers})
            return
        self.answer(206, data[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}", **headers})

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests print nothing."""


class _Google(_Handler):
    """https://cloud.google.com/storage/docs/json_api/v1"""

    def respond(self, path: str, asked: dict[str, str]) -> None:
        base = f"/storage/v1/b/{quote(self.store.bucket)}/o"
        media = path.startswith("/download")
        inside = path.removeprefix("/download").removeprefix(base)
        if not path.removeprefix("/download").startswith(base):
            self.refuse(404, "The specified bucket does not exist.")
        elif not inside:
            self.list_objects(asked)
        else:
            self.send_object(unquote(inside[1:]), media)

    def list_objects(self, asked: dict[str, str]) -> None:
        if self.store.refuses_to_list:
            self.refuse(403, "The caller does not have storage.objects.list access.")
            return
        names, folders, following = self.store.names(
            asked.get("prefix", ""), asked.get("delimiter", ""), int(asked.get("pageToken", "0"))
        )
        token = {} if following is None else {"nextPageToken": str(following)}
        items = [self.resource(name) for name in names]
        self.answer_json({"kind": "storage#objects", "items": items, "prefixes": folders, **token})

    def send_object(self, name: str, media: bool) -> None:
        if self.store.refuses_to_read:
            self.refuse(403, f"The caller does not have storage.objects.get access to {name}.")
        elif name not in self.store.objects:
            self.refuse(404, f"No such object: {name}")
        elif media:
            self.answer_range(self.store.objects[name], self.headers["Range"], {})
        else:
            self.answer_json(self.resource(name))

    def resource(self, name: str) -> dict[str, str]:
        size = str(len(self.store.objects[name]))
        return {"kind": "storage#object", "bucket": self.store.bucket, "name": name, "size": size, "generation": "1"}

    def refuse(self, status: int, message: str) -> None:
        self.answer_json({"error": {"code": status, "message": message}}, status)

    def answer_json(self, value: object, status: int = 200) -> None:
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class _Azure(_Handler):
    """https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api"""

    def respond(self, path: str, asked: dict[str, str]) -> None:
        container, _, name = unquote(path).removeprefix(f"/{ACCOUNT}/").partition("/")
        if container != self.store.bucket:
            self.refuse(404, "ContainerNotFound")
        elif asked.get("comp") == "list":
            self.list_blobs(asked)
        else:
            self.send_blob(name)

    def list_blobs(self, asked: dict[str, str]) -> None:
        if self.store.refuses_to_list:
            self.refuse(403, "AuthorizationPermissionMismatch")
            return
        names, folders, following = self.store.names(
            asked.get("prefix", ""), asked.get("delimiter", ""), int(asked.get("marker", "0"))
        )
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{WHEN}</Last-Modified><Etag>0x1</Etag>"
            f"<Content-Length>{len(self.store.objects[name])}</Content-Length><BlobType>BlockBlob</BlobType>"
            "</Properties></Blob>"
            for name in names
        )
        blobs += "".join(f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in folders)
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{self.store.bucket}">'
            f"<Blobs>{blobs}</Blobs><NextMarker>{following or ''}</NextMarker></EnumerationResults>"
        )
        self.answer(200, body.encode(), {"Content-Type": "application/xml"})

    def send_blob(self, name: str) -> None:
        if self.store.refuses_to_read:
            self.refuse(403, "AuthenticationFailed")
        elif name not in self.store.objects:
            self.refuse(404, "BlobNotFound")
        else:
            about = {"x-ms-blob-type": "BlockBlob", "ETag": '"0x1"', "Last-Modified": WHEN}
            self.answer_range(self.store.objects[name], self.headers["x-ms-range"] or self.headers["Range"], about)

    def refuse(self, status: int, code: str) -> None:
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{self.path}</Message></Error>'
        self.answer(status, body.encode(), {"Content-Type": "application/xml", "x-ms-error-code": code})
