# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running the frozen prefix once per image changes nothing."""

import numpy as np
import pytest
from mcunet_networks import model_path

pytest.importorskip("torch", reason="PyTorch is not installed")
from accuracy.device import DeviceTrainer, _program  # noqa: E402
from accuracy.prefix import PrefixedSimulator, find_cuts  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), np.uint8)


@pytest.mark.parametrize(("update", "calls"), [("last:2", 30), ("bias", 0)])
def test_steps_and_scores_are_those_of_whole_runs(update, calls):
    artifacts = _program(DeviceTrainer(model_path("mcunet"), update), seed=0)
    assert all(cut.calls >= calls for cut in find_cuts(artifacts).values())
    whole, prefixed = artifacts.simulator(), PrefixedSimulator(artifacts)
    steps = [prefixed.prefix("train_step", image) for image in IMAGES]
    judged = [prefixed.prefix("infer", image) for image in IMAGES]
    for label, (image, features) in enumerate(zip(IMAGES, steps, strict=True)):
        whole.train_step(image, label, 4e-3)
        prefixed.train_step(features, label, 4e-3)
    for image, features in zip(IMAGES, judged, strict=True):
        np.testing.assert_array_equal(prefixed.infer(features), whole.infer(image))
