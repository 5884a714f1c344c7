# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program whose trained channels were brought together: host, emulated board, interpreter."""

from pathlib import Path

import mcunet_files
import mlir.ir as ir
import numpy as np
import pytest

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import Record
from tte_mlir.backend.package import STATE_HEADER_BYTES
from tte_mlir.frontend.models import Checkpoint
from tte_mlir.reference.training import TrainingRun
from tte_mlir.report import read_plan

CLASSES, STEPS, RATE = 5, 4, 0.1
SCHEME = """
biases: all
layers:
  blocks.0.depthwise: {channels: [3, 1]}
  blocks.0.pointwise2: {channels: [2, 0]}
  blocks.1.pointwise1: {channels: [4, 1]}
  blocks.1.depthwise: {channels: [0, 5, 9]}
  blocks.1.pointwise2: {weight: 1/3, channels: norm}
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    directory: Path = tmp_path_factory.mktemp("permuted")
    path = mcunet_files.write(directory / "small.pkl", mcunet_files.small_network())
    (directory / "scheme.yaml").write_text(SCHEME)
    recipe = tte.Recipe(update=str(directory / "scheme.yaml"), momentum=0.5, batch=2)
    program = tte.compile(Checkpoint(path, CLASSES), recipe=recipe)
    return program.save(directory / "out")


def images() -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(-128, 128, (8, 8, 3), np.int8) for _ in range(STEPS)]


def train(device) -> tuple[list[float], bytes]:
    losses = [
        device.execute(Record(image, step % CLASSES, RATE)).loss
        for step, image in enumerate(images())
    ]
    return losses, device.save_state()


def test_host_board_and_interpreter_train_alike(artifacts: Artifacts):
    with artifacts.simulator() as device:
        losses, saved = train(device)
    with artifacts.emulator(count_instructions=False) as device:
        assert train(device) == (losses, saved)
    with ir.Context():
        module = ir.Module.parse((artifacts.directory / PLAN).read_text())
        run = TrainingRun(module)
        before = run.state
        for step, image in enumerate(images()):
            result = run.train_step(image[None], step % CLASSES, RATE)
            np.testing.assert_allclose(result.loss, losses[step], rtol=1e-3)
        for slot in read_plan(module).states:
            expected = run.state[slot.name]
            begin = STATE_HEADER_BYTES + slot.offset
            found = np.frombuffer(saved[begin : begin + slot.size], expected.dtype)
            difference = np.abs(found - expected.reshape(-1).astype(np.float64))
            bound = 1e-3 * np.abs(expected).max() if expected.dtype == np.float32 else 1
            assert difference.max() <= bound, slot.name
        assert any((run.state[name] != before[name]).any() for name in before)


def test_the_depthwise_layer_keeps_its_channels_alone(artifacts: Artifacts):
    """Three of twelve channels of the activation before, and three of its gradient."""
    plan = (artifacts.directory / PLAN).read_text()
    assert "memref<1x4x4x3xi8>" in plan
    assert "memref<1x4x4x3xf32>" in plan
