"""Which steps a linked face is given, and which orders are refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.config import DESTROYS, STRONGER, MethodName, RunConfig, load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.methods.ladder import SOLID, Step, ladder

METHODS: tuple[MethodName, ...] = get_args(MethodName)


def config(order: str = "auto", **changes: Any) -> RunConfig:
    return load_config({"source": "x", "reid": {"ladder": order, "max_escalations": 6}, **changes})


def steps(method: MethodName, order: str = "auto", **changes: Any) -> list[Step]:
    """The steps above the method itself."""
    return list(ladder(config(order, **changes), method))[1:]


def test_usually_the_method_gets_stronger_then_come_pixels_then_masks() -> None:
    assert [step.method for step in steps("blur", blur={"cells": 6})] == ["blur", "pixelate", "mask", "mask"]
    assert [step.method for step in steps("synthetic")] == ["synthetic", "pixelate", "mask", "mask"]
    assert [step.method for step in steps("mask")] == ["mask", "mask"]
    assert [step.method for step in steps("avatar")] == ["mask", "mask"]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_is_the_configurations(method: MethodName) -> None:
    assert [step.method for step in steps(method, "stronger, blur,avatar,mask")] == [method, "blur", "avatar", "mask"]


@pytest.mark.parametrize("method", METHODS)
def test_the_first_step_is_the_method_whatever_the_order(method: MethodName) -> None:
    assert ladder(config("mask"), method)[0] == ladder(config(), method)[0]


def test_stronger_twice_is_stronger_still() -> None:
    fewer = steps("pixelate", "stronger,stronger,mask", pixelate={"cells": 8})[:2]
    assert [step.parameters["cells"] for step in fewer] == [4, 2]
    weaker, stronger = steps("synthetic", "stronger,stronger,mask")[:2]
    assert stronger.parameters["strength"] > weaker.parameters["strength"] > config().synthetic.strength
    sizes = [step.scale for step in steps("avatar", "stronger,stronger,mask")][:2]
    assert sizes == sorted(sizes)
    assert sizes[0] > config().region.scale


def test_every_further_mask_is_larger_and_of_another_colour() -> None:
    masks = steps("blur", "mask,mask,mask,mask")
    assert [step.parameters["colour"] for step in masks] == [*SOLID, SOLID[0]]
    assert [step.scale for step in masks] == sorted({step.scale for step in masks})


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ("stronger,melt,mask", "'melt' is no step; there are stronger, blur, pixelate, mask"),
        ("auto,mask", "'auto' is no step"),
        ("", "'' is no step"),
        ("stronger,,mask", "'' is no step"),
        ("stronger,pixelate", "ends with pixelate, which keeps something of the face; let it end with mask or avatar"),
        ("stronger", "ends with stronger"),
        ("pixelate,stronger,mask", "stronger is the run's own method again, and stands before all others"),
        (",".join(["mask"] * 7), "7 steps, and a face is given at most 6"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(order: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"configuration refused: reid: .*ladder: ") as refused:
        config(order)
    assert problem in str(refused.value)


def test_hair_is_not_to_come_back_on_a_step() -> None:
    with pytest.raises(ConfigError, match=r"region\.hair: synthetic of reid\.ladder keeps the hair"):
        config("synthetic,mask", region={"hair": True})


orders = st.tuples(
    st.lists(st.just(STRONGER), max_size=2),
    st.lists(st.sampled_from(METHODS), max_size=3),
    st.sampled_from(DESTROYS),
).map(lambda parts: [*parts[0], *parts[1], parts[2]])


@given(words=orders, method=st.sampled_from(METHODS))
def test_every_word_is_one_step_and_the_last_one_destroys(words: list[str], method: MethodName) -> None:
    found = steps(method, ",".join(words))
    assert [step.method for step in found] == [method if word == STRONGER else word for word in words]
    assert found[-1].method in DESTROYS
