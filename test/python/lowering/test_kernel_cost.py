# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of kernels on the emulated Cortex-M7, most of them with shapes of MobileNetV2
(width 0.35, 64x64). They repeat exactly for the same code."""

import pytest
from kernel_bench import Bench, Case
from test_lowered_kernels import Conv

_SAME = (1, 1, 1, 1)
_STEM = Conv("stem", size=(64, 64), channels=(3, 16), kernel=3, stride=2, padding=_SAME)
_HIDDEN = Conv("hidden", size=(8, 8), channels=(16, 24), kernel=3, padding=_SAME)
_EXPAND = Conv("expand", size=(8, 8), channels=(16, 96))
_TRAINED = Conv("trained", size=(8, 8), channels=(16, 96))
_DEPTHWISE = Conv("depthwise", size=(8, 8), channels=(96, 96), kernel=3, padding=_SAME, groups=96)
_STRIDED = Conv(
    "strided", size=(8, 8), channels=(48, 48), kernel=5, stride=2, padding=(2,) * 4, groups=48
)
_PROJECT = Conv("project", size=(8, 8), channels=(96, 16))

# Where a count has changed by more than the slack, write down the new one if the change is meant.
_SLACK = 0.05
COUNTS: list[tuple[Case, int]] = [
    (_STEM.forward(frozen=[0]), 816_608),
    (_HIDDEN.forward(frozen=[0]), 283_036),
    (_EXPAND.forward(frozen=[0]), 142_918),
    (_TRAINED.forward(), 183_066),
    (_DEPTHWISE.forward(), 141_712),
    (_STRIDED.forward(), 36_673),
    (_PROJECT.forward(frozen=[0]), 122_729),
    (_HIDDEN.input_grad(frozen=[0]), 297_846),
    (_EXPAND.input_grad(frozen=[0]), 138_000),
    (_DEPTHWISE.input_grad(), 107_785),
    (_STRIDED.input_grad(), 43_903),
    (_PROJECT.input_grad(frozen=[0]), 148_039),
    (_HIDDEN.update(), 390_737),
    (_EXPAND.update(), 192_517),
    (_DEPTHWISE.update(), 141_720),
    (_STRIDED.update(), 82_691),
    (_PROJECT.update(), 199_694),
]


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    bench = Bench("", [case for case, _ in COUNTS])
    return bench.count_instructions(tmp_path_factory.mktemp("cost"))


@pytest.mark.parametrize(("case", "count"), COUNTS, ids=lambda value: getattr(value, "name", ""))
def test_instructions(case: Case, count: int, instructions: dict[str, int]) -> None:
    assert instructions[case.name] == pytest.approx(count, rel=_SLACK)
