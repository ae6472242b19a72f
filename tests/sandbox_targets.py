"""Work that goes wrong in every way that a decoder can, for the tests of the sandbox. Runs in its child processes."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sandboxed import HEAD

Answered = tuple[dict[str, Any], bytes]


def misbehave(header: Mapping[str, Any], data: bytes) -> Answered:
    """Does what ``header["do"]`` says; without it, gives the data back with this process's id."""
    deed = globals().get(f"_{header.get('do', 'echo')}")
    return deed(header, data)


def _echo(header: Mapping[str, Any], data: bytes) -> Answered:
    return {"pid": os.getpid()}, data


def _sleep(header: Mapping[str, Any], data: bytes) -> Answered:
    time.sleep(header["seconds"])
    return _echo(header, data)


def _loop_in_python(header: Mapping[str, Any], data: bytes) -> Answered:
    while True:
        pass


def _loop_in_c(header: Mapping[str, Any], data: bytes) -> Answered:
    """A regular expression that takes longer than anybody lives, without letting other threads run."""
    re.match(r"(a+)+$", "a" * 60 + "b")
    raise AssertionError


def _segfault(header: Mapping[str, Any], data: bytes) -> Answered:
    ctypes.string_at(0)
    raise AssertionError


def _crash_in_this_process(header: Mapping[str, Any], data: bytes) -> Answered:
    """An innocent photo in a process that an earlier one has damaged."""
    return _segfault(header, data) if os.getpid() == header["pid"] else _echo(header, data)


def _abort(header: Mapping[str, Any], data: bytes) -> Answered:
    os.abort()


def _exit(header: Mapping[str, Any], data: bytes) -> Answered:
    os._exit(7)


def _be_killed(header: Mapping[str, Any], data: bytes) -> Answered:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
    raise AssertionError


def _be_killed_once(header: Mapping[str, Any], data: bytes) -> Answered:
    marker = Path(header["marker"])
    if not marker.exists():
        marker.touch()
        return _be_killed(header, data)
    return _echo(header, data)


def _allocate(header: Mapping[str, Any], data: bytes) -> Answered:
    return {"size": len(bytearray(header["bytes"]))}, b""


def _hide_memory_error(header: Mapping[str, Any], data: bytes) -> Answered:
    """As a decoder's wrapper does that takes every error for a broken file."""
    try:
        return _allocate(header, data)
    except Exception:  # noqa: BLE001
        raise PhotoError(Reason.UNDECODABLE, "broken") from None


def _allocate_in_c(header: Mapping[str, Any], data: bytes) -> Answered:
    """C code that never looks whether it got the memory it asked for."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    while True:
        ctypes.memset(library.malloc(1 << 24), 1, 1 << 24)


_hoard: list[bytearray] = []


def _leak(header: Mapping[str, Any], data: bytes) -> Answered:
    _hoard.append(bytearray(header["bytes"]))
    return _echo(header, data)


def _refuse(header: Mapping[str, Any], data: bytes) -> Answered:
    raise PhotoError(Reason.TOO_MANY_PIXELS, "too large")


def _fail(header: Mapping[str, Any], data: bytes) -> Answered:
    raise KeyError("Jane")


def _print(header: Mapping[str, Any], data: bytes) -> Answered:
    sys.stdout.write("Jane" * 100_000)
    sys.stdout.flush()
    os.write(1, b"Jane" * 100_000)
    os.write(2, b"Jane" * 100_000)
    return _echo(header, data)


def _write_and_hang(header: Mapping[str, Any], data: bytes) -> Answered:
    Path(tempfile.mkdtemp(), "photo").write_bytes(data)
    return _loop_in_python(header, data)


def _environment(header: Mapping[str, Any], data: bytes) -> Answered:
    return {"environment": dict(os.environ)}, b""


def _limits(header: Mapping[str, Any], data: bytes) -> Answered:
    import resource

    return {
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "session": os.getsid(0) == os.getpid(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
    }, b""


def _say(header: Mapping[str, Any], data: bytes) -> Answered:
    """Sends bytes of its own choice instead of an answer, then waits to be ended."""
    wire = socket.socket(fileno=_wire())
    wire.sendall(_SAYINGS[header["what"]])
    time.sleep(60)
    raise AssertionError


def _wire() -> int:
    """The descriptor that the process talks over, as a hostile decoder would find it."""
    return int(sys.argv[1])


def _framed(header: bytes, data: bytes = b"") -> bytes:
    return HEAD.pack(len(header), len(data)) + header + data


_SAYINGS = {
    "garbage": b"\xff" * 4096,
    "not json": _framed(b"{"),
    "not a mapping": _framed(b"[1]"),
    "nested": _framed(b"[" * 60_000),
    "long number": _framed(b'{"result":' + b"9" * 50_000 + b"}"),
    "unknown": _framed(b'{"pickle":"cos"}'),
    "several": _framed(b'{"result":{},"refused":["undecodable",""]}'),
    "unknown reason": _framed(b'{"refused":["released",""],"worn":false}'),
    "long detail": _framed(json.dumps({"refused": ["undecodable", "Jane" * 1000]}).encode()),
    "detail with control characters": _framed(b'{"refused":["undecodable","\\u001b[2J"]}'),
    "huge header": HEAD.pack(1 << 31, 0),
    "huge data": HEAD.pack(2, 1 << 60) + b"{}",
}


def _close(header: Mapping[str, Any], data: bytes) -> Answered:
    os.close(_wire())
    time.sleep(60)
    raise AssertionError


def _close_quietly_later(header: Mapping[str, Any], data: bytes) -> Answered:
    """Answers well, and is gone when the next call comes."""
    import threading

    threading.Timer(0.05, os._exit, (0,)).start()
    return _echo(header, data)


def decode(header: Mapping[str, Any], data: bytes) -> Answered:
    """Strips like the real worker, but fails on photos that carry these words."""
    from photo_anonymizer.metadata.worker import work

    for word, deed in ((b"CRASH", _segfault), (b"LOOP", _loop_in_c), (b"BOMB", _bomb)):
        if word in data:
            return deed(header, data)
    return work(header, data)


def threads_of_decoding(header: Mapping[str, Any], data: bytes) -> Answered:
    """How many threads the libraries have started after a photo was stripped."""
    from photo_anonymizer.metadata.worker import work

    work(header, data)
    return {"more_threads": len(list(Path("/proc/self/task").iterdir())) - 1}, b""


def _bomb(header: Mapping[str, Any], data: bytes) -> Answered:
    return _allocate({"bytes": 1 << 40}, data)
