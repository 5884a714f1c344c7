# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every parameter of the demo's network trains for 20 steps: on the emulated board, on the host,
and in the numpy interpreter, which reads the planned IR and shares no code with kernels."""

import mlir.ir as ir
import numpy as np
import pytest

pytest.importorskip("torch", reason="the demo's network is in PyTorch")

import fashion_mnist
import model as mobilenet

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import Device, Record
from tte_mlir.reference.training import TrainingRun

STEPS, RATE, SEED = 20, 0.005, 3

if not fashion_mnist.DIRECTORY.exists():
    pytest.skip(f"Debian package {fashion_mnist.PACKAGE} is absent", allow_module_level=True)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    x, y = fashion_mnist.subset("train", fashion_mnist.DEVICE_CLASSES, STEPS, SEED)
    return x.transpose(0, 2, 3, 1), y


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    calibration, _ = fashion_mnist.subset("train", fashion_mnist.PRETRAINING_CLASSES, 16, SEED)
    compiled = tte.compile(
        mobilenet.demo_model(5, SEED),
        calibration=calibration,
        recipe=tte.Recipe(update="full", seed=SEED),
        sram_budget="4MiB",
    )
    return compiled.save(tmp_path_factory.mktemp("full"))


def train(device: Device, images: tuple[np.ndarray, np.ndarray]) -> tuple[list[float], bytes]:
    """Losses of the steps, and the state after them."""
    records = (Record(x, int(y), RATE) for x, y in zip(*images, strict=True))
    losses = [result.loss for result in device.run(records)]
    return losses, device.save_state()


@pytest.fixture(scope="module")
def on_host(program: Artifacts, images) -> tuple[list[float], bytes]:
    with program.simulator() as device:
        return train(device, images)


def test_board_and_host_give_the_same_bits(program: Artifacts, images, on_host):
    with program.emulator(count_instructions=False) as device:
        losses, state = train(device, images)
        scores = device.infer(images[0][0])
    assert losses == on_host[0]
    assert state == on_host[1]
    with program.simulator() as device:
        device.load_state(state)
        assert np.array_equal(scores, device.infer(images[0][0]))


def test_the_interpreter_agrees(program: Artifacts, images, on_host):
    text = (program.directory / PLAN).read_text()
    run = TrainingRun(ir.Module.parse(text, ir.Context()))
    interface = program.interface
    losses = []
    for x, y in zip(*images, strict=True):
        real = x.astype(np.float32) / np.float32(255)
        losses.append(run.train_step(run.stored(real[None]), int(y), RATE).loss)

    # Sums of the gradients differ in their last bits, so that a few roundings fall otherwise.
    np.testing.assert_allclose(losses, on_host[0], rtol=2e-2, atol=2e-3)
    header = interface.saved_state_bytes - interface.state_bytes
    state = on_host[1][header:]
    different = total = moved = 0
    initial = TrainingRun(ir.Module.parse(text, ir.Context())).state
    for slot in program.plan().states:
        expected = run.state[slot.name]
        found = np.frombuffer(state[slot.offset : slot.offset + slot.size], expected.dtype)
        different += np.count_nonzero(found != expected.reshape(-1))
        moved += np.count_nonzero(initial[slot.name] != expected)
        total += expected.size
    assert moved > 0.01 * total
    assert different < 0.05 * moved
