# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every family of kernels against the interpreter, on the host and on the emulated board.

Integers agree bit for bit, f32 to 1e-5, and host and board bit for bit in everything.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from kernel_bench import Bench, Case, Outcome
from modules import tensor

SCALES = [0.004, 0.011, 0.0007, 0.02, 0.006, 0.0031, 0.009, 0.0123]


def scales(channels: int) -> str:
    return ", ".join(str(SCALES[c % len(SCALES)]) for c in range(channels))


def activation(zero_point: int = -5, scale: float = 0.05) -> str:
    return f"!quant.uniform<i8:f32, {scale}:{zero_point}>"


def weight(channels: int, axis: int) -> str:
    return f"!quant.uniform<i8<-127:127>:f32:{axis}, {{{scales(channels)}}}>"


def bias(channels: int, input_scale: float = 0.05) -> str:
    products = ", ".join(f"{SCALES[c % 8] * input_scale:.6g}" for c in range(channels))
    return f"!quant.uniform<i32:f32:0, {{{products}}}>"


def kernel(operands: Sequence[str], op: str, result: str) -> str:
    """A block of one op on %0, %1, …"""
    arguments = ", ".join(f"%{i}: {kind}" for i, kind in enumerate(operands))
    return (
        f"^bb0({arguments}):\n%r = {op} : ({', '.join(operands)}) -> {result}\n"
        f"tte.yield %r : {result}"
    )


def sizes(extent: int, kernel_size: int, stride: int, pads: tuple[int, int], dilation: int) -> int:
    return (extent + sum(pads) - dilation * (kernel_size - 1) - 1) // stride + 1


class Conv:
    """A convolution, its types and those of its gradients. `parts` splits the sliced axis."""

    def __init__(
        self,
        name: str,
        *,
        size: tuple[int, int],
        channels: tuple[int, int],
        kernel: int = 1,
        stride: int = 1,
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: int = 1,
        groups: int = 1,
        batch: int = 1,
        parts: Sequence[int] = (),
        quantized: bool = True,
        zero_point: int = -5,
        result: str | None = None,
        clamp: str = "",
    ) -> None:
        self.name, self.quantized, self.groups = name, quantized, groups
        ci, co = channels
        h, w = size
        oh = sizes(h, kernel, stride, padding[:2], dilation)
        ow = sizes(w, kernel, stride, padding[2:], dilation)
        self.depthwise = groups == ci == co
        axis = 3 if self.depthwise else 2
        parts = parts or [co if self.depthwise else ci // groups]
        self.weight_shapes = []
        for part in parts:
            shape = [kernel, kernel, ci // groups, co]
            shape[axis] = part
            self.weight_shapes.append(shape)
        element = activation(zero_point) if quantized else "f32"
        self.input = tensor((batch, h, w, ci), element)
        offsets = np.cumsum([0, *parts])
        self.weights = []
        for shape, offset in zip(self.weight_shapes, offsets, strict=False):
            names = [SCALES[(c + (offset if axis == 3 else 0)) % 8] for c in range(shape[3])]
            kind = f"!quant.uniform<i8<-127:127>:f32:3, {{{', '.join(map(str, names))}}}>"
            self.weights.append(tensor(shape, kind if quantized else "f32"))
        self.bias = tensor((co,), bias(co) if quantized else "f32")
        self.output_shape = (batch, oh, ow, co)
        result_element = result or (activation(-7, 0.9) if quantized else "f32")
        self.result = tensor(self.output_shape, result_element)
        self.gradient = tensor(self.output_shape)
        self.input_gradient = tensor((batch, h, w, ci))
        self.attributes = (
            f"strides [{stride}, {stride}] padding [{', '.join(map(str, padding))}] "
            f"dilations [{dilation}, {dilation}] groups {groups}"
        )
        self.clamp = clamp
        self.macs = int(np.prod(self.output_shape)) * kernel * kernel * (ci // groups)

    def forward(self, frozen: Sequence[int] = ()) -> Case:
        """The forward pass; `frozen` are parts of the weight in flash."""
        names = ", ".join(f"%{i + 1}" for i in range(len(self.weights)))
        operands = [self.input, *self.weights, self.bias]
        op = (
            f"tte.conv2d %0 weights({names}) bias(%{len(operands) - 1}) {self.attributes} "
            f"{self.clamp}"
        )
        return Case(
            f"{self.name}_forward",
            kernel(operands, op, self.result),
            macs=self.macs,
            frozen=tuple(part + 1 for part in frozen),
        )

    def input_grad(self, frozen: Sequence[int] = ()) -> Case:
        names = ", ".join(f"%{i + 1}" for i in range(len(self.weights)))
        operands = [self.gradient, *self.weights]
        op = f"tte.conv2d_input_grad %0 weights({names}) {self.attributes}"
        return Case(
            f"{self.name}_input_grad",
            kernel(operands, op, self.input_gradient),
            macs=self.macs,
            frozen=tuple(part + 1 for part in frozen),
        )

    def input_grad_in_place(self) -> Case:
        """The result over the gradient."""
        case = self.input_grad()
        return replace(case, name=f"{self.name}_input_grad_in_place", tied={0: 0})

    def masked_input_grad(self) -> Case:
        """With the clamp of the layer below in the same kernel."""
        names = ", ".join(f"%{i + 1}" for i in range(len(self.weights)))
        types = [self.gradient, *self.weights]
        arguments = ", ".join(f"%{i}: {kind}" for i, kind in enumerate([*types, self.input]))
        body = (
            f"^bb0({arguments}):\n"
            f"%g = tte.conv2d_input_grad %0 weights({names}) {self.attributes} : "
            f"({', '.join(types)}) -> {self.input_gradient}\n"
            f"%r = tte.clamp_grad %g, %{len(types)} <-128.0, 127.0> : "
            f"({self.input_gradient}, {self.input}) -> {self.input_gradient}\n"
            f"tte.yield %r : {self.input_gradient}"
        )
        return Case(f"{self.name}_masked_input_grad", body, macs=self.macs)

    def weight_grad(self, part: int = 0) -> Case:
        shape = self.weight_shapes[part]
        axis = 3 if self.depthwise else 2
        offset = sum(s[axis] for s in self.weight_shapes[:part])
        op = f"tte.conv2d_weight_grad %0, %1 {self.attributes} offset {offset}"
        body = kernel([self.input, self.gradient], op, tensor(shape))
        macs = int(np.prod(shape)) * int(np.prod(self.output_shape[:3]))
        return Case(f"{self.name}_weight_grad{part}", body, macs=macs)

    def update(self, part: int = 0, rounding: str = "stochastic") -> Case:
        """Weight gradient, quantization-aware scaling and update in place."""
        shape = self.weight_shapes[part]
        axis = 3 if self.depthwise else 2
        offset = sum(s[axis] for s in self.weight_shapes[:part])
        full = list(shape)
        full[axis] = sum(s[axis] for s in self.weight_shapes)
        offsets = [0, 0, 0, 0]
        offsets[axis] = offset
        origin = f"origin <{full}, {offsets}>" if len(self.weight_shapes) > 1 else ""
        op = f"tte.conv2d_weight_grad %0, %1 {self.attributes} offset {offset}"
        macs = int(np.prod(shape)) * int(np.prod(self.output_shape[:3]))
        name = f"{self.name}_update{part}_{rounding}"
        types = (self.input, self.gradient, self.weights[part])
        return replace(update(name, op, *types, shape, rounding, origin), macs=macs)


def update(
    name: str,
    gradient_op: str,
    x: str,
    g: str,
    w: str,
    shape: Sequence[int],
    rounding: str = "stochastic",
    origin: str = "",
) -> Case:
    """A weight gradient of %0 and %1, quantization-aware scaling and update in place."""
    gradient, scaled = tensor(shape), "%g"
    lines = [
        f"^bb0(%0: {x}, %1: {g}, %2: {w}, %3: tensor<f32>, %4: tensor<i32>):",
        f"%g = {gradient_op} : ({x}, {g}) -> {gradient}",
    ]
    if "!quant" in w:
        element = w[w.index("!quant") : -1]
        lines.append(f"%s = tte.scale_gradient %g by scale of {element} to the -1 : {gradient}")
        scaled = "%s"
    lines += [
        f"%r = tte.sgd %2, {scaled} rate %3 step %4 {rounding} stream 1234567 {origin} : "
        f"({w}, {gradient}, tensor<f32>, tensor<i32>) -> {w}",
        f"tte.yield %r : {w}",
    ]
    data = {3: np.array(2e-3, np.float32), 4: np.array(17, np.int32)}
    return Case(name, "\n".join(lines), tied={0: 2}, data=data)


def network_cases() -> list[Case]:
    convs = [
        Conv("pointwise", size=(4, 6), channels=(12, 16)),
        Conv("pointwise_tiny", size=(1, 2), channels=(9, 5)),
        # sums in several chunks, of one size and of two
        Conv("pointwise_long", size=(3, 3), channels=(13, 264)),
        Conv("pointwise_prime", size=(2, 3), channels=(8, 263)),
        Conv("pointwise_parts", size=(4, 4), channels=(24, 11), parts=(7, 17), batch=2),
        Conv("strided", size=(5, 6), channels=(8, 16), stride=2),
        Conv("stem", size=(9, 8), channels=(3, 16), kernel=3, stride=2, padding=(1, 1, 1, 1)),
        Conv("five", size=(6, 5), channels=(8, 9), kernel=5, padding=(2, 2, 2, 2), batch=2),
        Conv("valid", size=(6, 6), channels=(4, 8), kernel=3),
        Conv("split", size=(5, 5), channels=(6, 8), kernel=3, padding=(1, 0, 0, 1), parts=(2, 4)),
        Conv("dilated", size=(8, 7), channels=(5, 8), kernel=3, padding=(2, 2, 2, 2), dilation=2),
        Conv("grouped", size=(5, 6), channels=(6, 12), kernel=3, padding=(1,) * 4, groups=3),
        Conv(
            "sparse", size=(9, 9), channels=(3, 4), kernel=3, stride=2, padding=(2,) * 4, dilation=3
        ),
        Conv("depthwise", size=(8, 8), channels=(16, 16), kernel=3, padding=(1,) * 4, groups=16),
        Conv("dw_odd", size=(5, 7), channels=(11, 11), kernel=3, padding=(1,) * 4, groups=11),
        Conv(
            "dw_stride",
            size=(9, 8),
            channels=(8, 8),
            kernel=3,
            stride=2,
            padding=(1,) * 4,
            groups=8,
        ),
        Conv(
            "dw_five", size=(7, 12), channels=(8, 8), kernel=5, padding=(2,) * 4, groups=8, batch=2
        ),
        Conv(
            "dw_seven", size=(4, 5), channels=(9, 9), kernel=7, stride=2, padding=(3,) * 4, groups=9
        ),
        Conv(
            "dw_dilated",
            size=(9, 9),
            channels=(8, 8),
            kernel=3,
            padding=(2,) * 4,
            dilation=2,
            groups=8,
        ),
        Conv(
            "dw_parts",
            size=(5, 6),
            channels=(20, 20),
            kernel=3,
            padding=(1,) * 4,
            groups=20,
            parts=(9, 11),
        ),
        Conv("real", size=(4, 5), channels=(9, 16), quantized=False),
        Conv(
            "real_three", size=(6, 5), channels=(5, 8), kernel=3, padding=(1,) * 4, quantized=False
        ),
        Conv(
            "real_dw",
            size=(6, 6),
            channels=(8, 8),
            kernel=3,
            padding=(1,) * 4,
            groups=8,
            quantized=False,
            clamp="clamp <0.0, 6.0>",
        ),
    ]
    cases = [case for c in convs for case in (c.forward(), c.input_grad(), c.weight_grad())]
    cases += [c.update() for c in convs]
    by_name = {c.name: c for c in convs}
    for name in ("pointwise_parts", "split", "dw_parts"):
        cases += [by_name[name].weight_grad(1), by_name[name].update(1)]
    # planes of more than 4096 bytes, in bands
    bands = [
        Conv("dw_bands", size=(40, 37), channels=(2, 2), kernel=5, padding=(2,) * 4, groups=2),
        Conv("dw_bands_stride", size=(71, 66), channels=(2, 2), kernel=3, stride=2,
             padding=(1,) * 4, groups=2),
    ]  # fmt: skip
    cases += [c.input_grad() for c in bands]
    in_place = (by_name["depthwise"], by_name["dw_odd"], by_name["dw_five"], bands[0])
    cases += [c.input_grad_in_place() for c in in_place]
    masked = ("pointwise", "pointwise_long", "pointwise_prime", "depthwise", "dw_stride")
    cases += [by_name[name].masked_input_grad() for name in (*masked, "dw_parts")]
    cases.append(by_name["pointwise"].update(rounding="nearest"))
    cases += [
        Conv("frozen", size=(3, 7), channels=(20, 6)).forward(frozen=[0]),
        Conv("frozen", size=(3, 7), channels=(20, 6)).input_grad(frozen=[0]),
        Conv("frozen_part", size=(4, 4), channels=(24, 12), parts=(6, 18)).input_grad(frozen=[1]),
        Conv("frozen_parts", size=(4, 5), channels=(28, 16), parts=(8, 20)).input_grad([0, 1]),
        Conv("frozen_long", size=(2, 3), channels=(12, 400)).input_grad(frozen=[0]),
        Conv("frozen_rest", size=(2, 2), channels=(10, 8)).forward(frozen=[0]),
        Conv("frozen_odd", size=(1, 3), channels=(7, 4)).forward(frozen=[0]),
        Conv("frozen_one", size=(2, 3), channels=(9, 6)).forward(frozen=[0]),
        Conv("frozen_part", size=(4, 4), channels=(24, 12), parts=(6, 18)).forward(frozen=[1]),
        Conv("frozen_five", size=(6, 5), channels=(4, 8), kernel=5, padding=(2,) * 4).forward([0]),
    ]
    cases.append(
        Conv(
            "scores", size=(3, 3), channels=(8, 10), result="f32", clamp="clamp <-1.0, 2.0>"
        ).forward()
    )
    cases.append(
        Conv(
            "clamped", size=(3, 3), channels=(8, 8), clamp="clamp <-7.0, 50.0>", zero_point=0
        ).forward()
    )
    # factors of a quarter and more need all 64 bits of the product
    cases.append(Conv("wide", size=(3, 3), channels=(8, 8), result=activation(3, 0.0005)).forward())
    return cases


def dense_cases() -> list[Case]:
    x, w1, w2 = (
        tensor((2, 13), activation()),
        tensor((4, 10), weight(10, 1)),
        tensor((9, 10), weight(10, 1)),
    )
    g, w = tensor((2, 10)), tensor((9, 10))
    return [
        Case(
            "dense",
            kernel(
                [x, w1, w2, tensor((10,), bias(10))], "tte.dense %0 weights(%1, %2) bias(%3)", g
            ),
        ),
        Case(
            "dense_input_grad",
            kernel([g, w1, w2], "tte.dense_input_grad %0 weights(%1, %2)", tensor((2, 13))),
        ),
        Case("dense_weight_grad", kernel([x, g], "tte.dense_weight_grad %0, %1 offset 4", w)),
        Case("bias_grad", kernel([tensor((2, 3, 3, 19))], "tte.bias_grad %0", tensor((19,)))),
        Case(
            "bias_update",
            f"^bb0(%0: {g}, %1: {tensor((10,), bias(10))}, %2: tensor<f32>, %3: tensor<i32>):\n"
            f"%a = tte.bias_grad %0 : ({g}) -> {tensor((10,))}\n"
            f"%b = tte.scale_gradient %a by scale of {bias(10)} to the -1 : {tensor((10,))}\n"
            f"%c = tte.sgd %1, %b rate %2 step %3 stochastic stream 5 : "
            f"({tensor((10,), bias(10))}, {tensor((10,))}, tensor<f32>, tensor<i32>) -> "
            f"{tensor((10,), bias(10))}\n"
            f"tte.yield %c : {tensor((10,), bias(10))}",
            tied={0: 1},
            data={2: np.array(0.3, np.float32), 3: np.array(3, np.int32)},
        ),
    ]


def elementwise_cases() -> list[Case]:
    shape = (2, 3, 3, 11)
    x, y, z = (tensor(shape, activation(p, s)) for p, s in ((-5, 0.05), (12, 0.08), (3, 0.1)))
    real, mask = tensor(shape), tensor((25,), "i8")
    sgd = "tte.sgd %0, %1 rate %2 step %3"
    weights = tensor((3, 3, 1, 11), weight(11, 3))
    gradient = tensor((3, 3, 1, 11))
    rate = {2: np.array(0.7, np.float32), 3: np.array(99, np.int32)}
    return [
        Case("add", kernel([x, y], "tte.add %0, %1 clamp <3.0, 100.0>", z)),
        Case("add_real", kernel([real, real], "tte.add %0, %1 clamp <0.0, 6.0>", real)),
        Case("clamp", f"^bb0(%0: {x}):\n%r = tte.clamp %0 <-5.0, 40.0> : {x}\ntte.yield %r : {x}"),
        Case(
            "relu",
            f"^bb0(%0: {real}):\n%r = tte.clamp %0 <0.0, inf> : {real}\ntte.yield %r : {real}",
        ),
        Case("quantize", kernel([real], "tte.quantize %0", x)),
        Case("dequantize", kernel([x], "tte.dequantize %0", real)),
        Case("clamp_grad", kernel([real, x], "tte.clamp_grad %0, %1 <-5.0, 100.0>", real)),
        Case("clamp_grad_real", kernel([real, real], "tte.clamp_grad %0, %1 <0.0, 0.8>", real)),
        Case("clamp_mask", kernel([x], "tte.clamp_mask %0 <-5.0, 90.0>", mask)),
        Case("apply_mask", kernel([real, mask], "tte.apply_mask %0, %1", real)),
        Case(
            "scale_gradient",
            f"^bb0(%0: {gradient}):\n%r = tte.scale_gradient %0 by scale of {weight(11, 3)} "
            f"to the 1 : {gradient}\ntte.yield %r : {gradient}",
        ),
        Case(
            "sgd_slice",
            kernel(
                [weights, gradient, "tensor<f32>", "tensor<i32>"],
                f"{sgd} stochastic stream 77 origin <[3, 3, 1, 20], [0, 0, 0, 4]>",
                weights,
            ),
            tied={0: 0},
            data=rate,
        ),
        Case(
            "sgd_permuted",
            kernel(
                [weights, gradient, "tensor<f32>", "tensor<i32>"],
                f"{sgd} stochastic stream 77 origin <[3, 3, 1, 20], [0, 0, 0, 0]> "
                "{tte.places = [array<i64: 2, 0, 1>, array<i64>, array<i64>, "
                f"array<i64: {', '.join(str((7 * i + 3) % 20) for i in range(11))}>]}}",
                weights,
            ),
            tied={0: 0},
            data=rate,
        ),
        Case(
            "sgd_real",
            kernel(
                [gradient, gradient, "tensor<f32>", "tensor<i32>"],
                f"{sgd} nearest stream 7",
                gradient,
            ),
            tied={0: 0},
            data=rate,
        ),
        *optimizer_cases(),
    ]


def optimizer_cases() -> list[Case]:
    """Updates with the state of an optimizer: everything in one kernel, and by itself."""
    shape = (3, 3, 1, 11)
    weights, gradient, low = tensor(shape, weight(11, 3)), tensor(shape), tensor(shape, "i8")
    random = np.random.default_rng(8)

    def chain(name: str, bits: int, every: str, step: int, spread: float) -> Case:
        """Momentum, scaling and an update with a residual; %0 to %2 are the states."""
        body = f"""^bb0(%0: {weights}, %1: {low}, %2: {gradient}, %3: {gradient},
            %4: tensor<f32>, %5: tensor<i32>):
          %v = tte.momentum %2, %3 factor 0.9 step %5 {every}
            : ({gradient}, {gradient}, tensor<i32>) -> {gradient}
          %s = tte.scale_gradient %v by scale of {weight(11, 3)} to the -1 : {gradient}
          %r = tte.sgd_residual %0 low %1 bits {bits}, %s rate %4 step %5 times 0.7 {every}
            : ({weights}, {low}, {gradient}, tensor<f32>, tensor<i32>) -> {low}
          %w = tte.sgd %0, %s rate %4 step %5 residual stream 7 low %1 bits {bits} times 0.7 {every}
            : ({weights}, {gradient}, tensor<f32>, tensor<i32>, {low}) -> {weights}
          tte.yield %v, %r, %w : {gradient}, {low}, {weights}"""
        half = 1 << bits - 1
        data = {
            1: random.integers(-half, half, shape).astype(np.int8),
            3: (random.standard_normal(shape) * spread).astype(np.float32),
            4: np.array(3e-3, np.float32),
            5: np.array(step, np.int32),
        }
        return Case(name, body, tied={0: 2, 1: 1, 2: 0}, data=data)

    def accumulate(step: int) -> Case:
        body = kernel(
            [gradient, gradient, "tensor<i32>"], "tte.accumulate %0, %1 step %2 batch 3", gradient
        )
        return Case(f"accumulate_{step}", body, tied={0: 0}, data={2: np.array(step, np.int32)})

    return [
        chain("residual_2", 2, "", 0, 1.0),
        chain("residual_5", 5, "", 1, 1e-3),
        chain("residual_8_saturating", 8, "", 2, 1e3),
        chain("residual_of_a_batch", 8, "every 4", 7, 1.0),
        chain("residual_within_a_batch", 8, "every 4", 6, 1.0),
        accumulate(3),
        accumulate(5),
    ]


def movement_and_loss_cases() -> list[Case]:
    q = activation()
    image, pooled = tensor((2, 7, 6, 9), q), tensor((2, 4, 3, 9), q)
    real, real_pooled = tensor((2, 7, 6, 9)), tensor((2, 4, 3, 9))
    window = "kernel [3, 2] strides [2, 2] padding [1, 1, 0, 0]"
    scores, labels = tensor((3, 10)), tensor((3,), "i32")
    classes = {1: np.array([3, 0, 9], np.int32)}
    extreme = np.linspace(-60, 60, 30).reshape(3, 10).astype(np.float32)
    loss = "tte.softmax_cross_entropy"
    return [
        Case("avg_pool", kernel([image], f"tte.avg_pool2d %0 {window}", pooled)),
        Case("avg_pool_real", kernel([real], f"tte.avg_pool2d %0 {window}", real_pooled)),
        Case(
            "avg_pool_all",
            kernel([image], "tte.avg_pool2d %0 kernel [7, 6]", tensor((2, 1, 1, 9), q)),
        ),
        Case("max_pool", kernel([image], f"tte.max_pool2d %0 {window}", pooled)),
        Case("max_pool_real", kernel([real], f"tte.max_pool2d %0 {window}", real_pooled)),
        Case("avg_pool_grad", kernel([real_pooled], f"tte.avg_pool2d_grad %0 {window}", real)),
        Case(
            "max_pool_grad",
            kernel([image, real_pooled], f"tte.max_pool2d_grad %0, %1 {window}", real),
        ),
        Case(
            "slice", kernel([image], "tte.slice %0 offsets [1, 2, 0, 1]", tensor((1, 3, 6, 8), q))
        ),
        Case(
            "slice_grad",
            kernel([tensor((1, 3, 6, 8))], "tte.slice_grad %0 offsets [1, 2, 0, 1]", real),
        ),
        Case("permute", kernel([image], "tte.permute %0 [0, 3, 1, 2]", tensor((2, 9, 7, 6), q))),
        Case("reshape", kernel([image], "tte.reshape %0", tensor((2, 378), q))),
        Case("one_hot", kernel([labels], "tte.one_hot %0", scores), data={0: classes[1]}),
        Case(
            "cross_entropy", kernel([scores, labels], f"{loss} %0, %1", "tensor<f32>"), data=classes
        ),
        Case(
            "cross_entropy_extreme",
            kernel([scores, labels], f"{loss} %0, %1", "tensor<f32>"),
            data={0: extreme, **classes},
        ),
        Case(
            "cross_entropy_grad",
            kernel([scores, labels], f"{loss}_grad %0, %1", scores),
            data=classes,
        ),
        Case(
            "cross_entropy_grad_extreme",
            kernel([scores, labels], f"{loss}_grad %0, %1", scores),
            data={0: extreme, **classes},
        ),
        Case(
            "squared_error",
            kernel([scores, scores], "tte.mean_squared_error %0, %1", "tensor<f32>"),
        ),
        Case(
            "squared_error_grad",
            kernel([scores, scores], "tte.mean_squared_error_grad %0, %1", scores),
        ),
    ]


CASES = [*network_cases(), *dense_cases(), *elementwise_cases(), *movement_and_loss_cases()]


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return Bench("", CASES).run(tmp_path_factory.mktemp("kernels"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_kernel_agrees_with_interpreter(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    for host, expected in zip(outcome.host, outcome.expected, strict=True):
        if np.issubdtype(expected.dtype, np.integer):
            np.testing.assert_array_equal(host, expected)
        else:
            scale = max(float(np.abs(expected).max()), 1e-30)
            np.testing.assert_allclose(host, expected, rtol=1e-5, atol=1e-6 * scale)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_host_and_board_give_the_same_bits(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    for host, board in zip(outcome.host, outcome.board, strict=True):
        np.testing.assert_array_equal(
            host.reshape(-1).view(np.uint8), board.reshape(-1).view(np.uint8)
        )
