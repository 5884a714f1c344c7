# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks of MCUNetV3 with their 49 KB schemes: the emulated board, the host and the numpy
interpreter infer the same bits, board and host train the same bits."""

from pathlib import Path

import numpy as np
import pytest
from mcunet_networks import model_path

import tte_mlir as tte
from tte_mlir.artifacts import Artifacts
from tte_mlir.backend.device import Device, Record
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint
from tte_mlir.frontend.models import Checkpoint
from tte_mlir.reference import Interpreter

SCHEMES = Path(__file__).parents[3] / "examples" / "schemes"
CLASSES, STEPS, RATE, SEED = 10, 2, 0.01, 5
NETWORKS = ("mcunet", "mbv2", "proxyless")
# Bytes of code, with some slack above what was measured.
KERNELS = {"mcunet": 56_000, "mbv2": 60_500, "proxyless": 66_000}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def program(network: str, tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    compiled = tte.compile(
        Checkpoint(model_path(network), CLASSES, SEED),
        recipe=tte.Recipe(update=str(SCHEMES / f"{network}-49kb.yaml"), seed=SEED),
        sram_budget="1MiB",
        name=network,
    )
    return compiled.save(tmp_path_factory.mktemp(network))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth random pictures."""
    random = np.random.default_rng(SEED)
    coarse = random.integers(0, 256, (STEPS, 8, 8, 3))
    return np.kron(coarse, np.ones((1, 16, 16, 1))).astype(np.uint8)


def train(device: Device, images: np.ndarray) -> tuple[np.ndarray, list[float], bytes]:
    """The scores of the first image, the losses of a step for each, and the state afterwards."""
    scores = device.infer(images[0])
    records = (Record(image, label, RATE) for label, image in enumerate(images))
    losses = [result.loss for result in device.run(records)]
    return scores, losses, device.save_state()


def test_board_and_host_train_the_same_bits(program: Artifacts, network: str, images: np.ndarray):
    with program.simulator() as device:
        before = device.save_state()
        scores, losses, state = train(device, images)
    with program.emulator(count_instructions=False) as device:
        on_board = train(device, images)
    np.testing.assert_array_equal(on_board[0], scores)
    assert on_board[1:] == (losses, state)
    assert state != before
    module = load_checkpoint(model_path(network), CLASSES, SEED)
    stored = (images[0].astype(np.int16) - 128).astype(np.int8)
    expected = Interpreter(module).run("forward", stored[None])[0]
    np.testing.assert_array_equal(scores, expected[0])


def test_layers_share_their_code(program: Artifacts, network: str):
    flash = program.report.flash
    assert flash is not None
    assert flash.kernels <= KERNELS[network]


def test_the_scheme_lies_beside_its_recipe(program: Artifacts, network: str):
    assert (program.directory / "update.yaml").read_text() == (
        SCHEMES / f"{network}-49kb.yaml"
    ).read_text()
    assert program.recipe.update == str(program.directory / "update.yaml")
    training = program.report.training
    assert training.scheme.state_bytes < training.full.state_bytes / 4
    assert training.scheme.macs_backward < training.full.macs_backward
    assert training.scheme.saved_bytes < training.full.saved_bytes
