"""How hard is looked: levels in order, and what the configuration sets itself."""

from __future__ import annotations

import pytest

from photo_anonymizer.config import DetectionConfig, load_config
from photo_anonymizer.detection.effort import EFFORTS, effort_of
from photo_anonymizer.detection.retinaface import RetinaFace, View
from photo_anonymizer.errors import ConfigError

ORDER = ("fast", "balanced", "thorough")


def looked_at_megapixels(effort: str, size_wh: tuple[int, int]) -> float:
    """What the network gets for one photo."""
    views = RetinaFace(DetectionConfig(effort=effort), 1).views(size_wh)

    def pixels(view: View) -> float:
        return view.part.width * view.part.height * (view.long_side_px / max(view.part.width, view.part.height)) ** 2

    return sum(map(pixels, views)) / 1e6


def test_every_level_of_the_configuration_is_one() -> None:
    assert set(DetectionConfig.model_fields["effort"].annotation.__args__) == set(EFFORTS) == set(ORDER)


@pytest.mark.parametrize("size_wh", [(416, 300), (1152, 864), (6000, 4000)])
def test_more_effort_looks_at_more(size_wh: tuple[int, int]) -> None:
    costs = [looked_at_megapixels(effort, size_wh) for effort in ORDER]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


@pytest.mark.parametrize(("effort", "most"), [("fast", 7), ("balanced", 24), ("thorough", 90)])
def test_the_cost_of_a_huge_photo_is_bounded(effort: str, most: float) -> None:
    assert looked_at_megapixels(effort, (20_000, 15_000)) < most


def test_sizes_that_the_configuration_sets_win() -> None:
    own = effort_of(DetectionConfig(effort="fast", smallest_face_px=12, long_side_px=960, max_enlargement=3))
    assert (own.smallest_face_px, own.long_side_px, own.max_enlargement) == (12, 960, 3)
    assert own.turned == EFFORTS["fast"].turned


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"detection\.effort"):
        load_config({"source": "x", "detection": {"effort": "heroic"}})
