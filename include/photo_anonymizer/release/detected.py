"""What a release says about its detection: how many faces were in doubt and why, and what probabilities are worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.calibration import shipped
from photo_anonymizer.model.face import Doubt
from photo_anonymizer.model.record import PhotoRecord


def detection_evidence(config: DetectionConfig, records: Iterable[PhotoRecord]) -> dict[str, Any]:
    """Counts over the faces of some photos, and the calibration in use; nothing about any photo.

    :param records: the photos that are published and that this run worked on.
    """
    faces = [face for record in records for face in record.faces]
    doubtful = [face for face in faces if face.band == "doubt"]
    reasons = Counter(doubt for face in doubtful for doubt in face.doubts)
    return {
        "detectors": list(config.detector_names),
        "accept_score": config.accept_score,
        "faces": len(faces),
        "beyond_doubt": len(faces) - len(doubtful),
        "doubtful": len(doubtful),
        "reasons": {str(doubt): reasons[doubt] for doubt in Doubt},
        "calibration": _calibration_evidence(config),
    }


def _calibration_evidence(config: DetectionConfig) -> dict[str, Any]:
    known = shipped(config.effort)
    return {
        "effort": config.effort,
        "members": list(known.members),
        "uncalibrated": [name for name in config.detector_names if name not in known.members],
        "expected_calibration_error": known.error,
        "reliability": [row.model_dump(mode="json") for row in known.reliability],
        "photos": known.fitted.photos if known.fitted else None,
        "faces": known.fitted.faces if known.fitted else None,
        "folds": known.fitted.folds if known.fitted else None,
    }
