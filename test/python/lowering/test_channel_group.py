# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Input gradients of blocks by groups of channels, updates inside, against the interpreter."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from kernel_bench import Bench, Case, Outcome
from mlir import ir
from modules import tensor
from planned import parse, run_passes
from test_lowered_kernels import activation, bias, sizes, weight

from tte_mlir.dialects import tte

_FUSE = (
    "builtin.module(func.func(tte-fuse-backward-block,tte-form-dispatches,tte-schedule),"
    "tte-plan-memory)"
)
_STATE = "tte.state = @{}"


@dataclass(frozen=True)
class Block:
    """`trained` are input channels of the expansion whose weights are updated, `parts` how many
    of all these are; `filters` whether the depthwise weights are; `masks` "saved" or "packed";
    `split` the channels of the first of two parts of the projection's weight, 0 for one part.
    Without `deep` the backward pass ends at the gradient that the depthwise weights need."""

    name: str
    size: tuple[int, int]
    channels: int
    expanded: int
    project: int
    kernel: int
    stride: int = 1
    expand: bool = True
    skip: bool = False
    trained: int = 0
    filters: bool = False
    biases: bool = True
    masks: str = "saved"
    split: int = 0
    deep: bool = True

    def text(self) -> str:
        """The backward pass of the block as a function of what it reads."""
        (h, w), c, pad = self.size, self.expanded, self.kernel // 2
        oh, ow = (sizes(n, self.kernel, self.stride, (pad, pad), 1) for n in self.size)
        arguments: list[str] = []
        lines: list[str] = []
        results: list[tuple[str, str, str]] = []  # name, type, attributes

        def argument(name: str, kind: str, attributes: str = "") -> str:
            arguments.append(f"%{name}: {kind}" + (f" {{{attributes}}}" if attributes else ""))
            return f"%{name}"

        def line(name: str, op: str, kind: str) -> str:
            lines.append(f"%{name} = {op} : {kind}")
            return f"%{name}"

        window = (
            f"strides [{self.stride}, {self.stride}] padding [{pad}, {pad}, {pad}, {pad}] "
            f"groups {c}"
        )
        outer, small = tensor((1, oh, ow, self.project)), tensor((1, oh, ow, c))
        large, inner = tensor((1, h, w, c)), tensor((1, h, w, self.channels))
        saved_small = tensor((1, oh, ow, c), activation(3, 0.5))
        saved_large = tensor((1, h, w, c), activation(-9, 0.4))
        x_type = tensor((1, h, w, self.channels), activation(-5, 0.05))
        gradient = argument("g", outer)
        rate = argument("rate", "tensor<f32>")
        step = argument("step", "tensor<i32>")

        def mask(name: str, value: str, kind: str, saved: str, saved_kind: str, count: int) -> str:
            if self.masks == "packed":
                bits = argument(f"{name}_bits", f"tensor<{count // 8}xi8>")
                return line(
                    name,
                    f"tte.apply_mask {value}, {bits}",
                    f"({kind}, tensor<{count // 8}xi8>) -> {kind}",
                )
            return line(
                name,
                f"tte.clamp_grad {value}, {saved} <-128.0, 100.0>",
                f"({kind}, {saved_kind}) -> {kind}",
            )

        def update(name: str, parameter: str, kind: str, grad: str, shape: str) -> None:
            element = kind[kind.index("!quant") : -1]
            scaled = line(
                f"{name}_scaled",
                f"tte.scale_gradient {grad} by scale of {element} to the -1",
                shape,
            )
            line(
                f"{name}_new",
                f"tte.sgd {parameter}, {scaled} rate {rate} step {step} stochastic stream 77",
                f"({kind}, {shape}, tensor<f32>, tensor<i32>) -> {kind}",
            )
            results.append((f"%{name}_new", kind, _STATE.format(name)))

        wd_type = tensor((self.kernel, self.kernel, 1, c), weight(c, 3))
        wp_types = [
            tensor((1, 1, n, self.project), weight(self.project, 3))
            for n in ((self.split, c - self.split) if self.split else (c,))
        ]
        wps = [argument(f"wp{number}", kind) for number, kind in enumerate(wp_types)]
        wd = ""
        if self.deep or self.filters:
            wd = argument("wd", wd_type, _STATE.format("wd") if self.filters else "")
        saved_d = argument("d", saved_small) if self.masks == "saved" else ""
        needs_large = (self.masks == "saved" and self.deep) or self.filters
        saved_e = argument("e", saved_large) if needs_large else ""
        line(
            "gd0",
            f"tte.conv2d_input_grad {gradient} weights({', '.join(wps)})",
            f"({outer}, {', '.join(wp_types)}) -> {small}",
        )
        gd = mask("gd", "%gd0", small, saved_d, saved_small, oh * ow * c)
        ge = ""
        if self.deep:
            line(
                "ge0",
                f"tte.conv2d_input_grad {gd} weights({wd}) {window}",
                f"({small}, {wd_type}) -> {large}",
            )
            ge = mask("ge", "%ge0", large, saved_e, saved_large, h * w * c)
        if self.filters:
            shape = tensor((self.kernel, self.kernel, 1, c))
            grad = line(
                "wd_grad",
                f"tte.conv2d_weight_grad {saved_e}, {gd} {window}",
                f"({saved_large}, {small}) -> {shape}",
            )
            update("wd", wd, wd_type, grad, shape)
        for name, value, kind in (("bd", gd, small), ("be", ge, large)):
            if not self.biases or not value:
                continue
            bias_type = tensor((c,), bias(c))
            parameter = argument(name, bias_type, _STATE.format(name))
            shape = tensor((c,))
            grad = line(f"{name}_grad", f"tte.bias_grad {value}", f"({kind}) -> {shape}")
            update(name, parameter, bias_type, grad, shape)
        if self.expand and self.deep:
            sizes_ = [n for n in (self.trained, self.channels - self.trained) if n]
            names, types = [], []
            for number, n in enumerate(sizes_):
                kind = tensor((1, 1, n, c), weight(c, 3))
                is_trained = self.trained > 0 and number == 0
                names.append(
                    argument(f"we{number}", kind, _STATE.format("we0") if is_trained else "")
                )
                types.append(kind)
            dx = line(
                "dx",
                f"tte.conv2d_input_grad {ge} weights({', '.join(names)})",
                f"({large}, {', '.join(types)}) -> {inner}",
            )
            if self.skip:
                other = argument("other", inner)
                dx = line("sum", f"tte.add {other}, {dx}", f"({inner}, {inner}) -> {inner}")
            results.append((dx, inner, ""))
            if self.trained:
                x = argument("x", x_type)
                shape = tensor((1, 1, self.trained, c))
                grad = line(
                    "we0_grad",
                    f"tte.conv2d_weight_grad {x}, {ge}",
                    f"({x_type}, {large}) -> {shape}",
                )
                update("we0", names[0], types[0], grad, shape)
        types = ", ".join(f"{kind} {{{attrs}}}" if attrs else kind for _, kind, attrs in results)
        plain = ", ".join(kind for _, kind, _ in results)
        returned = ", ".join(name for name, _, _ in results)
        body = "\n".join(lines)
        return (
            f"func.func @f({', '.join(arguments)}) -> ({types}) {{\n{body}\n"
            f"return {returned} : {plain}\n}}"
        )


BLOCKS = [
    Block("skip", (4, 4), 8, 32, 8, 3, skip=True),
    Block("parts", (8, 8), 12, 24, 8, 3, trained=4),
    Block("all_weights", (4, 6), 8, 16, 8, 3, trained=8, filters=True, skip=True),
    Block("rest", (12, 12), 4, 20, 8, 3, trained=2, filters=True),
    Block("odd", (9, 5), 5, 11, 7, 3, trained=5),
    Block("pixel", (1, 1), 8, 16, 8, 7, trained=4, filters=True),
    Block("split", (7, 7), 8, 40, 8, 3, split=16, trained=3),
    Block("last", (9, 9), 8, 24, 12, 3, stride=2, filters=True, deep=False),
    Block("last_packed", (8, 8), 8, 24, 12, 3, split=8, deep=False, masks="packed"),
    Block("packed", (10, 10), 8, 40, 8, 5, stride=2, masks="packed", trained=4),
]


def make_case(block: Block) -> Case:
    """The kernel that the compiler makes of a block."""
    module = run_passes(block.text(), _FUSE)
    kernel, call = _find(module, tte.KernelOp), _find(module, tte.CallOp)
    assert tte.enum_keyword(kernel.operation.attributes["strategy"]) == "channel_group"
    inputs = list(call.inputs)
    tied = {i: inputs.index(out) for i, out in enumerate(call.outputs) if out in inputs}
    data = {}
    for argument in kernel.body.blocks[0].arguments:
        if argument.type.rank == 0:
            is_step = "i32" in str(argument.type)
            value = np.array(17, np.int32) if is_step else np.array(2e-3, np.float32)
            data[argument.arg_number] = value
    body = kernel.operation.get_asm(use_local_scope=True)
    return Case(
        block.name,
        body[body.index("^bb0") : body.rindex("}")],
        strategy="channel_group",
        tied=tied,
        data=data,
        scratch=call.scratch[0].type.shape[0],
    )


def _find(module: ir.Module, kind: type) -> ir.OpView:
    found = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        if isinstance(op.opview, kind):
            found.append(op.opview)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    assert len(found) == 1
    return found[0]


def _over_skip(case: Case) -> Case:
    """The result over the gradient that it is added to, which is a few bytes behind."""
    module = parse(f"tte.kernel @k channel_group {{\n{case.body}\n}}")
    kernel = module.body.operations[0]
    other = next(
        argument.arg_number
        for argument in kernel.body.blocks[0].arguments
        for use in argument.uses
        if use.owner.name == "tte.add"
    )
    return replace(case, name="skip_over", over=(other, 16))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    cases = [make_case(block) for block in BLOCKS]
    cases.append(_over_skip(cases[0]))
    return Bench("", cases).run(tmp_path_factory.mktemp("channel_group"))


@pytest.mark.parametrize("name", [*(block.name for block in BLOCKS), "skip_over"])
def test_groups_compute_what_the_layers_do(name: str, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[name]
    for expected, host, board in zip(outcome.expected, outcome.host, outcome.board, strict=True):
        np.testing.assert_array_equal(host, board)
        if expected.dtype == np.float32:
            assert np.linalg.norm(host - expected) <= 1e-5 * np.linalg.norm(expected)
        else:
            # A weight whose update falls next to a step of the grid may round the other way.
            assert (host != expected).mean() <= 0.01
            assert np.abs(host.astype(np.int64) - expected).max() <= 1
