# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter on f32 ops and gradients against torch in f64."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from modules import evaluate, relative_error, tensor

torch = pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
F = torch.nn.functional


@dataclass(frozen=True)
class Convolution:
    """Shapes of a convolution: `parts` splits the input channels of its weight."""

    name: str
    size: tuple[int, int, int]  # h, w, ci
    channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    parts: tuple[int, ...] = field(default=())

    @property
    def depthwise(self) -> bool:
        return self.groups == self.size[2] == self.channels

    @property
    def axis(self) -> int:
        return 3 if self.depthwise else 2

    @property
    def attributes(self) -> str:
        return (
            f"strides {list(self.strides)} padding {list(self.padding)} "
            f"dilations {list(self.dilations)} groups {self.groups}"
        )

    def operands(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(len(self.name))
        h, w, ci = self.size
        return (
            random.normal(size=(2, h, w, ci)),
            random.normal(size=(*self.kernel, ci // self.groups, self.channels)),
            random.normal(size=self.channels),
        )

    def split(self, weight: np.ndarray) -> list[np.ndarray]:
        return np.split(weight, np.cumsum(self.parts)[:-1], self.axis) if self.parts else [weight]

    def torch(self, x, w, b):
        """NHWC and HWIO in, NHWC out."""
        top, bottom, left, right = self.padding
        padded = F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
        weight = w.permute(3, 2, 0, 1)
        y = F.conv2d(padded, weight, b, self.strides, 0, self.dilations, self.groups)
        return y.permute(0, 2, 3, 1)


CONVOLUTIONS = [
    Convolution("pointwise", (5, 4, 6), 8, (1, 1)),
    Convolution("stem", (9, 7, 3), 4, (3, 3), (2, 2), (1, 1, 1, 1)),
    Convolution("uneven padding", (8, 8, 2), 3, (3, 3), (2, 2), (0, 1, 0, 1)),
    Convolution("rectangular", (6, 7, 2), 3, (2, 3), (1, 2), (1, 0, 2, 1)),
    Convolution("dilated", (9, 9, 3), 2, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2)),
    Convolution("dilated, strided", (11, 9, 3), 2, (3, 2), (2, 3), (1, 2, 0, 3), (2, 3)),
    Convolution("grouped", (6, 6, 6), 9, (3, 3), (1, 1), (1, 1, 1, 1), groups=3),
    Convolution("channel multiplier", (6, 6, 3), 6, (3, 3), (1, 1), (1, 1, 1, 1), groups=3),
    Convolution("depthwise", (7, 7, 5), 5, (3, 3), (1, 1), (1, 1, 1, 1), groups=5),
    Convolution("depthwise 5x5, stride 2", (9, 9, 4), 4, (5, 5), (2, 2), (2, 2, 2, 2), groups=4),
    Convolution("rows left over", (8, 8, 2), 2, (3, 3), (3, 3)),
    Convolution("two parts", (5, 5, 6), 4, (3, 3), (1, 1), (1, 1, 1, 1), parts=(2, 4)),
    Convolution("depthwise, three parts", (5, 5, 6), 6, (3, 3), groups=6, parts=(1, 3, 2)),
]
each_convolution = pytest.mark.parametrize("case", CONVOLUTIONS, ids=lambda case: case.name)


def gradients(function, *arrays):
    """The result of `function` in torch, a random gradient of it, and those of its arguments."""
    leaves = [torch.tensor(array, requires_grad=True) for array in arrays]
    result = function(*leaves)
    upstream = np.random.default_rng(1).normal(size=tuple(result.shape))
    result.backward(torch.tensor(upstream))
    return result.detach().numpy(), upstream, [leaf.grad.numpy() for leaf in leaves]


def weight_names(parts: list[np.ndarray]) -> str:
    return ", ".join(f"%{index + 1}" for index in range(len(parts)))


@each_convolution
def test_convolution(case):
    x, w, b = case.operands()
    parts = case.split(w)
    expected = case.torch(*(torch.tensor(array) for array in (x, w, b))).numpy()
    text = f"tte.conv2d %0 weights({weight_names(parts)}) bias(%{len(parts) + 1}) {case.attributes}"
    found = evaluate(text, [x, *parts, b], tensor(expected.shape))
    assert relative_error(found, expected) < 1e-12


@each_convolution
def test_convolution_gradients(case):
    x, w, b = case.operands()
    y, dy, (dx, dw, db) = gradients(case.torch, x, w, b)
    parts = case.split(w)
    text = f"tte.conv2d_input_grad %0 weights({weight_names(parts)}) {case.attributes}"
    assert relative_error(evaluate(text, [dy, *parts], tensor(x.shape)), dx) < 1e-12
    offset = 0
    for part, expected in zip(parts, case.split(dw), strict=True):
        text = f"tte.conv2d_weight_grad %0, %1 {case.attributes} offset {offset}"
        found = evaluate(text, [x, dy], tensor(part.shape))
        assert relative_error(found, expected) < 1e-12
        offset += part.shape[case.axis]
    assert relative_error(evaluate("tte.bias_grad %0", [dy], tensor(b.shape)), db) < 1e-12


def test_convolution_in_f32_rounds_its_sums_once():
    x, w, b = (array.astype(np.float32) for array in CONVOLUTIONS[1].operands())
    expected = CONVOLUTIONS[1].torch(*(torch.tensor(array).double() for array in (x, w, b))).numpy()
    text = f"tte.conv2d %0 weights(%1) bias(%2) {CONVOLUTIONS[1].attributes}"
    found = evaluate(text, [x, w, b], tensor(expected.shape), real=np.float32)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize("parts", [(6,), (2, 4), (1, 2, 3)], ids=str)
def test_dense_and_its_gradients(parts):
    random = np.random.default_rng(3)
    x, w, b = random.normal(size=(2, 6)), random.normal(size=(6, 4)), random.normal(size=4)
    split = np.split(w, np.cumsum(parts)[:-1])
    y, dy, (dx, dw, db) = gradients(lambda x, w, b: x @ w + b, x, w, b)
    text = f"tte.dense %0 weights({weight_names(split)}) bias(%{len(parts) + 1})"
    assert relative_error(evaluate(text, [x, *split, b], tensor(y.shape)), y) < 1e-12
    text = f"tte.dense_input_grad %0 weights({weight_names(split)})"
    assert relative_error(evaluate(text, [dy, *split], tensor(x.shape)), dx) < 1e-12
    for offset, part in zip(
        np.cumsum((0, *parts)), np.split(dw, np.cumsum(parts)[:-1]), strict=False
    ):
        text = f"tte.dense_weight_grad %0, %1 offset {offset}"
        assert relative_error(evaluate(text, [x, dy], tensor(part.shape)), part) < 1e-12
    assert relative_error(evaluate("tte.bias_grad %0", [dy], tensor(b.shape)), db) < 1e-12


POOLS = [
    ((6, 6), (2, 2), (2, 2), (0, 0, 0, 0)),
    ((7, 5), (3, 3), (2, 2), (1, 1, 1, 1)),
    ((7, 7), (3, 2), (1, 3), (0, 2, 1, 0)),
    ((4, 4), (4, 4), (1, 1), (0, 0, 0, 0)),
    ((5, 5), (3, 3), (1, 1), (1, 1, 1, 1)),
]


def torch_pool(kind, kernel, strides, padding):
    top, bottom, left, right = padding

    def pool(x):
        x = x.permute(0, 3, 1, 2)
        if kind == "max":
            x = F.pad(x, (left, right, top, bottom), value=-torch.inf)
            return F.max_pool2d(x, kernel, strides).permute(0, 2, 3, 1)
        taps = F.avg_pool2d(F.pad(x, (left, right, top, bottom)), kernel, strides)
        inside = F.pad(torch.ones_like(x), (left, right, top, bottom))
        return (taps / F.avg_pool2d(inside, kernel, strides)).permute(0, 2, 3, 1)

    return pool


@pytest.mark.parametrize("kind", ["avg", "max"])
@pytest.mark.parametrize(("size", "kernel", "strides", "padding"), POOLS)
def test_pools_and_their_gradients(kind, size, kernel, strides, padding):
    # Few different values, so that windows hold their maximum several times.
    x = np.random.default_rng(4).integers(-3, 2, (2, *size, 3)).astype(np.float64)
    y, dy, (dx,) = gradients(torch_pool(kind, kernel, strides, padding), x)
    attributes = f"kernel {list(kernel)} strides {list(strides)} padding {list(padding)}"
    assert (
        relative_error(evaluate(f"tte.{kind}_pool2d %0 {attributes}", [x], tensor(y.shape)), y)
        < 1e-12
    )
    operands, names = ([x, dy], "%0, %1") if kind == "max" else ([dy], "%0")
    found = evaluate(f"tte.{kind}_pool2d_grad {names} {attributes}", operands, tensor(x.shape))
    assert relative_error(found, dx) < 1e-12


def test_cross_entropy_and_its_gradient():
    scores = np.random.default_rng(5).normal(size=(3, 5)) * [[1.0], [40.0], [900.0]]
    labels = np.array([4, 0, 2], np.int32)
    leaf = torch.tensor(scores, requires_grad=True)
    loss = F.cross_entropy(leaf, torch.tensor(labels).long())
    loss.backward()
    types = [tensor((3, 5)), tensor((3,), "i32")]
    found = evaluate(
        "tte.softmax_cross_entropy %0, %1", [scores, labels], "tensor<f32>", types=types
    )
    assert relative_error(found, loss.item()) < 1e-12
    found = evaluate(
        "tte.softmax_cross_entropy_grad %0, %1", [scores, labels], types[0], types=types
    )
    assert relative_error(found, leaf.grad.numpy()) < 1e-12


def test_mean_squared_error_and_its_gradient():
    random = np.random.default_rng(6)
    prediction, target = random.normal(size=(3, 4)), random.normal(size=(3, 4))
    leaf = torch.tensor(prediction, requires_grad=True)
    loss = F.mse_loss(leaf, torch.tensor(target))
    loss.backward()
    found = evaluate("tte.mean_squared_error %0, %1", [prediction, target], "tensor<f32>")
    assert relative_error(found, loss.item()) < 1e-12
    found = evaluate("tte.mean_squared_error_grad %0, %1", [prediction, target], tensor((3, 4)))
    assert relative_error(found, leaf.grad.numpy()) < 1e-12


@pytest.mark.parametrize(("low", "high"), [("0.0", "6.0"), ("0.0", "inf"), ("-1.5", "0.7")])
def test_clamp_and_its_gradient(low, high):
    x = np.random.default_rng(7).normal(size=(2, 3, 4, 5)) * 5
    y, dy, (dx,) = gradients(lambda x: torch.clamp(x, float(low), float(high)), x)
    kind = tensor(x.shape)
    found = evaluate(f"tte.clamp %0 <{low}, {high}> : {kind}", [x], kind)
    assert relative_error(found, y) < 1e-6  # the bounds are f32
    found = evaluate(f"tte.clamp_grad %0, %1 <{low}, {high}>", [dy, y.astype(np.float32)], kind)
    np.testing.assert_array_equal(found, dx)


def test_a_mask_of_bits_is_the_mask_of_clamp_grad():
    random = np.random.default_rng(8)
    output, gradient = np.clip(random.normal(size=(3, 7)), -0.5, 0.5), random.normal(size=(3, 7))
    mask = evaluate("tte.clamp_mask %0 <-0.5, 0.5>", [output], "tensor<3xi8>")
    bits = [(int(mask[e // 8]) & 0xFF) >> e % 8 & 1 for e in range(24)]
    assert bits == [*(np.abs(output.reshape(-1)) < 0.5).astype(int), 0, 0, 0]
    types = [tensor((3, 7)), "tensor<3xi8>"]
    applied = evaluate("tte.apply_mask %0, %1", [gradient, mask], types[0], types=types)
    direct = evaluate("tte.clamp_grad %0, %1 <-0.5, 0.5>", [gradient, output], types[0])
    np.testing.assert_array_equal(applied, direct)


def test_slice_permute_and_reshape_with_their_gradients():
    x = np.random.default_rng(9).normal(size=(2, 5, 4, 3))
    y, dy, (dx,) = gradients(lambda x: x[1:2, 2:5, 0:4, 1:3], x)
    found = evaluate("tte.slice %0 offsets [1, 2, 0, 1]", [x], tensor(y.shape))
    np.testing.assert_array_equal(found, y)
    found = evaluate("tte.slice_grad %0 offsets [1, 2, 0, 1]", [dy], tensor(x.shape))
    np.testing.assert_array_equal(found, dx)
    found = evaluate("tte.permute %0 [0, 3, 1, 2]", [x], tensor((2, 3, 5, 4)))
    np.testing.assert_array_equal(found, x.transpose(0, 3, 1, 2))
    found = evaluate("tte.reshape %0", [x], tensor((2, 60)))
    np.testing.assert_array_equal(found, x.reshape(2, 60))


def test_add_clamps():
    a, b = np.array([1.0, -2.0, 3.0]), np.array([1.0, 1.0, 4.0])
    found = evaluate("tte.add %0, %1 clamp <0.0, 6.0>", [a, b], tensor((3,)))
    np.testing.assert_array_equal(found, [2.0, 0.0, 6.0])


def test_one_hot():
    found = evaluate(
        "tte.one_hot %0", [np.array([2, 0], np.int32)], tensor((2, 3)), types=["tensor<2xi32>"]
    )
    np.testing.assert_array_equal(found, [[0, 0, 1], [1, 0, 0]])
