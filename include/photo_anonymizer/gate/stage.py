"""Gate: the run is judged once; a refusal is written into the ledger and nothing is published."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

from photo_anonymizer import outcome
from photo_anonymizer.accounting import account
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.gate.aggregates import Aggregates, aggregate, final_records
from photo_anonymizer.gate.suite import Verdict, judge
from photo_anonymizer.model.record import Reason
from photo_anonymizer.release.carried_over import CarriedOver
from photo_anonymizer.runfolder import WHOLE, RunFolder
from photo_anonymizer.vault import Vault

log = logging.getLogger(__name__)

STAGE = "reid_gate"
RESULT = "verdict.json"


def pass_gate(run: RunFolder) -> Verdict:
    """Judges the run.

    :raises GateRefusedError: an expectation is not met. The ledger then says why every photo stayed back.
    """
    run.tell(STAGE, WHOLE, 0, 1)
    if not run.done(STAGE):
        row = aggregate(run)
        docs = data_docs_folder(run)
        verdict = judge([row], run.config.reid, run.config.metadata.second_reader, docs)
        with run.publish(STAGE) as output:
            write_json(
                output.folder / RESULT,
                {"aggregates": row.model_dump(mode="json"), "verdict": verdict.model_dump(mode="json")},
            )
            output.write_records([])
    _, verdict = result(run)
    run.tell(STAGE, WHOLE, 1, 1)
    if not verdict.passed:
        refuse(run, verdict)
    log.info("gate: all %d expectations are met", len(verdict.findings))
    return verdict


def data_docs_folder(run: RunFolder) -> Path:
    """Where Great Expectations' pages about this run lie: in the vault, also after the run is gone."""
    return Vault.of(run.config).private_folder(run.path.name) / "data_docs"


def refuse(run: RunFolder, verdict: Verdict) -> None:
    """Accounts for every input as held or rejected, then raises.

    :raises GateRefusedError: always.
    """
    records = [record.stopped(Reason.GATE_REFUSED) if record.pending else record for record in final_records(run)]
    account(run, records, CarriedOver.of(run.config, Vault.of(run.config), records).places)
    message = "the gate refused the release: " + "; ".join(verdict.refusals or ["nothing was judged"])
    counts = Counter(str(record.status) for record in records)
    reasons = Counter(f"{record.status}: {record.reason}" for record in records if record.reason)
    outcome.note(run.config, run, "refused", message, inputs=len(records), reasons=dict(reasons), **counts)
    raise GateRefusedError(message)


def result(run: RunFolder) -> tuple[Aggregates, Verdict]:
    """What the gate saw and said."""
    stored = read_json(run.stage(STAGE) / RESULT)
    return Aggregates.model_validate(stored["aggregates"]), Verdict.model_validate(stored["verdict"])
