"""Everything this project raises on purpose. A message says what is wrong and what to do next."""

from __future__ import annotations


class PhotoAnonymizerError(Exception):
    """Base of every error of this project."""


class ConfigError(PhotoAnonymizerError):
    """The configuration is not usable; the message names the field. Never retried."""


class SourceError(PhotoAnonymizerError):
    """The folder or URL with the photos is missing, empty or cannot be read. Never retried."""


class ModelError(PhotoAnonymizerError):
    """A model file is missing, altered or cannot be loaded. Never retried."""


class DatasetBusyError(PhotoAnonymizerError):
    """Another run works on the same dataset. Worth another try later."""


class GateRefusedError(PhotoAnonymizerError):
    """The gate refused the release. Nothing was published. Never retried."""


class ReleaseError(PhotoAnonymizerError):
    """A release, a table or an audit chain is not what it claims to be."""


class PhotoError(PhotoAnonymizerError):
    """One photo cannot go on; the rest of the shard does.

    :param reason: one of ``photo_anonymizer.model.record.Reason``.
    :param detail: a sentence without anything identifying (no path, no name, no metadata value).
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
