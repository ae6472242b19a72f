"""A person is asked which of two originals a published face was, and what they say is counted."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from crowd import crowd
from photo_anonymizer.cli import EXIT_DONE, EXIT_USAGE, main
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError, SourceError
from photo_anonymizer.hand_test.draw import Candidate, Key, _strangers, cut_out, cut_out_changed, draw
from photo_anonymizer.hand_test.originals import Originals
from photo_anonymizer.hand_test.result import results, score, scored
from photo_anonymizer.hand_test.sheet import write_sheet
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.release.withdraw import withdraw
from photo_anonymizer.stages import run_all
from photo_anonymizer.vault import Vault


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A version that shows a hundred drawn people. Its workspace is gone."""
    config = crowd(tmp_path_factory.mktemp("hand"))
    run_all(config, "run-1")
    return config


def key_of(config: RunConfig) -> Key:
    return Key.model_validate_json(Vault.of(config).hand_test_key_path.read_bytes())


def answers(config: RunConfig, path: Path, wrong: int = 0) -> Path:
    """What the sheet saves when somebody is right but for so many times."""
    key = key_of(config)
    other = {"a": "b", "b": "a"}
    given = [other[side] if at < wrong else side for at, side in enumerate(key.right)]
    path.write_text(json.dumps({"hand_test": key.test, "answers": given}), encoding="utf-8")
    return path


# what is drawn


def test_every_question_shows_the_person_and_somebody_else(published: RunConfig) -> None:
    key, asked = draw(published, 20, another_photo=False)
    assert len(asked) == len(key.right) == 20
    for one in asked:
        assert one.published.shape == one.a.shape == one.b.shape == (288, 288, 3)
        assert np.abs(one.a.astype(int) - one.b).mean() > 10
        # The mask is one colour: nothing of it says which of the two it was.
        assert one.published[120:160, 120:160].std() < 3


def test_the_right_side_is_chosen_by_chance(published: RunConfig) -> None:
    sides = Counter(side for _ in range(3) for side in draw(published, 30, another_photo=False)[0].right)
    assert min(sides["a"], sides["b"]) > 20


def test_only_the_face_is_shown() -> None:
    rgb = np.full((100, 80, 3), 255, np.uint8)
    shown = cut_out(rgb, Box(x0=10, y0=10, x1=70, y1=90))
    assert shown[144, 144].tolist() == [255, 255, 255]
    assert shown[0, 0].tolist() == shown[287, 287].tolist() == shown[144, 0].tolist() == [128, 128, 128]


def test_of_a_published_face_only_what_was_changed_is_shown() -> None:
    clear = np.full((300, 300, 3), 200, np.uint8)
    published = clear.copy()
    published[100:200, 100:200] = 40
    published[140:160, 140:160] = 200  # as before, and enclosed by what was changed
    box = Box(x0=0, y0=0, x1=300, y1=300)
    shown = cut_out_changed(published, clear, box)
    assert shown[110, 110].tolist() == [40, 40, 40]
    assert shown[144, 144].tolist() == [200, 200, 200]
    assert shown[40, 144].tolist() == [128, 128, 128]  # in the oval, and as it was
    assert cut_out(published, box)[40, 144].tolist() == [200, 200, 200]


def test_a_face_that_was_hardly_changed_is_shown_as_a_whole() -> None:
    clear = np.full((300, 300, 3), 200, np.uint8)
    published = clear.copy()
    published[145:155, 145:155] = 40
    box = Box(x0=0, y0=0, x1=300, y1=300)
    assert cut_out_changed(published, clear, box).tolist() == cut_out(published, box).tolist()


@pytest.mark.parametrize(("tone_deg", "asked"), [(40.0, True), (24.0, True), (14.0, False), (-20.0, False)])
def test_nobody_of_another_skin_tone_stands_beside_a_face(tone_deg: float, asked: bool) -> None:
    def somebody(name: str, tone_deg: float) -> Candidate:
        grey = np.zeros((8, 8, 3), np.uint8)
        return Candidate(name, name, "mask", grey, grey, grey, tone_deg, 100.0)

    rows = np.array([[0.0], [1.0]])
    pair = [somebody("one", 40.0), somebody("two", tone_deg)]
    assert bool(_strangers(pair, 0, rows, threshold=0.6)) is asked


def test_folders_that_hold_one_photo_each_cannot_show_another_one(published: RunConfig) -> None:
    with pytest.raises(
        ConfigError, match="only 0 faces of 48 px and more that are alone on their photo, with another such"
    ):
        draw(published, 20, another_photo=True)


def test_before_anything_was_published_there_is_nothing_to_ask(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing of this dataset was published"):
        draw(crowd(tmp_path), 20, another_photo=False)


# where originals come from


def test_originals_are_read_at_the_source_when_the_workspace_is_gone(published: RunConfig) -> None:
    originals = Originals.of(published)
    assert not originals.files
    assert len(originals.uris) == 4
    loaded = originals.load(next(iter(originals.uris)))
    assert loaded is not None
    assert loaded.shape[2] == 3


def test_what_is_another_picture_now_is_no_original(tmp_path: Path) -> None:
    config = crowd(tmp_path)
    run_all(config, "run-1")
    for path in Path(config.source).iterdir():
        path.write_bytes(path.read_bytes() + b" ")
    originals = Originals.of(config)
    assert {originals.load(photo_id) for photo_id in originals.uris} == {None}
    with pytest.raises(SourceError, match="the originals of v0001 are no longer at their source"):
        draw(config, 20, another_photo=False)


def test_originals_of_a_workspace_that_was_kept_need_no_source(tmp_path: Path) -> None:
    config = crowd(tmp_path, release={"keep_workspace": True})
    run_all(config, "run-1")
    Path(config.source).rename(tmp_path / "unplugged")
    assert len(draw(config, 20, another_photo=False)[1]) == 20


# the sheet


def test_the_sheet_lies_in_the_vault_for_its_owner_only(published: RunConfig) -> None:
    path = write_sheet(published, 20, another_photo=False)
    vault = Vault.of(published)
    assert path.parent == vault.path
    assert {stat.S_IMODE(item.stat().st_mode) for item in (path, vault.hand_test_key_path)} == {0o600}


def test_the_sheet_needs_nothing_besides_itself_and_sends_nothing(published: RunConfig) -> None:
    page = write_sheet(published, 20, another_photo=False).read_text(encoding="utf-8")
    assert not re.search(r"https?://|<link|<iframe|@import|url\(|fetch\(|XMLHttpRequest|action=", page)
    assert len(re.findall(r'src="data:image/jpeg;base64,', page)) == len(re.findall(r"src=", page)) == 60
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in page
    assert len(re.findall(r'type="radio"', page)) == 40


def test_the_sheet_does_not_know_the_right_answers_or_whose_faces_it_shows(published: RunConfig) -> None:
    page = write_sheet(published, 20, another_photo=False).read_text(encoding="utf-8")
    key = key_of(published)
    assert not [photo_id for photo_id in key.photo_ids if photo_id in page]
    written = re.sub(r'src="data:[^"]*"', "", page)
    rows = re.findall(r"<fieldset>.*?</fieldset>", written, re.DOTALL)
    assert len({re.sub(r"\d+", "0", row) for row in rows}) == 1  # but for pictures and numbers all are the same


def test_withdrawing_a_photo_takes_it_from_the_sheet(tmp_path: Path) -> None:
    config = crowd(tmp_path)
    run_all(config, "run-1")
    path = write_sheet(config, 20, another_photo=False)
    withdraw(config, "v0001")
    assert not path.exists()
    assert not Vault.of(config).hand_test_key_path.exists()


# the result


def test_a_result_is_a_share_with_its_interval_beside_guessing(published: RunConfig, tmp_path: Path) -> None:
    path = write_sheet(published, 20, another_photo=False)
    found = score(Vault.of(published), answers(published, tmp_path / "answers.json", wrong=9))
    assert (found.version, found.methods, found.another_photo) == ("v0001", {"mask": 20}, False)
    assert (found.correct.hits, found.correct.n, found.correct.chance) == (11, 20, 0.5)
    assert found.correct.low == pytest.approx(0.3153, abs=1e-4)  # R: binom.test(11, 20)
    assert found.correct.high == pytest.approx(0.7694, abs=1e-4)
    assert "guessing lies inside the interval" in found.in_words
    assert results(Vault.of(published))[-1] == found
    assert not path.exists()  # it shows clear faces


def test_who_is_right_too_often_does_better_than_guessing(published: RunConfig, tmp_path: Path) -> None:
    write_sheet(published, 20, another_photo=False)
    found = score(Vault.of(published), answers(published, tmp_path / "answers.json", wrong=1))
    assert found.in_words == "19 of 20 right (95 %, 95 % interval 75 to 100 %; guessing: 50 %): better than guessing"


def test_answers_are_counted_where_they_agree() -> None:
    assert scored(("a", "b", "b"), ("a", "a", "b")).hits == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("no json", "no file that a sheet saved"),
        ("{}", "no file that a sheet saved"),
        ('{"hand_test": "TEST", "answers": ["a", null]}', "a question was left out"),
        ('{"hand_test": "TEST", "answers": ["a"]}', "the sheet asks 20 questions, and 1 are answered"),
        ('{"hand_test": "another", "answers": ["a"]}', "belong to another sheet"),
    ],
)
def test_what_is_not_the_answer_to_this_sheet_is_refused(
    published: RunConfig, tmp_path: Path, content: str, problem: str
) -> None:
    path = write_sheet(published, 20, another_photo=False)
    given = tmp_path / "answers.json"
    given.write_text(content.replace("TEST", key_of(published).test), encoding="utf-8")
    with pytest.raises(ConfigError, match=problem):
        score(Vault.of(published), given)
    assert path.exists()


def test_answers_count_once(published: RunConfig, tmp_path: Path) -> None:
    write_sheet(published, 20, another_photo=False)
    given = answers(published, tmp_path / "answers.json")
    score(Vault.of(published), given)
    with pytest.raises(ConfigError, match="there is no hand test to score"):
        score(Vault.of(published), given)


def test_the_next_version_says_what_was_found(tmp_path: Path) -> None:
    config = crowd(tmp_path)
    run_all(config, "run-1")
    write_sheet(config, 20, another_photo=False)
    score(Vault.of(config), answers(config, tmp_path / "answers.json", wrong=9))
    again = config.model_copy(update={"ingest": config.ingest.model_copy(update={"incremental": False})})
    data = Path(run_all(again, "run-2")["release"]) / "data"
    (said,) = json.loads((data / "qa.json").read_text(encoding="utf-8"))["hand_tests"]
    assert (said["version"], said["correct"]["hits"]) == ("v0001", 11)
    page = (data / "report.html").read_text(encoding="utf-8")
    assert "By hand" in page
    assert "11 of 20" in page


# the command


def test_the_command_writes_a_sheet_and_scores_it(
    published: RunConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--out", published.out, "--dataset", published.dataset]
    assert main(["hand-test", *where, "--triplets", "12"]) == EXIT_DONE
    said = capsys.readouterr().out
    assert str(Vault.of(published).hand_test_sheet_path) in said
    file = key_of(published).answers_file
    assert f"photo-anonymizer hand-test --out {published.out} --dataset crowd --result {file}" in said
    assert f'"{file}"' in Vault.of(published).hand_test_sheet_path.read_text(encoding="utf-8")
    given = answers(published, tmp_path / "answers.json")
    assert main(["hand-test", *where, "--result", str(given)]) == EXIT_DONE
    assert "12 of 12 right" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["7", "0", "-1"])
def test_too_few_questions_show_nothing(published: RunConfig, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--out", published.out, "--dataset", published.dataset]
    assert main(["hand-test", *where, "--triplets", number]) == EXIT_USAGE
    assert "fewer than 8 show nothing" in capsys.readouterr().err
