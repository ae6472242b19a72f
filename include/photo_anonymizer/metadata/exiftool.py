"""exiftool (https://exiftool.org) as a second reader of files that are ready to be published.

Another author's reader of every known kind of metadata: what it finds besides the few tags that describe the picture
itself is a finding. It reads many files in one process, because starting Perl takes longer than reading a photo
(measured: 370 one-megapixel JPEGs a second and process).

Values never leave exiftool: a filter empties them before they are written out.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError

UNREAD = "ExifTool:Unread"
"""The finding about a file that exiftool did not report on: missing, broken beyond reading, or too slow."""
_BATCH = 500
"""Files a process: starting Perl is forgotten, and a process that hangs or dies leaves few to be read again."""
_FAILURES = 32
"""Processes of a batch that may fail before it is no longer halved: ten find one file at fault, so this finds three,
and an exiftool that never answers is given up after so many attempts."""
_START_S, _FILE_S = 60, 0.5
"""Seconds that a process may take, and may take more for each file (measured: 0.003 for a photo). One file that hangs
costs its batch 18 minutes until it is alone."""

_FILE = ("ExifTool:ExifToolVersion", "File:FileType", "File:FileTypeExtension", "File:MIMEType")
_SIZE = ("ImageWidth", "ImageHeight")


def _names(group: str, *tags: str) -> frozenset[str]:
    return frozenset(f"{group}:{tag}" for tag in tags)


_STRUCTURAL: dict[str, frozenset[str]] = {
    "JPEG": _names("File", *_SIZE, "EncodingProcess", "BitsPerSample", "ColorComponents", "YCbCrSubSampling")
    | _names("JFIF", "JFIFVersion", "ResolutionUnit", "XResolution", "YResolution")
    | _names("Adobe", "DCTEncodeVersion", "APP14Flags0", "APP14Flags1", "ColorTransform"),
    "PNG": _names("PNG", *_SIZE, "BitDepth", "ColorType", "Compression", "Filter", "Interlace"),
    "WEBP": _names("RIFF", *_SIZE, "VP8Version", "HorizontalScale", "VerticalScale"),
    "TIFF": _names("File", "ExifByteOrder")
    | _names("IFD0", *_SIZE, "BitsPerSample", "Compression", "PhotometricInterpretation", "StripOffsets")
    | _names("IFD0", "SamplesPerPixel", "RowsPerStrip", "StripByteCounts", "PlanarConfiguration", "Predictor")
    | _names("IFD0", "SampleFormat"),
    "AVIF": _names("File", *_SIZE)
    | _names("Meta", "PrimaryItemReference")
    | _names("QuickTime", "MajorBrand", "MinorVersion", "CompatibleBrands", "HandlerType", "ImageSpatialExtent")
    | _names("QuickTime", "ImagePixelDepth", "AV1ConfigurationVersion", "SeqProfile", "SeqTier0", "ChromaFormat")
    | _names("QuickTime", "ChromaSamplePosition", "InitialDelaySamples", "ColorProfiles", "ColorPrimaries")
    | _names("QuickTime", "TransferCharacteristics", "MatrixCoefficients", "QuickTime_ColorRep_0x000a")
    | _names("QuickTime", "VideoFullRangeFlag", "MediaDataSize", "MediaDataOffset", "MediaData"),
}
"""Tags that say how the pixels are coded, by the type that exiftool sees. Any other tag is a finding."""

_ARGUMENTS = (
    # First, or it is ignored: no configuration file of whoever runs this.
    *("-config", ""),
    *("-quiet", "-quiet", "-json", "-G1"),
    # Repeated tags, unknown tags, unknown tags in binary blocks, everything embedded.
    *("-a", "-u", "-U", "-ee3"),
    *("-api", "LargeFileSupport=1"),
    *("-api", f"Filter=$_ = '' unless /\\A({'|'.join(_STRUCTURAL)})\\z/"),
    # The bytes behind a JPEG are reported only when asked for by name.
    *("-all", "-Trailer"),
    # What the file system says, and what exiftool computes from other tags.
    *("-x", "System:all", "-x", "Composite:all"),
    *("-@", "-"),
)


@dataclass(frozen=True)
class ExifTool:
    """An installed exiftool."""

    path: str
    version: str

    @property
    def name(self) -> str:
        """As reports name it: ``exiftool 12.57``."""
        return f"exiftool {self.version}"


def find() -> ExifTool | None:
    """The exiftool on the search path; ``None`` if there is none or it does not run."""
    path = shutil.which("exiftool")
    if path is None:
        return None
    try:
        answer = subprocess.run([path, "-ver"], capture_output=True, text=True, timeout=_START_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return ExifTool(path, answer.stdout.strip())


def wanted(config: RunConfig) -> ExifTool | None:
    """The second reader of a run: ``None`` where it is switched off or not installed."""
    return None if config.metadata.second_reader == "off" else find()


def check(config: RunConfig) -> None:
    """Refuses a run that demands a second reader on a machine without one.

    :raises ConfigError: it says what to install.
    """
    if config.metadata.second_reader == "require" and find() is None:
        raise ConfigError(
            "metadata.second_reader: exiftool is required but does not run here; install it (Debian, Ubuntu: apt-get "
            "install libimage-exiftool-perl; macOS: brew install exiftool) or set metadata.second_reader to auto"
        )


def read(tool: ExifTool, folder: Path, names: Sequence[str], workers: int = 1) -> dict[str, tuple[str, ...]]:
    """What exiftool finds in files besides the tags that describe the picture itself.

    :param folder: where the files are.
    :param names: their paths below ``folder``, without line breaks.
    :param workers: processes at the same time.
    :return: name → sorted ``Group:Tag`` names, never values; a warning is ``ExifTool:Warning``, a file of a type that
        is not published ``File:FileType``, a file that could not be read :data:`UNREAD`. Every name is there;
        ``()`` is a clean file.
    """
    batches = [names[at : at + _BATCH] for at in range(0, len(names), _BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(lambda batch: _read_batch(tool, folder, batch), batches)
    return {name: kinds for part in parts for name, kinds in part.items()}


def without_profile(kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Findings without those about a colour profile: for a file that carries a well-known one."""
    return tuple(kind for kind in kinds if not kind.startswith(("ICC_Profile:", "ICC-")))


def _read_batch(tool: ExifTool, folder: Path, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Findings by name. Files that a process dies or hangs of are found by halving, so that they alone are unread."""
    found: dict[str, tuple[str, ...]] = {}
    waiting, failures = [names], 0
    while waiting:
        part = waiting.pop()
        told = _told(tool, folder, part)
        failures += not told
        if told or len(part) == 1 or failures > _FAILURES:
            found |= {name: told.get(name, (UNREAD,)) for name in part}
        else:
            middle = len(part) // 2
            waiting += [part[:middle], part[middle:]]
    return {name: found[name] for name in names}


def _told(tool: ExifTool, folder: Path, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Findings by name, of the files that exiftool reported on."""
    entries = {str(entry.pop("SourceFile", "")): entry for entry in _answer(tool, folder, names)}
    return {name: _findings(entries[_argument(name)]) for name in names if _argument(name) in entries}


def _argument(name: str) -> str:
    """A path that exiftool cannot take for an option or a comment."""
    return f"./{name}"


def _answer(tool: ExifTool, folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """exiftool's answer about some files; empty if there is none that can be trusted."""
    # The names go through the standard input, not through a shell or the command line, and are relative to the
    # folder, so that no character of the folder's own name matters.
    listed = "".join(f"{_argument(name)}\n" for name in names)
    try:
        done = subprocess.run(
            [tool.path, *_ARGUMENTS],
            input=listed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it quotes names
            cwd=folder,
            timeout=_START_S + _FILE_S * len(names),
            check=False,  # one unreadable file among many is an error to exiftool; it is missing from the answer
        )
        entries = json.loads(done.stdout or b"[]")
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]


def _findings(tags: dict[str, Any]) -> tuple[str, ...]:
    structural = _STRUCTURAL.get(str(tags.get("File:FileType")))
    found = set(tags) - set(_FILE)
    return tuple(sorted(found | {"File:FileType"} if structural is None else found - structural))
