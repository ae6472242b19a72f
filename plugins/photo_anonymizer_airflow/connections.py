"""Airflow connections → options of fsspec file systems, by protocol. The library knows nothing of Airflow.

One function a connection type. What a connection asks for and cannot be done is refused, never left out in silence:
without a role or an endpoint, a run would read with other rights or elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from photo_anonymizer.errors import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import Connection

Options = dict[str, dict[str, Any]]
_NO_OPTIONS_YET = (
    "connection: a generic connection needs an extra such as "
    '{"storage_options": {"s3": {"key": "…", "secret": "…"}}}, with fsspec\'s options under each protocol'
)


def options_of(conn_id: str | None) -> Options:
    """The options that the connection of this name stands for; without a name none, so that the environment's hold.

    :raises ConfigError: there is no such connection, or it is of a type or has fields that are not supported.
    """
    if not conn_id:
        return {}
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = Connection.get(conn_id)
    except AirflowNotFoundException:
        raise ConfigError("connection: Airflow has no connection of this name; see Admin → Connections") from None
    return storage_options(connection)


def storage_options(connection: Connection) -> Options:
    """The options that a connection stands for.

    :raises ConfigError: as :func:`options_of`.
    """
    mapping = _TYPES.get(connection.conn_type or "")
    if mapping is None:
        raise ConfigError(f"connection: type {connection.conn_type!r} cannot be used; use {', '.join(sorted(_TYPES))}")
    return mapping(connection, _extra(connection))


def _aws(connection: Connection, extra: Mapping[str, Any]) -> Options:
    """s3fs. Without a key the environment's credentials are used (a profile, an instance's role)."""
    _refuse(extra, "role_arn", "assume_role_method", "federation")
    service = extra.get("service_config", {}).get("s3", {})
    client = _given(
        endpoint_url=service.get("endpoint_url") or extra.get("endpoint_url") or extra.get("host"),
        region_name=extra.get("region_name"),
        verify=extra.get("verify"),
    )
    options = _given(
        key=connection.login or extra.get("aws_access_key_id"),
        secret=connection.password or extra.get("aws_secret_access_key"),
        token=extra.get("aws_session_token"),
        profile=extra.get("profile_name"),
        anon=extra.get("anon"),
        client_kwargs=client or None,
    )
    return {"s3": options}


def _google(_connection: Connection, extra: Mapping[str, Any]) -> Options:
    """gcsfs. Without a key file the environment's credentials are used."""
    _refuse(extra, "key_secret_name", "credential_config_file", "impersonation_chain")
    key = extra.get("keyfile_dict") or extra.get("key_path")
    if isinstance(key, str) and key.lstrip().startswith("{"):
        key = _parsed(key, "keyfile_dict")
    if extra.get("is_anonymous"):
        key = "anon"
    return {"gs": _given(token=key, project=extra.get("project") or extra.get("project_id"))}


def _azure(connection: Connection, extra: Mapping[str, Any]) -> Options:
    """adlfs. With a tenant, login and password are a service principal's; else the account's name and key."""
    _refuse(extra, "managed_identity_client_id", "workload_identity_tenant_id", "client_secret_auth_config")
    tenant = extra.get("tenant_id") or extra.get("tenant")
    account = extra.get("account_name") or _account(connection.host)
    options = _given(connection_string=extra.get("connection_string"), sas_token=extra.get("sas_token"))
    if tenant:
        options |= _given(tenant_id=tenant, client_id=connection.login, client_secret=connection.password)
    else:
        account = account or connection.login
        options |= _given(account_key=connection.password or extra.get("shared_access_key") or extra.get("account_key"))
    return {"az": {**_given(account_name=account), **options}}


def _generic(_connection: Connection, extra: Mapping[str, Any]) -> Options:
    """fsspec's own options, for any protocol."""
    options = extra.get("storage_options")
    if not isinstance(options, dict) or not options or not all(isinstance(item, dict) for item in options.values()):
        raise ConfigError(_NO_OPTIONS_YET)
    return {str(protocol): dict(item) for protocol, item in options.items()}


_TYPES: dict[str, Callable[[Connection, Mapping[str, Any]], Options]] = {
    "aws": _aws,
    "google_cloud_platform": _google,
    "wasb": _azure,
    "adls": _azure,
    "azure_data_lake": _azure,
    "generic": _generic,
}


def _extra(connection: Connection) -> dict[str, Any]:
    """The extra fields, under their short names: Airflow 2 wrote ``extra__<type>__<field>``."""
    fields = _parsed(connection.extra, "extra") if connection.extra else {}
    prefix = f"extra__{connection.conn_type}__"
    return {name.removeprefix(prefix): value for name, value in fields.items()}


def _parsed(text: str, field: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError(f"connection: the field {field} is not a JSON object")
    return values


def _account(host: str | None) -> str | None:
    """``https://name.blob.core.windows.net`` → ``name``."""
    if not host:
        return None
    return (urlsplit(host if "://" in host else f"https://{host}").hostname or "").partition(".")[0]


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _refuse(extra: Mapping[str, Any], *fields: str) -> None:
    if asked := [field for field in fields if extra.get(field)]:
        raise ConfigError(f"connection: {', '.join(asked)} cannot be used; use a key, or the environment's credentials")
