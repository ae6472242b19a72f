"""What a release says about how its faces were changed: by which method, from which source, and why not otherwise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from photo_anonymizer.config import RunConfig

SOURCES = {
    "rendered": "drawn by this project",
    "batch": "averaged from other people of the batch",
    "bank": "averaged from a bank of donors",
    "onnx": "made by a generator of the user's (ONNX)",
    "diffusers": "made by a generator of the user's (diffusers)",
}
REASONS = {
    "mesh_in_doubt": "the face mesh is not sure that there is a face",
    "face_in_doubt": "the detectors doubt that there is a face",
    "profile_view": "seen too much from the side",
    "partly_hidden": "something lies in front of it",
    "too_small": "too small",
    "too_few_donors": "too few donors",
    "generator_failed": "the generator failed",
}
LINKS = (
    "Every person has the same new face in all photos of this run. Photos of one person can therefore be linked with "
    "each other, by everybody; what is found out about one of them holds for all."
)
"""What ``per_run`` costs, in words."""


def changed_evidence(face_rows: Iterable[Mapping[str, Any]], config: RunConfig) -> dict[str, Any]:
    """Counts of the faces by method and source, and of those for which another method took over, by reason.

    :param face_rows: of faces.parquet; kept faces have no method and are left out.
    """
    made: Counter[tuple[str, str]] = Counter()
    instead: Counter[tuple[str, str, str]] = Counter()
    for row in face_rows:
        if not row["method"]:
            continue
        parameters = json.loads(row["parameters"])
        made[row["method"], parameters.get("source", "")] += 1
        if "because" in parameters:
            instead[parameters["instead_of"], row["method"], parameters["because"]] += 1
    linked = config.chosen_method == "synthetic" and config.synthetic.consistency == "per_run"
    return {
        "made": [{"method": method, "source": source, "faces": n} for (method, source), n in sorted(made.items())],
        "instead": [
            {"method": method, "by": by, "because": why, "faces": n} for (method, by, why), n in sorted(instead.items())
        ],
        "linkable": LINKS if linked else "",
    }


def ended_evidence(face_rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What the escalated faces became in the end, in words → faces, the most frequent first.

    :param face_rows: of faces.parquet.
    """
    escalated = [row for row in face_rows if row["escalations"]]
    ended = Counter(ended_words(row["method"], json.loads(row["parameters"])) for row in escalated)
    return dict(ended.most_common())


def ended_words(method: str, parameters: Mapping[str, Any]) -> str:
    """``mask, a rectangle 1.69 times the found face``, ``pixelate with 1 cell``, ``synthetic with strength 1.5``."""
    if cells := parameters.get("cells"):
        return f"{method} with {cells:g} {'cell' if cells == 1 else 'cells'}"
    if strength := parameters.get("strength"):
        return f"{method} with strength {strength:g}"
    shape = "a rectangle" if parameters.get("shape") == "rectangle" else "a region"
    return f"{method}, {shape} {parameters['scale']:.3g} times the found face"


def changed_words(evidence: Mapping[str, Any]) -> list[str]:
    """The same as sentences."""
    said = []
    for made in evidence["made"]:
        source = SOURCES.get(made["source"], made["source"])
        said.append(f"{made['faces']:,} by {made['method']}" + (f", {source}" if source else "") + ".")
    for item in evidence["instead"]:
        why = REASONS.get(item["because"], item["because"])
        said.append(f"{item['faces']:,} of them by {item['by']} instead of {item['method']}: {why}.")
    if evidence["linkable"]:
        said.append(evidence["linkable"])
    return said
