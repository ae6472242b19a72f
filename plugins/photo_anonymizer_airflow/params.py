"""The trigger form, generated from the configuration model, so that form, command line and release never disagree."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from photo_anonymizer.config import MethodName, RunConfig, unflatten
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.heavy.sample_size import FEWEST, HOW_DRAWN, MOST, PEOPLE_NEEDED
from photo_anonymizer.heavy.sample_size import SAMPLE as SAMPLE_PHOTOS

if TYPE_CHECKING:
    from airflow.sdk import Param

MAIN_SECTION = None
"""Parameters without a section stand in the form's first part, the only one that is open from the start."""
CONNECTION = "connection"
"""The one parameter that is no field of the configuration: a release and its records know nothing of credentials."""
SAMPLE = "sample"
"""The parameter of the DAG that attacks a sample which is no field either."""
SAMPLED = (
    *("source", "out", "dataset", "method", "purpose", "detection", "region"),
    *get_args(MethodName),
    *(f"reid__{name}" for name in ("recognisers", "user_recognisers", "identities", "claim", "max_rank1_excess")),
)
"""Sections and fields that decide how a sample is drawn, changed and judged."""
_SAMPLED_SOURCE = (
    "Folder on the worker's machine; where photos are sorted, with a sub-folder for each person. "
    f"{PEOPLE_NEEDED.capitalize()}. Archives, lists and URLs cannot be sampled: copy some photos."
)
_SEPARATOR = "__"
_SCALARS = {str: "string", bool: "boolean", int: "integer", float: "number"}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "min_length": "minLength",
}


def dag_params(defaults: Mapping[str, Any]) -> dict[str, Param]:
    """One parameter for every field of the configuration; nested fields are called ``section__field``. And the
    connection, beside the source that it is for.

    :param defaults: values that this deployment puts in place of the model's own defaults, by parameter name.
    """
    params = {}
    for name, (title, field, section) in _fields().items():
        params[name] = _param(title, field, section)
        if name == "source":
            params[CONNECTION] = _connection_param()
    for name, value in defaults.items():
        params[name].value = value
    return params


def sample_params(defaults: Mapping[str, Any]) -> dict[str, Param]:
    """The form of the DAG that attacks a sample: the source, how many photos of it, and the fields that matter to it.

    A run's other fields may be given all the same, as when its parameters are pasted; they change nothing.

    :param defaults: as for :func:`dag_params`.
    """
    from airflow.sdk import Param

    every = dag_params(defaults)
    source = every.pop("source")
    source.description = _SAMPLED_SOURCE
    sample = Param(
        SAMPLE_PHOTOS,
        type="integer",
        minimum=FEWEST,
        maximum=MOST,
        title="Sample",
        description=f"Photos to draw: {HOW_DRAWN}.",
    )
    wanted = {name: item for name, item in every.items() if {name, name.partition(_SEPARATOR)[0]} & set(SAMPLED)}
    return {"source": source, SAMPLE: sample, **wanted}


def config_values(params: Mapping[str, Any]) -> dict[str, Any]:
    """The nested configuration values of a run's parameters.

    :raises ConfigError: a parameter that the form does not have.
    """
    values = {name: value for name, value in params.items() if name != CONNECTION}
    if unknown := sorted(set(values) - set(_fields())):
        raise ConfigError(f"configuration refused: {', '.join(unknown)}: no such parameter")
    return unflatten({name.replace(_SEPARATOR, "."): value for name, value in values.items()})


def param_values(config: RunConfig) -> dict[str, Any]:
    """A configuration as the parameters of a run."""
    values: dict[str, Any] = {}
    for name, value in config.model_dump(mode="json").items():
        if isinstance(value, dict):
            values.update({f"{name}{_SEPARATOR}{inner}": item for inner, item in value.items()})
        else:
            values[name] = value
    return values


def _fields() -> dict[str, tuple[str, FieldInfo, str | None]]:
    """Parameter → (name within its section, field, section), the main section first."""
    main: dict[str, tuple[str, FieldInfo, str | None]] = {}
    nested: dict[str, tuple[str, FieldInfo, str | None]] = {}
    for name, field in RunConfig.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for inner, inner_field in field.annotation.model_fields.items():
                nested[f"{name}{_SEPARATOR}{inner}"] = inner, inner_field, _section(field.annotation)
        else:
            main[name] = name, field, MAIN_SECTION
    return {**main, **nested}


def _section(model: type[BaseModel]) -> str:
    """A section's name: what stands before the colon of its docstring."""
    return (model.__doc__ or model.__name__).strip().rstrip(".").partition(":")[0]


def _param(name: str, field: FieldInfo, section: str | None) -> Param:
    schema = _schema(field)
    from airflow.sdk import Param  # here, so that the launcher need not import Airflow

    default = "" if field.is_required() else field.default
    if section:
        schema["section"] = section
    title = field.title or name.replace("_", " ").capitalize()
    return Param(default, title=title, description=field.description, **schema)


def _connection_param() -> Param:
    from airflow.sdk import Param

    return Param(
        None,
        type=["string", "null"],
        title="Connection",
        description="Airflow connection with which a source at s3://, gs:// or az:// is read; empty: the worker's own "
        "credentials.",
    )


def _schema(field: FieldInfo) -> dict[str, Any]:
    annotation, schema = field.annotation, dict[str, Any]()
    optional = False
    if get_origin(annotation) in (Union, UnionType):
        optional = NoneType in get_args(annotation)
        annotation = next(item for item in get_args(annotation) if item is not NoneType)
    if get_origin(annotation) is Literal:
        schema["enum"] = list(get_args(annotation))
        annotation = str
    kind = _SCALARS[annotation]  # type: ignore[index]
    schema["type"] = [kind, "null"] if optional else kind
    for constraint in field.metadata:
        schema.update(_constraint(constraint))
    return schema


def _constraint(constraint: Any) -> dict[str, Any]:
    found = {
        theirs: getattr(constraint, ours)
        for ours, theirs in _BOUNDS.items()
        if getattr(constraint, ours, None) is not None
    }
    if pattern := getattr(constraint, "pattern", None):
        found["pattern"] = pattern
    return found
