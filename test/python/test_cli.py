# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line as users meet it: output, exit status, one clear line for each failure."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CLASSES = 3
NETWORK = """
ml_program.global private @conv.weight(dense<WEIGHTS> : tensor<3x3x1x4xf32>) : tensor<3x3x1x4xf32>
ml_program.global private @conv.bias(dense<0.1> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private @fc.weight(dense<CLASSIFIER> : tensor<4x3xf32>) : tensor<4x3xf32>
ml_program.global private @fc.bias(dense<0.0> : tensor<3xf32>) : tensor<3xf32>
func.func @forward(%x: tensor<1x8x8x1xf32> {tte.role = #tte.role<input>}) -> tensor<1x3xf32> {
  %w = ml_program.global_load_const @conv.weight : tensor<3x3x1x4xf32>
  %b = ml_program.global_load_const @conv.bias : tensor<4xf32>
  %0 = tte.conv2d %x weights(%w) bias(%b) padding [1, 1, 1, 1]
    : (tensor<1x8x8x1xf32>, tensor<3x3x1x4xf32>, tensor<4xf32>) -> tensor<1x8x8x4xf32> loc("conv")
  %1 = tte.clamp %0 <0.0, inf> : tensor<1x8x8x4xf32> loc("relu")
  %2 = tte.avg_pool2d %1 kernel [8, 8] : (tensor<1x8x8x4xf32>) -> tensor<1x1x1x4xf32> loc("pool")
  %3 = tte.reshape %2 : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
  %v = ml_program.global_load_const @fc.weight : tensor<4x3xf32>
  %c = ml_program.global_load_const @fc.bias : tensor<3xf32>
  %4 = tte.dense %3 weights(%v) bias(%c)
    : (tensor<1x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("fc")
  return %4 : tensor<1x3xf32>
}
"""


def ttec(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tte_mlir.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def fails(status: int, *arguments: object, **environment: str) -> str:
    """The one line on standard error of a command that fails."""
    result = ttec(*arguments, **environment)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    if status == 1:
        assert result.stderr.startswith("ttec: ")
        assert result.stderr.count("\n") == 1
    return result.stderr


def lines(result: subprocess.CompletedProcess[str]) -> list[dict]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertical stripes, horizontal stripes and noise: easy to tell apart."""
    random = np.random.default_rng(seed)
    y = random.integers(0, CLASSES, count)
    x = random.integers(0, 60, (count, 1, 8, 8))
    x[y == 0, :, :, ::2] += 190
    x[y == 1, :, ::2, :] += 190
    x[y == 2] *= 4
    return x.astype(np.uint8), y


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and its data."""
    path = tmp_path_factory.mktemp("cli")
    random = np.random.default_rng(0)
    text = NETWORK.replace("WEIGHTS", str(random.normal(size=(3, 3, 1, 4)).tolist()))
    text = text.replace("CLASSIFIER", str(random.uniform(-2, 2, size=(4, 3)).tolist()))
    (path / "net.mlir").write_text(text)
    for name, seed in (("calibration", 1), ("train", 2), ("test", 3)):
        x, y = images(60, seed)
        np.savez(path / f"{name}.npz", x=x, y=y)
    return path


def compile_arguments(workspace: Path, out: Path) -> list[object]:
    model, calibration = workspace / "net.mlir", workspace / "calibration.npz"
    recipe = ["--learning-rate", 0.05, "--update", "full"]
    return ["compile", model, "--calibration", calibration, "-o", out, *recipe]


@pytest.fixture(scope="module")
def host(workspace: Path) -> Path:
    """The network compiled for the host."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed (Debian package gcc)")
    out = workspace / "host"
    result = ttec(*compile_arguments(workspace, out), "--target", "host")
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def board(workspace: Path) -> Path:
    """The network compiled for the emulated board."""
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian package of its name)")
    out = workspace / "board"
    arguments = compile_arguments(workspace, out)
    result = ttec(*arguments, "--save-stages", workspace / "stages")
    assert result.returncode == 0, result.stderr
    return out


# What works


def test_compile_writes_what_firmware_needs(board: Path, workspace: Path):
    names = {path.name for path in board.iterdir()}
    assert {"libnet.a", "net.h", "tte_runtime.h", "report.json", "recipe.yaml"} <= names
    report = json.loads((board / "report.json").read_text())
    assert report["model"] == "net"
    assert report["target"] == "cortex-m7"
    assert report["sram"]["total"] <= report["sram"]["budget"] == 256 * 1024
    assert report["macs"]["forward"] == 8 * 8 * 9 * 4 + 4 * 3
    assert {op["phase"] for op in report["ops"]} == {"forward", "backward", "update"}
    stages = sorted(path.name for path in (workspace / "stages").iterdir())
    assert stages[0] == "00-imported.mlir"
    assert any("quantized" in name for name in stages)


def test_training_on_the_host_learns(host: Path, workspace: Path):
    state = workspace / "trained.state"
    result = ttec(
        "simulate", host, "--data", workspace / "train.npz", "--steps", 600, "--save-state", state
    )
    steps = lines(result)
    assert [line["step"] for line in steps] == list(range(600))
    assert set(steps[0]) == {"step", "loss", "label", "prediction"}
    assert np.mean([line["loss"] for line in steps[-60:]]) < 0.5 * steps[0]["loss"]

    test = ("simulate", host, "--data", workspace / "test.npz", "--infer")
    before, after = lines(ttec(*test)), lines(ttec(*test, "--load-state", state))
    assert len(before) == len(after) == 60
    assert all(line["loss"] is None for line in after)

    def accuracy(results: list[dict]) -> float:
        return np.mean([line["label"] == line["prediction"] for line in results])

    assert accuracy(after) > max(0.8, accuracy(before))


def test_the_board_does_what_the_host_does(host: Path, board: Path, workspace: Path):
    data = ("--data", workspace / "train.npz", "--steps", 20)
    states = [workspace / name for name in ("host.state", "board.state")]
    simulated = lines(ttec("simulate", board, *data, "--save-state", states[0]))
    emulated = lines(ttec("run", board, *data, "--save-state", states[1]))
    assert all(line.pop("instructions") > 0 for line in emulated)
    assert emulated == simulated
    assert states[0].read_bytes() == states[1].read_bytes()
    stack = json.loads((board / "report.json").read_text())["sram"]
    assert 0 < stack["stack_measured"] <= stack["stack_bound"]


def test_profile(board: Path, workspace: Path, tmp_path: Path):
    out = tmp_path / "board"
    shutil.copytree(board, out)
    options = ("--data", workspace / "train.npz", "--steps", 2)
    plain = lines(ttec("run", out, *options))
    profiled = lines(ttec("run", out, *options, "--profile"))
    ops = json.loads((out / "report.json").read_text())["ops"]
    counts = [op["instructions"] for op in ops]
    assert sum(counts) == profiled[-1]["instructions"]
    # Outside the calls: arguments, the loop over the calls. The counters are left out.
    outside = [
        before.pop("instructions") - after.pop("instructions")
        for before, after in zip(plain, profiled, strict=True)
    ]
    assert all(0 < count < 150 + 20 * len(ops) for count in outside)
    assert plain == profiled
    conv = next(op for op in ops if op["name"] == "conv" and op["phase"] == "forward")
    assert conv["family"] == "conv 3x3"
    assert conv["instructions"] > conv["macs"]
    assert conv["code_bytes"] > 100
    shown = ttec("report", out).stdout
    assert "instructions by family" in shown and "slowest calls" in shown


def test_version():
    assert re.fullmatch(r"ttec, version \d+\.\d+\.\d+\n", ttec("--version").stdout)


def test_seeds_alone_decide_a_run(host: Path, workspace: Path):
    command = ("simulate", host, "--data", workspace / "train.npz", "--steps", 30)
    assert ttec(*command).stdout == ttec(*command).stdout


def test_report(board: Path, tmp_path: Path):
    assert json.loads(ttec("report", board, "--json").stdout)["model"] == "net"
    shown = ttec("report", board)
    assert shown.returncode == 0
    assert "SRAM total" in shown.stdout
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra [plot])")
    picture = tmp_path / "memory.svg"
    assert ttec("report", board, "--plot", picture).returncode == 0
    assert "<svg" in picture.read_text()


def test_recipe_file_and_flags(workspace: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("learning_rate: 0.5\nseed: 3\n")
    arguments = [*compile_arguments(workspace, tmp_path / "out"), "--recipe", recipe, "--no-qas"]
    result = ttec(*arguments, "--target", "host", "--input-scale", 0.5)
    assert result.returncode == 0, result.stderr
    written = (tmp_path / "out" / "recipe.yaml").read_text()
    for line in ("learning_rate: 0.05", "seed: 3", "qas: false", "scale: 0.5"):
        assert line in written


# What does not


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile"],
        ["compile", "net.mlir"],
        ["compile", "net.mlir", "-o", "out", "--no-such-option"],
        ["compile", "net.mlir", "-o", "out", "--steps", "many"],
        ["simulate", "out"],
        ["fly"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]):
    assert "Usage" in fails(2, *arguments)


def test_absent_model():
    assert "none.mlir: no such model" in fails(1, "compile", "none.mlir", "-o", "out")


def test_unknown_target(workspace: Path, tmp_path: Path):
    arguments = compile_arguments(workspace, tmp_path)
    assert "unknown target 'z80'" in fails(1, *arguments, "--target", "z80")


def test_unknown_recipe_key(workspace: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("learning_rat: 0.5\n")
    arguments = compile_arguments(workspace, tmp_path / "out")
    message = fails(1, *arguments, "--recipe", recipe)
    assert "'learning_rat': did you mean 'learning_rate'?" in message


@pytest.mark.parametrize("scheme", ["last:-1", "last:many", "some", "none.yaml"])
def test_unknown_update_scheme(workspace: Path, tmp_path: Path, scheme: str):
    arguments = compile_arguments(workspace, tmp_path / "out")
    assert scheme in fails(1, *arguments, "--update", scheme, "--target", "host")


def test_no_calibration(workspace: Path, tmp_path: Path):
    message = fails(1, "compile", workspace / "net.mlir", "-o", tmp_path, "--target", "host")
    assert "needs calibration images" in message


def test_calibration_of_another_shape(workspace: Path, tmp_path: Path):
    data = tmp_path / "wide.npz"
    np.savez(data, x=np.zeros((2, 3, 8, 8), np.uint8))
    arguments = ["compile", workspace / "net.mlir", "-o", tmp_path / "out", "--calibration", data]
    assert "images have shape (3, 8, 8)" in fails(1, *arguments, "--target", "host")


def test_malformed_mlir(workspace: Path, tmp_path: Path):
    model = tmp_path / "net.mlir"
    model.write_text((workspace / "net.mlir").read_text().replace("kernel [8, 8]", "kernel [8]"))
    message = fails(1, "compile", model, "-o", tmp_path / "out", "--target", "host")
    assert "net.mlir:" in message


def test_a_model_that_does_not_fit(workspace: Path, tmp_path: Path):
    arguments = compile_arguments(workspace, tmp_path / "out")
    message = fails(1, *arguments, "--sram", "600B")
    assert "more than the budget of 600 B" in message
    assert "largest" in message
    assert not (tmp_path / "out").exists()


def test_a_model_whose_stack_does_not_fit(board: Path, workspace: Path, tmp_path: Path):
    total = json.loads((board / "report.json").read_text())["sram"]["total"]
    arguments = [*compile_arguments(workspace, tmp_path / "out"), "--fusion", "none"]
    assert "1 B more than the budget" in fails(1, *arguments, "--sram", str(total - 1))
    assert ttec(*arguments, "--sram", str(total)).returncode == 0


@pytest.mark.parametrize("size", ["lots", "12 parsecs"])
def test_malformed_size(workspace: Path, tmp_path: Path, size: str):
    arguments = compile_arguments(workspace, tmp_path / "out")
    assert f"'{size}' is not a size" in fails(1, *arguments, "--sram", size)


def test_missing_compiler_names_its_package(workspace: Path, tmp_path: Path):
    arguments = compile_arguments(workspace, tmp_path / "out")
    assert "gcc-arm-none-eabi" in fails(1, *arguments, PATH=str(tmp_path))


def test_missing_emulator_names_its_package(board: Path, workspace: Path, tmp_path: Path):
    message = fails(1, "run", board, "--data", workspace / "test.npz", PATH=str(tmp_path))
    assert "qemu-system-arm" in message


def test_a_directory_without_a_network(tmp_path: Path, workspace: Path):
    message = fails(1, "simulate", tmp_path, "--data", workspace / "test.npz")
    assert "holds no compiled network" in message


def test_no_board_for_the_host(host: Path, workspace: Path):
    message = fails(1, "run", host, "--data", workspace / "test.npz")
    assert "host, which has no board" in message


def test_data_of_the_wrong_shape_changes_nothing(host: Path, tmp_path: Path):
    data, state = tmp_path / "data.npz", tmp_path / "state"
    np.savez(data, x=np.zeros((2, 1, 9, 8), np.uint8), y=np.zeros(2, int))
    message = fails(1, "simulate", host, "--data", data, "--save-state", state)
    assert "images have shape (1, 9, 8)" in message
    assert not state.exists()


def test_labels_out_of_range_change_nothing(host: Path, tmp_path: Path):
    data, state = tmp_path / "data.npz", tmp_path / "state"
    np.savez(data, x=np.zeros((2, 1, 8, 8), np.uint8), y=np.array([0, CLASSES]))
    message = fails(1, "simulate", host, "--data", data, "--save-state", state)
    assert f"label {CLASSES} of image 1 is out of range, expected 0 to {CLASSES - 1}" in message
    assert not state.exists()


def test_data_with_nan(host: Path, tmp_path: Path):
    data = tmp_path / "data.npz"
    np.savez(data, x=np.full((1, 1, 8, 8), np.nan, np.float32), y=np.zeros(1, int))
    assert "image 0 holds NaN" in fails(1, "simulate", host, "--data", data)


@pytest.mark.parametrize("rate", ["nan", "inf", "-1"])
def test_learning_rates_that_are_none(host: Path, workspace: Path, rate: str):
    message = fails(1, "simulate", host, "--data", workspace / "test.npz", "--lr", rate)
    assert "'learning_rate'" in message


def test_states_that_do_not_belong(host: Path, workspace: Path, tmp_path: Path):
    data = ("--data", workspace / "test.npz", "--steps", 1)
    state = tmp_path / "state"
    lines(ttec("simulate", host, *data, "--save-state", state))
    saved = state.read_bytes()

    state.write_bytes(saved[:-1])
    assert "truncated" in fails(1, "simulate", host, *data, "--load-state", state)
    state.write_bytes(saved[:30] + bytes([saved[30] ^ 1]) + saved[31:])
    assert "corrupt" in fails(1, "simulate", host, *data, "--load-state", state)
    assert "none: No such file" in fails(
        1, "simulate", host, *data, "--load-state", tmp_path / "none"
    )

    other = tmp_path / "other"
    arguments = compile_arguments(workspace, other)
    result = ttec(*arguments, "--target", "host", "--update", "bias")
    assert result.returncode == 0, result.stderr
    state.write_bytes(saved)
    assert "another model" in fails(1, "simulate", other, *data, "--load-state", state)
