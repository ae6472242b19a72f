"""The sheet shows a reviewer every face that waits, and nobody else anything."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from photo_anonymizer.cli import main
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.review_sheet import write_sheet
from photo_anonymizer.vault import Vault

JPEG = b"\xff\xd8\xff a picture"


@pytest.fixture
def waiting(config: Callable[..., RunConfig]) -> RunConfig:
    """Two faces that wait, one of them with a picture."""
    made = config()
    row = {
        "photo_id": "photo",
        "face_id": "f0",
        "run_id": "one",
        "reasons": ["score_between_thresholds", "detectors_disagree"],
        "score": 0.42,
        "detectors": ["retinaface"],
        "scores": {"mtcnn": 0.0, "retinaface": 0.42},
        "mesh_logit": -3.0,
        "x": 1.0,
        "y": 2.0,
        "width": 30.0,
        "height": 40.0,
        "decision": "",
    }
    other = {**row, "face_id": "f1", "reasons": ["<word>"], "scores": {}, "mesh_logit": None}
    Vault.of(made).queue_for_review([row, other], {("photo", "f0"): JPEG})
    return made


def html(config: RunConfig) -> str:
    return write_sheet(config).read_text(encoding="utf-8")


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)))


def test_it_lies_in_the_vault_for_its_owner_only(waiting: RunConfig) -> None:
    path = write_sheet(waiting)
    assert path == Vault.of(waiting).review_sheet_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_everything_is_in_the_file(waiting: RunConfig) -> None:
    page = html(waiting)
    assert not re.search(r"https?://|//[a-z]+\.|<script|<link|<iframe|@import|url\(", page, flags=re.IGNORECASE)
    assert re.findall(r'src="([^"]*)"', page) == ["data:image/jpeg;base64,/9j/IGEgcGljdHVyZQ=="]
    assert "default-src 'none'" in page


def test_a_card_says_why_a_face_is_doubtful_and_who_sees_it(waiting: RunConfig) -> None:
    text = words(html(waiting))
    for said in (
        "2 faces wait",
        "Probability 0.42",
        "30 × 40 px",
        "lies between the two thresholds",
        "others that could see it do not",
        "retinaface 0.42 mtcnn saw nothing face mesh no face",
        "no picture",
    ):
        assert said in text


def test_words_that_nobody_knows_are_shown_and_not_obeyed(waiting: RunConfig) -> None:
    assert "&lt;word&gt;" in html(waiting)
    assert "<word>" not in html(waiting)


@pytest.mark.parametrize("verdict", ["face", "not_a_face"])
def test_the_commands_do_what_they_say(waiting: RunConfig, verdict: str) -> None:
    commands = re.findall(rf"<code>(photo-anonymizer review .* photo f0 {verdict})</code>", html(waiting))
    (command,) = commands
    assert main(shlex.split(command)[1:]) == 0
    assert Vault.of(waiting).review_queue()[0]["decision"] == verdict


def test_a_folder_with_a_space_does_not_break_the_commands(config: Callable[..., RunConfig], tmp_path: Path) -> None:
    spaced = config(out=str(tmp_path / "my out"))
    row = {"photo_id": "p", "face_id": "f0", "run_id": "", "reasons": [], "score": 0.4, "detectors": [], "decision": ""}
    Vault.of(spaced).queue_for_review([{**row, "x": 0.0, "y": 0.0, "width": 9.0, "height": 9.0}])
    (command,) = re.findall(r"<code>(.* not_a_face)</code>", html(spaced).replace("&#39;", "'"))
    assert shlex.split(command)[3] == str(tmp_path / "my out")


def test_an_empty_queue_has_an_empty_sheet(config: Callable[..., RunConfig]) -> None:
    assert "0 faces wait" in html(config())


def test_it_can_be_written_elsewhere_but_not_among_the_releases(waiting: RunConfig, tmp_path: Path) -> None:
    assert stat.S_IMODE(write_sheet(waiting, tmp_path / "sheet.html").stat().st_mode) == 0o600
    (tmp_path / "out" / "releases" / "photos").mkdir(parents=True)
    with pytest.raises(ConfigError, match="among the releases"):
        write_sheet(waiting, tmp_path / "out" / "vault" / ".." / "releases" / "photos" / "sheet.html")
    assert not list((tmp_path / "out" / "releases").rglob("*.html"))


def test_a_folder_that_is_not_there_is_not_made(waiting: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not there"):
        write_sheet(waiting, tmp_path / "mistyped" / "sheet.html")
    assert not (tmp_path / "mistyped").exists()


def test_after_a_decision_the_sheet_shows_the_others(waiting: RunConfig, tmp_path: Path) -> None:
    write_sheet(waiting)
    out = ["--out", str(tmp_path / "out")]
    assert main(["review", *out, "--decide", "photo", "f0", "face"]) == 0
    page = Vault.of(waiting).review_sheet_path.read_text(encoding="utf-8")
    assert "1 face waits" in page
    assert "data:image" not in page


def test_a_decision_makes_no_sheet_that_nobody_asked_for(waiting: RunConfig, tmp_path: Path) -> None:
    assert main(["review", "--out", str(tmp_path / "out"), "--decide", "photo", "f0", "face"]) == 0
    assert not Vault.of(waiting).review_sheet_path.exists()
