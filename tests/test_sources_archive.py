"""Archives as sources: every member is a row, read in place under limits; a hostile archive harms only itself."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import sys
import tarfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import Limits, archive, check_apart, check_source, read_file
from photo_anonymizer.sources.member import Member, by_key
from sourcelist import list_source

LIMIT = 1 << 20
PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def _nothing_open():
    archive.forget()


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "photos"
    made.mkdir()
    return made


def zip_of(members: dict[str, bytes] | list[tuple[object, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as target:
        for name, data in members.items() if isinstance(members, dict) else members:
            target.writestr(name, data)  # type: ignore[arg-type]
    return made.getvalue()


def tar_of(members: dict[str, bytes] | list[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as target:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
    return made.getvalue()


MAKERS = pytest.mark.parametrize("make", [zip_of, tar_of])


def listed(source: object, limits: Limits = Limits()) -> dict[str, Reason | None]:  # noqa: B008 - frozen
    """Name inside the archive → problem."""
    found = list_source(str(source), limits)
    assert all(item.uri.isascii() and item.uri.isprintable() for item in found)
    return {unquote(item.uri.partition("::")[0].partition("://")[2]): item.problem for item in found}


def contents(source: object) -> list[bytes]:
    return sorted(read_file(item.uri, LIMIT) for item in list_source(str(source)) if item.problem is None)


def read_refused(uri: str, limit: int = LIMIT) -> tuple[str, str]:
    with pytest.raises(PhotoError) as caught:
        read_file(uri, limit)
    return caught.value.reason, caught.value.detail


def only(source: object) -> str:
    (found,) = list_source(str(source))
    return found.uri


# where archives are found


@MAKERS
def test_an_archive_is_a_source(folder, make):
    (folder / "a").write_bytes(make({"x/a.jpg": b"1", "b.jpg": b"2"}))
    check_source(str(folder / "a"))
    assert set(listed(folder / "a")) == {"x/a.jpg", "b.jpg"}
    assert contents(folder / "a") == [b"1", b"2"]


@MAKERS
def test_an_archive_in_a_folder_is_read_in_place(folder, make):
    (folder / "deep").mkdir()
    (folder / "deep" / "whatever.bin").write_bytes(make({"a.jpg": b"1"}))
    (folder / "b.jpg").write_bytes(b"2")
    assert contents(folder) == [b"1", b"2"]


@MAKERS
def test_a_remote_archive_is_a_source(make):
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pipe("/in/50% of ü.zip", make({"x/ä.jpg": b"1", "b.jpg": PHOTO}))
    check_source("memory://in/50% of ü.zip")
    assert contents("memory://in/50% of ü.zip") == [b"1", PHOTO]


@MAKERS
def test_a_folder_of_an_archive_is_a_source(folder, make):
    (folder / "a").write_bytes(make({"x/a.jpg": b"1", "x2/b.jpg": b"2", "ü 1/c.jpg": b"3"}))
    scheme = "zip" if make is zip_of else "tar"
    assert contents(f"{scheme}://x::{folder / 'a'}") == [b"1"]
    assert contents(f"{scheme}://ü 1/::{(folder / 'a').as_uri()}") == [b"3"]
    with pytest.raises(SourceError, match="no files"):
        list_source(f"{scheme}://none::{folder / 'a'}")


def test_the_content_decides_and_not_the_name(folder):
    (folder / "a.zip").write_bytes(PHOTO)
    (folder / "b.jpg").write_bytes(zip_of({"in.jpg": b"1"}))
    assert contents(folder) == sorted([PHOTO, b"1"])


def test_an_archive_in_an_archive_is_a_file_like_any_other(folder):
    (folder / "a.zip").write_bytes(zip_of({"b.zip": zip_of({"c.jpg": b"1"})}))
    assert listed(folder) == {"b.zip": None}
    with pytest.raises(SourceError, match="inside archives"):
        list_source(f"zip://::zip://b.zip::{folder / 'a.zip'}")


@MAKERS
def test_what_systems_leave_in_archives_is_listed(folder, make):
    (folder / "a").write_bytes(make({"__MACOSX/._a.jpg": b"1", ".DS_Store": b"2"}))
    assert set(listed(folder)) == {"__MACOSX/._a.jpg", ".DS_Store"}


@MAKERS
def test_an_archive_without_files_is_a_row_in_a_folder_and_no_source(folder, make):
    (folder / "a").write_bytes(make({}))
    if make is zip_of:  # an empty tar archive is zeros, like any other such file
        assert [item.problem for item in list_source(str(folder))] == [Reason.EMPTY_FILE]
    with pytest.raises(SourceError):
        list_source(str(folder / "a"))


def test_folders_inside_are_no_files(folder):
    (folder / "a.zip").write_bytes(zip_of({"x/": b"", "x/a.jpg": b"1"}))
    with tarfile.open(folder / "b.tar", "w") as target:
        for name, kind in (("y", tarfile.DIRTYPE), ("y/b.jpg", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            target.addfile(info)
    assert set(listed(folder)) == {"x/a.jpg", "y/b.jpg"}


# names


@MAKERS
@pytest.mark.parametrize(
    "name", ["صورة.jpg", "new\nline.jpg", "a b%20#?.jpg", "xy::z", "a#2", "./a.jpg", "-", "x" * 200]
)
def test_any_name_is_listed_printable_and_read_again(folder, make, name):
    (folder / "a").write_bytes(make({name: b"content"}))
    assert contents(folder) == [b"content"]
    assert set(listed(folder)) == {name}


def test_a_name_that_is_not_utf_8_does_not_spoil_the_archive(folder):
    made = bytearray(zip_of({"ü.jpg": b"1", "b.jpg": b"2"}))
    (folder / "a.zip").write_bytes(made.replace("ü".encode(), b"\xff\xfe"))
    assert contents(folder) == [b"1", b"2"]


NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/\\:"), min_size=1)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_every_member_survives_its_uri(tmp_path_factory, names):
    made = tmp_path_factory.mktemp("zip") / "a.zip"
    made.write_bytes(zip_of([(f"x{name}", str(number).encode()) for number, name in enumerate(names)]))
    assert contents(made) == sorted(str(number).encode() for number in range(len(names)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@MAKERS
def test_members_of_one_name_each_have_a_row_and_their_own_content(folder, make):
    (folder / "a").write_bytes(make([("a.jpg", b"1"), ("a.jpg", b"2"), ("a.jpg;2", b"3"), ("a.jpg", b"4")]))
    found = list_source(str(folder))
    assert len({item.uri for item in found}) == 4
    assert contents(folder) == [b"1", b"2", b"3", b"4"]


@given(st.lists(st.sampled_from([b"a", b"a#frame=2", b"a;2", b"#"]), min_size=2))
def test_no_member_can_look_like_a_frame_of_another(names):
    keys = by_key(Member(name, 0, 1, 1) for name in names)
    assert len(keys) == len(names)
    assert not any("#" in key for key in keys)


UNSAFE = ["../a.jpg", "x/../../a.jpg", "/etc/passwd", "\\a.jpg", "x\\..\\a.jpg", "C:\\a.jpg", "c:a.jpg"]


@MAKERS
@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_leaves_its_folder_is_refused(folder, make, name):
    (folder / "a").write_bytes(make({name: b"1", "good..jpg": b"2"}))
    found = {item.problem: item.uri for item in list_source(str(folder))}
    assert set(found) == {Reason.UNSAFE_PATH, None}
    assert read_refused(found[Reason.UNSAFE_PATH])[0] == Reason.UNSAFE_PATH


def test_a_name_with_a_nul_is_refused(folder):
    (folder / "a.zip").write_bytes(zip_of({"aXb.jpg": b"1"}).replace(b"aXb", b"a\0b"))
    assert listed(folder) == {"a\0b.jpg": Reason.UNSAFE_PATH}


# what is no file


@pytest.mark.parametrize(
    ("mode", "problem"),
    [
        (stat.S_IFLNK, Reason.SYMBOLIC_LINK),
        (stat.S_IFIFO, Reason.NOT_A_REGULAR_FILE),
        (stat.S_IFCHR, Reason.NOT_A_REGULAR_FILE),
        (stat.S_IFREG, None),
    ],
)
def test_a_zip_member_that_is_no_file_is_refused(folder, mode, problem):
    info = zipfile.ZipInfo("a")
    info.create_system, info.external_attr = 3, (mode | 0o644) << 16
    (folder / "a.zip").write_bytes(zip_of([(info, b"/etc/passwd")]))
    assert listed(folder) == {"a": problem}


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, Reason.SYMBOLIC_LINK),
        (tarfile.LNKTYPE, Reason.NOT_A_REGULAR_FILE),
        (tarfile.CHRTYPE, Reason.NOT_A_REGULAR_FILE),
        (tarfile.FIFOTYPE, Reason.NOT_A_REGULAR_FILE),
        (b"Z", Reason.NOT_A_REGULAR_FILE),
        (tarfile.CONTTYPE, None),
    ],
)
def test_a_tar_member_that_is_no_file_is_refused(folder, kind, problem):
    with tarfile.open(folder / "a.tar", "w") as target:
        info = tarfile.TarInfo("a")
        info.type, info.linkname = kind, "/etc/passwd"
        target.addfile(info)
        after = tarfile.TarInfo("b")
        after.size = 3
        target.addfile(after, io.BytesIO(b"abc"))
    assert listed(folder) == {"a": problem, "b": None}
    assert b"abc" in contents(folder)


def test_an_encrypted_member_is_refused(folder):
    made = bytearray(zip_of({"a.jpg": b"1"}))
    made[made.rfind(b"PK\1\2") + 8] |= 1
    (folder / "a.zip").write_bytes(made)
    assert [(item.problem, item.detail) for item in list_source(str(folder))] == [(Reason.UNREADABLE, "encrypted")]


def test_a_member_packed_in_an_unusual_way_is_refused(folder):
    (folder / "a.zip").write_bytes(zip_of({"a.jpg": PHOTO}, zipfile.ZIP_LZMA))
    assert listed(folder) == {"a.jpg": Reason.UNREADABLE}


# bombs and limits


def test_a_member_that_unpacks_to_too_much_is_refused_unread(folder):
    (folder / "a.zip").write_bytes(zip_of({"bomb": bytes(1_000_000), "a.jpg": PHOTO}))
    assert listed(folder, Limits(max_archive_ratio=200)) == {"bomb": Reason.ARCHIVE_BOMB, "a.jpg": None}
    assert listed(folder, Limits(max_archive_ratio=2000)) == {"bomb": None, "a.jpg": None}


def test_a_member_larger_than_it_is_said_to_be_takes_no_more_memory_than_that(folder):
    made = bytearray(zip_of({"bomb": bytes(100_000_000)}))
    struct.pack_into("<L", made, made.rfind(b"PK\1\2") + 24, 1000)
    (folder / "a.zip").write_bytes(made)
    tracemalloc.start()
    assert read_refused(only(folder))[0] == Reason.UNREADABLE
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


@MAKERS
def test_a_member_of_the_limit_is_read_and_one_byte_more_is_not(folder, make):
    (folder / "a").write_bytes(make({"a.jpg": b"0123456789"}))
    assert read_file(only(folder), 12) == b"0123456789"
    assert read_refused(only(folder), 9)[0] == Reason.FILE_TOO_LARGE


@MAKERS
def test_more_members_than_the_limit(folder, make):
    (folder / "a.x").write_bytes(make({f"{number}.jpg": b"1" for number in range(4)}))
    (folder / "b.jpg").write_bytes(b"2")
    assert len(list_source(str(folder), Limits(max_archive_files=4))) == 5
    rows = {item.uri: (item.problem, item.detail) for item in list_source(str(folder), Limits(max_archive_files=3))}
    assert set(rows) == {(folder / "a.x").as_uri(), (folder / "b.jpg").as_uri()}
    assert rows[(folder / "a.x").as_uri()][0] == Reason.ARCHIVE_BOMB
    assert "more than 3 files" in rows[(folder / "a.x").as_uri()][1]
    with pytest.raises(SourceError, match="more than 3 files"):
        list_source(str(folder / "a.x"), Limits(max_archive_files=3))


def test_an_index_that_lies_about_its_length_is_still_limited(folder):
    made = bytearray(zip_of({f"{number}.jpg": b"1" for number in range(10)}))
    struct.pack_into("<HH", made, made.rfind(b"PK\5\6") + 8, 1, 1)
    (folder / "a.zip").write_bytes(made)
    with pytest.raises(SourceError, match="more than 3 files"):
        list_source(str(folder / "a.zip"), Limits(max_archive_files=3))
    with pytest.raises(SourceError, match="damaged"):
        list_source(str(folder / "a.zip"))


def test_members_that_share_their_bytes_are_a_bomb(folder):
    """All entries of the index point at one packed kernel."""
    made = zip_of({"a.jpg": PHOTO, "b.jpg": PHOTO})
    start = made.find(b"PK\1\2")
    second = made.find(b"PK\1\2", start + 1)
    forged = bytearray(made)
    struct.pack_into("<L", forged, second + 42, 0)
    (folder / "a.zip").write_bytes(forged)
    assert listed(folder) == {"a.jpg": Reason.ARCHIVE_BOMB, "b.jpg": Reason.ARCHIVE_BOMB}


def test_a_member_that_reaches_into_the_index_is_a_bomb(folder):
    made = bytearray(zip_of({"a.jpg": PHOTO}, zipfile.ZIP_STORED))
    at = made.rfind(b"PK\1\2")
    struct.pack_into("<LL", made, at + 20, len(PHOTO) + 50, len(PHOTO) + 50)
    (folder / "a.zip").write_bytes(made)
    assert listed(folder) == {"a.jpg": Reason.ARCHIVE_BOMB}


def test_the_limits_are_the_configuration_s():
    config = load_config({"source": "x", "ingest": {"max_archive_files": 7, "max_archive_ratio": 3}})
    assert Limits.of(config) == Limits(7, 3)
    assert Limits.of(load_config({"source": "x"})) == Limits()


# damage


def test_a_wrong_checksum_is_found(folder):
    made = bytearray(zip_of({"a.jpg": PHOTO}, zipfile.ZIP_STORED))
    made[made.find(PHOTO) + 5] ^= 1
    (folder / "a.zip").write_bytes(made)
    assert read_refused(only(folder)) == (Reason.UNREADABLE, "size or checksum is not what the archive says")


def test_damaged_packing_is_found(folder):
    made = bytearray(zip_of({"a.jpg": PHOTO}))
    at = made.find(b"a.jpg") + len(b"a.jpg")
    made[at : at + 20] = b"\xff" * 20
    (folder / "a.zip").write_bytes(made)
    assert read_refused(only(folder))[0] == Reason.UNREADABLE


def test_a_member_whose_own_header_is_gone_is_refused(folder):
    made = bytearray(zip_of({"a.jpg": PHOTO, "b.jpg": b"2"}))
    made[made.find(b"PK\3\4", 4)] = 0
    (folder / "a.zip").write_bytes(made)
    assert contents_or_reason(folder) == {"a.jpg": PHOTO, "b.jpg": Reason.UNREADABLE}


def contents_or_reason(source: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for item in list_source(str(source)):
        name = item.uri.partition("::")[0].partition("://")[2]
        try:
            found[name] = read_file(item.uri, LIMIT)
        except PhotoError as error:
            found[name] = error.reason
    return found


@MAKERS
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_archive_cut_short_is_refused_as_a_whole(folder, make, share):
    made = make({f"{number}.jpg": os.urandom(2000) for number in range(10)}).rstrip(b"\0")
    (folder / "a.x").write_bytes(made[: int(len(made) * share)])
    (folder / "b.jpg").write_bytes(b"1")
    assert {item.problem for item in list_source(str(folder))} == {Reason.UNREADABLE, None}
    with pytest.raises(SourceError, match="damaged"):
        list_source(str(folder / "a.x"))


def test_a_tar_archive_with_a_bad_header_in_the_middle_is_not_taken_for_a_short_one(folder):
    made = bytearray(tar_of({"a.jpg": b"1", "b.jpg": b"2"}, tarfile.USTAR_FORMAT))
    made[1024 + 10] ^= 1
    (folder / "a.tar").write_bytes(made)
    with pytest.raises(SourceError, match="damaged"):
        list_source(str(folder / "a.tar"))


def header(name: bytes, kind: bytes, size: bytes) -> bytes:
    """A tar header with a valid checksum, whatever it claims."""
    block = bytearray(512)
    block[: len(name)], block[124 : 124 + len(size)], block[156:157] = name, size, kind
    block[257:265], block[148:156] = b"ustar\x0000", b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "made",
    [
        header(b"a", b"0", b"\xff" * 12),  # a negative size: the walk would go in circles
        header(b"a", b"0", b"\x80" + b"\x7f" * 11),
        header(b"a", b"0", b"not a number"),
        header(b"a/", b"5", b"0") + header(b"a/", b"0", b"-0000001000"),  # int() would take it
        header(b"a", b"0", b"1_0"),
        header(b"a", b"x", b"77777777777"),  # an extended header of gigabytes
        header(b"a", b"L", b"00000000100"),
        header(b"a", b"x", b"00000000010") + b"9 path=a".ljust(512, b"\0"),
        header(b"a", b"x", b"00000000010") + b"-8 a=bc\n".ljust(512, b"\0"),
        header(b"a", b"x", b"00000000010") + b"0 a=bcd\n".ljust(512, b"\0"),
        header(b"a", b"0", b"00000000000"),  # and no end
    ],
)
def test_a_forged_tar_archive_is_refused(folder, made):
    (folder / "a.tar").write_bytes(made)
    with pytest.raises(SourceError, match="damaged"):
        list_source(str(folder / "a.tar"))


def test_headers_that_are_no_members_count_against_the_limit_too(folder):
    (folder / "a.tar").write_bytes(header(b"a/", b"5", b"0") * 1100 + bytes(1024))
    with pytest.raises(SourceError, match="max_archive_files"):
        list_source(str(folder / "a.tar"), Limits(max_archive_files=10))


def test_a_thousand_extended_headers_in_a_row_are_only_walked(folder):
    made = (header(b"a", b"x", b"00000000013") + b"11 path=xy\n".ljust(512, b"\0")) * 5000
    (folder / "a.tar").write_bytes(made + header(b"a", b"0", b"00000000000") + bytes(1024))
    assert set(listed(folder / "a.tar")) == {"xy"}


@MAKERS
@given(data=st.data())
def test_a_broken_archive_is_rows_or_a_refusal_and_nothing_else(tmp_path_factory, make, data):
    made = bytearray(make({"a.jpg": PHOTO, "b/c.jpg": b"2"}))
    for _ in range(data.draw(st.integers(1, 8))):
        made[data.draw(st.integers(4, len(made) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("broken") / "a"
    path.write_bytes(made)
    try:
        found = list_source(str(path))
    except SourceError:
        return
    for item in found:
        try:
            assert len(read_file(item.uri, LIMIT)) <= LIMIT
        except PhotoError:
            continue


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_of_tar_is_read(folder, form):
    names = ["a.jpg", "f" * 90 + "/" + "n" * 60, "ü.jpg"] + (["n" * 300] if form != tarfile.USTAR_FORMAT else [])
    (folder / "a.tar").write_bytes(tar_of({name: name.encode() for name in names}, form))
    assert set(listed(folder)) == set(names)
    assert contents(folder) == sorted(name.encode() for name in names)


def test_zip64_is_read(folder, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    made = zip_of({"a.jpg": PHOTO, "b.jpg": b"2"})
    assert b"PK\6\6" in made
    (folder / "a.zip").write_bytes(made)
    assert contents(folder) == sorted([PHOTO, b"2"])


def test_a_zip_written_as_a_stream_is_read(folder):
    class Pipe(io.RawIOBase):
        made = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.made += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as target:  # type: ignore[call-overload]
        target.writestr("a.jpg", PHOTO)
        target.comment = b"a comment"
    (folder / "a.zip").write_bytes(pipe.made)
    assert contents(folder) == [PHOTO]


def test_more_members_than_sixteen_bits_count(folder):
    (folder / "a.zip").write_bytes(zip_of({f"{number}": b"1" for number in range(65_600)}, zipfile.ZIP_STORED))
    assert len(list_source(str(folder))) == 65_600


# compressed archives


@pytest.mark.parametrize("name", ["a.tar.gz", "a.jpg"])
def test_a_compressed_archive_is_refused_with_a_reason(folder, name):
    (folder / name).write_bytes(gzip.compress(tar_of({"a.jpg": b"1"})))
    (found,) = list_source(str(folder))
    assert found.problem is Reason.UNSUPPORTED_FORMAT
    assert "unpack it, or use zip or plain tar" in found.detail
    with pytest.raises(SourceError, match="unpack it, or use zip or plain tar"):
        list_source(str(folder / name))


def test_text_that_starts_like_bzip2_is_no_archive(folder):
    (folder / "a.txt").write_bytes(b"BZhello")
    assert [item.problem for item in list_source(str(folder))] == [None]


# reading member after member


@MAKERS
def test_the_index_is_parsed_once_for_all_members_and_threads(folder, make, monkeypatch):
    (folder / "a").write_bytes(make({f"{number}": str(number).encode() for number in range(100)}))
    parsed = []
    real = archive._parsed
    monkeypatch.setattr(archive, "_parsed", lambda *arguments: parsed.append(1) or real(*arguments))
    uris = [item.uri for item in list_source(str(folder))]
    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(lambda uri: read_file(uri, LIMIT), uris)) == sorted(str(n).encode() for n in range(100))
    assert len(parsed) == 1


def test_an_archive_replaced_since_is_opened_anew(folder):
    (folder / "a.zip").write_bytes(zip_of({"a.jpg": b"1"}))
    uri = only(folder)
    (folder / "new").write_bytes(zip_of({"a.jpg": b"22"}))
    (folder / "new").replace(folder / "a.zip")
    assert read_file(uri, LIMIT) == b"22"


def test_a_remote_archive_replaced_since_is_listed_anew():
    memory = fsspec.filesystem("memory")
    memory.pipe("/in/a.zip", zip_of({"a.jpg": b"1"}))
    assert contents("memory://in/a.zip") == [b"1"]
    memory.pipe("/in/a.zip", zip_of({"a.jpg": b"2", "b.jpg": b"3"}))
    assert contents("memory://in/a.zip") == [b"2", b"3"]


def test_a_member_or_archive_that_went_away_is_refused(folder):
    (folder / "a.zip").write_bytes(zip_of({"a.jpg": b"1"}))
    uri = only(folder)
    (folder / "a.zip").write_bytes(zip_of({"b.jpg": b"1"}))
    assert read_refused(uri) == (Reason.UNREADABLE, "no longer in the archive")
    (folder / "a.zip").unlink()
    assert read_refused(uri)[0] == Reason.UNREADABLE


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc")
def test_only_a_few_archives_stay_open(folder):
    for number in range(40):
        (folder / f"{number}.zip").write_bytes(zip_of({"a.jpg": str(number).encode()}))
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert len(contents(folder)) == 40
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 16


def test_parent_and_forked_child_read_the_same_archive_at_once(folder):
    members = {f"{number}": os.urandom(3000) for number in range(200)}
    (folder / "a.zip").write_bytes(zip_of(members))
    uris = [item.uri for item in list_source(str(folder))]
    read_file(uris[0], LIMIT)
    child = os.fork()
    read = 0
    try:  # checksums would not be right if the two shared a position in the file
        read = len([read_file(uri, LIMIT) for uri in uris * 3])
    finally:
        if child == 0:
            os._exit(0 if read == 600 else 1)
    assert read == 600
    assert os.waitpid(child, 0)[1] == 0


# the output folder


def test_an_output_folder_in_the_archives_place_is_refused_and_beside_it_is_fine(folder):
    (folder / "a.zip").write_bytes(zip_of({"a.jpg": b"1"}))
    for source in (str(folder / "a.zip"), f"zip://::{folder / 'a.zip'}"):
        check_apart(source, str(folder / "out"))
        with pytest.raises(ConfigError, match="out"):
            check_apart(source, str(folder / "a.zip"))
