"""Great Expectations' pages about a run say what was met, name nobody and load nothing."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Iterable
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from test_gate_suite import row

from photo_anonymizer.config import ReidConfig
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.gate.stage import data_docs_folder, pass_gate, result
from photo_anonymizer.gate.suite import judge
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import measure
from photo_anonymizer.vault import Vault
from pipeline_run import rendered_and_attacked, small_config

SECRET = "Käthe Éxample & daughter"


def written_as(text: str) -> set[bytes]:
    """The ways in which a text may stand in a file, with small letters."""
    data = text.encode()
    ways = {
        text,
        text.encode("unicode_escape").decode(),
        escape(text),
        quote(text),
        quote(text, safe=""),
        json.dumps(text)[1:-1],
        json.dumps(json.dumps(text)[1:-1])[1:-1],
        data.hex(),
    }
    # What base64 makes of a text depends on what stands before and behind it: here are the letters that do not.
    encoded = (base64.b64encode(bytes(before) + data).decode() for before in range(3))
    ways |= {letters[4 : len(letters) // 4 * 4 - 4] for letters in encoded if len(letters) > 20}
    return {way.encode().lower() for way in ways} | {text.encode("utf-16-le").lower()}


def files_that_name(folder: Path, names: Iterable[str]) -> list[str]:
    """Files below a folder that hold one of the names, in their content or in their own name."""
    wanted = {way for name in names for way in written_as(name)}
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and any(
            way in path.read_bytes().lower() or way in str(path.relative_to(folder)).lower().encode() for way in wanted
        )
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run in which source, files, dataset and run id name somebody."""
    root = tmp_path_factory.mktemp("docs")
    config = small_config(root)
    named = root / f"photos of {SECRET}"
    (root / "photos").rename(named)
    for path in list(named.iterdir()):
        path.rename(path.with_name(f"{SECRET} {path.name}"))
    run = rendered_and_attacked(config.model_copy(update={"source": str(named), "dataset": "kaethe"}), f"run {SECRET}")
    measure(run)
    pass_gate(run)
    return run


def names_of(run: RunFolder) -> list[str]:
    """Everything that the run knows about whom it shows."""
    records = run.all_records("ingest")
    names = [SECRET, "Anna Example", "Bert.png", "kaethe", "Käthe", run.path.name, run.config.source]
    names += [record.photo_id for record in records] + [record.source_uri for record in records]
    names += [record.attacked_sha256 for record in run.all_records("embed_faces") if record.attacked_sha256]
    return names


def test_what_the_run_knows_is_in_its_ledger_but_in_no_page(run: RunFolder) -> None:
    assert len(run.all_records("ingest")) == 4
    assert files_that_name(run.path, names_of(run))  # the search finds it where it is
    assert sorted(path.name for path in data_docs_folder(run).iterdir()) == [
        "expectations.html",
        "index.html",
        "validation.json",
    ]
    assert files_that_name(data_docs_folder(run), names_of(run)) == []


def test_the_stored_verdict_names_nobody_either(run: RunFolder) -> None:
    assert files_that_name(run.stage("reid_gate"), [name for name in names_of(run) if name != run.path.name]) == []


@pytest.mark.parametrize("way", sorted(written_as(SECRET)))
def test_the_search_finds_a_name_however_it_is_written(way: bytes, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(b"<p>" + way + b"</p>")
    assert files_that_name(tmp_path, [SECRET]) == ["index.html"]


@pytest.mark.parametrize("before", range(3))
def test_the_search_finds_a_name_within_base64(before: int, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_bytes(base64.b64encode(b"x" * before + SECRET.encode() + b" and more"))
    assert files_that_name(tmp_path, [SECRET]) == ["index.html"]


def test_the_search_finds_a_name_that_leaks_into_the_pages(tmp_path: Path) -> None:
    """A meaning that quotes somebody: the words of an expectation do get into the pages."""
    judge([row(furthest=SECRET)], ReidConfig(), docs=tmp_path / "docs")
    assert "expectations.html" in files_that_name(tmp_path / "docs", [SECRET])


def test_no_page_holds_a_value_that_was_measured(tmp_path: Path) -> None:
    judged = judge([row(linked_rate=0.71234, control_rate=0.123987)], ReidConfig(), docs=tmp_path / "docs")
    assert not judged.passed
    assert files_that_name(tmp_path / "docs", ["71234", "123987"]) == []
    results = json.loads((tmp_path / "docs" / "validation.json").read_text())["results"]
    assert len(results) == len(judged.findings)
    assert all(item["result"] == {} for item in results)


def test_the_pages_say_what_was_met_and_what_was_not(tmp_path: Path) -> None:
    judge([row(files_missing=1)], ReidConfig(), docs=tmp_path / "docs")
    page = (tmp_path / "docs" / "index.html").read_text()
    assert page.count("fa-times text-danger") == 2  # the run's, and that of the one measure
    assert "Refused when a picture to be released is missing" in (tmp_path / "docs" / "expectations.html").read_text()


def test_the_pages_load_nothing_and_lead_to_each_other(run: RunFolder) -> None:
    for path in data_docs_folder(run).glob("*.html"):
        page = path.read_text()
        assert "<script" not in page
        assert "<link" not in page
        assert "http://" not in page
        assert "https://" not in page
        assert "Content-Security-Policy" in page
    assert 'href="expectations.html"' in (data_docs_folder(run) / "index.html").read_text()
    assert 'href="index.html"' in (data_docs_folder(run) / "expectations.html").read_text()


def test_only_their_owner_can_read_them(run: RunFolder) -> None:
    folder = data_docs_folder(run)
    assert folder.is_relative_to(Vault.of(run.config).path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_refused_run_has_them_too(tmp_path: Path) -> None:
    run = rendered_and_attacked(small_config(tmp_path))
    measure(run)
    for record in run.records("measure_reidentification"):
        if record.pending:
            (run.path / record.file).unlink()
    with pytest.raises(GateRefusedError, match="missing"):
        pass_gate(run)
    assert result(run)[0].files_missing == 3
    assert "Failed" in (data_docs_folder(run) / "index.html").read_text()
