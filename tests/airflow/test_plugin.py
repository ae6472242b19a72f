"""Airflow's plugin loader finds the registration and leaves the package alone."""

from __future__ import annotations

import shutil
from pathlib import Path

from dag_run import python
from photo_anonymizer_airflow.environment import ROOT

LOAD = """
import sys
from airflow import plugins_manager
plugins_manager.ensure_plugins_loaded()
print("errors", plugins_manager.get_import_errors())
print("plugins", sorted(info["name"] for info in plugins_manager.get_plugin_info()))
print("flat", "detect_faces" in sys.modules or "launch" in sys.modules)
"""


def test_the_plugin_loads_and_its_package_is_not_run_file_by_file() -> None:
    loaded = python(LOAD, AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"))
    assert "errors {}" in loaded.stdout, loaded.stdout + loaded.stderr
    assert "'photo_anonymizer'" in loaded.stdout
    assert "flat False" in loaded.stdout


def test_without_the_ignore_file_the_package_would_be_run_file_by_file(tmp_path: Path) -> None:
    plugins = shutil.copytree(ROOT / "plugins", tmp_path / "plugins", ignore=shutil.ignore_patterns(".airflowignore"))
    loaded = python(LOAD, AIRFLOW__CORE__PLUGINS_FOLDER=str(plugins))
    assert "flat True" in loaded.stdout, loaded.stdout + loaded.stderr
