# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A network whose channels were permuted trains on host and board as in the numpy interpreter: the
random numbers of an update are those of the original elements."""

import mcunet_files
import mlir.ir as ir
import numpy as np
import pytest

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import Device, Record
from tte_mlir.frontend.models import Checkpoint
from tte_mlir.reference.training import TrainingRun

CLASSES, STEPS, RATE, SEED = 5, 4, 0.3, 1
OPTIMIZERS = {"plain": {}, "momentum of batches": {"momentum": 0.5, "batch": 2}}


@pytest.fixture(scope="module", params=OPTIMIZERS)
def program(request, tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    directory = tmp_path_factory.mktemp("chosen")
    checkpoint = mcunet_files.write(directory / "small.pkl", mcunet_files.small_network())
    (directory / "scheme.yaml").write_text(mcunet_files.CHOSEN_CHANNELS)
    recipe = tte.Recipe(update=str(directory / "scheme.yaml"), **OPTIMIZERS[request.param])
    compiled = tte.compile(Checkpoint(checkpoint, CLASSES, SEED), recipe=recipe, name="small")
    return compiled.save(directory / "out")


def images() -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 256, (STEPS, 8, 8, 3)).astype(np.uint8)


def train(device: Device) -> tuple[list[float], bytes]:
    losses = [
        device.execute(Record(image, label, RATE)).loss for label, image in enumerate(images())
    ]
    return losses, device.save_state()


def test_host_board_and_interpreter_train_alike(program: Artifacts):
    text = (program.directory / PLAN).read_text()
    assert "tte.places" in text
    run = TrainingRun(ir.Module.parse(text, ir.Context()))
    initial = run.state
    with program.simulator() as device:
        losses, saved = train(device)
    with program.emulator(count_instructions=False) as device:
        assert train(device) == (losses, saved)
    for label, image in enumerate(images()):
        stored = (image.astype(np.int16) - 128).astype(np.int8)
        expected = run.train_step(stored[None], label, RATE)
        assert losses[label] == pytest.approx(expected.loss, rel=1e-5)
    interface = program.interface
    state = saved[interface.saved_state_bytes - interface.state_bytes :]
    moved = 0
    for slot in program.plan().states:
        expected = run.state[slot.name]
        found = np.frombuffer(state[slot.offset : slot.offset + slot.size], expected.dtype)
        if expected.dtype == np.float32:  # the optimizer's
            bound = 1e-4 * np.abs(expected).max()
            assert np.abs(found - expected.reshape(-1)).max() <= bound, slot.name
        else:
            np.testing.assert_array_equal(found, expected.reshape(-1), err_msg=slot.name)
        moved += np.count_nonzero(initial[slot.name] != expected)
    assert moved > 50


def test_the_depthwise_layer_keeps_its_channels_alone(program: Artifacts):
    """Three of twelve channels of the activation before, and three of its gradient."""
    plan = (program.directory / PLAN).read_text()
    assert "memref<1x4x4x3xi8>" in plan
    assert "memref<1x4x4x3xf32>" in plan
