"""The library's own command line: what it prints, and the exit codes that the contract names."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from photo_anonymizer import __version__, claim, cli, stages, weights
from photo_anonymizer.cli import main
from photo_anonymizer.errors import DatasetBusyError, GateRefusedError, ModelError, SourceError
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """The command line sets up logging and says whose process it is; neither may outlive a test."""
    monkeypatch.setenv(claim.OWNER_VARIABLE, "")
    monkeypatch.delenv(claim.OWNER_VARIABLE)
    monkeypatch.setattr(logging, "basicConfig", lambda **_options: None)
    level = logging.getLogger("photo_anonymizer").level
    yield
    logging.getLogger("photo_anonymizer").setLevel(level)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    return folder


@pytest.fixture
def ran(monkeypatch):
    """The configurations that a run was asked for; none really runs."""
    asked = []

    def run_all(config, _run_id):
        asked.append(config)
        counts = {"released": 3, "carried_over": 1, "held": 2, "rejected": 1, "deleted_at_source": 0}
        return {**counts, "release": "/r/v0001", "version": "v0001", "unchanged": False}

    monkeypatch.setattr(stages, "run_all", run_all)
    return asked


def usage(*arguments: object) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(item) for item in arguments])
    assert caught.value.code == 2


# run


def test_a_run_prints_counts_release_and_report(photos, tmp_path, ran, capsys):
    assert main(["run", str(photos), "--out", str(tmp_path / "out"), "--method", "blur"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "released 3 (1 taken over from earlier versions), held 2, rejected 1",
        "release: /r/v0001",
        "report:  /r/v0001/data/report.html",
    ]
    assert (ran[0].source, ran[0].out, ran[0].method) == (str(photos), str(tmp_path / "out"), "blur")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--method", "magic"],
        ["--set", "detection.accept_score=-0.5"],
        ["--set", "detection.doubt_score=-1"],
        ["--set", "nonsense"],
        ["--set", "no.such.field=1"],
        ["--dataset", "No Good"],
        ["--config", "/no/such/file.yaml"],
    ],
)
def test_an_unusable_configuration_is_bad_usage(photos, tmp_path, ran, capsys, wrong):
    assert main(["run", str(photos), "--out", str(tmp_path / "out"), *wrong]) == 2
    told = capsys.readouterr().err
    assert told.startswith("photo-anonymizer: ")
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    assert ran == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["none", "photos/a.jpg", "empty"])
def test_a_source_without_photos_is_bad_usage(photos, tmp_path, capsys, name):
    (tmp_path / "empty").mkdir()
    assert main(["run", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
    assert "folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_output_folder_inside_the_source_is_bad_usage(photos, capsys):
    assert main(["run", str(photos), "--out", str(photos / "out")]) == 2
    assert "out" in capsys.readouterr().err
    assert [path.name for path in photos.iterdir()] == ["a.jpg"]


def test_an_icon_that_is_not_there_is_bad_usage(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(weights, "prepare_all", lambda: None)
    wrong = ["--set", "mask.shape=icon", "--set", "mask.icon=/no/such.png"]
    assert main(["run", str(photos), "--out", str(tmp_path / "out"), *wrong]) == 2
    assert "mask.icon" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GateRefusedError("why"), 3),
        (SourceError("why"), 2),
        (ModelError("why"), 1),
        (DatasetBusyError("why"), 1),
        (PermissionError(13, "why", "/home/jane.jpg"), 1),
    ],
)
def test_a_run_that_fails_says_so_in_its_exit_code(photos, tmp_path, monkeypatch, capsys, error, code):
    def run_all(_config, _run_id):
        raise error

    monkeypatch.setattr(stages, "run_all", run_all)
    assert main(["run", str(photos), "--out", str(tmp_path / "out")]) == code
    told = capsys.readouterr().err
    assert "why" in told
    assert "jane" not in told


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["run", "--no-such-option"], ["verify"], ["review", "--decide", "p"]]
)
def test_an_unknown_option_is_bad_usage(arguments):
    usage(*arguments)


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_run_ids_differ():
    assert cli.new_run_id() != cli.new_run_id()


# verify


def test_a_folder_that_is_no_release_fails_verification(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "is not a release" in capsys.readouterr().err


# models


def test_every_model_is_listed_with_hash_and_licence(capsys):
    assert main(["models"]) == 0
    told = capsys.readouterr().out
    for item in weights.registered().values():
        for fact in (item.name, item.sha256, item.licence, f"{item.package}=={item.pin}"):
            assert fact in told
    assert told.count("present") == len(weights.registered())


def test_a_model_that_is_missing_or_altered_fails(monkeypatch, capsys):
    monkeypatch.setattr(weights, "_locate", lambda _weights: None)
    assert main(["models"]) == 1
    assert "missing" in capsys.readouterr().out
    monkeypatch.setattr(weights, "_locate", lambda _weights: Path(__file__))
    assert main(["models"]) == 1
    assert "altered" in capsys.readouterr().out


def test_models_that_cannot_be_prepared_fail(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(weights, "_locate", lambda _weights: None)
    assert main(["models", "--prepare"]) == 1
    assert "install" in capsys.readouterr().err


# review


@pytest.fixture
def queue(config):
    """One face that waits."""
    vault = Vault.of(config())
    vault.queue_for_review(
        [
            {
                "photo_id": "p",
                "face_id": "f0",
                "run_id": "one",
                "reasons": ["score_between_thresholds", "detectors_disagree"],
                "score": 0.3,
                "detectors": ["d"],
                "x": 1.0,
                "y": 2.0,
                "width": 3.0,
                "height": 4.0,
                "decision": "",
            }
        ],
        {("p", "f0"): b"jpeg"},
    )
    return vault


def test_waiting_faces_are_listed(queue, tmp_path, capsys):
    assert main(["review", "--out", str(tmp_path / "out")]) == 0
    picture = tmp_path / "out" / "vault" / "photos" / "review" / "p_f0.jpg"
    assert capsys.readouterr().out.splitlines() == [
        f"p f0  score_between_thresholds,detectors_disagree  score 0.30  3×4 px at 1,2  {picture}",
        "1 faces wait",
    ]


def test_a_face_without_a_picture_says_so(queue, tmp_path, capsys):
    (queue.path / "review" / "p_f0.jpg").unlink()
    assert main(["review", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("  no picture")


def test_a_sheet_is_written_into_the_vault_or_where_it_is_wanted(queue, tmp_path, capsys):
    for wanted, path in (([], queue.review_sheet_path), ([str(tmp_path / "s.html")], tmp_path / "s.html")):
        assert main(["review", "--out", str(tmp_path / "out"), "--sheet", *wanted]) == 0
        assert path.is_file()
        assert capsys.readouterr().out.splitlines()[0] == f"sheet: {path}"


def test_a_sheet_among_the_releases_is_bad_usage(queue, tmp_path):
    assert (
        main(["review", "--out", str(tmp_path / "out"), "--sheet", str(tmp_path / "out" / "releases" / "s.html")]) == 2
    )


def test_a_decision_is_recorded_and_the_face_waits_no_longer(queue, tmp_path, capsys):
    assert main(["review", "--out", str(tmp_path / "out"), "--decide", "p", "f0", "not_a_face"]) == 0
    assert queue.review_queue()[0]["decision"] == "not_a_face"
    capsys.readouterr()
    assert main(["review", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 faces wait"]


@pytest.mark.parametrize("decision", [("p", "f0", "maybe"), ("p", "f9", "face"), ("q", "f0", "face")])
def test_a_decision_that_fits_nothing_is_bad_usage(queue, tmp_path, decision):
    assert main(["review", "--out", str(tmp_path / "out"), "--decide", *decision]) == 2
    assert queue.review_queue()[0]["decision"] == ""


@pytest.mark.parametrize("command", ["review", "abandon"])
def test_a_dataset_that_cannot_be_is_bad_usage(command, tmp_path, capsys):
    assert main([command, "--out", str(tmp_path / "out"), "--dataset", "../up"]) == 2
    assert "dataset" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["review", "abandon"])
@pytest.mark.parametrize("out", ["file", "mistyped"])
def test_a_dataset_that_is_not_there_is_named_and_not_made(command, out, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([command, "--out", str(tmp_path / out)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "mistyped").exists()


# abandon


def test_abandon_frees_a_dataset(config, tmp_path, capsys):
    chosen = config()
    run = RunFolder.of(chosen, "one")
    claim.take(chosen, run)
    assert main(["abandon", "--out", str(tmp_path / "out")]) == 0
    assert "intermediate files of 1 runs are deleted" in capsys.readouterr().out
    assert claim.held_by(chosen) is None
    assert not run.path.exists()


def test_there_may_be_nothing_to_abandon(config, tmp_path, capsys):
    Vault.of(config())
    assert main(["abandon", "--out", str(tmp_path / "out")]) == 0
    assert "of 0 runs" in capsys.readouterr().out


# versions and withdraw


@pytest.fixture
def published(tmp_path) -> list[str]:
    """Arguments that name a dataset with one version."""
    folder = tmp_path / "out/releases/photos/v0001/data"
    folder.mkdir(parents=True)
    Vault.of(cli.load_config({"source": "-", "out": str(tmp_path / "out")}))
    return ["--out", str(tmp_path / "out")]


def test_a_version_that_is_not_as_published_is_listed_as_such(published, capsys):
    assert main(["versions", *published]) == 0
    assert capsys.readouterr().out == "v0001  not as it was published\n"


def test_a_version_can_be_withdrawn_once(published, tmp_path, capsys):
    assert main(["withdraw", "v0001", *published]) == 0
    assert "v0001 is deleted" in capsys.readouterr().out
    assert list((tmp_path / "out/releases/photos").iterdir()) == []
    assert main(["withdraw", "v0001", *published]) == 2
    assert "photo-anonymizer versions" in capsys.readouterr().err
