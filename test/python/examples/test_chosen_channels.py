# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A network whose channels were permuted trains on the host as in the numpy interpreter: the random
numbers of an update are those of the original elements."""

import mcunet_files
import mlir.ir as ir
import numpy as np
import pytest

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import Record
from tte_mlir.frontend.models import Checkpoint
from tte_mlir.reference.training import TrainingRun

CLASSES, STEPS, RATE, SEED = 5, 3, 0.3, 1
SCHEME = """
biases: all
layers:
  blocks.0.depthwise: {channels: [3, 1]}
  blocks.0.pointwise2: {channels: [2, 0]}
  blocks.1.pointwise1: {channels: [4, 1]}
  blocks.1.depthwise: {channels: [0, 5, 9]}
  blocks.1.pointwise2: {weight: 1/3, channels: norm}
  classifier: {channels: [0, 4], bias: true}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    directory = tmp_path_factory.mktemp("chosen")
    checkpoint = mcunet_files.write(directory / "small.pkl", mcunet_files.small_network())
    (directory / "scheme.yaml").write_text(SCHEME)
    compiled = tte.compile(
        Checkpoint(checkpoint, CLASSES, SEED),
        recipe=tte.Recipe(update=str(directory / "scheme.yaml")),
        target="host",
        name="small",
    )
    return compiled.save(directory / "out")


def test_host_and_interpreter_train_alike(program: Artifacts):
    text = (program.directory / PLAN).read_text()
    assert "tte.places" in text
    run = TrainingRun(ir.Module.parse(text, ir.Context()))
    initial = run.state
    random = np.random.default_rng(SEED)
    images = random.integers(0, 256, (STEPS, 8, 8, 3)).astype(np.uint8)
    with program.simulator() as device:
        for label, image in enumerate(images):
            found = device.execute(Record(image, label, RATE))
            stored = (image.astype(np.int16) - 128).astype(np.int8)
            expected = run.train_step(stored[None], label, RATE)
            assert found.loss == pytest.approx(expected.loss, rel=1e-5)
        saved = device.save_state()
    interface = program.interface
    state = saved[interface.saved_state_bytes - interface.state_bytes :]
    moved = 0
    for slot in program.plan().states:
        expected = run.state[slot.name]
        found = np.frombuffer(state[slot.offset : slot.offset + slot.size], expected.dtype)
        np.testing.assert_array_equal(found, expected.reshape(-1), err_msg=slot.name)
        moved += np.count_nonzero(initial[slot.name] != expected)
    assert moved > 50
