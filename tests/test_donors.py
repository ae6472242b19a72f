"""Who in a batch lends features to whom."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer import donors
from photo_anonymizer.config import load_config
from photo_anonymizer.donors import Lent, _Seen, _with_people, _with_pool, donor_of, grouped
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import OfferedDonors, Person
from photo_anonymizer.methods.surrogate.donors import DonorPool, load_pool
from subjects import subject


def config(**changes: object):
    return load_config({"source": "-", "method": "synthetic", "synthetic": {"k": 5, **changes}})


def embedding(person: int, photo: int = 0) -> np.ndarray:
    """People are 1 apart from each other, their photos 0.1."""
    vector = np.zeros(128, np.float32)
    vector[person] = 0.75
    vector[100 + photo] = 0.07
    return vector


def lent(quality: float = 1.0) -> Lent:
    return Lent(
        quality=quality,
        albedo=np.full((256, 256, 3), 150, np.uint8),
        shape=mean_shape().astype(np.float32),
        traits=np.zeros(5),
    )


def seen(person: int, photo: int = 0, *, lends: bool = True, quality: float = 1.0) -> _Seen:
    own = lent(quality) if lends else None
    return _Seen(f"p{person}-{photo}/f0000", embedding(person, photo), np.full(5, float(person)), own)


def test_photos_of_one_person_are_grouped_and_people_are_not() -> None:
    labels = grouped([embedding(person, photo) for person in range(4) for photo in range(3)])
    assert len(set(labels)) == 4
    assert all(len(set(labels[3 * person : 3 * person + 3])) == 1 for person in range(4))


@pytest.mark.parametrize("rows", [0, 1])
def test_nobody_and_one_are_grouped_too(rows: int) -> None:
    assert grouped([embedding(0)] * rows) == [0] * rows


def test_a_person_is_one_row_and_lends_to_none_of_the_own_faces(tmp_path) -> None:
    everybody = [seen(person, photo) for person in range(7) for photo in range(2)]
    offers = _with_pool(everybody, tmp_path / "pool.npz", config())
    pool = load_pool(tmp_path / "pool.npz", offers.sha256, "batch")
    assert len(pool) == 7
    assert set(offers.excluded) == {one.key for one in everybody}
    for one in everybody:
        own = [np.linalg.norm(embedding(row) - one.embedding) < 0.65 for row in range(7)]
        assert len(offers.excluded[one.key]) == sum(own) == 1


def test_a_face_that_lends_nothing_is_protected_from_its_own_person_all_the_same(tmp_path) -> None:
    everybody = [seen(person) for person in range(7)]
    small = seen(3, photo=1, lends=False)
    offers = _with_pool([*everybody, small], tmp_path / "pool.npz", config())
    assert offers.excluded[small.key] == offers.excluded[everybody[3].key] != []


def test_too_few_people_are_refused_for_a_batch_and_no_matter_otherwise(tmp_path) -> None:
    few = [seen(person) for person in range(5)]
    with pytest.raises(ConfigError, match=r"needs 6 different people .* has 5; choose auto"):
        _with_pool(few, tmp_path / "pool.npz", config(donors="batch"))
    assert _with_pool(few, tmp_path / "pool.npz", config(donors="auto")).sha256 == ""
    assert not (tmp_path / "pool.npz").exists()


def test_all_faces_of_a_person_get_one_number_and_share_their_exclusions(tmp_path) -> None:
    everybody = [seen(person, photo) for person in range(7) for photo in range(2)]
    offers = _with_people(_with_pool(everybody, tmp_path / "pool.npz", config()), everybody)
    assert offers.people["p2-0/f0000"] == offers.people["p2-1/f0000"] != offers.people["p3-0/f0000"]
    assert offers.excluded["p2-0/f0000"] == offers.excluded["p2-1/f0000"]
    assert offers.traits[offers.people["p2-0/f0000"]] == [2.0] * 5


def test_more_faces_than_can_be_grouped_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(donors, "MAX_GROUPED", 3)
    with pytest.raises(ConfigError, match="at most 3 faces, and this run has 4; choose fresh"):
        _with_people(donors.Offers(), [seen(person) for person in range(4)])


def test_nobody_lends_to_a_generator() -> None:
    generator = {"generator": "onnx", "generator_model": "model.yaml"}
    assert donors._needs_faces(config())
    assert not donors._needs_faces(config(**generator))
    assert donors._needs_faces(config(**generator, consistency="per_run"))  # people are told apart all the same


def test_small_turned_and_unsure_faces_do_not_lend(monkeypatch: pytest.MonkeyPatch) -> None:
    for someone, lends in (
        (subject(200), True),
        (subject(60), False),
        (subject(200, yaw=0.6), False),
        (subject(200, logit=3), False),
    ):
        monkeypatch.setattr(donors, "_subject", lambda *_, someone=someone: someone)
        assert (donor_of(someone.rgb, someone.face) is not None) == lends


class TestThroughTheMethod:
    """What a run offers becomes a face."""

    POOL = DonorPool(
        "batch",
        np.full((8, 256, 256, 3), 150, np.uint8),
        np.repeat(mean_shape()[np.newaxis].astype(np.float32), 8, axis=0),
        np.zeros((8, 5), np.float32),
    )

    def made(self, donors_mode: str, offered: OfferedDonors | None, seed: int = 0, *, monkeypatch):
        someone = subject(200)
        monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
        step = ladder(config(donors=donors_mode), "synthetic")[0]
        patch = patch_of(someone.rgb, someone.face, step, 0.08, np.random.default_rng(seed), offered)
        assert patch is not None
        return patch

    def test_a_face_is_averaged_from_the_batch(self, monkeypatch) -> None:
        patch = self.made("batch", OfferedDonors(self.POOL), monkeypatch=monkeypatch)
        assert (patch.parameters["source"], patch.parameters["k"]) == ("batch", 5)

    def test_it_is_blurred_where_too_few_may_lend(self, monkeypatch) -> None:
        patch = self.made("batch", OfferedDonors(self.POOL, frozenset(range(4))), monkeypatch=monkeypatch)
        assert (patch.author, patch.parameters["because"]) == ("methods.blur", "too_few_donors")

    def test_by_default_it_is_drawn_where_too_few_suit_it(self, monkeypatch) -> None:
        others = DonorPool("batch", self.POOL.albedos, self.POOL.shapes, np.full((8, 5), 1e3, np.float32))
        patch = self.made("auto", OfferedDonors(others), monkeypatch=monkeypatch)
        assert (patch.author, patch.parameters["source"]) == ("methods.synthetic", "rendered")

    def test_a_person_gets_the_same_face_whatever_the_photo(self, monkeypatch) -> None:
        person = Person(7, (0.0,) * 5)
        same = [
            self.made("rendered", OfferedDonors(None, frozenset(), person), seed, monkeypatch=monkeypatch).pixels
            for seed in (1, 2)
        ]
        fresh = [self.made("rendered", None, seed, monkeypatch=monkeypatch).pixels for seed in (1, 2)]
        apart = [np.abs(one.astype(int) - two).mean() for one, two in (same, fresh)]
        assert apart[0] < 0.4 * apart[1]  # the grain differs
