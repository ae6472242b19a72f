"""Work on hostile bytes in processes that may hang, die or run out of memory without taking this one along.

A :class:`Sandbox` keeps a few child processes (:mod:`.sandboxed`) and gives every call to a free one, under limits of
time and memory. Children are started with ``subprocess``, not ``multiprocessing``: task processes of a scheduler are
often daemonic, which the latter refuses to serve, and forking beside threads is not safe.

What it is for: a decoder that fails badly costs one photo. What it is not: a jail. A child that an attacker has taken
over finds no secrets in its environment, has no way to make this process run code, and can at worst answer with a wrong
picture; but it runs as the same user, and what that user may read, it may read.

Who is blamed when a child dies:

- a limit that this process enforces (time) or that the child reports (memory) is the photo's fault: refused at once;
- any other death is first tried again in a fresh child, because it may have been an earlier photo's damage or somebody
  else's signal. The second death refuses the photo;
- death by a SIGKILL that this process did not send is how a machine without memory behaves. Twice in a row is said
  in the reason's detail, so that it can be told from a broken photo;
- a child that cannot even start is the machine's fault and ends the task.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sandboxed import HEAD, OUT_OF_MEMORY

log = logging.getLogger(__name__)

_START_S = 120.0
"""A child imports its target in a fraction of a second; a machine that needs this long is out of order."""
_LAST_BREATH_S = 2.0
"""How long a child that has closed its socket may take to end, before it is killed."""
_MAX_HEADER = 1 << 16
_MAX_DETAIL = 200
_HANDED_ON = ("LD_LIBRARY_PATH", "PATH", "PYTHONHOME")
"""All that a child gets to see of this process's environment."""
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    # Threads that a library starts all the same would reserve 64 MB of the limit each.
    "MALLOC_ARENA_MAX": "1",
    "PYTHONSAFEPATH": "1",
}
"""One thread a child: photos are worked on side by side, and on a large machine a thread for every processor would use
up the address space."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Limits:
    """What one call may take."""

    seconds: float
    """Wall time, from handing over the data to having the whole answer."""
    memory_mb: int
    """Address space beyond what the child has after its imports (megabytes of 10^6 bytes)."""
    reply_bytes: int
    """Longest data that is accepted back."""


class _DiedError(Exception):
    """A child ended, or broke the protocol and was ended."""

    def __init__(self, how: str, reason: Reason, detail: str) -> None:
        super().__init__(how)
        self.photo_error = PhotoError(reason, detail)


class Sandbox:
    """A few child processes that do the work of ``target``. Thread-safe; not to be used after a fork.

    :param target: ``module:function``, a :data:`.sandboxed.Target` that the child can import.
    :param size: how many children at most; they are started when they are needed.
    """

    def __init__(self, target: str, limits: Limits, size: int) -> None:
        self._target = target
        self.limits = limits
        # Last in, first out: a child that is warm is used before another one is started.
        self._slots: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(size):
            self._slots.put(None)
        # The kernel ends a child when the *thread* that started it ends (prctl(2)), so that is a thread which stays.
        self._starter = ThreadPoolExecutor(1, "sandbox")

    def call(self, header: Mapping[str, Any], data: bytes, accept: Callable[[dict[str, Any], bytes], Answer]) -> Answer:
        """Have the target work on ``data``.

        :param header: plain JSON.
        :param accept: makes the result of the answered header and data. It raises ``ValueError`` if they are not what
            the target answers: the child then counts as dead, because it may have been taken over.
        :raises PhotoError: DECODER_TIMEOUT, DECODER_MEMORY, DECODER_CRASHED; what the target refused, with its own
            reason; STAGE_ERROR with the place of any other error in the target.
        :raises PhotoAnonymizerError: no child can be started.
        """
        try:
            return self._once(header, data, accept)
        except _DiedError as death:
            if death.photo_error.reason == Reason.DECODER_MEMORY:
                raise death.photo_error from None
            log.warning("a decoder process died (%s): the photo is tried again in a fresh one", death)
        try:
            return self._once(header, data, accept, fresh=True)
        except _DiedError as death:
            raise death.photo_error from None

    def _once(
        self,
        header: Mapping[str, Any],
        data: bytes,
        accept: Callable[[dict[str, Any], bytes], Answer],
        *,
        fresh: bool = False,
    ) -> Answer:
        child, keep = self._slots.get(), False
        try:
            if child and fresh:
                child.end()
                child = None
            if child is None:
                child = self._started()
            answered, made = child.call(header, data)
            worn = answered.pop("worn", True)
            result = _result(answered, made, accept)
            keep = worn is False
            if isinstance(result, PhotoError):
                # Not itself: it would keep this frame alive, which would keep it, and the photo's bytes with both.
                raise PhotoError(result.reason, result.detail)
            return result
        finally:
            if child and not keep:
                child.end()
            self._slots.put(child if keep else None)

    def _started(self) -> _Child:
        child = self._starter.submit(_Child, self._target, self.limits).result()
        try:
            child.await_start()
        except BaseException:
            child.end()
            raise
        return child

    def close(self) -> None:
        """Ends the children that are not at work; the others end with this process at the latest."""
        for _ in range(self._slots.qsize()):
            child = self._slots.get_nowait()
            if child:
                child.end()
        self._starter.shutdown(wait=False)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _result(
    answered: dict[str, Any], made: bytes, accept: Callable[[dict[str, Any], bytes], Answer]
) -> Answer | PhotoError:
    """What a child's answer comes to.

    :raises _DiedError: it is none.
    """
    if len(answered) != 1:
        raise _broken()
    try:
        match answered:
            case {"result": dict() as result}:
                return accept(result, made)
            case {"refused": [str() as reason, str() as detail]}:
                return PhotoError(Reason(reason), _plain(detail))
            case {"error": str() as place}:
                return PhotoError(Reason.STAGE_ERROR, _plain(place))
            case {"memory": True}:
                return _out_of_memory()
    except ValueError:
        pass
    raise _broken()


def _plain(text: str) -> str:
    """Children may say anything: only a short line of plain characters is passed on."""
    if len(text) > _MAX_DETAIL or not text.isprintable():
        raise ValueError("not a detail")
    return text


def _out_of_memory() -> PhotoError:
    return PhotoError(Reason.DECODER_MEMORY, "decoding needs more memory than ingest.max_decode_mb allows")


def _broken() -> _DiedError:
    return _DiedError(
        "not an answer", Reason.DECODER_CRASHED, "the decoder's process gave an answer that is none, twice"
    )


class _Child:
    """One process; one thread at a time may use it."""

    def __init__(self, target: str, limits: Limits) -> None:
        self._limits = limits
        self._memory = limits.memory_mb * 1_000_000
        self._peak_at_start = 0
        self._killed = False
        # A process that is killed cannot clear up: what it has written about a photo goes with this folder.
        self._scratch = tempfile.mkdtemp(prefix="sandbox-")
        self._socket, inner = socket.socketpair()
        with inner:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "photo_anonymizer.sandboxed",
                    *(str(inner.fileno()), str(os.getpid()), str(self._memory), target),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # Decoders complain in words that may quote the photo.
                stderr=subprocess.DEVNULL,
                env=_environment(self._scratch),
                pass_fds=(inner.fileno(),),
                start_new_session=True,
            )

    def await_start(self) -> None:
        """Waits until the target is imported.

        :raises PhotoAnonymizerError: it cannot be.
        """
        try:
            header, _ = self._received(time.monotonic() + _START_S)
        except (OSError, EOFError, ValueError, _DiedError):
            header = {}
        if "ready" not in header:
            why = header.get("failed", "it ended at once")
            raise PhotoAnonymizerError(
                f"the process that decodes photos cannot be started ({why}); install the requirements again and see "
                "that this machine has memory to spare"
            )
        self._peak_at_start = int(header["ready"])

    def call(self, header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """The child's answer, as it is.

        :raises PhotoError: DECODER_TIMEOUT.
        """
        deadline = time.monotonic() + self._limits.seconds
        packed = json.dumps(header, separators=(",", ":")).encode()
        try:
            self._socket.settimeout(self._limits.seconds)
            self._socket.sendall(HEAD.pack(len(packed), len(data)) + packed)
            self._socket.settimeout(_left(deadline))
            self._socket.sendall(data)
            return self._received(deadline)
        except TimeoutError:
            raise PhotoError(Reason.DECODER_TIMEOUT, "decoding takes longer than ingest.max_decode_s allows") from None
        except ValueError:
            raise _broken() from None
        except (EOFError, OSError):
            raise self._death() from None

    def _received(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        packed, size = HEAD.unpack(self._exactly(HEAD.size, deadline))
        if packed > _MAX_HEADER or size > self._limits.reply_bytes:
            raise ValueError("the answer is too long")
        try:
            header = json.loads(self._exactly(packed, deadline))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(header, dict):
            raise _broken()
        return header, self._exactly(size, deadline)

    def _exactly(self, size: int, deadline: float) -> bytes:
        buffer = bytearray(size)
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(_left(deadline))
            count = self._socket.recv_into(rest)
            if not count:
                raise EOFError
            rest = rest[count:]
        return bytes(buffer)

    def _death(self) -> _DiedError:
        """How a child that closed its socket has ended."""
        code, peak = self._ended()
        if code == OUT_OF_MEMORY or (code < 0 and peak > max(self._peak_at_start, 0.75 * self._memory / 1024)):
            # C code that does not check for memory dies of a bad pointer, with the limit nearly reached. A child's peak
            # begins at its parent's (execve(2) keeps it), so below a large parent this ends as a crash like any other.
            error = _out_of_memory()
            return _DiedError("out of memory", Reason.DECODER_MEMORY, error.detail)
        if code == -signal.SIGKILL and not self._killed:
            return _DiedError(
                "killed from outside",
                Reason.DECODER_CRASHED,
                "the decoder's process was killed from outside twice, as on a machine without memory: lower workers or "
                "ingest.max_decode_mb",
            )
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _DiedError(how, Reason.DECODER_CRASHED, f"the decoder's process died twice ({how})")

    def _ended(self) -> tuple[int, int]:
        """(exit code or negative signal, peak of resident memory in kilobytes) of a child that is about to end."""
        deadline = time.monotonic() + _LAST_BREATH_S
        while True:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return self._process.returncode, usage.ru_maxrss
            if time.monotonic() > deadline and not self._killed:
                self._killed = True
                self._process.kill()
            time.sleep(0.002)

    def end(self) -> None:
        """Kills the process, if it still lives, buries it and removes what it left behind."""
        self._socket.close()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _environment(scratch: str) -> dict[str, str]:
    """Enough for Python to start and to find what this process finds; no secrets."""
    handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    return {**handed_on, **_ENVIRONMENT, "TMPDIR": scratch, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


# One sandbox for each purpose and process, so that consecutive shards use the same children -----------------------

_shared: dict[tuple[str, Limits, int], Sandbox] = {}
_lock = threading.Lock()


def shared(target: str, limits: Limits, size: int) -> Sandbox:
    """This process's sandbox for a target under these limits; its children end with the process."""
    with _lock:
        key = (target, limits, size)
        if key not in _shared:
            _shared[key] = Sandbox(*key)
        return _shared[key]


def _forget() -> None:
    """In a forked process: the children belong to the other one, and its locks may have been held."""
    global _lock
    _lock = threading.Lock()
    _shared.clear()


@atexit.register
def _close_all() -> None:
    for sandbox in _shared.values():
        sandbox.close()


os.register_at_fork(after_in_child=_forget)
