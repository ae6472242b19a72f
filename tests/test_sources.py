"""Where photos come from: everything that is there is listed, nothing outside is opened, nothing hangs."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.errors import ConfigError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import FILE, check_apart, check_source, is_local, read_file, remote
from sourcelist import list_source

LIMIT = 1000


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    return made


@pytest.fixture
def memory():
    """An empty in-memory file system."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]
    yield filesystem
    filesystem.store.clear()


def listed(source: object) -> dict[str, Reason | None]:
    return {item.uri: item.problem for item in list_source(str(source))}


def contents(source: object) -> set[bytes]:
    return {read_file(item.uri, LIMIT) for item in list_source(str(source)) if item.problem is None}


def refused(uri: str, limit: int = LIMIT) -> str:
    with pytest.raises(PhotoError) as caught:
        read_file(uri, limit)
    assert caught.value.__cause__ is None
    return caught.value.reason


# what cannot be a source


@pytest.mark.parametrize("ask", [list_source, check_source])
class TestNoSource:
    def test_a_missing_folder(self, ask, folder):
        with pytest.raises(SourceError, match="does not exist"):
            ask(str(folder / "none"))

    def test_a_file_in_the_folders_place(self, ask, folder):
        (folder / "a.jpg").write_bytes(b"1")
        with pytest.raises(SourceError, match="not a folder"):
            ask(str(folder / "a.jpg"))

    def test_a_folder_below_a_file(self, ask, folder):
        (folder / "a.jpg").write_bytes(b"1")
        with pytest.raises(SourceError, match="does not exist"):
            ask(str(folder / "a.jpg" / "b"))

    def test_an_empty_folder(self, ask, folder):
        with pytest.raises(SourceError, match="give a folder with photos"):
            ask(str(folder))

    def test_a_folder_that_may_not_be_read(self, ask, folder, monkeypatch):
        def scandir(_path):
            raise PermissionError(errno.EACCES, "Permission denied", "secret")

        monkeypatch.setattr(os, "scandir", scandir)
        with pytest.raises(SourceError, match="Permission denied") as caught:
            ask(str(folder))
        assert "secret" not in str(caught.value)

    def test_a_name_that_is_too_long(self, ask, folder):
        with pytest.raises(SourceError, match="cannot be read"):
            ask(str(folder / ("x" * 300)))

    def test_links_that_go_in_a_circle(self, ask, folder):
        (folder / "a").symlink_to(folder / "b")
        (folder / "b").symlink_to(folder / "a")
        with pytest.raises(SourceError):
            ask(str(folder / "a"))

    def test_the_home_of_nobody(self, ask):
        with pytest.raises(SourceError):
            ask("~no-such-user-7413/photos")

    @pytest.mark.parametrize("url", ["nosuchprotocol://x", "zip://::/no/such.zip", "memory://none"])
    def test_a_url_that_cannot_be_listed(self, ask, memory, url):
        with pytest.raises(SourceError):
            ask(url)

    def test_an_archive_that_is_none(self, ask, folder):
        (folder / "a.zip").write_bytes(b"no archive")
        with pytest.raises(SourceError, match="no zip or tar"):
            ask(f"zip://::{folder / 'a.zip'}")

    def test_a_remote_listing_that_fails_in_a_way_of_its_own(self, ask, memory, monkeypatch):
        class NoCredentialsError(Exception):
            pass

        def find(*_arguments, **_options):
            raise NoCredentialsError("secret")

        monkeypatch.setattr(type(memory), "find", find)
        monkeypatch.setattr(type(memory), "walk", find)
        with pytest.raises(SourceError, match="NoCredentialsError") as caught:
            ask("memory://photos")
        assert "secret" not in str(caught.value)

    def test_a_remote_file_in_the_folders_place(self, ask, memory):
        memory.pipe("/photos/a.jpg", b"1")
        with pytest.raises(SourceError, match="not a folder"):
            ask("memory://photos/a.jpg")


AS_NOBODY = """
import sys
from photo_anonymizer.errors import SourceError
from photo_anonymizer.sources import check_source
from sourcelist import list_source
for ask in (check_source, list_source):
    try:
        ask(sys.argv[1])
    except SourceError as error:
        print(error)
"""


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to become nobody")
@pytest.mark.parametrize("below", ["", "photos"])
def test_a_folder_that_belongs_to_somebody_else(below):
    """For real, as a user who may not enter."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with tempfile.TemporaryDirectory() as parent:
        closed = Path(parent) / "closed"
        (closed / "photos").mkdir(parents=True)
        (closed / "photos" / "a.jpg").write_bytes(b"1")
        closed.chmod(0o700)
        Path(parent).chmod(0o755)
        importing = [*become, sys.executable, "-c", "import photo_anonymizer.sources, os, sys; os.stat(sys.argv[1])"]
        if subprocess.run([*importing, str(closed)], env=environment, capture_output=True, check=False).returncode:
            pytest.skip("nobody may not read the library or the temporary folder")
        asking = [*become, sys.executable, "-c", AS_NOBODY, str(closed / below)]
        done = subprocess.run(asking, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["the source folder cannot be read (Permission denied)"] * 2


# what a local folder holds


def test_everything_below_is_listed_in_order(folder):
    for name in ("b.jpg", "a.jpg", "sub/deeper/c.jpg", ".hidden.jpg"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    found = list_source(str(folder))
    assert [item.uri for item in found] == sorted(item.uri for item in found)
    assert contents(folder) == {b"a.jpg", b"b.jpg", b"sub/deeper/c.jpg", b".hidden.jpg"}


def test_a_folder_may_be_given_as_a_url(folder):
    folder = folder / "ä b%20"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    check_source(folder.as_uri())
    assert listed(folder.as_uri()) == listed(folder)
    assert contents(folder.as_uri()) == {b"1"}


def test_the_same_folder_by_another_way_gives_the_same_uris(folder, monkeypatch):
    (folder / "a.jpg").write_bytes(b"1")
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert listed(".") == listed(folder) == listed(folder.parent / "link") == listed(f"{folder}/../photos/")


def test_a_folder_of_empty_folders_holds_no_files(folder):
    (folder / "sub").mkdir()
    with pytest.raises(SourceError, match="holds no files"):
        list_source(str(folder))


def test_a_subfolder_that_may_not_be_read_is_listed_as_unreadable(folder, monkeypatch):
    (folder / "sub").mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("sub"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert listed(folder) == {(folder / "a.jpg").as_uri(): None, (folder / "sub").as_uri(): Reason.UNREADABLE}


@pytest.mark.parametrize(
    "name", ["صورة.jpg", "😀🏖.jpg", "new\nline.jpg", "a b%20#?.jpg", "::zip", "-", "a\\b", b"\xff.jpg", b"\xe2\x28.jpg"]
)
def test_any_name_is_listed_printable_and_read_again(folder, name):
    try:
        (folder / os.fsdecode(name)).write_bytes(b"content")
    except OSError:
        pytest.skip("this file system does not take the name")
    (found,) = list_source(str(folder))
    assert found.uri.isascii()
    assert found.uri.isprintable()
    assert read_file(found.uri, LIMIT) == b"content"


def test_links_are_listed_and_not_followed(folder):
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (folder / "a.jpg").write_bytes(b"1")
    (folder / "inside").symlink_to("a.jpg")
    (folder / "outside").symlink_to(outside / "secret.jpg")
    (folder / "folder").symlink_to(outside)
    (folder / "nowhere").symlink_to("none")
    (folder / "round").symlink_to(folder)
    assert {Path(uri).name: problem for uri, problem in listed(folder).items()} == {
        "a.jpg": None,
        **dict.fromkeys(("inside", "outside", "folder", "nowhere", "round"), Reason.SYMBOLIC_LINK),
    }
    assert contents(folder) == {b"1"}


def test_what_is_no_file_is_listed_and_not_opened(folder, monkeypatch):
    os.mkfifo(folder / "fifo")
    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert set(listed(folder).values()) == {Reason.NOT_A_REGULAR_FILE}


# reading a local file


def test_a_link_in_the_files_place_is_refused(folder):
    (folder / "real").write_bytes(b"secret")
    (folder / "a.jpg").symlink_to("real")
    assert refused((folder / "a.jpg").as_uri()) == Reason.UNREADABLE


def test_a_pipe_in_the_files_place_does_not_hang(folder):
    os.mkfifo(folder / "a.jpg")
    assert refused((folder / "a.jpg").as_uri()) == Reason.NOT_A_REGULAR_FILE


def test_a_socket_in_the_files_place_does_not_hang(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.jpg")
        assert refused((folder / "a.jpg").as_uri()) == Reason.UNREADABLE


def test_a_folder_in_the_files_place_is_refused(folder):
    assert refused(folder.as_uri()) == Reason.NOT_A_REGULAR_FILE


def test_a_file_that_went_away_is_refused(folder):
    assert refused((folder / "a.jpg").as_uri()) == Reason.UNREADABLE


def test_a_file_of_the_limit_is_read_and_one_byte_more_is_not(folder):
    (folder / "a").write_bytes(b"x" * 10)
    assert read_file((folder / "a").as_uri(), 10) == b"x" * 10
    assert refused((folder / "a").as_uri(), 9) == Reason.FILE_TOO_LARGE


def test_a_file_that_grows_while_it_is_read_is_refused(folder, monkeypatch):
    (folder / "a").write_bytes(b"x" * 10)
    small = os.stat_result([0o100600, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    monkeypatch.setattr(os, "fstat", lambda _descriptor: small)
    assert refused((folder / "a").as_uri(), 9) == Reason.FILE_TOO_LARGE


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE])
def test_a_failure_of_the_machine_is_not_the_photos_fault(folder, monkeypatch, number):
    """The task is tried again; the photo is not rejected. The error names no file: it gets into a log."""

    def failing(path, *_arguments):
        raise OSError(number, "failed", path)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(OSError) as caught:
        read_file((folder / "jane.jpg").as_uri(), LIMIT)
    assert caught.value.errno == number
    assert "jane" not in f"{caught.value} {caught.value.filename} {caught.value.__cause__}"


# remote sources


@pytest.mark.parametrize("source", ["memory://photos", "memory://photos/", "memory:///photos", "memory://"])
def test_a_remote_folder_is_listed_and_read(memory, source):
    memory.pipe({"/photos/a b.jpg": b"1", "/photos/sub/c.jpg": b"2"})
    check_source(source)
    assert contents(source) == {b"1", b"2"}


def test_a_remote_neighbour_with_a_longer_name_is_not_listed(memory):
    memory.pipe({"/photos/a.jpg": b"1", "/photos2/b.jpg": b"2"})
    assert contents("memory://photos") == {b"1"}


@pytest.mark.parametrize("name", ["صورة😀.jpg", "new\nline.jpg", "100%.jpg", "a%20b.jpg", "what?*[1]#.jpg", "x::y"])
def test_any_remote_name_is_listed_printable_and_read_again(memory, name):
    memory.pipe(f"/50% off/{name}", b"content")
    (found,) = list_source("memory://50% off")
    assert found.uri.isprintable()
    assert read_file(found.uri, LIMIT) == b"content"


def test_a_remote_name_cannot_point_at_another_source(memory, folder):
    (folder / "secret").write_bytes(b"secret")
    memory.pipe(f"/photos/x::file://{folder}/secret", b"own")
    assert contents("memory://photos") == {b"own"}


def test_a_remote_file_that_went_away_is_refused(memory):
    memory.pipe("/photos/a.jpg", b"1")
    (found,) = list_source("memory://photos")
    memory.rm("/photos/a.jpg")
    assert refused(found.uri) == Reason.UNREADABLE


def test_a_remote_file_above_the_limit_is_not_opened(memory, monkeypatch):
    memory.pipe("/photos/a.jpg", b"x" * 10)
    monkeypatch.setattr(type(memory), "open", None)
    assert refused("memory://photos/a.jpg", 9) == Reason.FILE_TOO_LARGE


def test_a_remote_file_that_lies_about_its_size_is_refused(memory, monkeypatch):
    memory.pipe("/photos/a.jpg", b"x" * 10)
    monkeypatch.setattr(type(memory), "size", lambda *_: None)
    assert refused("memory://photos/a.jpg", 9) == Reason.FILE_TOO_LARGE


def test_a_network_that_fails_is_not_the_photos_fault(memory, monkeypatch):
    def size(_self, path):
        raise TimeoutError(f"no answer for {path}")

    monkeypatch.setattr(type(memory), "size", size)
    with pytest.raises(OSError, match="TimeoutError") as caught:
        read_file("memory://photos/jane.jpg", LIMIT)
    assert "jane" not in str(caught.value)


@pytest.mark.parametrize("source", ["zip://::{}", "zip://::file://{}", "zip://sub::{}"])
def test_an_archive_is_listed_and_read(folder, source):
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("sub/a.jpg", b"1")
        archive.writestr("sub/deeper/ü 1.jpg", b"2")
    assert contents(source.format(folder / "a.zip")) == {b"1", b"2"}


def test_names_that_climb_out_of_an_archive_are_not_opened(folder):
    (folder.parent / "evil.jpg").write_bytes(b"secret")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name in ("../evil.jpg", "a/../../evil.jpg", "good.jpg"):
            archive.writestr(name, b"1")
    found = listed(f"zip://::{folder / 'a.zip'}")
    assert len(found) == 3
    assert sorted(str(problem) for problem in found.values()) == ["None", "unsafe_path", "unsafe_path"]
    assert [uri for uri, problem in found.items() if not problem] == [f"zip://good.jpg::{(folder / 'a.zip').as_uri()}"]


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), min_size=1, max_size=20))
def test_every_remote_name_survives_its_uri(name):
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    if name in {".", ".."} or name != name.strip():
        return
    filesystem.pipe(f"/photos/{name}", b"1")
    assert contents("memory://photos") == {b"1"}


@given(st.sampled_from(["memory://photos", "s3://b#c/d#e", "simplecache::s3://b/#", "sftp://u:p#@h/x"]), st.text())
def test_no_remote_file_can_look_like_a_frame_of_another(source, name):
    """The frames of one file are told apart by what follows a ``#``."""
    assert "#" not in remote.below(source, f"{name.encode('utf-8', 'ignore').decode()}#frame=2")


# what is local, and where the output may lie


@pytest.mark.parametrize(
    ("source", "local"),
    [
        ("photos", True),
        ("/a/b", True),
        ("file:///a", True),
        ("s3://bucket/a", False),
        ("zip://::/a.zip", False),
        ("zip::/a.zip", False),
    ],
)
def test_what_is_local(source, local):
    assert is_local(source) is local
    assert FILE == "file://"


@pytest.mark.parametrize("out", ["", "out", "deep/er/out", "../photos/out"])
def test_an_output_folder_inside_the_source_is_refused(folder, out):
    with pytest.raises(ConfigError, match="out"):
        check_apart(str(folder), str(folder / out))


def test_an_output_folder_that_a_link_puts_inside_the_source_is_refused(folder):
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(ConfigError, match="out"):
        check_apart(str(folder), str(folder.parent / "link" / "out"))


@pytest.mark.parametrize("out", ["../out", "..", "../photos-out"])
def test_an_output_folder_beside_or_around_the_source_is_fine(folder, out):
    check_apart(str(folder), str(folder / out))


def test_an_output_folder_is_never_inside_a_remote_source(memory):
    check_apart("memory://photos", "photos/out")
