"""What is known about one input file while it passes through the stages."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.outside import Change


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
    DECODER_TIMEOUT = "decoder_timeout"
    DECODER_CRASHED = "decoder_crashed"
    DECODER_MEMORY = "decoder_memory"
    UNSAFE_PATH = "unsafe_path"
    ARCHIVE_BOMB = "archive_bomb"
    DELETED_AT_SOURCE = "deleted_at_source"
    # held: a person or a later version may decide otherwise
    SEVERAL_PICTURES = "several_pictures"
    PERSON_WITHOUT_FACE = "person_without_face"
    UNCERTAIN_FACE = "uncertain_face"
    TOO_MANY_FACES = "too_many_faces"
    STILL_RECOGNISED = "still_recognised"
    STAGE_ERROR = "stage_error"
    GATE_REFUSED = "gate_refused"
    NOT_FINISHED = "not_finished"
    WITHDRAWN = "withdrawn"

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
        Reason.DECODER_TIMEOUT,
        Reason.DECODER_CRASHED,
        Reason.DECODER_MEMORY,
        Reason.UNSAFE_PATH,
        Reason.ARCHIVE_BOMB,
        Reason.DELETED_AT_SOURCE,
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
    """Kind of the input file; after stripping, of the published one."""
    frame: int = 0
    """Which picture of its file this is, counted from 0; the ``source_uri`` of later ones ends in ``#frame=2``, ….

    A ``#`` in a file's own name is percent-encoded, so that the two cannot be mistaken for each other.
    """
    basis: str = ""
    """Digest of all that decides what becomes of this photo besides its content: configuration, software, decisions."""
    taken_over: bool = False
    """Did an earlier run find this out, and was nothing done again?"""
    published_in: str = ""
    """Version from which this photo is taken over unchanged; empty for a photo that this run works on."""
    encoding: Encoding | None = None
    """How the published file is written; None before stripping."""
    final: bool = False
    """Is the stripped file written that way already, so that a photo without changes is published as it is?"""
    width: int = 0
    height: int = 0
    file: str = ""
    """Path of the newest file of this photo (stripped or rendered), relative to the run folder."""
    attacked_sha256: str = ""
    """SHA-256 of the rendered file that was attacked: gate and export accept no other."""
    removed: tuple[str, ...] = ()
    """Kinds of metadata that were found and removed, never their values."""
    kept: dict[str, int] = Field(default_factory=dict)
    """What the configuration's allow-list keeps: ``capture_year``, ``exposure_ev``."""
    faces: tuple[Face, ...] = ()
    patches: tuple[str, ...] = ()
    """Paths of patch files, relative to the run folder, in the order in which they are composed."""
    outside: Change | None = None
    """By how much the newest file changes the photo outside of its edits; None before rendering."""
    method: str = ""
    reviewed: bool = False
    """Has a person decided about every doubtful face of this photo?"""
    escalations: dict[str, int] = Field(default_factory=dict)
    """face_id → steps up the ladder that the face needed."""
    seconds: dict[str, float] = Field(default_factory=dict)
    """Seconds spent, by kind of work (decode, detect, change, encode, …)."""

    @property
    def file_uri(self) -> str:
        """URI of the file that holds this picture."""
        return self.source_uri.removesuffix(f"#frame={self.frame + 1}") if self.frame else self.source_uri

    @property
    def anonymized_faces(self) -> tuple[Face, ...]:
        """The faces that are changed and attacked: all but those that are kept."""
        return tuple(face for face in self.faces if not face.kept)

    @property
    def kept_faces(self) -> tuple[Face, ...]:
        """The faces that stay as they are, because consent says so."""
        return tuple(face for face in self.faces if face.kept)

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
