"""The expectations that a run must meet, and their evaluation by Great Expectations.

On an empty frame most of Great Expectations' column expectations pass, and so do they on missing values. Therefore the
suite demands exactly one row and every value in it first, and bounds are put on aggregates.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import ReidConfig
from photo_anonymizer.gate import data_docs
from photo_anonymizer.gate.aggregates import Aggregates
from photo_anonymizer.reid.claims import needed_n

SUITE, CHECKPOINT = "photo_release", "gate"
SUITE_VERSION = 3
"""Counts up when an expectation is added, dropped or means something else. 2: one for each attack, heavy ones too, and
one for likeness to others. 3: that heavy attacks were made is expected only where it is required."""
NOT_NULL = "ExpectColumnValuesToNotBeNull"


class Finding(BaseModel):
    """One expectation and whether the run met it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expectation: str
    column: str
    passed: bool
    meaning: str


class Verdict(BaseModel):
    """The gate's judgement. Empty findings are no pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    findings: tuple[Finding, ...]
    suite: str = f"{SUITE} {SUITE_VERSION}"

    @property
    def refusals(self) -> list[str]:
        """What was not met, in words; of a measure that is missing only that it is, not that it is too high."""
        missing = {
            finding.column for finding in self.findings if not finding.passed and finding.expectation == NOT_NULL
        }
        return [
            finding.meaning
            for finding in self.findings
            if not finding.passed and (finding.expectation == NOT_NULL or finding.column not in missing)
        ]


Expected = tuple[str, str, dict[str, Any], str]
"""Great Expectations class, column, arguments, meaning."""
_OPTIONAL = frozenset({"second_reader_residue"})
_BY_ATTACK = {
    "naive": "the original of their own photo",
    "cross_photo": "another photo of the same person",
    "restoration": "an original after filters tried to undo the change",
}
"""Attack → what a face is linked to."""
_IF_ATTACKED = frozenset(
    [f"{attack}_{measure}" for attack in _BY_ATTACK for measure in ("linked_rate", "rank1_low_excess")]
    + ["heavy_excess"]
)
"""Measures that may be missing: an attack that was not asked for, or that found no face that it can be made on. Whether
one that should be there is missing say ``attacks_missing`` and ``heavy_missing``."""
_IF_REQUIRED = frozenset({"heavy_missing", "heavy_stale"})
"""Measures that only ``reid.heavy: required`` needs."""
_FOR_PROOF = frozenset({"people", "linked_upper", "rank1_upper_excess"})
"""Measures that only the claim 'proven' needs."""


def expectations(bounds: ReidConfig, second_reader: str = "auto", row: Aggregates | None = None) -> list[Expected]:
    """Every expectation of the suite.

    :param second_reader: the configuration's ``metadata.second_reader``.
    :param row: what is judged, for sentences that name numbers of it.
    """
    bounded, equal = "ExpectColumnMaxToBeBetween", "ExpectColumnValuesToBeInSet"
    optional = _OPTIONAL | _IF_ATTACKED
    optional |= frozenset() if bounds.claim == "proven" else _FOR_PROOF
    optional |= frozenset() if bounds.heavy == "required" else _IF_REQUIRED
    never_null: list[Expected] = [
        (NOT_NULL, column, {}, f"the measure {column} is missing")
        for column in Aggregates.model_fields
        if column not in optional
    ]
    zero = {
        "unaccounted": "inputs are not released + held + rejected: a photo got lost or was counted twice",
        "faces_without_edit": "a face of a photo to be released was left as it is",
        "faces_kept_wrongly": "a face is kept that is in doubt, or for a reason that the configuration does not give",
        "faces_not_as_edited": "a face does not look as its edit says it should",
        "faces_unmeasured": "a face to be released was not attacked",
        "photos_unmeasured": "a photo with faces was not attacked",
        "attacks_missing": "an attack that the configuration asks for was not made",
        "faces_unrestored": "a face to be released was not attacked by restoration",
        "files_missing": "a picture to be released is missing",
        "files_changed": "a picture to be released is not the file that was attacked",
        "files_changed_outside": "a picture that is said to be unchanged outside of its edits is not",
        "metadata_residue": "a picture to be released carries something besides its pixels",
        "second_reader_silent": "the second reader did not say what it found",
        "second_reader_residue": "the second reader finds something besides pixels in a picture to be released",
    }
    if second_reader == "require":
        zero["second_reader_unused"] = "the second reader that the configuration demands was not used"
    if bounds.heavy == "required":
        again = "make them: photo-anonymizer attack, or the DAG attack_methods"
        zero["heavy_missing"] = (
            f"reid.heavy: required, and no result of heavy attacks is known for this method and its settings; {again}"
        )
        zero["heavy_stale"] = (
            f"reid.heavy: required, and the known result is older than {bounds.heavy_max_age_days} days; {again}"
        )
    return [
        ("ExpectTableRowCountToEqual", "", {"value": 1}, "there is nothing to judge"),
        *never_null,
        *((equal, column, {"value_set": [0]}, meaning) for column, meaning in zero.items()),
        (
            equal,
            "recogniser_degenerate",
            {"value_set": [False]},
            "no recogniser tells the originals apart, so that their failure proves nothing",
        ),
        (
            "ExpectColumnMinToBeBetween",
            "photos_to_publish",
            {"min_value": 1},
            "no photo is left to be released: there is nothing to judge",
        ),
        (
            "ExpectColumnMinToBeBetween",
            "faces_to_publish",
            {"min_value": 1 if bounds.require_faces else 0},
            "no face was found in any photo, so nothing was attacked and nothing is proven "
            "(reid.require_faces: false lets a collection without people pass)",
        ),
        (
            "ExpectColumnMinToBeBetween",
            "control_rate",
            {"min_value": bounds.min_control_rate},
            f"no recogniser knows {bounds.min_control_rate:.0%} of the original faces in the mirror, "
            "so that their failure proves nothing",
        ),
        (
            bounded,
            "linked_rate",
            {"max_value": bounds.max_linked_rate},
            f"more than {bounds.max_linked_rate:.1%} of the faces are still linked to who they show",
        ),
        *_by_attack(bounds, row),
        *_heavy(bounds, row),
        (
            bounded,
            "rank1_low_excess",
            {"max_value": bounds.max_rank1_excess},
            f"faces are found among all originals more than {bounds.max_rank1_excess:.1%} above chance"
            + (f" by {row.furthest}" if row and row.furthest else ""),
        ),
        (
            bounded,
            "resembles_low_excess",
            {"max_value": bounds.max_resemblance_excess},
            "published faces resemble other people of the batch: they are taken for one of them more than "
            f"{bounds.max_resemblance_excess:.1%} more often than strangers are",
        ),
        *(_proof(bounds, row) if bounds.claim == "proven" else []),
    ]


def _by_attack(bounds: ReidConfig, row: Aggregates | None) -> list[Expected]:
    """The same bounds for each attack by itself, so that a refusal says which one it was."""
    wanted: list[Expected] = []
    for attack in bounds.attack_names:
        wanted.append(
            (
                "ExpectColumnMaxToBeBetween",
                f"{attack}_linked_rate",
                {"max_value": bounds.max_linked_rate},
                f"{attack}: more than {bounds.max_linked_rate:.1%} of the faces are linked to {_BY_ATTACK[attack]}",
            )
        )
        if attack == "naive":
            continue  # its rank 1 has an expectation of its own
        form = getattr(row, f"{attack}_furthest") if row else ""
        wanted.append(
            (
                "ExpectColumnMaxToBeBetween",
                f"{attack}_rank1_low_excess",
                {"max_value": bounds.max_rank1_excess},
                f"{attack}: people are found more than {bounds.max_rank1_excess:.1%} above chance"
                + (f" ({form})" if form else ""),
            )
        )
    return wanted


def _heavy(bounds: ReidConfig, row: Aggregates | None) -> list[Expected]:
    """What attacks that learn found on a sample, made before this run."""
    if bounds.heavy == "off":
        return []
    form = f" ({row.heavy_furthest})" if row and row.heavy_furthest else ""
    return [
        (
            "ExpectColumnMaxToBeBetween",
            "heavy_excess",
            {"max_value": bounds.max_rank1_excess},
            f"heavy attacks on a sample find people more than {bounds.max_rank1_excess:.1%} above what a solid mask "
            f"gives away{form}: choose a stronger setting or another method, and attack that",
        ),
    ]


def _proof(bounds: ReidConfig, row: Aggregates | None) -> list[Expected]:
    """What the claim 'proven' asks for besides: the bounds hold for the upper ends of the intervals."""
    here = f"; this run attacked faces of {row.people:,}" if row and row.people is not None else ""
    return [
        (
            "ExpectColumnMaxToBeBetween",
            "linked_upper",
            {"max_value": bounds.max_linked_rate},
            f"claim proven needs at least {needed_n(bounds.max_linked_rate):,} people without a linked face: only then "
            f"does the 95 % interval end at {bounds.max_linked_rate * 100:g} % or below{here}",
        ),
        (
            "ExpectColumnMaxToBeBetween",
            "rank1_upper_excess",
            {"max_value": bounds.max_rank1_excess},
            "claim proven needs the 95 % interval of how often faces are found among all originals to end at most "
            f"{bounds.max_rank1_excess:.1%} above chance: more people, or a stronger method",
        ),
    ]


_MAY_BE_MISSING = frozenset({"control_rate", "linked_rate", "rank1_low_excess", "resembles_low_excess"}) | _FOR_PROOF
"""Without a face there is no rate; whether that may be is the configuration's choice."""


def judge(rows: list[Aggregates], bounds: ReidConfig, second_reader: str = "auto", docs: Path | None = None) -> Verdict:
    """Lets Great Expectations evaluate the suite over the aggregate rows (exactly one is right).

    :param second_reader: the configuration's ``metadata.second_reader``.
    :param docs: folder that the Data Docs are written to; ``None``: nowhere.

    ``BOOLEAN_ONLY``: results carry no values, so nothing can leak through them.
    """
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    import great_expectations.expectations as gxe

    # Importing sets their own levels, which tell of temporary folders.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.WARNING)
    wanted = expectations(bounds, second_reader, rows[0] if rows else None)
    if rows and all(_nothing_new_to_attack(row, bounds) for row in rows):
        wanted = [item for item in wanted if item[1] not in _MAY_BE_MISSING]
    if rows:
        wanted = [item for item in wanted if item[1] not in _IF_ATTACKED or _is_there(rows, item[1])]
    context = gx.get_context(mode="ephemeral")
    _quiet(context)
    batch = (
        context.data_sources.add_pandas("run")
        .add_dataframe_asset("aggregates")
        .add_batch_definition_whole_dataframe("all")
    )
    suite = context.suites.add(
        gx.ExpectationSuite(
            name=SUITE,
            meta={"version": SUITE_VERSION},
            expectations=[
                getattr(gxe, kind)(
                    **({"column": column} if column else {}), **arguments, notes=f"Refused when {meaning}"
                )
                for kind, column, arguments, meaning in wanted
            ],
        )
    )
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=SUITE, data=batch, suite=suite))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(
            name=CHECKPOINT,
            validation_definitions=[definition],
            result_format="BOOLEAN_ONLY",
            actions=[data_docs.action(context)] if docs else [],
        )
    )
    # The run's own name is the user's, and may name somebody.
    checked = checkpoint.run(batch_parameters={"dataframe": _frame(rows)}, run_id=gx.RunIdentifier(run_name=CHECKPOINT))
    (result,) = checked.run_results.values()
    if docs:
        data_docs.write(context, result, docs)
    meanings = {(kind, column): meaning for kind, column, _, meaning in wanted}
    findings = tuple(_finding(item, meanings) for item in result.results)
    complete = len(findings) == len(wanted)
    return Verdict(
        passed=bool(result.success) and complete and all(item.passed for item in findings), findings=findings
    )


def _is_there(rows: list[Aggregates], column: str) -> bool:
    """Is there a value to judge? One that is no number is: it is refused."""
    return any(getattr(row, column, None) is not None for row in rows)


def _nothing_new_to_attack(row: Aggregates, bounds: ReidConfig) -> bool:
    """Are there no faces but those that are kept or were attacked for an earlier version, or may there be none?"""
    return row.faces == 0 and (row.carried_faces > 0 or row.faces_kept > 0 or not bounds.require_faces)


def _finding(item: Any, meanings: dict[tuple[str, str], str]) -> Finding:
    kind = type(item.expectation_config.to_domain_obj()).__name__
    column = item.expectation_config.kwargs.get("column", "")
    return Finding(expectation=kind, column=column, passed=bool(item.success), meaning=meanings[kind, column])


def _frame(rows: list[Aggregates]) -> Any:
    import pandas as pd

    derived = ("faces_unmeasured", "photos_unmeasured", "photos_to_publish", "faces_to_publish")
    readers = ("second_reader_unused", "second_reader_silent")
    columns = [*Aggregates.model_fields, *derived, *readers]
    values = [
        {
            **row.model_dump(),
            "faces_unmeasured": row.faces - row.faces_measured,
            "photos_unmeasured": row.photos_with_faces - row.photos_measured,
            "photos_to_publish": row.to_publish,
            "faces_to_publish": row.faces_to_publish,
            "second_reader_unused": int(not row.second_reader),
            "second_reader_silent": int(bool(row.second_reader) and row.second_reader_residue is None),
        }
        for row in rows
    ]
    return pd.DataFrame(values, columns=columns)


def _quiet(context: Any) -> None:
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context.variables.progress_bars = ProgressBarsConfig(globally=False)
