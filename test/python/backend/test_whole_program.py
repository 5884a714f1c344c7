# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that IREE runs against the interpreter: op by op, and over steps of training."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from mlir import ir
from modules import parse, tensor
from stages import run_pass
from strategies.layers import Add, Convolution, Dense, Network, Pool, Reshape
from strategies.networks import calibrate

from tte_mlir import pipeline, stages
from tte_mlir.backend.whole_program import WholeProgram, compile_whole_program, lower
from tte_mlir.errors import TTEError
from tte_mlir.frontend import models
from tte_mlir.frontend.data import Dataset
from tte_mlir.recipe import Recipe
from tte_mlir.reference import Interpreter, NonFiniteError
from tte_mlir.reference.training import TrainingRun

pytest.importorskip("iree.runtime", reason="iree-base-runtime is not installed")

SEED = 20
EXAMPLE = Path(__file__).parents[3] / "examples" / "mobilenet_v2" / "model.py"


@dataclass(frozen=True)
class Case:
    """One op on operands %0, %1, …, in a function of its own."""

    op: str
    operands: tuple[str, ...]
    result: str

    def function(self, name: str) -> str:
        arguments = ", ".join(f"%{i}: {kind}" for i, kind in enumerate(self.operands))
        types = "" if " : " in self.op else f" : ({', '.join(self.operands)}) -> {self.result}"
        return (
            f"func.func @{name}({arguments}) -> {self.result} {{\n"
            f"  %r = {self.op}{types}\n  return %r : {self.result}\n}}\n"
        )


X, Y = "!quant.uniform<i8:f32, 0.025:-7>", "!quant.uniform<i8:f32, 0.05:11>"
FINE = "!quant.uniform<i8:f32, 1.0e-9:3>"


def weight(scales: int, axis: int = 3) -> str:
    listed = ", ".join(str(0.001 * (1 + channel)) for channel in range(scales))
    return f"!quant.uniform<i8<-127:127>:f32:{axis}, {{{listed}}}>"


def bias(scales: int) -> str:
    listed = ", ".join(f"{0.025 * 0.001 * (1 + channel):.6e}" for channel in range(scales))
    return f"!quant.uniform<i32<-9999:9999>:f32:0, {{{listed}}}>"


def conv(x, weights, bias_type, result, options="", name="conv2d") -> Case:
    parts = ", ".join(f"%{1 + part}" for part in range(len(weights)))
    end = [] if bias_type is None else [bias_type]
    last = f" bias(%{1 + len(weights)})" if end else ""
    return Case(f"tte.{name} %0 weights({parts}){last} {options}", (x, *weights, *end), result)


GROUPED = "strides [1, 2] padding [1, 0, 2, 1] dilations [2, 1] groups 2"
STRIDED = "strides [2, 2] padding [1, 1, 1, 1]"
SEPARATE = f"{STRIDED} groups 4"
BORDERS = "padding [3, 2, 0, 4]"
POOL = "kernel [3, 2] strides [2, 1] padding [1, 1, 0, 1]"

CASES = {
    # network, f32
    "conv2d": conv(
        tensor((2, 6, 5, 3)), [tensor((3, 3, 2, 4)), tensor((3, 3, 1, 4))], tensor((4,)),
        tensor((2, 3, 3, 4)), f"{STRIDED} clamp <0.0, 6.0>"),
    "conv2d_grouped": conv(
        tensor((1, 6, 5, 4)), [tensor((3, 2, 2, 6))], None, tensor((1, 3, 4, 6)), GROUPED),
    "conv2d_depthwise": conv(
        tensor((1, 6, 6, 4)), [tensor((3, 3, 1, 4))], tensor((4,)), tensor((1, 3, 3, 4)), SEPARATE),
    "dense": conv(
        tensor((2, 5)), [tensor((2, 3)), tensor((3, 3))], tensor((3,)), tensor((2, 3)),
        "clamp <0.0, inf>", "dense"),
    "add": Case("tte.add %0, %1 clamp <-1.0, 1.0>", (tensor((3, 4)),) * 2, tensor((3, 4))),
    "clamp": Case("tte.clamp %0 <0.0, 6.0> : tensor<9xf32>", ("tensor<9xf32>",), "tensor<9xf32>"),
    "avg_pool2d": Case(
        f"tte.avg_pool2d %0 {POOL}", (tensor((2, 6, 5, 3)),), tensor((2, 3, 5, 3))),
    "max_pool2d": Case(
        f"tte.max_pool2d %0 {POOL}", (tensor((2, 6, 5, 3)),), tensor((2, 3, 5, 3))),
    # network, quantized
    "conv2d_i8": conv(
        tensor((1, 6, 5, 3), X), [tensor((3, 3, 2, 4), weight(4)), tensor((3, 3, 1, 4), weight(4))],
        tensor((4,), bias(4)), tensor((1, 3, 3, 4), Y), f"{STRIDED} clamp <-90.0, 100.0>"),
    "conv2d_depthwise_i8": conv(
        tensor((1, 6, 6, 4), X), [tensor((3, 3, 1, 2), weight(2)), tensor((3, 3, 1, 2), weight(2))],
        None, tensor((1, 3, 3, 4), Y), SEPARATE),
    "conv2d_grouped_i8": conv(
        tensor((1, 6, 5, 4), X), [tensor((3, 2, 2, 6), weight(6))], None,
        tensor((1, 3, 4, 6), Y), GROUPED),
    "conv2d_tiny_factor": conv(
        tensor((1, 3, 3, 2), FINE), [tensor((1, 1, 2, 3), weight(3))], None,
        tensor((1, 3, 3, 3), Y)),
    "conv2d_large_factor": conv(
        tensor((1, 3, 3, 2), X), [tensor((1, 1, 2, 3), weight(3))], None,
        tensor((1, 3, 3, 3), FINE)),
    "dense_i8": conv(
        tensor((2, 5), X), [tensor((5, 3), weight(3, 1))], tensor((3,), bias(3)),
        tensor((2, 3), Y), "", "dense"),
    "dense_scores": conv(
        tensor((2, 5), X), [tensor((5, 3), weight(3, 1))], tensor((3,), bias(3)),
        tensor((2, 3)), "", "dense"),
    "add_i8": Case(
        "tte.add %0, %1 clamp <-100.0, 90.0>", (tensor((7, 9), X), tensor((7, 9), Y)),
        tensor((7, 9), Y)),
    "clamp_i8": Case(
        f"tte.clamp %0 <-5.0, 60.0> : {tensor((99,), X)}", (tensor((99,), X),), tensor((99,), X)),
    "avg_pool2d_i8": Case(
        f"tte.avg_pool2d %0 {POOL}", (tensor((2, 6, 5, 3), X),), tensor((2, 3, 5, 3), X)),
    "max_pool2d_i8": Case(
        f"tte.max_pool2d %0 {POOL}", (tensor((2, 6, 5, 3), X),), tensor((2, 3, 5, 3), X)),
    "quantize": Case("tte.quantize %0", (tensor((99,)),), tensor((99,), X)),
    "dequantize": Case("tte.dequantize %0", (tensor((99,), X),), tensor((99,))),
    # shapes
    "reshape": Case("tte.reshape %0", (tensor((2, 3, 4)),), tensor((4, 6))),
    "slice": Case("tte.slice %0 offsets [1, 0]", (tensor((4, 3), X),), tensor((2, 2), X)),
    "permute": Case("tte.permute %0 [2, 0, 1]", (tensor((2, 3, 4)),), tensor((4, 2, 3))),
    "slice_grad": Case("tte.slice_grad %0 offsets [1, 0]", (tensor((2, 2)),), tensor((4, 3))),
    # gradients
    "conv2d_input_grad": conv(
        tensor((2, 3, 3, 4)), [tensor((3, 3, 2, 4), weight(4)), tensor((3, 3, 1, 4), weight(4))],
        None, tensor((2, 6, 5, 3)), STRIDED, "conv2d_input_grad"),
    "conv2d_input_grad_depthwise": conv(
        tensor((1, 3, 3, 4)), [tensor((3, 3, 1, 1), weight(1)), tensor((3, 3, 1, 3), weight(3))],
        None, tensor((1, 6, 6, 4)), SEPARATE, "conv2d_input_grad"),
    "conv2d_input_grad_grouped": conv(
        tensor((1, 3, 4, 6)), [tensor((3, 2, 2, 6))], None, tensor((1, 6, 5, 4)), GROUPED,
        "conv2d_input_grad"),
    "conv2d_input_grad_borders": conv(
        tensor((1, 9, 8, 2)), [tensor((2, 2, 3, 2))], None, tensor((1, 5, 5, 3)), BORDERS,
        "conv2d_input_grad"),
    "conv2d_weight_grad": Case(
        f"tte.conv2d_weight_grad %0, %1 {STRIDED} offset 1",
        (tensor((2, 6, 5, 3), X), tensor((2, 3, 3, 4))), tensor((3, 3, 2, 4))),
    "conv2d_weight_grad_depthwise": Case(
        f"tte.conv2d_weight_grad %0, %1 {SEPARATE} offset 2",
        (tensor((1, 6, 6, 4)), tensor((1, 3, 3, 4))), tensor((3, 3, 1, 2))),
    "conv2d_weight_grad_grouped": Case(
        f"tte.conv2d_weight_grad %0, %1 {GROUPED}",
        (tensor((1, 6, 5, 4)), tensor((1, 3, 4, 6))), tensor((3, 2, 2, 6))),
    "dense_input_grad": conv(
        tensor((2, 3)), [tensor((2, 3), weight(3, 1)), tensor((3, 3), weight(3, 1))], None,
        tensor((2, 5)), "", "dense_input_grad"),
    "dense_weight_grad": Case(
        "tte.dense_weight_grad %0, %1 offset 2", (tensor((2, 5), X), tensor((2, 3))),
        tensor((3, 3))),
    "bias_grad": Case("tte.bias_grad %0", (tensor((2, 3, 3, 4)),), tensor((4,))),
    "avg_pool2d_grad": Case(
        f"tte.avg_pool2d_grad %0 {POOL}", (tensor((2, 3, 5, 3)),), tensor((2, 6, 5, 3))),
    "max_pool2d_grad": Case(
        f"tte.max_pool2d_grad %0, %1 {POOL}", (tensor((2, 6, 5, 3)), tensor((2, 3, 5, 3))),
        tensor((2, 6, 5, 3))),
    "max_pool2d_grad_i8": Case(
        f"tte.max_pool2d_grad %0, %1 {POOL}", (tensor((2, 6, 5, 3), X), tensor((2, 3, 5, 3))),
        tensor((2, 6, 5, 3))),
    "clamp_grad": Case(
        "tte.clamp_grad %0, %1 <-0.5, inf>", (tensor((5, 4)),) * 2, tensor((5, 4))),
    "clamp_grad_i8": Case(
        "tte.clamp_grad %0, %1 <-60.0, 128.0>", (tensor((5, 40)), tensor((5, 40), X)),
        tensor((5, 40))),
    "clamp_mask": Case(
        "tte.clamp_mask %0 <-60.0, 70.0>", (tensor((3, 7), X),), "tensor<3xi8>"),
    "apply_mask": Case(
        "tte.apply_mask %0, %1", (tensor((3, 7)), "tensor<3xi8>"), tensor((3, 7))),
    # losses
    "one_hot": Case("tte.one_hot %0", ("tensor<3xi32>",), tensor((3, 5))),
    "softmax_cross_entropy": Case(
        "tte.softmax_cross_entropy %0, %1", (tensor((3, 5)), "tensor<3xi32>"), "tensor<f32>"),
    "softmax_cross_entropy_grad": Case(
        "tte.softmax_cross_entropy_grad %0, %1", (tensor((3, 5)), "tensor<3xi32>"),
        tensor((3, 5))),
    "mean_squared_error": Case(
        "tte.mean_squared_error %0, %1", (tensor((3, 5)),) * 2, "tensor<f32>"),
    "mean_squared_error_grad": Case(
        "tte.mean_squared_error_grad %0, %1", (tensor((3, 5)),) * 2, tensor((3, 5))),
    # updates
    "scale_gradient": Case(
        f"tte.scale_gradient %0 by scale of {weight(3)} to the -1 : {tensor((2, 2, 4, 3))}",
        (tensor((2, 2, 4, 3)),), tensor((2, 2, 4, 3))),
    "check_finite": Case("tte.check_finite %0", (tensor((9,)),), tensor((9,))),
}  # fmt: skip

UPDATES = {
    "sgd": (tensor((4, 3)), "nearest", ""),
    "sgd_nearest": (tensor((40, 3), weight(3, 1)), "nearest", ""),
    "sgd_stochastic": (tensor((40, 3), weight(3, 1)), "stochastic", ""),
    "sgd_slice": (
        tensor((3, 3, 2, 3), weight(3)), "stochastic", " origin <[3, 3, 9, 3], [0, 0, 4, 0]>"),
    "sgd_permuted": (
        tensor((3, 3, 2, 3), weight(3)), "stochastic",
        " origin <[3, 3, 4, 3], [0, 0, 0, 0]> {tte.places = [array<i64>, array<i64>, "
        "array<i64: 1, 3>, array<i64: 2, 0, 1>]}"),
    "sgd_bias": (tensor((3,), bias(3)), "stochastic", ""),
}  # fmt: skip
for _name, (_kind, _rounding, _origin) in UPDATES.items():
    _gradient = re.sub("x!.*", "xf32>", _kind)
    CASES[_name] = Case(
        f"tte.sgd %0, %1 rate %2 step %3 {_rounding} stream -77{_origin}",
        (_kind, _gradient, "tensor<f32>", "tensor<i32>"), _kind,
    )  # fmt: skip


def sample(random: np.random.Generator, kind: str) -> np.ndarray:
    """Numbers that a tensor of that type may hold: reals around 0, the whole grid, labels."""
    shape = [int(size) for size in re.findall(r"(\d+)x", kind.split("!")[0])]
    if kind.endswith("f32>") and "!" not in kind:
        return random.normal(size=shape).astype(np.float32)
    if "<i32<" in kind:
        return random.integers(-9999, 10000, shape).astype(np.int32)
    if kind.endswith("i32>"):
        return random.integers(0, 5, shape).astype(np.int32)
    return random.integers(-127, 128, shape).astype(np.int8)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Integers are equal, reals within 1e-5 of the largest."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    if np.issubdtype(expected.dtype, np.integer):
        np.testing.assert_array_equal(found, expected)
    else:
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def build(text: str, path: Path) -> tuple[WholeProgram, Interpreter]:
    module = parse(text)
    return WholeProgram(compile_whole_program(module, path)), Interpreter(module)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[WholeProgram, Interpreter]:
    text = "".join(case.function(name) for name, case in CASES.items())
    return build(text, tmp_path_factory.mktemp("ops") / "ops.vmfb")


@pytest.mark.parametrize("name", CASES)
def test_op(name: str, programs: tuple[WholeProgram, Interpreter]) -> None:
    program, interpreter = programs
    random = np.random.default_rng(SEED)
    for _ in range(3):
        operands = [sample(random, kind) for kind in CASES[name].operands]
        (expected,) = interpreter.run(name, *operands)
        (found,) = program.run(name, *operands)
        assert_same(found, expected)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_step_fails_on_what_is_not_finite(value: float, programs) -> None:
    program, interpreter = programs
    operand = np.full(9, 1, np.float32)
    operand[4] = value
    with pytest.raises(NonFiniteError):
        interpreter.run("check_finite", operand)
    with pytest.raises(TTEError, match="met a value that is not finite"):
        program.run("check_finite", operand)
    program.run("check_finite", np.ones(9, np.float32))


def test_unknown_function(programs) -> None:
    with pytest.raises(TTEError, match="the program has no function nothing"):
        programs[0].run("nothing")


NETWORK = Network(
    (1, 9, 8, 3),
    (
        Convolution(8, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1), clamp=(0.0, 6.0)),
        Convolution(8, (3, 3), padding=(1, 1, 1, 1), groups=8, clamp=(0.0, 6.0)),
        Convolution(8, (1, 1)),
        Add(1),
        Pool("max", (2, 2), strides=(2, 2)),
        Pool("avg", (2, 2)),
        Reshape((1, 8)),
        Dense(4),
    ),
    SEED,
)
DISPATCHES = "func.func(tte-pack-masks,tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches)"
PASSES = {
    "real": "tte-autodiff,canonicalize,cse",
    "quantized": f"tte-quantize,tte-autodiff,func.func(tte-qas),canonicalize,cse,{DISPATCHES}",
}


@pytest.mark.parametrize("kind", PASSES)
def test_training(kind: str, tmp_path: Path) -> None:
    module = NETWORK.build()
    calibrate(module, NETWORK.inputs(4))
    run_pass(module, PASSES[kind])
    program = WholeProgram(compile_whole_program(module, tmp_path / "network.vmfb"))
    run, interpreter = TrainingRun(module), Interpreter(module)
    for step, image in enumerate(NETWORK.inputs(4)):
        state, image = list(run.state.values()), run.stored(image)
        arguments = [*state, image, np.array([step % 4], np.int32), np.float32(0.1), np.int32(step)]
        expected = interpreter.run("train_step", *arguments)
        found = program.run("train_step", *arguments)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
        assert_same(program.run("forward", *state, image)[0], expected[-1])
        changed = [not np.array_equal(a, b) for a, b in zip(state, expected, strict=False)]
        assert all(changed)
        run.load_state(dict(zip(run.state, found, strict=False)))


def test_mobilenet_v2_has_the_bits_of_the_interpreter(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    images = np.random.default_rng(SEED).integers(0, 256, (6, 3, 64, 64), np.uint8)
    demo = models.load(f"{EXAMPLE}:demo_model")
    module = models.import_model(demo, (1, 3, 64, 64), ir.Context())
    stages.run(module, pipeline.planning(Recipe(), Dataset(images[:4], None))[:3])
    program = WholeProgram(compile_whole_program(module, tmp_path / "mobilenet_v2.vmfb"))
    run = TrainingRun(module)
    for image in images[4:]:
        stored = run.stored(image.transpose(1, 2, 0)[None] / np.float32(255))
        np.testing.assert_array_equal(program.run("forward", stored)[0], run.infer(stored))


def test_lowering_leaves_the_module_alone() -> None:
    module = NETWORK.build()
    before = str(module)
    text = lower(module)
    assert str(module) == before
    assert not re.search(r"\btte\.|quant\.", text)


def test_planned_programs_are_refused() -> None:
    module = parse(
        "func.func @f() -> memref<4xf32> {\n"
        "  %0 = tte.subspan arena[0] : memref<4xf32>\n"
        "  return %0 : memref<4xf32>\n}"
    )
    with pytest.raises(TTEError, match=r"^linalg: .*tte\.subspan"):
        lower(module)


def test_missing_runtime_names_its_package(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "iree.runtime", None)
    with pytest.raises(TTEError, match="install the Python package iree-base-runtime"):
        WholeProgram(tmp_path / "nothing.vmfb")
