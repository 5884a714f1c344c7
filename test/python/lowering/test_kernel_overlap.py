# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forward kernels whose result lies over their input: as close as they allow, and 4 bytes closer.

The distances are derived by hand from the traversal that the families describe.
"""

from dataclasses import replace

import numpy as np
import pytest
from kernel_bench import Bench, Case, Outcome
from test_lowered_kernels import Conv

_SAME = (1, 1, 1, 1)

# Blocks of 4 pixels on 16, of 3 on 9 and 6: block b is stored up to b * block * outputs bytes when
# block b + 1 is staged.
_LAGS = [
    (Conv("shrinks", size=(4, 4), channels=(24, 8)), 4 * (8 - 24)),
    (Conv("grows", size=(4, 4), channels=(8, 24)), 12 * (24 - 8)),
    (Conv("keeps", size=(3, 3), channels=(12, 12)), 0),
    # the last of 4 blocks is staged after 9 pixels
    (Conv("rest", size=(2, 5), channels=(8, 12)), 9 * (12 - 8)),
    # at the second block of row r, 6 r + 3 pixels are stored and those from 6 (r - 1) + 2 on read
    (Conv("window", size=(6, 6), channels=(4, 4), kernel=3, padding=_SAME), 7 * 4),
]
_EXACT = [
    Conv("plane", size=(6, 8), channels=(12, 12), kernel=3, padding=_SAME, groups=12),
    Conv("bands", size=(40, 40), channels=(9, 9), kernel=3, padding=_SAME, groups=9),
    Conv("five", size=(7, 6), channels=(8, 8), kernel=5, padding=(2,) * 4, groups=8, parts=(3, 5)),
    Conv("half", size=(8, 8), channels=(16, 16), kernel=7, stride=2, padding=(3,) * 4, groups=16),
    Conv("half_bands", size=(48, 44), channels=(4, 4), kernel=3, stride=2, padding=_SAME, groups=4),
]


def _placed(conv: Conv, distance: int, suffix: str) -> Case:
    case = conv.forward()
    return replace(case, name=case.name + suffix, over=(0, distance))


SAFE = [_placed(conv, lag, "_at_lag") for conv, lag in _LAGS]
SAFE += [_placed(conv, 0, "_in_place") for conv in _EXACT]
UNSAFE = [_placed(conv, lag - 4, "_too_close") for conv, lag in _LAGS]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return Bench("", [*SAFE, *UNSAFE]).run(tmp_path_factory.mktemp("overlap"))


@pytest.mark.parametrize("case", SAFE, ids=lambda case: case.name)
def test_result_over_input(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    np.testing.assert_array_equal(outcome.host[0], outcome.expected[0])
    np.testing.assert_array_equal(outcome.board[0], outcome.expected[0])


@pytest.mark.parametrize("case", UNSAFE, ids=lambda case: case.name)
def test_result_too_close_to_input(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    assert (outcome.host[0] != outcome.expected[0]).any()
    assert (outcome.board[0] != outcome.expected[0]).any()
