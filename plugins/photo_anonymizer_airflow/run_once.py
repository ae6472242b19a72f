"""Runs the DAG once in this process: ``python -m photo_anonymizer_airflow.run_once CONF.json RESULT.json``.

Airflow's own ``dag.test()`` is its scheduler loop in one process: the same DAG, operators, retries and database,
without the half minute that scheduler and API server take to start, and the models are loaded once for all tasks.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path


def main(conf_path: Path, result_path: Path) -> int:
    """Runs the DAG with the parameters in ``conf_path`` and writes run id and state to ``result_path``."""
    from photo_anonymizer import claim
    from photo_anonymizer_airflow.environment import ROOT

    os.environ[claim.OWNER_VARIABLE] = str(os.getpid())
    sys.path.insert(0, str(ROOT / "dags"))
    dag = importlib.import_module("anonymize_photos").dag
    conf = json.loads(conf_path.read_text(encoding="utf-8"))
    run = dag.test(run_conf=conf)
    result_path.write_text(json.dumps({"run_id": run.run_id, "state": str(run.state)}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
