# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The report against numbers counted by hand on a network of five layers."""

import json

import pytest
from planned import NETWORK, parse, plan, run_passes
from rich.console import Console

from tte_mlir import report
from tte_mlir.errors import TTEError
from tte_mlir.report import Flash, Report, Sram

CONV, FC = 4 * 4 * 4 * 2, 4 * 3  # MACs of the convolution and of the dense layer


@pytest.fixture(scope="module")
def network() -> report.Plan:
    return report.read_plan(run_passes(NETWORK))


@pytest.fixture(scope="module")
def measured() -> dict[str, Sram | Flash]:
    return {
        "sram": Sram(total=2000, arena=704, state=96, runtime=200, stack_bound=1000, budget=4096),
        "flash": Flash(total=9000, code=8000, weights=12, initial_state=96, tables=892),
    }


def built(network: report.Plan, **measured: Sram | Flash) -> Report:
    return report.build_report(network, model="tiny", target="cortex-m7", **measured)


def test_macs(network):
    # Backward: both weight gradients and the dense layer's input gradient.
    assert built(network).macs.forward == CONV + FC
    assert built(network).macs.backward == CONV + 2 * FC


def test_calls(network):
    ops = built(network).ops
    assert [op.name for op in ops if op.phase == "update"] == ["fc", "conv"]
    last = ops[-1]
    assert last.kind == "conv2d_weight_grad+sgd"
    assert (last.output_bytes, last.offset) == (1 * 1 * 2 * 4 * 4, 16)
    # While the mask is applied: image, label is dead, rate, loss, scores, convolution's output with
    # the gradient over it, gradient of the pooled value.
    (masked,) = (op for op in ops if op.kind == "avg_pool2d_grad+clamp_grad")
    assert masked.live_bytes == 128 + 4 + 4 + 12 + 256 + 16
    assert built(network).schedule.peak_live == max(op.live_bytes for op in ops)


def test_families(network):
    ops = built(network).ops
    families = {op.family: op.shape for op in ops}
    assert families["1x1"] == "4x4x2 -> 4x4x4"
    assert families["1x1 weight gradient"] == "4x4x2 -> 1x2x4"
    assert families["dense weight gradient"] == "4 -> 4x3"
    assert families["avg pool2d gradient"] == "1x1x4 -> 4x4x4"
    assert "finite check" in families


def test_kernels_and_instructions(network):
    names = [f"k{index % 3}" for index in range(len(network.step.calls))]
    found = built(network, kernels=names, code={"k0": 100, "k1": 20})
    assert [op.code_bytes for op in found.ops[:3]] == [100, 20, None]
    counted = [op.model_copy(update={"instructions": 1000}) for op in found.ops]
    found = found.model_copy(update={"ops": tuple(counted)})
    console = Console(width=160)
    with console.capture() as captured:
        console.print(report.render(found))
    per_mac = 1000 * len(found.ops) / (found.macs.forward + found.macs.backward)
    assert f"{per_mac:.2f}" in captured.get()


def test_bounds(network):
    found = built(network)
    assert found.schedule.optimal == (found.schedule.peak_live == found.schedule.lower_bound)
    assert found.arena.optimal == (found.arena.bytes == found.arena.lower_bound)
    assert found.arena.bytes >= found.schedule.peak_live


def test_inference_alone():
    inference = NETWORK[: NETWORK.index("func.func @train_step")]
    found = built(report.read_plan(run_passes(inference)))
    assert {op.phase for op in found.ops} == {"forward"}
    assert found.macs.backward == 0


def test_unscheduled_order():
    pipeline = "func.func(tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches)"
    inference = NETWORK[: NETWORK.index("func.func @train_step")]
    found = built(
        report.read_plan(run_passes(inference, f"builtin.module({pipeline},tte-plan-memory)"))
    )
    assert found.schedule.lower_bound == 0
    assert not found.schedule.optimal


def test_json_round_trip(network, measured, tmp_path):
    path = tmp_path / "report.json"
    found = built(network, **measured)
    found.write(path)
    assert Report.read(path) == found
    keys = json.loads(path.read_text())
    assert list(keys) == [
        "model", "target", "sram", "flash", "schedule", "arena", "macs",
        "training", "remarks", "ops",
    ]  # fmt: skip
    assert set(keys["ops"][0]) == {
        "name", "kind", "family", "shape", "phase", "macs", "output_bytes", "offset",
        "live_bytes", "kernel", "code_bytes", "instructions",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", '{"model": "tiny"}'])
def test_no_report(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(TTEError, match="not a report of this version"):
        Report.read(path)


def test_missing_report(tmp_path):
    with pytest.raises(TTEError, match="No such file"):
        Report.read(tmp_path / "report.json")


def test_no_plan():
    with pytest.raises(TTEError, match="run tte-plan-memory first"):
        report.read_plan(parse("func.func @f() { return }"))


def test_table(network, measured):
    console = Console(width=120, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(report.render(built(network, **measured), ops=True))
    text = captured.get()
    for part in ("SRAM total", "2,000", "flash total", "9,000", "stack bound", "fc", "update"):
        assert part in text


def test_overflow(network):
    message = report.overflow_message(network, needed=300_000, budget=262_144)
    assert "300,000 B of SRAM, 37,856 B more than the budget of 262,144 B" in message
    assert "largest at the peak (call 7, dense_input_grad of fc in train_step)" in message
    assert "conv (conv2d) 256 B (kept for call 9, avg_pool2d_grad+clamp_grad of pool)" in message
    assert "input 128 B (kept for call 10, conv2d_weight_grad+sgd of conv)" in message
    assert "\n" not in message


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_picture(network, tmp_path, suffix):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra [plot])")
    path = tmp_path / f"map{suffix}"
    report.draw_memory_map(network.step, path)
    first = path.read_bytes()
    report.draw_memory_map(network.step, path)
    assert path.read_bytes() == first
    if suffix == ".svg":
        for text in ("peak: 448 B live in call 7", "conv (conv2d)", "256 B", "update"):
            assert text in first.decode()


def test_picture_of_another_kind(network, tmp_path):
    with pytest.raises(TTEError, match=r"must be \.svg or \.png"):
        report.draw_memory_map(network.step, tmp_path / "map.txt")


def test_plan_survives_text(network):
    assert report.read_plan(parse(plan())).step.values == network.step.values
