"""The trigger form: generated from the configuration, complete, typed, and refusing what the configuration refuses."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from pydantic import BaseModel

from photo_anonymizer.config import MethodName, RunConfig, load_config
from photo_anonymizer_airflow.operators.prepare_run import PrepareRunOperator
from photo_anonymizer_airflow.params import CONNECTION, MAIN_SECTION, config_values, dag_params, param_values

PARAMS = dag_params({})


def fields() -> list[str]:
    """Every field of the configuration as a parameter is called."""
    found = []
    for name, field in RunConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += [f"{name}__{inner}" for inner in field.annotation.model_fields]
        else:
            found.append(name)
    return found


def schema_of(name: str) -> dict[str, Any]:
    return PARAMS[name].schema


def refused(name: str, value: Any) -> bool:
    try:
        Param(value, **schema_of(name)).resolve()
    except ParamValidationError:
        return True
    return False


def test_every_field_of_the_configuration_appears_once() -> None:
    assert sorted(PARAMS) == sorted([*fields(), CONNECTION])


def test_the_main_questions_come_first() -> None:
    sections = [schema_of(name).get("section") for name in PARAMS]
    assert sections[: sections.count(MAIN_SECTION)] == [MAIN_SECTION] * sections.count(MAIN_SECTION)
    assert list(PARAMS)[:3] == ["source", CONNECTION, "out"]


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_every_parameter_has_a_title_a_section_and_a_description(name: str) -> None:
    assert PARAMS[name].description
    assert (schema_of(name).get("section") is MAIN_SECTION) == ("__" not in name)
    assert "_" not in schema_of(name)["title"]


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("method", ["auto", *get_args(MethodName)]),
        ("purpose", ["internal_review", "strong_privacy", "public_release", "realism", "unsure"]),
        ("detection__uncertain", ["release", "hold"]),
        ("mask__shape", ["ellipse", "rectangle", "rounded", "outline", "icon"]),
    ],
)
def test_a_choice_is_a_dropdown(name: str, choices: list[str]) -> None:
    assert schema_of(name)["enum"] == choices
    assert schema_of(name)["type"] == "string"


@pytest.mark.parametrize(
    ("name", "bounds"),
    [
        ("workers", {"type": "integer", "minimum": 1, "maximum": 64}),
        ("detection__doubt_score", {"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
        ("detection__long_side_px", {"type": ["integer", "null"], "minimum": 320, "maximum": 4096, "multipleOf": 32}),
        ("source", {"type": "string", "minLength": 1}),
        ("mask__colour", {"type": "string", "pattern": "^(#[0-9a-fA-F]{6}|local)$"}),
    ],
)
def test_bounds_are_carried_into_the_form(name: str, bounds: dict[str, Any]) -> None:
    assert {key: schema_of(name).get(key) for key in bounds} == bounds


def test_what_may_be_empty_may_be_left_empty_in_the_form() -> None:
    assert schema_of("mask__icon")["type"] == ["string", "null"]


def test_the_connection_is_optional_and_no_part_of_the_configuration() -> None:
    assert schema_of(CONNECTION)["type"] == ["string", "null"]
    assert PARAMS[CONNECTION].resolve() is None
    assert config_values({"source": "s3://bucket", CONNECTION: "store"}) == {"source": "s3://bucket"}
    assert CONNECTION not in param_values(RunConfig(source="photos"))


def test_the_order_of_escalation_can_be_typed_in() -> None:
    assert schema_of("reid__ladder")["type"] == "string"
    assert PARAMS["reid__ladder"].resolve() == "auto"


def test_a_field_whose_name_says_little_has_a_title_of_its_own() -> None:
    assert schema_of("reid__heavy")["title"] == "Attacks that learn (heavy)"
    assert schema_of("reid__max_linked_rate")["title"] == "Max linked rate"
    assert "by any of the attacks" in str(PARAMS["reid__max_linked_rate"].description)


def test_a_switch_is_a_switch() -> None:
    assert schema_of("reid__require_faces")["type"] == "boolean"


@pytest.mark.parametrize("name", [name for name in sorted(PARAMS) if name != "source"])
def test_every_default_is_valid(name: str) -> None:
    PARAMS[name].resolve()


def test_the_form_s_defaults_are_the_configuration_s_own() -> None:
    defaults = {name: item.value for name, item in PARAMS.items()} | {"source": "photos"}
    assert load_config(config_values(defaults)) == RunConfig(source="photos")


def test_a_deployment_may_set_its_own_defaults() -> None:
    assert dag_params({"source": "/photos"})["source"].value == "/photos"


def test_parameters_and_configuration_say_the_same() -> None:
    config = load_config(
        {
            "source": "photos",
            "method": "pixelate",
            "pixelate": {"cells": 2, "noise": 0.5},
            "reid": {"require_faces": False},
        }
    )
    assert load_config(config_values(param_values(config))) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", ""),
        ("method", "swirl"),
        ("workers", 0),
        ("workers", "two"),
        ("detection__doubt_score", -1),
        ("detection__long_side_px", 1000),
        ("dataset", "../up"),
        ("mask__colour", "red"),
    ],
)
def test_a_value_out_of_range_is_refused_by_the_form(name: str, value: Any) -> None:
    assert refused(name, value)


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"detection__magic": 1}, "detection__magic"),
        ({"detection": {"accept_score": 0.9}, "detection__doubt_score": 0.3}, "detection"),
        ({"detection__doubt_score": 0.9}, "doubt_score"),
    ],
)
def test_what_the_form_cannot_refuse_the_first_task_does(extra: dict[str, Any], named: str) -> None:
    params = {**param_values(RunConfig(source="photos")), **extra}
    with pytest.raises(AirflowFailException, match=named):
        PrepareRunOperator(task_id="prepare_run").execute({"params": params, "run_id": "r"})  # type: ignore[typeddict-item]
