"""A deployment's own settings of the DAGs, from the environment; light to import, as DAG files are parsed often."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from photo_anonymizer_airflow.callbacks import explain_failure


def defaults() -> dict[str, str]:
    """Source and out of the forms, as far as the deployment names them."""
    variables = {"source": "PHOTO_ANONYMIZER_SOURCE", "out": "PHOTO_ANONYMIZER_OUT"}
    return {name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)}


def schedule(variable: str) -> str | None:
    """The cron expression in an environment variable; off unless it is set.

    :raises ValueError: scheduled runs would have no photos.
    """
    cron = os.environ.get(variable, "none").replace("none", "") or None
    if cron and "source" not in defaults():
        raise ValueError(f"{variable} is set: name the photos of the scheduled runs in PHOTO_ANONYMIZER_SOURCE")
    return cron


def task_defaults(retries: int) -> dict[str, Any]:
    """``default_args`` of a DAG."""
    return {
        "owner": "photo-anonymizer",
        "retries": retries,
        "retry_delay": timedelta(seconds=float(os.environ.get("PHOTO_ANONYMIZER_RETRY_DELAY_S", "15"))),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=6),
        "on_failure_callback": explain_failure,
        "pool": "photo_cpu",
    }
