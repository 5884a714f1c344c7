# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is counted of the changes to weights, against changes that are known."""

import numpy as np
from accuracy.movement import Movement, MovementCount, mean


def test_counts_distances_moves_and_bounds():
    count = MovementCount({"a": np.array([0, 126, -127, 5], np.int8)})
    count.step({"a": np.array([0, 127, -127, 5], np.int8)})
    count.step({"a": np.array([-3, 127, -127, 5], np.int8)})
    assert count.result() == [Movement("a", (1 + 3) / 8, 2 / 8, 2 / 4)]


def test_a_jump_over_the_whole_grid_does_not_wrap():
    count = MovementCount({"a": np.array([-127], np.int8)})
    count.step({"a": np.array([127], np.int8)})
    assert count.result() == [Movement("a", 254, 1, 1)]


def test_the_mean_counts_each_layer_once():
    layers = [Movement("a", 1, 0.5, 0), Movement("b", 3, 0.1, 1)]
    assert mean(layers) == Movement("mean", 2, 0.3, 0.5)
