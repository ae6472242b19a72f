"""A family is a table; nothing is imported before it is asked for, and no member pretends to be another."""

from __future__ import annotations

import sys

import pytest

from photo_anonymizer import detection, methods, residual
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.registry import Registry
from photo_anonymizer.reid import recognisers

FAMILIES = [detection.DETECTORS, methods.METHODS, recognisers.RECOGNISERS, residual.CUES]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A family of one member that lives in a module with this text."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(text: str, name: str = "one", place: str = "member_of_a_test:One") -> Registry:
        (tmp_path / "member_of_a_test.py").write_text(text)
        return Registry("thing", {name: place})

    yield make
    sys.modules.pop("member_of_a_test", None)


def test_a_member_is_loaded_by_its_name(made):
    assert made("class One:\n    name = 'one'\n").load("one").name == "one"


def test_nothing_is_imported_before_it_is_asked_for(made):
    family = made("raise RuntimeError")
    assert list(family) == ["one"]
    assert len(family) == 1
    assert family["one"] == "member_of_a_test:One"
    assert "member_of_a_test" not in sys.modules


def test_a_family_cannot_be_changed():
    table = {"one": "a:B"}
    family = Registry("thing", table)
    table["two"] = "c:D"
    assert list(family) == ["one"]
    with pytest.raises(TypeError):
        family["two"] = "c:D"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown thing 'three'; choose one of: one, two"):
        Registry("thing", {"two": "a:B", "one": "a:B"}).load("three")


@pytest.mark.parametrize(
    "text", ["import no_such_module_7413", "from json import no_such_name", "", "import os\nos.no_such_name\n"]
)
def test_a_member_that_cannot_be_imported_says_what_to_do(made, text):
    with pytest.raises(ConfigError, match=r"the thing 'one' cannot be loaded .*requirements\.txt"):
        made(text).load("one")


def test_a_module_that_is_missing_says_what_to_do():
    with pytest.raises(ConfigError, match="cannot be loaded"):
        Registry("thing", {"one": "no_such_module_7413:One"}).load("one")


@pytest.mark.parametrize("text", ["class One:\n    name = 'two'\n", "class One:\n    pass\n"])
def test_a_member_under_a_wrong_name_is_refused(made, text):
    with pytest.raises(ConfigError, match="calls itself"):
        made(text).load("one")


@pytest.mark.parametrize(
    ("family", "name"),
    [pytest.param(family, name, id=f"{family.family}-{name}") for family in FAMILIES for name in family],
)
def test_every_registered_member_is_there_and_carries_its_name(family, name):
    assert family.load(name).name == name
