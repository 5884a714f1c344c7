# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of kernels on the emulated Cortex-M7, shapes of MobileNetV2 (width 0.35, 64x64)."""

import pytest
from kernel_bench import Bench, Case
from test_lowered_kernels import Conv

_SAME = (1, 1, 1, 1)
_STEM = Conv("stem", size=(64, 64), channels=(3, 16), kernel=3, stride=2, padding=_SAME)
_EXPAND = Conv("expand", size=(8, 8), channels=(16, 96))
_DEPTHWISE = Conv("depthwise", size=(8, 8), channels=(96, 96), kernel=3, padding=_SAME, groups=96)
_PROJECT = Conv("project", size=(8, 8), channels=(96, 16))

# Instructions per multiply-accumulate, with some slack above what was measured.
LIMITS: list[tuple[Case, float]] = [
    (_STEM.forward(), 2.9),
    (_EXPAND.forward(), 3.1),
    (_DEPTHWISE.forward(), 4.1),
    (_PROJECT.forward(), 2.4),
    (_EXPAND.input_grad(), 1.47),
    (_DEPTHWISE.input_grad(), 2.05),
    (_PROJECT.input_grad(), 1.57),
    (_EXPAND.update(), 1.92),
    (_DEPTHWISE.update(), 4.0),
    (_PROJECT.update(), 2.0),
]


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    bench = Bench("", [case for case, _ in LIMITS])
    return bench.count_instructions(tmp_path_factory.mktemp("cost"))


@pytest.mark.parametrize(("case", "limit"), LIMITS, ids=lambda value: getattr(value, "name", ""))
def test_instructions_per_mac(case: Case, limit: float, instructions: dict[str, int]) -> None:
    assert instructions[case.name] / case.macs <= limit
