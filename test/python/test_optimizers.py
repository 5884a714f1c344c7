# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs whose optimizer keeps state: on the host, on the emulated board, in the interpreter."""

from __future__ import annotations

import mlir.ir as ir
import numpy as np
import pytest
from test_cli import NETWORK, images

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import Record
from tte_mlir.backend.package import STATE_HEADER_BYTES
from tte_mlir.reference.training import TrainingRun
from tte_mlir.report import read_plan

STEPS = 7
WEIGHTS, BIASES = 3 * 3 * 4 + 4 * 3, 4 + 3
RECIPES = {
    "residual": tte.Recipe(rounding="residual", residual_bits=5, bias_multiplier=2.0),
    "everything": tte.Recipe(
        rounding="residual", momentum=0.75, batch=3, schedule="cosine", warmup=2
    ),
    "stochastic_batch": tte.Recipe(batch=2, momentum=0.5),
}
BYTES = {
    "residual": WEIGHTS,
    "everything": WEIGHTS + 8 * (WEIGHTS + BIASES),
    "stochastic_batch": 8 * (WEIGHTS + BIASES),
}
"""Of the optimizer's state."""


@pytest.fixture(scope="module", params=RECIPES)
def program(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Artifacts]:
    directory = tmp_path_factory.mktemp(request.param)
    random = np.random.default_rng(0)
    text = NETWORK.replace("WEIGHTS", str(random.normal(size=(3, 3, 1, 4)).tolist()))
    text = text.replace("CLASSIFIER", str(random.uniform(-2, 2, size=(4, 3)).tolist()))
    (directory / "net.mlir").write_text(text)
    calibration, _ = images(20, 1)
    compiled = tte.compile(
        directory / "net.mlir", calibration=calibration, recipe=RECIPES[request.param]
    )
    return request.param, compiled.save(directory / "out")


def train(device, recipe: tte.Recipe) -> tuple[list[float], bytes]:
    x, y = images(STEPS, 2)
    losses = [
        device.execute(
            Record(x[step].transpose(1, 2, 0), int(y[step]), recipe.rate(step, STEPS))
        ).loss
        for step in range(STEPS)
    ]
    return losses, device.save_state()


def test_host_board_and_interpreter_train_alike(program):
    name, artifacts = program
    recipe = RECIPES[name]
    with artifacts.simulator() as device:
        losses, saved = train(device, recipe)
    with artifacts.emulator(count_instructions=False) as device:
        assert train(device, recipe) == (losses, saved)

    with ir.Context():
        module = ir.Module.parse((artifacts.directory / PLAN).read_text())
        run = TrainingRun(module)
        x, y = images(STEPS, 2)
        real = x.transpose(0, 2, 3, 1)[:, None].astype(np.float32) * np.float32(recipe.input.scale)
        for step in range(STEPS):
            result = run.train_step(run.stored(real[step]), int(y[step]), recipe.rate(step, STEPS))
            np.testing.assert_allclose(result.loss, losses[step], rtol=2e-2, atol=2e-3)
        for slot in read_plan(module).states:
            expected = run.state[slot.name]
            begin = STATE_HEADER_BYTES + slot.offset
            found = np.frombuffer(saved[begin : begin + slot.size], expected.dtype)
            difference = np.abs(found - expected.reshape(-1).astype(np.float64))
            if expected.dtype == np.float32:
                assert difference.max() <= 1e-4 * np.abs(expected).max()
            elif not slot.name.endswith(".residual"):  # a change of f32's last digit may carry
                assert difference.max() <= 1


def test_states_resume(program):
    name, artifacts = program
    recipe, (x, y) = RECIPES[name], images(6, 5)

    def step(device, i: int) -> float:
        return device.train_step(x[i].transpose(1, 2, 0), int(y[i]), recipe.rate(i, 6))

    with artifacts.simulator() as device:
        for i in range(4):
            step(device, i)
        saved = device.save_state()
        losses = [step(device, i) for i in (4, 5)]
    with artifacts.simulator() as device:
        device.load_state(saved)
        assert [step(device, i) for i in (4, 5)] == losses


def test_plan_and_flash_count_the_states(program):
    name, artifacts = program
    with ir.Context():
        plan = read_plan(ir.Module.parse((artifacts.directory / PLAN).read_text()))
    parameters = {"conv.weight", "conv.bias", "fc.weight", "fc.bias"}
    optimizer = [slot for slot in plan.states if slot.name not in parameters]
    assert sum(slot.size for slot in optimizer) == BYTES[name]
    assert artifacts.report.sram.state == plan.state_bytes
    first = min(slot.offset for slot in optimizer)
    assert artifacts.report.flash.initial_state <= first  # they start at 0, without a copy
