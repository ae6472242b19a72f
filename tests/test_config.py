"""Everything unusable is refused before the first photo is read, in one sentence that names the field."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from photo_anonymizer.commandline import add_run_arguments, run_config
from photo_anonymizer.config import RunConfig, load_config, merge, read_config_file, unflatten
from photo_anonymizer.errors import ConfigError


def refused(**values) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config({"source": "photos", **values})
    return str(caught.value)


def sections() -> list[tuple[str, type[BaseModel]]]:
    return [
        (name, field.annotation)
        for name, field in RunConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    ]


def every_field() -> list[tuple[str, object]]:
    names = {name for name, _ in sections()}
    top = [(name, field) for name, field in RunConfig.model_fields.items() if name not in names]
    return top + [
        (f"{name}.{inner}", field) for name, model in sections() for inner, field in model.model_fields.items()
    ]


@pytest.fixture
def asked(tmp_path):
    """The configuration that command-line arguments ask for."""

    def ask(*arguments: str) -> RunConfig:
        parser = argparse.ArgumentParser()
        add_run_arguments(parser)
        return run_config(parser.parse_args([str(tmp_path), "--out", str(tmp_path / "out"), *arguments]))

    return ask


# what is refused


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"sorce": "x"}, "sorce"),
        ({"blur": {"radius": 3}}, "blur.radius"),
        ({"method": "magic"}, "method"),
        ({"purpose": "fun"}, "purpose"),
        ({"dataset": "No Good"}, "dataset"),
        ({"dataset": "../up"}, "dataset"),
        ({"workers": 0}, "workers"),
        ({"detection": {"accept_score": -0.1}}, "detection.accept_score"),
        ({"detection": {"doubt_score": 0}}, "detection.doubt_score"),
        ({"detection": {"doubt_score": 0.9}}, "doubt_score"),
        ({"detection": {"long_side_px": 1000}}, "detection.long_side_px"),
        ({"region": {"scale": 1.0}}, "region.scale"),
        ({"ingest": {"shard_size": 0}}, "ingest.shard_size"),
        ({"mask": {"colour": "red"}}, "mask.colour"),
        ({"avatar": {"style": "somebody"}}, "avatar.style"),
        ({"reid": {"max_linked_rate": -1}}, "reid.max_linked_rate"),
        ({"reid": {"recognisers": "dlib resnet"}}, "reid.recognisers"),
        ({"reid": {"recognisers": ""}}, "reid.recognisers"),
        ({"reid": {"claim": "proven", "max_linked_rate": 0}}, "max_linked_rate"),
        ({"reid": {"claim": "proven", "max_linked_rate": 1}}, "max_linked_rate"),
        ({"detection": "strict"}, "detection"),
        ({"workers": float("nan")}, "workers"),
        ({"source": ""}, "source"),
        ({"source": "a\0b"}, "source"),
        ({"out": ""}, "out"),
    ],
)
def test_what_is_unusable_is_refused_by_name(values, field):
    message = refused(**values)
    assert field in message
    assert "\n" not in message


@pytest.mark.parametrize("asked", [{"method": "synthetic"}, {"purpose": "realism"}])
def test_methods_that_keep_the_hair_are_refused_where_hair_is_to_be_covered(asked: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"region\.hair: synthetic keeps the hair"):
        load_config({"source": "x", "region": {"hair": True}, **asked})


def test_every_wrong_field_is_named_at_once():
    message = refused(method="magic", workers=-1)
    assert "method" in message
    assert "workers" in message


def test_the_source_is_required():
    with pytest.raises(ConfigError, match="source"):
        load_config({})


def test_a_refusal_does_not_repeat_paths():
    """Refusals end up in logs."""
    assert "jane" not in refused(source=["/home/jane"], out=["/home/jane"], mask={"icon": ["/home/jane"]})


def test_a_refused_section_does_not_repeat_the_paths_in_it():
    message = refused(reid={"claim": "proven", "user_recognisers": "/home/jane/own.yaml"})
    assert "max_linked_rate above 0" in message
    assert "jane" not in message


def test_doubt_may_equal_accept():
    chosen = load_config({"source": "x", "detection": {"doubt_score": 0.5, "accept_score": 0.5}})
    assert chosen.detection.doubt_score == chosen.detection.accept_score


def test_a_configuration_does_not_change(config):
    with pytest.raises(ValueError):
        config().method = "blur"


# what it says about itself


def test_every_default_is_valid():
    written = RunConfig(source="x").model_dump(mode="json")
    assert load_config(written) == RunConfig(source="x")


@pytest.mark.parametrize(("name", "field"), every_field())
def test_every_field_is_described(name, field):
    assert field.description
    assert field.description.endswith(".")


@pytest.mark.parametrize(("name", "model"), sections())
def test_every_section_is_described(name, model):
    assert model.__doc__
    assert not model.__doc__.startswith("!!!")


@pytest.mark.parametrize(
    ("method", "purpose", "chosen"),
    [
        ("auto", "unsure", "mask"),
        ("auto", "internal_review", "blur"),
        ("auto", "strong_privacy", "mask"),
        ("auto", "public_release", "mask"),
        ("pixelate", "internal_review", "pixelate"),
        ("blur", "strong_privacy", "blur"),
        ("avatar", "public_release", "avatar"),
    ],
)
def test_the_method_follows_the_purpose_unless_it_is_named(config, method, purpose, chosen):
    assert config(method=method, purpose=purpose).chosen_method == chosen


@pytest.mark.parametrize(
    ("enabled", "purpose", "on"),
    [
        ("auto", "unsure", True),
        ("auto", "public_release", True),
        ("auto", "internal_review", False),
        ("on", "internal_review", True),
        ("off", "public_release", False),
    ],
)
def test_residual_cues_are_left_only_for_internal_review_or_on_demand(config, enabled, purpose, on):
    assert config(residual={"enabled": enabled}, purpose=purpose).residual_enabled is on


# what a release may show


def test_public_holds_no_path(config, tmp_path):
    chosen = config(source="/home/jane/photos", mask={"shape": "icon", "icon": "/home/jane/icon.png"})
    assert "jane" not in chosen.public_json()
    assert str(tmp_path) not in chosen.public_json()
    assert not {"source", "out"} & set(chosen.public())
    assert chosen.public()["mask"]["icon"] == "user's own"


def test_an_icon_that_the_project_draws_is_no_file_of_the_users(config):
    chosen = config(mask={"shape": "icon", "icon": "cat"})
    assert chosen.public()["mask"]["icon"] == "cat"
    assert chosen.users_files() == {}
    assert list(config(mask={"icon": "./cat"}).users_files()) == ["mask.icon"]


def test_of_several_files_public_says_only_that_there_are_some(config):
    chosen = config(reid={"user_recognisers": "/home/jane/one.yaml, /home/jane/two.yaml"})
    assert chosen.public()["reid"]["user_recognisers"] == "user's own"
    assert chosen.users_files() == {
        "reid.user_recognisers.0": Path("/home/jane/one.yaml"),
        "reid.user_recognisers.1": Path("/home/jane/two.yaml"),
    }
    assert chosen.reid.user_recogniser_files == tuple(chosen.users_files().values())


def test_public_is_the_configuration_otherwise(config):
    chosen = config(blur={"cells": 3})
    assert chosen.public() == {
        name: value for name, value in chosen.model_dump(mode="json").items() if name not in {"source", "out"}
    }


@pytest.mark.parametrize(
    "change",
    [{"method": "blur"}, {"blur": {"cells": 3}}, {"region": {"scale": 1.5}}, {"residual": {"strength": 0.1}}],
)
def test_the_digest_changes_with_what_decides_the_pixels(config, change):
    assert config(**change).digest != config().digest


def test_the_digest_does_not_change_with_the_paths(config):
    assert config(source="/elsewhere", out="/another").digest == config().digest


# files, options, --set


def test_a_file_gives_nested_values(tmp_path):
    (tmp_path / "c.yaml").write_text("method: blur\nblur: {cells: 3}\n", encoding="utf-8")
    assert read_config_file(tmp_path / "c.yaml") == {"method": "blur", "blur": {"cells": 3}}


def test_an_empty_file_gives_no_values(tmp_path):
    (tmp_path / "c.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert read_config_file(tmp_path / "c.yaml") == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read"),
        (b"a: [1", "not valid YAML"),
        (b"a: \xff", "not valid YAML"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
        (b"- a\n- b", "must hold fields"),
        (b"just text", "must hold fields"),
    ],
)
def test_an_unusable_file_is_refused(tmp_path, content, problem):
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=problem):
        read_config_file(path)


def test_a_folder_is_no_configuration_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config_file(tmp_path)


def test_field_names_in_a_file_that_are_no_words_are_refused(tmp_path):
    (tmp_path / "c.yaml").write_text("1: blur\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config({"source": "x", **read_config_file(tmp_path / "c.yaml")})


def test_options_win_over_the_file_and_set_over_both(asked, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("method: blur\ndataset: from-file\nblur: {cells: 3, levels: 8}\n", encoding="utf-8")
    from_file = asked("--config", str(path))
    assert (from_file.method, from_file.dataset) == ("blur", "from-file")
    options = asked("--config", str(path), "--method", "mask", "--dataset", "from-option")
    assert (options.method, options.dataset) == ("mask", "from-option")
    on_top = asked("--config", str(path), "--method", "mask", "--set", "method=pixelate", "--set", "blur.cells=5")
    assert (on_top.method, on_top.blur.cells, on_top.blur.levels) == ("pixelate", 5, 8)


def test_the_last_set_wins(asked):
    assert asked("--set", "blur.cells=2", "--set", "blur.cells=3").blur.cells == 3


@pytest.mark.parametrize("text", ["blur.cells", "=3", ""])
def test_set_without_field_and_value_is_refused(asked, text):
    with pytest.raises(ConfigError, match="FIELD=VALUE"):
        asked("--set", text)


def test_set_takes_a_colour_as_it_is_written(asked):
    assert asked("--set", "mask.colour=#ff0000").mask.colour == "#ff0000"


@pytest.mark.parametrize("word", ["on", "off", "auto"])
def test_the_words_on_and_off_are_words(asked, tmp_path, word):
    """YAML reads them as truth values."""
    (tmp_path / "c.yaml").write_text(f"residual: {{enabled: {word}}}\n", encoding="utf-8")
    assert asked("--set", f"residual.enabled={word}").residual.enabled == word
    assert asked("--config", str(tmp_path / "c.yaml")).residual.enabled == word


def test_a_value_that_is_no_yaml_is_taken_as_text(asked):
    with pytest.raises(ConfigError, match="method"):
        asked("--set", "method={blur")


@pytest.mark.parametrize("order", [("blur.cells=2", "blur=3"), ("method.x=1",), ("blur.cells.x=1",), ("blur.=1",)])
def test_a_section_cannot_be_a_value_nor_a_value_a_section(asked, order):
    with pytest.raises(ConfigError):
        asked(*(part for item in order for part in ("--set", item)))


def test_unflatten_refuses_a_value_with_fields_of_its_own():
    with pytest.raises(ConfigError, match=r"blur\.cells"):
        unflatten({"blur": 3, "blur.cells": 2})


def test_relative_paths_are_made_absolute(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert asked("--set", "out=here").out == str(tmp_path / "here")


def test_a_home_folder_of_nobody_is_refused(asked):
    with pytest.raises(ConfigError, match="~"):
        asked("--out", "~no-such-user-7413/out")


def test_without_photos_the_samples_are_used(tmp_path):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    chosen = run_config(parser.parse_args(["--out", str(tmp_path)]))
    assert chosen.source.startswith(str(tmp_path / "workspace"))
    assert len(list(Path(chosen.source).iterdir())) > 5


def test_no_dataset_can_work_in_the_folder_of_the_samples(asked, tmp_path):
    """Its intermediate files would be taken for photos."""
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    folder = Path(run_config(parser.parse_args(["--out", str(tmp_path)])).source)
    with pytest.raises(ConfigError, match="dataset"):
        asked("--dataset", folder.name)


def test_merge_lays_later_values_on_top_and_keeps_the_rest():
    below, above = {"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "c": 4}
    assert merge(below, above) == {"a": {"x": 1, "y": 3}, "b": 1, "c": 4}
    assert below == {"a": {"x": 1, "y": 2}, "b": 1}


def test_unflatten_splits_at_dots():
    assert unflatten({"blur.cells": 3, "blur.noise": 1, "method": "blur"}) == {
        "blur": {"cells": 3, "noise": 1},
        "method": "blur",
    }


_NESTED = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), _NESTED, max_size=3))
def test_unflatten_undoes_flattening(nested):
    def flat(values: dict, prefix: str = "") -> dict:
        result = {}
        for key, value in values.items():
            result |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        return result

    assert unflatten(flat(nested)) == nested


# attacks


def test_attacks_are_made_once_and_in_the_order_of_the_threat_model() -> None:
    config = load_config({"source": "x", "reid": {"attacks": "restoration,naive,restoration"}})
    assert config.reid.attack_names == ("naive", "restoration")


@pytest.mark.parametrize(
    ("attacks", "said"),
    [
        ("cross_photo", "the naive attack is always made"),
        ("naive,parrot", "photo-anonymizer attack or the DAG attack_methods"),
        ("naive,telepathy", "telepathy: the gate can make naive, cross_photo, restoration"),
    ],
)
def test_attacks_that_the_gate_cannot_do_or_do_without_are_refused(attacks: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config({"source": "x", "reid": {"attacks": attacks}})
