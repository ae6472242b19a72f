"""Whatever happens in a child costs one photo and names its reason; the next call works; nothing is left behind."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from photo_anonymizer import sandbox as module
from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sandbox import Limits, Sandbox, shared

TARGET = "sandbox_targets:misbehave"
LIMITS = Limits(seconds=1.5, memory_mb=200, reply_bytes=1_000_000)


@pytest.fixture
def sandbox():
    with Sandbox(TARGET, LIMITS, 1) as made:
        yield made


def call(sandbox: Sandbox, do: str = "echo", data: bytes = b"", **more) -> tuple[dict, bytes]:
    return sandbox.call({"do": do, **more}, data, lambda header, made: (header, made))


def refused(sandbox: Sandbox, do: str, **more) -> PhotoError:
    """The error of a call that fails; the call after it must work."""
    with pytest.raises(PhotoError) as caught:
        call(sandbox, do, **more)
    assert call(sandbox, data=b"still there")[1] == b"still there"
    assert "Jane" not in str(caught.value)
    return caught.value


def pid_of(sandbox: Sandbox) -> int:
    return call(sandbox)[0]["pid"]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


# what goes well


@pytest.mark.parametrize("size", [0, 1, 65_536, 900_000])
def test_data_comes_back_as_the_target_made_it(sandbox, size):
    data = os.urandom(size)
    assert call(sandbox, data=data)[1] == data


def test_more_data_than_a_socket_holds_goes_both_ways():
    data = os.urandom(30_000_000)
    with Sandbox(TARGET, Limits(20, 500, 40_000_000), 1) as sandbox:
        assert call(sandbox, data=data)[1] == data


def test_the_work_is_done_in_another_process_that_is_used_again(sandbox):
    first = pid_of(sandbox)
    assert first != os.getpid()
    assert pid_of(sandbox) == first


def test_four_threads_share_two_children():
    with Sandbox(TARGET, Limits(20, 200, 1000), 2) as sandbox, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: call(sandbox, "sleep", str(n).encode(), seconds=0.02), range(40)))
    assert [int(made) for _, made in answers] == list(range(40))
    assert len({header["pid"] for header, _ in answers}) == 2


def test_waiting_for_a_free_child_does_not_count_as_working():
    with Sandbox(TARGET, LIMITS, 1) as sandbox, ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: call(sandbox, "sleep", seconds=0.6), range(4)))) == 4


def test_children_outlive_the_thread_that_needed_them_first(sandbox):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pid_of, sandbox).result()
    time.sleep(0.1)
    assert pid_of(sandbox) == first


# what goes wrong


@pytest.mark.parametrize("deed", ["loop_in_python", "loop_in_c"])
def test_a_child_that_hangs_is_killed(sandbox, deed):
    child, started = pid_of(sandbox), time.monotonic()
    assert refused(sandbox, deed).reason == Reason.DECODER_TIMEOUT
    assert gone(child)
    assert time.monotonic() - started < LIMITS.seconds + 8


@pytest.mark.parametrize(("deed", "how"), [("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("exit", "exit code 7")])
def test_a_crash_is_named(sandbox, deed, how):
    error = refused(sandbox, deed)
    assert (error.reason, how in error.detail) == (Reason.DECODER_CRASHED, True)


@pytest.mark.parametrize("deed", ["allocate", "hide_memory_error"])
def test_too_much_memory_is_told_apart_from_a_broken_photo(sandbox, deed):
    assert refused(sandbox, deed, bytes=300_000_000).reason == Reason.DECODER_MEMORY


def test_memory_within_the_limit_is_granted(sandbox):
    assert call(sandbox, "allocate", bytes=150_000_000)[0] == {"size": 150_000_000}


SMALL_PARENT = """
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.sandbox import Limits, Sandbox
with Sandbox("sandbox_targets:misbehave", Limits(20, 1500, 1000), 1) as sandbox:
    try:
        sandbox.call({"do": "allocate_in_c"}, b"", lambda header, made: (header, made))
    except PhotoError as error:
        print(error.reason)
"""


def test_c_code_that_ignores_a_lack_of_memory_is_told_apart_from_other_crashes():
    """In a parent of its own: the system counts a parent's peak as its child's, and that of these tests is large."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run([sys.executable, "-c", SMALL_PARENT], capture_output=True, text=True, env=environment)
    assert ended.stdout.strip() == Reason.DECODER_MEMORY


def test_what_the_target_refuses_keeps_its_reason_and_its_child(sandbox):
    child = pid_of(sandbox)
    error = refused(sandbox, "refuse")
    assert (error.reason, error.detail) == (Reason.TOO_MANY_PIXELS, "too large")
    assert pid_of(sandbox) == child


def test_an_unforeseen_error_is_told_by_class_and_place_only(sandbox):
    error = refused(sandbox, "fail")
    assert error.reason == Reason.STAGE_ERROR
    assert error.detail.startswith("KeyError at sandbox_targets.py:")


@pytest.mark.parametrize(
    "what",
    [
        "garbage",
        "not json",
        "not a mapping",
        "nested",
        "long number",
        "unknown",
        "several",
        "unknown reason",
        "long detail",
        "detail with control characters",
        "huge header",
        "huge data",
    ],
)
def test_an_answer_that_is_none_counts_as_a_crash(sandbox, what):
    child = pid_of(sandbox)
    assert refused(sandbox, "say", what=what).reason == Reason.DECODER_CRASHED
    assert gone(child)


def test_an_answer_that_is_longer_than_allowed_is_not_read(sandbox):
    with pytest.raises(PhotoError, match="decoder_crashed"):
        call(sandbox, data=bytes(LIMITS.reply_bytes + 1))
    assert call(sandbox, data=bytes(LIMITS.reply_bytes))[1] == bytes(LIMITS.reply_bytes)


def test_an_answer_that_the_caller_does_not_accept_ends_the_child(sandbox):
    def never(header, made):
        raise ValueError("not what was asked for")

    child = pid_of(sandbox)
    with pytest.raises(PhotoError, match="decoder_crashed"):
        sandbox.call({}, b"", never)
    assert gone(child)


def test_a_child_that_hangs_up_is_killed(sandbox):
    child = pid_of(sandbox)
    assert refused(sandbox, "close").reason == Reason.DECODER_CRASHED
    assert gone(child)


def test_a_child_that_died_between_two_calls_costs_no_photo(sandbox):
    call(sandbox, "close_quietly_later")
    time.sleep(0.5)
    assert call(sandbox, data=b"unharmed")[1] == b"unharmed"


def test_printing_does_not_disturb_the_talk(sandbox, capfd):
    assert call(sandbox, "print", b"data")[1] == b"data"
    assert "Jane" not in "".join(capfd.readouterr())


# who is blamed


def test_a_photo_in_a_child_that_another_photo_damaged_gets_a_fresh_child(sandbox, caplog):
    damaged = pid_of(sandbox)
    header, made = call(sandbox, "crash_in_this_process", b"innocent", pid=damaged)
    assert (header["pid"] != damaged, made) == (True, b"innocent")
    assert "tried again" in caplog.text


def test_a_child_killed_from_outside_once_costs_no_photo(sandbox, tmp_path):
    marker = str(tmp_path / "killed")
    assert call(sandbox, "be_killed_once", b"innocent", marker=marker)[1] == b"innocent"


def test_a_child_killed_from_outside_twice_is_said_to_be_so(sandbox, caplog):
    caplog.set_level(logging.WARNING)
    error = refused(sandbox, "be_killed")
    assert error.reason == Reason.DECODER_CRASHED
    assert "killed from outside twice" in error.detail
    assert "killed from outside" in caplog.text


def test_a_child_that_keeps_memory_is_replaced_so_that_the_next_photo_has_all_of_it(sandbox):
    child = pid_of(sandbox)
    call(sandbox, "leak", bytes=150_000_000)
    assert gone(child)
    assert call(sandbox, "allocate", bytes=150_000_000)[0] == {"size": 150_000_000}


def test_a_child_that_keeps_little_is_not_replaced(sandbox):
    child = pid_of(sandbox)
    call(sandbox, "leak", bytes=20_000_000)
    assert pid_of(sandbox) == child


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_module:work", "No module named 'no_such_module'"),
        ("sandbox_targets:no_such_function", "no attribute 'no_such_function'"),
    ],
)
def test_a_child_that_cannot_start_is_trouble_of_the_machine(target, why):
    with Sandbox(target, LIMITS, 1) as sandbox:
        for _ in range(2):
            with pytest.raises(PhotoAnonymizerError, match="cannot be started") as caught:
                call(sandbox)
            assert not isinstance(caught.value, PhotoError)
            assert why in str(caught.value)


def test_a_child_that_dies_while_it_starts_is_trouble_of_the_machine(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        Sandbox(TARGET, LIMITS, 1) as sandbox,
        pytest.raises(PhotoAnonymizerError, match="it ended at once"),
    ):
        call(sandbox)


# what a child gets, and what is left of it


def test_a_child_sees_no_secrets(sandbox, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AIRFLOW_CONN_PHOTOS", "s3://key:secret@")
    seen = call(sandbox, "environment")[0]["environment"]
    assert "secret" not in str(seen)
    assert set(seen) <= {*module._HANDED_ON, *module._ENVIRONMENT, "PYTHONPATH", "TMPDIR", "LC_CTYPE"}


def test_what_a_child_wrote_before_it_was_killed_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Sandbox(TARGET, LIMITS, 1) as sandbox:
        with pytest.raises(PhotoError, match="decoder_timeout"):
            call(sandbox, "write_and_hang", b"a photo")
        assert list(tmp_path.iterdir()) == []
        pid_of(sandbox)
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_child_dumps_no_core_and_holds_none_of_this_process_files(sandbox, tmp_path):
    with (tmp_path / "vault").open("wb") as opened:
        os.set_inheritable(opened.fileno(), True)
        about = call(sandbox, "limits")[0]
    assert about["core"] == 0
    assert about["session"]
    assert about["descriptors"] == 5  # stdin, stdout, stderr, the socket, and the folder being listed


def test_closing_ends_the_children():
    with Sandbox(TARGET, LIMITS, 1) as sandbox:
        child = pid_of(sandbox)
    assert gone(child)


PARENT = """
import os, sys, threading, time
from photo_anonymizer.sandbox import Limits, Sandbox, shared
sandbox = shared("sandbox_targets:misbehave", Limits(60, 200, 1000), 2)
say = lambda do: sandbox.call({"do": do, "seconds": 0.2}, b"", lambda header, made: header)
both = [threading.Thread(target=lambda: os.write(1, b"%d\\n" % say("sleep")["pid"])) for _ in range(2)]
[thread.start() for thread in both]
[thread.join() for thread in both]
if sys.argv[1] == "busy":
    threading.Thread(target=say, args=("loop_in_c",), daemon=True).start()
    time.sleep(0.3)
print("ready", flush=True)
if sys.argv[1] != "ends":
    time.sleep(60)
"""


def children_of_a_parent(how: str) -> tuple[subprocess.Popen, list[int]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, how], stdout=subprocess.PIPE, text=True, env=environment)
    children = [int(parent.stdout.readline()), int(parent.stdout.readline())]
    assert parent.stdout.readline() == "ready\n"
    return parent, children


@pytest.mark.parametrize("how", ["idle", "busy"])
def test_no_child_outlives_a_parent_that_was_killed(how):
    parent, children = children_of_a_parent(how)
    assert len(set(children)) == 2
    assert all(alive(child) for child in children)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert all(gone(child) for child in children)


def test_no_child_outlives_a_parent_that_ends():
    parent, children = children_of_a_parent("ends")
    parent.communicate(timeout=20)
    assert parent.returncode == 0
    assert all(gone(child) for child in children)


# one sandbox for a process


def test_the_same_purpose_gets_the_same_sandbox():
    assert shared(TARGET, LIMITS, 1) is shared(TARGET, LIMITS, 1)
    assert shared(TARGET, LIMITS, 1) is not shared(TARGET, Limits(2, 200, 1000), 1)


def _pid_of_shared(connection) -> None:
    connection.send(pid_of(shared(TARGET, LIMITS, 1)))
    connection.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemonic_process_can_use_a_sandbox_of_its_own(method):
    mine = pid_of(shared(TARGET, LIMITS, 1))
    context = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=_pid_of_shared, args=(there,), daemon=True)
    process.start()
    assert here.poll(30)
    its = here.recv()
    process.join(10)
    assert its != mine
    assert gone(its)
    assert pid_of(shared(TARGET, LIMITS, 1)) == mine


def test_a_forked_process_uses_children_of_its_own_even_if_the_lock_was_held():
    mine = pid_of(shared(TARGET, LIMITS, 1))
    reading, writing = os.pipe()
    with module._lock:
        forked = os.fork()
        if not forked:
            os.write(writing, str(pid_of(shared(TARGET, LIMITS, 1))).encode())
            os._exit(0)
    os.close(writing)
    its = int(os.read(reading, 20))
    os.close(reading)
    os.waitpid(forked, 0)
    assert its != mine
    assert gone(its)
    assert pid_of(shared(TARGET, LIMITS, 1)) == mine


def test_data_that_does_not_fit_into_the_childs_memory_is_refused_as_such(sandbox):
    with pytest.raises(PhotoError, match="decoder_memory"):
        call(sandbox, data=bytes(300_000_000))
    assert call(sandbox, data=b"next")[1] == b"next"


def test_a_call_that_is_interrupted_gives_its_place_back(sandbox):
    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    child = pid_of(sandbox)
    timer = threading.Timer(0.3, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        call(sandbox, "sleep", seconds=5)
    assert gone(child)
    assert call(sandbox, data=b"next")[1] == b"next"
