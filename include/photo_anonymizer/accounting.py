"""The ledger's final rows of a run: what became of every input, and where it is public."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from photo_anonymizer.model.record import PhotoRecord, Status
from photo_anonymizer.provenance import stamp_of
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault, ledger_row


def account(run: RunFolder, records: Sequence[PhotoRecord], published: Mapping[str, str]) -> None:
    """Writes the rows. What an earlier run found out keeps who found it out and when.

    :param records: every input of the run, as it ended; none is pending unless it is published now.
    :param published: photo_id → place below the dataset's releases, such as ``v0002/data/photos/….jpg``.
    """
    vault, stamp = Vault.of(run.config), stamp_of(run.config, run.run_id)
    taken_over = {record.source_uri for record in records if record.taken_over}
    known = {row["source_uri"]: row for row in vault.iter_ledger() if row["source_uri"] in taken_over}
    rows = []
    for record in records:
        place = None if record.reason else published.get(record.photo_id)
        ended = record.with_(status=Status.RELEASED) if place else record
        row = ledger_row(ended, stamp, place.partition("/")[0] if place else None, place)
        earlier = known.get(record.source_uri)
        if earlier and (earlier["photo_id"], earlier["status"]) == (row["photo_id"], row["status"]):
            kept = {name: row[name] for name in ("version", "output", "source")} if place else {"source": row["source"]}
            row = {**earlier, **kept}
        rows.append(row)
    vault.update_ledger(rows)
