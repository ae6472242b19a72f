"""Stripping in a process of its own: what is sent there, what may come back.

Everything that comes back is checked, because hostile bytes may have taken that process over: the worst that it can
answer is a wrong picture of the promised kind and size, which the later stages look at like at any other.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from PIL import AvifImagePlugin
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from photo_anonymizer.config import RunConfig
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.readers.kinds import KINDS
from photo_anonymizer.metadata.strip import Stripped, strip
from photo_anonymizer.model.encoding import Encoding, PictureFormat
from photo_anonymizer.sandbox import Limits, Sandbox, shared

TARGET = "photo_anonymizer.metadata.worker:work"
_BYTES_A_PIXEL = 6
"""Noise in the least fitting format (LZW) takes half as much again as its three bytes; and room to spare."""


def _known_kind(word: str) -> str:
    if word not in KINDS and not re.fullmatch(r"app(?:[0-9]|1[0-5])", word):
        raise ValueError("not a word for what was found")
    return word


_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC: dict[PictureFormat, tuple[bytes, ...]] = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (_PNG,),
    "webp": (b"RIFF",),
    "tiff": (b"II*\0", b"MM\0*"),
    "avif": (b"\0\0\0",),
}
Kind = Annotated[str, AfterValidator(_known_kind)]
"""A word that is on the list, and no others: it goes into the public audit log."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Order(_Message):
    policy: Policy
    frame: int


class _Answer(_Message):
    """All of :class:`.strip.Stripped` but its data."""

    encoding: Encoding
    final: bool
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    removed: tuple[Kind, ...] = Field(max_length=200)
    kept: dict[Literal["capture_year", "exposure_ev"], Annotated[int, Field(ge=-10_000, le=10_000)]]
    lossless: bool


def work(header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """What the child does with one photo.

    :raises PhotoError: as :func:`.strip.strip`.
    """
    # Pillow would start a thread for every processor, each of which counts against the memory limit.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    order = _Order.model_validate(header)
    stripped = strip(data, order.policy, order.frame)
    answer = _Answer.model_validate({name: getattr(stripped, name) for name in _Answer.model_fields})
    return answer.model_dump(mode="json"), stripped.data


def sandbox_of(config: RunConfig) -> Sandbox:
    """This process's children for a run: as many as it has workers, under its limits."""
    ingest = config.ingest
    # A file that is carried over can be larger than its pixels; written anew it is at most a little larger than it was.
    longest = _BYTES_A_PIXEL * ingest.max_megapixels + 2 * ingest.max_file_mb
    limits = Limits(ingest.max_decode_s, ingest.max_decode_mb, int(longest * 1_000_000))
    return shared(TARGET, limits, config.workers)


def strip_apart(sandbox: Sandbox, data: bytes, policy: Policy, frame: int = 0) -> Stripped:
    """As :func:`.strip.strip`, in a process that may die.

    :raises PhotoError: also DECODER_TIMEOUT, DECODER_MEMORY, DECODER_CRASHED and STAGE_ERROR.
    """
    order = _Order(policy=policy, frame=frame)
    return sandbox.call(order.model_dump(mode="json"), data, lambda header, made: _stripped(header, made, policy))


def _stripped(header: dict[str, Any], data: bytes, policy: Policy) -> Stripped:
    """The answer, if it is one.

    :raises ValueError: it is not.
    """
    answer = _Answer.model_validate(header)
    if answer.width * answer.height > policy.max_pixels:
        raise ValueError("more pixels than were allowed")
    allowed = {"capture_year": policy.keep_capture_year, "exposure_ev": policy.keep_exposure}
    if not all(allowed[name] for name in answer.kept):
        raise ValueError("more is kept than was allowed")
    if not data.startswith(_MAGIC[answer.encoding.format] if answer.final else _PNG):
        raise ValueError("another kind of file than was said")
    if data.startswith(_PNG) and data[16:24] != struct.pack(">II", answer.width, answer.height):
        raise ValueError("another size than was said")
    return Stripped(
        data=data,
        encoding=answer.encoding,
        final=answer.final,
        width=answer.width,
        height=answer.height,
        removed=answer.removed,
        kept={str(name): value for name, value in answer.kept.items()},
        lossless=answer.lossless,
    )
