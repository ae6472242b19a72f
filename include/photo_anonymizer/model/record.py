"""What is known about one input file while it passes through the stages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from photo_anonymizer.model.face import Face


class Status(StrEnum):
    """Where a photo stands. Every file ends as one of the last three."""

    PENDING = "pending"
    RELEASED = "released"
    HELD = "held"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why a file is not in the release. The ledger's ``reason`` column holds exactly these words."""

    # rejected: this file can never be part of a release
    NOT_A_PHOTO = "not_a_photo"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    SYMBOLIC_LINK = "symbolic_link"
    UNREADABLE = "unreadable"
    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    UNSUPPORTED_FORMAT = "unsupported_format"
    UNDECODABLE = "undecodable"
    DUPLICATE = "duplicate"
    # held: a person or a later version may decide otherwise
    SEVERAL_PICTURES = "several_pictures"
    PERSON_WITHOUT_FACE = "person_without_face"
    UNCERTAIN_FACE = "uncertain_face"
    TOO_MANY_FACES = "too_many_faces"
    STILL_RECOGNISED = "still_recognised"
    STAGE_ERROR = "stage_error"
    GATE_REFUSED = "gate_refused"
    NOT_FINISHED = "not_finished"

    @property
    def status(self) -> Status:
        """The status that a photo with this reason has."""
        return Status.REJECTED if self in _REJECTING else Status.HELD


_REJECTING = frozenset(
    {
        Reason.NOT_A_PHOTO,
        Reason.NOT_A_REGULAR_FILE,
        Reason.SYMBOLIC_LINK,
        Reason.UNREADABLE,
        Reason.EMPTY_FILE,
        Reason.FILE_TOO_LARGE,
        Reason.TOO_MANY_PIXELS,
        Reason.UNSUPPORTED_FORMAT,
        Reason.UNDECODABLE,
        Reason.DUPLICATE,
    }
)


class PhotoRecord(BaseModel):
    """One input file. Stages return changed copies; ``source_uri`` never leaves the workspace and the vault."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    photo_id: str
    source_uri: str
    status: Status = Status.PENDING
    reason: Reason | None = None
    detail: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    file: str = ""
    """Path of the newest file of this photo (stripped or rendered), relative to the run folder."""
    attacked_sha256: str = ""
    """SHA-256 of the rendered file that was attacked: gate and export accept no other."""
    removed: tuple[str, ...] = ()
    """Kinds of metadata that were found and removed, never their values."""
    faces: tuple[Face, ...] = ()
    patches: tuple[str, ...] = ()
    """Paths of patch files, relative to the run folder, in the order in which they are composed."""
    method: str = ""
    reviewed: bool = False
    """Has a person decided about every doubtful face of this photo?"""
    escalations: dict[str, int] = Field(default_factory=dict)
    """face_id → steps up the ladder that the face needed."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """Seconds spent, by kind of work (decode, detect, change, encode, …)."""

    @property
    def pending(self) -> bool:
        """Is this photo still on its way?"""
        return self.status is Status.PENDING

    def stopped(self, reason: Reason, detail: str = "") -> PhotoRecord:
        """This photo held or rejected, as the reason says."""
        return self.with_(status=reason.status, reason=reason, detail=detail)

    def with_(self, **changes: Any) -> PhotoRecord:
        """A changed copy."""
        return self.model_copy(update=changes)

    def timed(self, **seconds: float) -> PhotoRecord:
        """A copy with seconds added to its account."""
        total = dict(self.seconds)
        for kind, value in seconds.items():
            total[kind] = round(total.get(kind, 0.0) + value, 6)
        return self.with_(seconds=total)
