# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Blocks that run row by row against the interpreter, bit for bit on the host and on the board:
side by side with their input, over it at the lag, and four bytes closer, which must corrupt it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from kernel_bench import Bench, Case, Outcome
from mlir import ir
from modules import tensor
from planned import parse, run_passes
from test_lowered_kernels import activation, bias, sizes, weight

from tte_mlir.certificate.traversal import walk
from tte_mlir.dialects import tte

_ALIGNMENT = 4
# The host reads the whole input of these at once.
_ONE_VECTOR = ("pixel",)
_FUSE = "builtin.module(func.func(tte-fuse-inverted-bottleneck,tte-schedule),tte-plan-memory)"


@dataclass(frozen=True)
class Block:
    """`first` is (kernel, stride) of the convolution before the depthwise one, None where there is
    none; `project` the channels of the result, None where the depthwise one gives it."""

    name: str
    size: tuple[int, int]
    channels: int
    expanded: int
    project: int | None
    kernel: int
    stride: int = 1
    first: tuple[int, int] | None = (1, 1)
    skip: bool = False
    pool: str | None = None

    def text(self) -> str:
        """A function of the block's input and parameters."""
        h, w = self.size
        self_type = tensor((1, h, w, self.channels), activation(-5, 0.05))
        arguments, lines, current = [f"%x: {self_type}"], [], ("%x", self_type, h, w)

        def conv(
            current: tuple[str, str, int, int],
            channels: int,
            kernel: int,
            stride: int,
            groups: int,
            result: str,
        ) -> tuple[str, str, int, int]:
            name, source, h, w = current
            number, pad = len(arguments), kernel // 2
            inputs = 1 if groups > 1 else self.expanded if lines else self.channels
            weights = tensor((kernel, kernel, inputs, channels), weight(channels, 3))
            biases = tensor((channels,), bias(channels, _scale(source)))
            arguments.extend([f"%w{number}: {weights}", f"%b{number}: {biases}"])
            h, w = (sizes(n, kernel, stride, (pad, pad), 1) for n in (h, w))
            type_ = tensor((1, h, w, channels), result)
            lines.append(
                f"%{number} = tte.conv2d {name} weights(%w{number}) bias(%b{number}) "
                f"strides [{stride}, {stride}] padding [{pad}, {pad}, {pad}, {pad}] "
                f"groups {groups} : ({source}, {weights}, {biases}) -> {type_}"
            )
            return f"%{number}", type_, h, w

        if self.first is not None:
            kernel, stride = self.first
            current = conv(current, self.expanded, kernel, stride, 1, activation(-9, 0.4))
        if self.pool is not None:
            current = self._pool(current, lines)
        else:
            current = conv(
                current, self.expanded, self.kernel, self.stride, self.expanded, activation(3, 0.5)
            )
        if self.project is not None:
            current = conv(current, self.project, 1, 1, 1, activation(-7, 0.6))
        if self.skip:
            name, type_, h, w = current
            result = tensor((1, h, w, self.channels), activation(2, 0.55))
            lines.append(f"%sum = tte.add {name}, %x : ({type_}, {self_type}) -> {result}")
            current = ("%sum", result, h, w)
        return (
            f"func.func @f({', '.join(arguments)}) -> {current[1]} {{\n"
            + "\n".join(lines)
            + f"\nreturn {current[0]} : {current[1]}\n}}"
        )

    def _pool(
        self, current: tuple[str, str, int, int], lines: list[str]
    ) -> tuple[str, str, int, int]:
        name, source, h, w = current
        pad = self.kernel // 2
        h, w = (sizes(n, self.kernel, self.stride, (pad, pad), 1) for n in (h, w))
        result = tensor((1, h, w, self.expanded), activation(-9, 0.4))
        lines.append(
            f"%pool = tte.{self.pool} {name} kernel [{self.kernel}, {self.kernel}] "
            f"strides [{self.stride}, {self.stride}] padding [{pad}, {pad}, {pad}, {pad}] "
            f": ({source}) -> {result}"
        )
        return "%pool", result, h, w


def _scale(type_: str) -> float:
    return float(type_.split("f32, ")[1].split(":")[0])


BLOCKS = [
    Block("stride1", (8, 8), 8, 24, 8, 3, skip=True),
    Block("stride2", (9, 8), 8, 16, 12, 5, stride=2),
    Block("seven_stride2", (11, 9), 6, 9, 7, 7, stride=2),
    Block("odd_channels", (5, 7), 5, 11, 5, 3, skip=True),
    Block("pixel", (1, 1), 8, 16, 8, 3, skip=True),
    Block("smaller_than_kernel", (3, 2), 4, 8, 4, 7, skip=True),
    Block("no_expansion_skip", (6, 6), 8, 8, 8, 5, first=None, skip=True),
    Block("stem", (16, 12), 3, 8, 4, 3, first=(3, 2)),
    Block("max_pool", (8, 8), 4, 8, None, 2, stride=2, first=(3, 1), pool="max_pool2d"),
    Block("average_pool", (9, 7), 3, 8, None, 3, stride=2, first=(3, 2), pool="avg_pool2d"),
]


def make_case(block: Block) -> Case:
    """The kernel that the compiler makes of a block."""
    module = run_passes(block.text(), _FUSE)
    kernel = _find(module, tte.KernelOp)[0]
    call = _find(module, tte.CallOp)[0]
    body = kernel.operation.get_asm(use_local_scope=True)
    assert kernel.operation.attributes["strategy"] is not None
    scratch = call.scratch[0].type.shape[0]
    return Case(
        block.name,
        body[body.index("^bb0") : body.rindex("}")],
        strategy="row_stream",
        scratch=scratch,
    )


def _find(module, kind):
    found = []

    def visit(op):
        if isinstance(op.opview, kind):
            found.append(op.opview)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return found


def lag_of(case: Case) -> int | None:
    """The least distance, in steps of the alignment, from which on all are safe; None where all
    distances are."""
    text = f"tte.kernel @k row_stream {{\n{case.body}\n}}"
    module = parse(text)
    kernel = module.body.operations[0]
    steps = walk(kernel)
    unsafe = [
        distance
        for distance in range(-len(steps.reads[0]), len(steps.writes) + 1)
        if not steps.allows(0, distance, 1, 0, 1)
    ]
    return -(-(max(unsafe) + 1) // _ALIGNMENT) * _ALIGNMENT if unsafe else None


CASES = [make_case(block) for block in BLOCKS]
LAGS = {case.name: lag for case in CASES if (lag := lag_of(case)) is not None}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    cases = list(CASES)
    for case in CASES:
        if case.name not in LAGS:
            continue
        lag = LAGS[case.name]
        cases.append(replace(case, name=f"{case.name}_at_lag", over=(0, lag)))
        cases.append(replace(case, name=f"{case.name}_too_close", over=(0, lag - _ALIGNMENT)))
    return Bench("", cases).run(tmp_path_factory.mktemp("row_stream"))


@pytest.mark.parametrize("name", [case.name for case in CASES] + [f"{n}_at_lag" for n in LAGS])
def test_rows_have_the_bits_of_the_layers(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    np.testing.assert_array_equal(outcome.host[0], outcome.expected[0])
    np.testing.assert_array_equal(outcome.board[0], outcome.expected[0])
    assert len(np.unique(outcome.expected[0])) > 1


@pytest.mark.parametrize("name", [name for name in LAGS if name not in _ONE_VECTOR])
def test_the_lag_is_tight(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[f"{name}_too_close"]
    assert (outcome.host[0] != outcome.expected[0]).any()
    assert (outcome.board[0] != outcome.expected[0]).any()
