"""The command that attacks every method: who is who, what is published, figures and tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from faces import face, noise_picture
from photo_anonymizer.config import load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy import publishing
from photo_anonymizer.heavy.publishing import Photo
from photo_anonymizer.heavy.seeing import Remembering
from photo_anonymizer.methods import METHODS
from photo_anonymizer.reid.attacks.linkage import SIZE_PX
from photo_anonymizer.reid.attacks.protocol import AttackResult
from reid.attacks.drawn import Thumbnails

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import measure_attacks as command
from attack_figures import people, tables

CONFIG = load_config({"source": "-"})


@pytest.fixture
def photos(astronaut: np.ndarray) -> list[Photo]:
    someone = face(175, 60, 105, 130)
    return [Photo(astronaut, (someone,), "a"), Photo(astronaut[:, ::-1].copy(), (face(232, 60, 105, 130),), "b")]


# who is who


def pictures(folder: Path, names: list[str], write_photo) -> None:
    for number, name in enumerate(names):
        write_photo(folder / name, noise_picture(40, 30, number))


@pytest.fixture
def everybody_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "faces_of", lambda rgb, config: (face(5, 5, 10, 12), face(20, 5, 8, 9)))


@pytest.mark.usefixtures("everybody_is_seen")
class TestPeople:
    def test_a_folder_is_a_person(self, tmp_path: Path, write_photo) -> None:
        pictures(tmp_path, ["ann/1.png", "ann/2.png", "bob/1.png"], write_photo)
        found = people.read_photos([tmp_path], "folder", CONFIG)
        assert [photo.person for photo in found] == ["ann", "ann", "bob"]
        assert people.numbered(found, Thumbnails()).tolist() == [0, 0, 1]

    def test_a_file_says_who_is_who_and_others_are_left_out(self, tmp_path: Path, write_photo) -> None:
        pictures(tmp_path, ["1.png", "2.png", "3.png"], write_photo)
        (tmp_path / "who.json").write_text(json.dumps({"1.png": "ann", "3.png": "bob"}))
        for asked in ("folder", "who.json", str(tmp_path / "who.json")):
            assert [photo.person for photo in people.read_photos([tmp_path], asked, CONFIG)] == ["ann", "bob"]

    def test_photos_whose_people_nobody_names_are_grouped(self, photos: list[Photo]) -> None:
        strangers = [Photo(photo.rgb, photo.faces, "") for photo in [*photos, photos[0]]]
        eyes = Thumbnails()
        eyes.embed = lambda chips: np.eye(3, 64)[[0, 1, 0]].astype(np.float32)  # type: ignore[method-assign]
        first, second, again = people.numbered(strangers, eyes).tolist()
        assert first == again != second

    def test_the_largest_face_is_the_one_that_counts(self, tmp_path: Path, write_photo) -> None:
        pictures(tmp_path, ["ann/1.png"], write_photo)
        (photo,) = people.read_photos([tmp_path], "folder", CONFIG)
        assert photo.largest.box.height == 12

    def test_a_folder_without_photos_or_names_is_refused(self, tmp_path: Path, write_photo) -> None:
        with pytest.raises(ConfigError, match="no photos"):
            people.read_photos([tmp_path], "folder", CONFIG)
        pictures(tmp_path, ["1.png"], write_photo)
        with pytest.raises(ConfigError, match="map file names to people"):
            people.read_photos([tmp_path], "missing.json", CONFIG)


# publishing


@pytest.mark.parametrize("method", [publishing.CLEAR, *sorted(METHODS)])
def test_every_method_is_published_as_a_run_would(method: str, photos: list[Photo]) -> None:
    found = publishing.probes_of(photos, np.arange(2), method, CONFIG, [Thumbnails()], draws=1, seed=0)["thumbnails"]
    assert found.context.shape == (2, SIZE_PX, SIZE_PX, 3)
    changed = np.abs(found.published.astype(int) - found.original).mean()
    assert (changed > 10) == (method != publishing.CLEAR)
    assert all(("methods." in treatment) == (method != publishing.CLEAR) for treatment in found.treatments)


@pytest.mark.parametrize(("method", "alike"), [("mask", True), ("pixelate", False)])
def test_what_the_attacker_enrols_has_chance_of_its_own(method: str, alike: bool, photos: list[Photo]) -> None:
    made = publishing.probes_of(photos, np.arange(2), method, CONFIG, [Thumbnails()], draws=2, seed=0)["thumbnails"]
    shown = [made.published, *made.enrolled]
    assert [np.array_equal(shown[a], shown[b]) for a, b in ((0, 1), (0, 2), (1, 2))] == [alike] * 3


def test_faces_that_are_not_attacked_are_anonymized_too(astronaut: np.ndarray) -> None:
    two = Photo(astronaut, (face(175, 60, 105, 130), face(20, 300, 60, 70, face_id="f0001")), "a")
    step = command_step("mask")
    grey = int(step.parameters["colour"][1:3], 16)
    picture, patches = publishing.published(two, step, 0.08, (0, 0, 0))
    assert {patch.face_id for patch in patches} == {"f0000", "f0001"}
    assert np.abs(picture[310:360, 30:70].astype(int) - grey).max() < 30


def command_step(method: str):
    from photo_anonymizer.methods.ladder import ladder

    return ladder(CONFIG, method)[0]  # type: ignore[arg-type]


def test_a_recogniser_looks_once_at_the_same_chips_and_learns_from_the_originals_if_it_can() -> None:
    class Learning(Thumbnails):
        looks = 0

        def embed(self, chips: np.ndarray) -> np.ndarray:
            self.looks += 1
            return super().embed(chips)

        def fit(self, originals: np.ndarray):
            centre = originals.mean(axis=0)
            return lambda rows: rows - centre

    chips = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), np.uint8)
    inner = Learning()
    seeing = Remembering(inner, chips)
    assert np.abs(seeing.embed(chips).mean(axis=0)).max() < 1e-6
    looks = inner.looks
    seeing.embed(chips.copy())
    assert inner.looks == looks
    seeing.embed(chips[:2])
    assert inner.looks == looks + 1


# figures


def result(hits: list[int], rows: list[int] | None = None, chance: float = 0.1, **changes: object) -> AttackResult:
    order = np.array(rows or range(len(hits)))
    people_of = order // 2
    return AttackResult("A1", "eyes", "all", order, people_of, np.array(hits, bool), chance, **changes)  # type: ignore[arg-type]


def test_repeats_of_a_face_are_its_mean_whatever_their_order_and_no_further_faces() -> None:
    figure = tables.Figure.of([result([1, 0, 1, 0]), result([1, 1, 0, 0], rows=[3, 2, 1, 0])])
    assert figure.found.tolist() == [0.5, 0, 1, 0.5]
    assert (figure.rate.hits, figure.rate.n) == (2, 4)


def test_faces_that_were_not_attacked_do_not_count() -> None:
    figure = tables.Figure.of([result([1, 1], rows=[0, 3])])
    assert figure.rate.n == 2
    assert figure.rate.rate == 1


def test_what_is_found_is_compared_with_the_mask_face_by_face() -> None:
    one, floor = (tables.Figure.of([result(hits)]) for hits in ([1, 1, 1, 0], [1, 0, 0, 0]))
    middle, low, high = tables.over_floor(one, floor)
    assert middle == pytest.approx(0.5)
    assert low <= middle <= high


def test_a_mask_behind_which_less_is_found_than_by_guessing_is_no_lower_floor_than_that() -> None:
    one, floor = (tables.Figure.of([result(hits, chance=0.25)]) for hits in ([1, 0, 0, 0], [0, 0, 0, 0]))
    assert tables.over_floor(one, floor)[0] == pytest.approx(0)


def test_the_table_has_a_row_for_every_attack_and_method() -> None:
    found = {"mask": [result([0, 0, 1, 0])], "blur": [result([1, 1, 1, 0]), result([1, 0, 1, 0])]}
    rows = tables.attack_table(found).splitlines()[2:]
    assert rows == [
        "| A1 | eyes | mask | 25.0 % | 0.6–80.6 | 4 | 10.0 % | floor |  |",
        f"| A1 | eyes | blur | 62.5 % | 6.8–93.2 | 4 | 10.0 % | {tables._over(*figures(found))} |  |",
    ]


def figures(found: dict[str, list[AttackResult]]) -> tuple[tables.Figure, tables.Figure]:
    return tables.Figure.of(found["blur"]), tables.Figure.of(found["mask"])


def test_a_recogniser_that_sees_nothing_has_no_rate_in_the_table() -> None:
    (row,) = tables.attack_table({"blur": [result([0, 0], degenerate=True)]}).splitlines()[2:]
    assert "proves nothing" in row


# command


@pytest.mark.parametrize(
    "words", [["x", "--methods", "magic"], ["x", "--attacks", "A9"], ["x", "--draws", "0"], ["x", "--folds", "1"]]
)
def test_what_cannot_be_asked_for_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.arguments(words)
    assert refused.value.code == 2


def test_attacks_may_be_named_by_their_rung() -> None:
    assert command.arguments(["x", "--attacks", "A0,A2,linkage"]).attacks == ["naive", "parrot", "linkage"]


def test_a_field_of_the_configuration_can_be_set() -> None:
    assert command.configured(["blur.cells=4", "mask.colour=local"]).blur.cells == 4
    with pytest.raises(ConfigError, match=r"blur\.magic"):
        command.configured(["blur.magic=1"])


def test_a_folder_that_cannot_be_used_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path)]) == 2
    assert "no photos" in capsys.readouterr().err
