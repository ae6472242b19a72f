"""The speed command: what it counts, on graphs and work whose cost is known."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import bench_detection as command

SHAPE = (1, 16, 24, 3)


def graph(*, groups: int = 1, operation: str = "Conv") -> onnx.ModelProto:
    """Channels first, any size: one convolution of 3 × 3 from 4 to 8 channels, stride 2; or something else instead."""
    kernel = np.zeros((8, 4 // groups, 3, 3), np.float32)
    constant = onnx.numpy_helper.from_array(kernel, "k")
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4, "h", "w"])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    settings = {"strides": [2, 2], "pads": [1, 1, 1, 1], "group": groups} if operation == "Conv" else {}
    names = ["x", "k"] if operation == "Conv" else ["x"]
    node = helper.make_node(operation, names, ["y"], name="only", **settings)
    return helper.make_model(
        helper.make_graph([node], "g", [given], [result], [constant]), opset_imports=[helper.make_opsetid("", 17)]
    )


def figures(**changed: object) -> command.StageFigures:
    values = {
        "photos": 4,
        "faces": 10,
        "wall_s": 2.0,
        "processor_s": 1.0,
        "seconds": {command.NETWORK: 0.8, command.REST: 0.2},
        "passes": {SHAPE: 8},
        "peak_mb": 300.0,
    }
    return command.StageFigures(**{**values, **changed})


def test_a_convolution_costs_outputs_times_kernel() -> None:
    assert command.multiply_adds_of(graph(), (1, 4, 16, 24)) == (8 * 8 * 12) * (4 * 3 * 3)


def test_groups_divide_the_cost() -> None:
    assert command.multiply_adds_of(graph(groups=4), (1, 4, 16, 24)) == (8 * 8 * 12) * (3 * 3)


def test_two_photos_cost_twice_as_much() -> None:
    one, two = (command.multiply_adds_of(graph(), (photos, 4, 16, 24)) for photos in (1, 2))
    assert two == 2 * one


def test_what_is_no_convolution_is_left_out() -> None:
    assert command.multiply_adds_of(graph(operation="Relu"), (1, 4, 16, 24)) == 0


def test_a_size_that_does_not_follow_is_not_counted_as_nothing() -> None:
    model = graph()
    model.graph.input.append(helper.make_tensor_value_info("sizes", onnx.TensorProto.INT64, [4]))
    model.graph.node.insert(0, helper.make_node("Resize", ["x", "", "", "sizes"], ["resized"]))
    model.graph.node[1].input[0] = "resized"
    with pytest.raises(ValueError, match="output size of only"):
        command.multiply_adds_of(model, (1, 4, 16, 24))


def test_the_detector_costs_more_the_larger_its_input() -> None:
    small, large = (command.multiply_adds((1, side, side, 3)) for side in (320, 640))
    assert large == pytest.approx(4 * small, rel=0.01)
    assert small > 5e8


def test_a_multiply_add_is_two_operations() -> None:
    assert command.least_ms(5 * 10**9, 50) == pytest.approx(200)


def test_the_clock_counts_processor_time_by_kind_and_shape() -> None:
    clock = command.Clock()

    def busy(_: np.ndarray) -> str:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return "done"

    work = clock.timed(command.NETWORK, busy)
    assert [work(np.zeros(SHAPE)), work(np.zeros(SHAPE))] == ["done", "done"]
    clock.timed(command.DECODE, time.sleep)(0.02)
    assert 0.04 <= clock.seconds[command.NETWORK] < 0.08
    assert clock.seconds[command.DECODE] < 0.01, "waiting takes no processor"
    assert clock.passes == {SHAPE: 2}


def test_work_that_fails_is_counted_too() -> None:
    clock = command.Clock()
    with pytest.raises(ZeroDivisionError):
        clock.timed(command.DECODE, lambda: 1 // 0)()
    assert command.DECODE in clock.seconds


def test_the_run_disturbed_least_counts() -> None:
    quiet, disturbed = figures(processor_s=1.0, wall_s=3.0), figures(processor_s=1.5, wall_s=2.0)
    assert command.best([disturbed, quiet]) is quiet


def test_the_speed_table() -> None:
    row = command.speed_table({"fast": figures()}, workers=2).splitlines()[-1]
    assert row == "| fast | 2.0 | 250 | 8.0 | 300 | 2.5 |"


def test_the_shares_of_all_kinds_are_the_whole() -> None:
    row = command.share_table({"fast": figures()}).splitlines()[-1]
    assert row == "| fast | 80.0% | 0.0% | 0.0% | 0.0% | 20.0% |"


def test_the_least_time_counts_every_pass_that_there_was(monkeypatch) -> None:
    monkeypatch.setattr(command, "multiply_adds", lambda shape: 10**9)
    row = command.least_table({"fast": figures()}, gflops=40).splitlines()[-1]
    assert row == "| fast | 2.0 | 2.00 | 100 | 200 | 2.0 |"


def test_other_arrangements_are_compared_in_turn() -> None:
    order = []
    command.times_as_fast(lambda: order.append("one"), lambda: order.append("other"), time.perf_counter)
    assert order == ["one", "other"] * (command.TRIES + 1)


def test_the_command_measures_the_stage(capsys) -> None:
    command.main(["--photos", "2", "--efforts", "fast", "--runs", "1", "--stage-only"])
    printed = capsys.readouterr().out
    speed, shares, least = (line.split(" | ") for line in printed.splitlines() if line.startswith("| fast"))
    assert float(speed[2]) > 0
    assert float(speed[5].rstrip(" |")) >= 1, "every photo has a face"
    assert float(shares[1].rstrip("%")) > 0
    assert float(least[1]) >= 2, "the whole photo and once more coarsely"
    assert "GFLOP/s with 1 thread," in printed


def test_a_photo_that_was_stopped_ends_the_measurement(tmp_path, monkeypatch) -> None:
    photos = [tmp_path / "photos" / "broken.jpg"]
    photos[0].parent.mkdir()
    photos[0].write_bytes(b"no picture")
    run = command.prepared(tmp_path / "out", photos, "fast", 1)
    with pytest.raises(SystemExit, match="stopped"):
        command.by_the_stage(run)
