"""The inner side of a sandbox: a process that does one kind of work, call by call, and may die of it.

:mod:`.sandbox` starts it as ``python -m photo_anonymizer.sandboxed`` and talks to it over one socket. A message is a
:data:`HEAD` (two lengths), JSON, then raw bytes: never pickle, because whoever takes this process over must not be
able to make the other one run anything.

Only the standard library is imported here; the target brings what it needs.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from photo_anonymizer.errors import PhotoError

Target = Callable[[Mapping[str, Any], bytes], tuple[Mapping[str, Any], bytes]]
"""What can be run in a sandbox: (header, data) → (header, data). Headers are plain JSON."""

HEAD = struct.Struct(">IQ")
"""Bytes of JSON, bytes of data."""
OUT_OF_MEMORY = 3
"""Exit code of a process that had no memory left for a message."""
_MAX_COMPLAINT = 300
_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_SIGKILL = 9


def main(arguments: list[str]) -> None:
    """Answers calls until the other side is gone.

    :param arguments: descriptor of the socket, process id of the other side, memory in bytes, the target as
        ``module:function``.
    """
    descriptor, parent, memory, target = int(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3]
    _die_with(parent)
    with io.FileIO(descriptor, "r+") as socket:
        try:
            work = _resolved(target)
        except Exception as error:  # noqa: BLE001 - no photo is here yet that its message could quote
            send(socket, {"failed": f"{type(error).__name__}: {error}"[:_MAX_COMPLAINT]}, b"")
            return
        base = _address_space()
        _limit(base, memory)
        send(socket, {"ready": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}, b"")
        while (message := _received(socket)) is not None:
            header, data = _answer(work, *message)
            # What a call leaves behind counts against the limit of the next one, which is innocent.
            header["worn"] = "memory" in header or _address_space() - base > memory // 2
            send(socket, header, data)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when the other side dies, also while it loops in C."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, _SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(0)


def _resolved(target: str) -> Target:
    module, _, name = target.partition(":")
    work: Target = getattr(importlib.import_module(module), name)
    return work


def _limit(base: int, memory: int) -> None:
    """Limits come after the imports: address space is also taken by libraries that are never touched."""
    os.umask(0o077)
    for kind, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_AS, base + memory),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _address_space() -> int:
    """Bytes (proc(5), statm); 0 where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _answer(work: Target, header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        result, made = work(header, data)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other side has to be told
        return _trouble(error), b""
    return {"result": dict(result)}, made


def _trouble(error: Exception) -> dict[str, Any]:
    if _lacked_memory(error):
        return {"memory": True}
    if isinstance(error, PhotoError):
        return {"refused": [error.reason, error.detail]}
    from photo_anonymizer.photostage import where

    return {"error": where(error)}


def _lacked_memory(error: BaseException | None) -> bool:
    """Was there too little memory, even if a decoder's wrapper made another error of it?"""
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def send(socket: io.FileIO, header: Mapping[str, Any], data: bytes) -> None:
    """Writes one message."""
    packed = json.dumps(header, separators=(",", ":")).encode()
    for part in (HEAD.pack(len(packed), len(data)) + packed, data):
        rest = memoryview(part)
        while rest:
            rest = rest[socket.write(rest) :]


def _received(socket: io.FileIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message, None when there will be none."""
    head = _exactly(socket, HEAD.size)
    if head is None:
        return None
    packed, size = HEAD.unpack(head)
    header, data = _exactly(socket, packed), _exactly(socket, size)
    return None if header is None or data is None else (json.loads(header), data)


def _exactly(socket: io.FileIO, size: int) -> bytes | None:
    """Reads so many bytes; None if the other side is gone."""
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        count = socket.readinto(rest)
        if not count:
            return None
        rest = rest[count:]
    return bytes(buffer)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
