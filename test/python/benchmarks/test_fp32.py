# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fine-tuning in f32: members of one network learn as if each were alone."""

import numpy as np
import pytest
from mcunet_networks import model_path

pytest.importorskip("torch", reason="PyTorch is not installed")
from accuracy.device import Run  # noqa: E402
from accuracy.fp32 import Fp32Trainer  # noqa: E402
from accuracy.tasks import CLASSES, Images, Task  # noqa: E402


def draw(seed: int, count: int) -> Images:
    """Images of noise around a brightness that tells the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    noise = generator.integers(0, 20, (count, 128, 128))
    return Images((noise + 23 * labels[:, None, None]).astype(np.uint8), labels)


def test_members_learn_as_runs_of_their_own():
    task = Task("", "", 1, 2, draw, lambda: draw(0, 1), lambda: draw(0, 1), lambda: draw(0, 1))
    trainer = Fp32Trainer(model_path("mcunet"), "last:1")
    images, held_out = [draw(seed, 30) for seed in (0, 1)], draw(2, 40)
    runs = [Run(4e-3, 0), Run(1e-3, 1)]
    together = trainer.accuracies(task, images, held_out, runs)
    alone = [
        trainer.accuracies(task, [x], held_out, [run])[0]
        for x, run in zip(images, runs, strict=True)
    ]
    assert together == pytest.approx(alone, abs=100 / len(held_out))  # one image: sums differ
