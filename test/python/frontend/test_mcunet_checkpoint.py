# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MCUNetV3 checkpoints, run by the numpy interpreter, against a simulation of their authors'
formulas; and files that are no such checkpoints."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mcunet_files
import mcunet_simulation
import numpy as np
import pytest
from mcunet_networks import NETWORKS, model_path
from mlir import ir
from mlir.dialects import ml_program

from tte_mlir import locations
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend import mcunet_layers, models
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint, pixel_scaling
from tte_mlir.reference import Interpreter

CONVOLUTIONS = {"mbv2-w0.35": 51, "proxyless-w0.3": 60, "mcunet-5fps": 42}
MEGA_MACS = {"mbv2-w0.35": 16.6, "proxyless-w0.3": 18.6, "mcunet-5fps": 22.5}
MODELS = list(NETWORKS.values())
SCORES_LSB = 8


def images(size: int, count: int, seed: int = 0) -> list[np.ndarray]:
    """Coloured gradients with blobs, int8 (3, size, size)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    result = []
    for _ in range(count):
        a, b, c = rng.uniform(-1, 1, (3, 3, 1, 1))
        image = 0.5 * (a + b * x + c * y)
        for _ in range(6):
            row, column, radius = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.05, 0.3)
            blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / radius**2)
            image = image + rng.uniform(-1, 1, (3, 1, 1)) * blob
        result.append(np.clip(np.rint(128 * image), -128, 127).astype(np.int8))
    return result


def observe(interpreter: Interpreter, image: np.ndarray) -> dict[str, np.ndarray]:
    """The result of each layer by name, (channels, height, width)."""
    results: dict[str, np.ndarray] = {}

    def note(op: ir.OpView, arrays: list[np.ndarray]) -> None:
        if isinstance(op, tte.Conv2DOp | tte.AddOp | tte.AvgPool2DOp | tte.DenseOp):
            results[locations.layer(op.operation)] = np.moveaxis(arrays[0][0], -1, 0)

    interpreter.run("forward", np.moveaxis(image, 0, -1)[None], observe=note)
    return results


def check_against_simulation(path: Path, network: dict, image: np.ndarray) -> None:
    interpreter = Interpreter(load_checkpoint(path))
    found = observe(interpreter, image)
    expected: list[str] = []

    def compare(name: str, simulated: np.ndarray) -> np.ndarray:
        expected.append(name)
        difference = np.abs(simulated - found[name]).max()
        assert difference <= 1, f"{name}: {difference} LSB"
        return found[name]

    mcunet_simulation.simulate(network, image, compare)
    assert [*expected, "classifier"] == list(found)
    simulated = mcunet_simulation.simulate(network, image, lambda name, result: result)
    scores = found["classifier"] / network["classifier"]["params"]["y_scale"]
    assert np.abs(scores - simulated).max() <= SCORES_LSB
    if scores.argmax() != simulated.argmax():
        assert simulated.max() - simulated[scores.argmax()] <= SCORES_LSB


def parameters_of(module: ir.Module) -> dict[str, tuple[np.ndarray, str]]:
    """The stored numbers and the type of each parameter."""
    return {
        op.sym_name.value: (np.array(op.value), str(op.operation.attributes["type"]))
        for op in module.body.operations
        if isinstance(op, ml_program.GlobalOp)
    }


# The networks of MCUNetV3


@pytest.mark.parametrize("image", range(3))
@pytest.mark.parametrize("name", MODELS)
def test_layers_follow_the_authors_formulas(name: str, image: int) -> None:
    path = model_path(name)
    network = mcunet_simulation.read(path)
    check_against_simulation(path, network, images(128, 3)[image])


@pytest.mark.parametrize("name", MODELS)
def test_convolutions_and_macs(name: str) -> None:
    module = load_checkpoint(model_path(name))
    forward = ir.SymbolTable(module.operation)["forward"]
    layers = [op for op in forward.body.blocks[0] if isinstance(op, tte.Conv2DOp)]
    assert len(layers) == CONVOLUTIONS[name]
    assert sum(tte.macs(op.operation) for op in layers) / 1e6 == pytest.approx(
        MEGA_MACS[name], abs=0.05
    )
    assert str(forward.type.results[0]) == "tensor<1x1000xf32>"


@pytest.mark.parametrize("name", MODELS)
def test_clamped_biases_change_no_output(name: str) -> None:
    """For all inputs, in exact arithmetic with the scales of the checkpoint."""
    path = model_path(name)
    parameters = parameters_of(load_checkpoint(path))
    clamped = 0
    for layer_name, layer in mcunet_simulation.convolutions(mcunet_simulation.read(path)).items():
        params = layer["params"]
        stored, _ = parameters[f"{layer_name}.bias"]
        for o in np.flatnonzero(stored != params["bias"]):
            clamped += 1
            bound = 2**31 - 1 - 255 * 127 * params["weight"][o].size
            assert stored[o] == np.sign(params["bias"][o]) * bound
            biases = {int(params["bias"][o]), int(stored[o])}
            assert len({y for bias in biases for y in extremes(params, o, bias)}) == 1
    assert (clamped > 0) == (name != "mbv2-w0.35")


def extremes(params: dict, o: int, bias: int) -> set[int]:
    """The least and the greatest output of a channel over all inputs."""
    factor = Fraction(params["x_scale"]) * Fraction(float(params["w_scales"][o]))
    factor /= Fraction(params["y_scale"])
    products = np.outer([-128 - params["x_zero"], 127 - params["x_zero"]], params["weight"][o])
    sums = int(products.min(axis=0).sum()), int(products.max(axis=0).sum())
    rounded = (int((factor * (bias + total) + Fraction(1, 2)) // 1) for total in sums)
    return {min(max(y + params["y_zero"], -128), 127) for y in rounded}


# A small network


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, dict]:
    network = mcunet_files.small_network()
    return mcunet_files.write(tmp_path / "small.pkl", network), network


@pytest.mark.parametrize("image", range(5))
def test_small_network_follows_the_authors_formulas(small: tuple[Path, dict], image: int) -> None:
    check_against_simulation(*small, images(8, 5)[image])


def test_names_types_and_text(small: tuple[Path, dict]) -> None:
    path, network = small
    context = ir.Context()
    module = load_checkpoint(path, context=context)
    parameters = parameters_of(module)
    roles = ["depthwise", "pointwise2"]
    layers = ["first_conv", *(f"blocks.0.{r}" for r in roles)]
    layers += [f"blocks.1.{r}" for r in ["pointwise1", *roles]] + ["classifier"]
    assert list(parameters) == [f"{layer}.{p}" for layer in layers for p in ("weight", "bias")]
    weight, _ = parameters["blocks.1.depthwise.weight"]
    expected = network["blocks"][1]["depthwise"]["params"]["weight"]
    np.testing.assert_array_equal(weight, expected.transpose(2, 3, 1, 0))
    bound = 2**31 - 1 - 255 * 127 * 25
    assert f"i32<-{bound}:{bound}>:f32:0" in parameters["blocks.1.depthwise.bias"][1]
    text = str(module)
    assert str(ir.Module.parse(text, context)) == text
    assert "tte.role = #tte.role<input>" in text


def test_clamp_of_a_dead_channel(tmp_path: Path) -> None:
    network = mcunet_files.small_network()
    params = network["first_conv"]["params"]
    params["bias"][:2] = [-(2**31), 2**31 - 1]
    params["w_scales"][:2] = 4e-9
    path = mcunet_files.write(tmp_path / "dead.pkl", network)
    bias, _ = parameters_of(load_checkpoint(path))["first_conv.bias"]
    bound = 2**31 - 1 - 255 * 127 * 27
    assert bias.tolist() == [-bound, bound, *params["bias"][2:]]
    check_against_simulation(path, network, images(8, 1)[0])


def test_fresh_classifier(small: tuple[Path, dict]) -> None:
    def weight(seed: int) -> tuple[np.ndarray, str]:
        module = load_checkpoint(small[0], classes=40, seed=seed)
        (scores,) = Interpreter(module).run("forward", np.zeros((1, 8, 8, 3), np.int8))
        assert scores.shape == (1, 40)
        parameters = parameters_of(module)
        assert not parameters["classifier.bias"][0].any()
        return parameters["classifier.weight"]

    array, kind = weight(seed=1)
    assert array.shape == (6, 40)
    assert np.abs(array).max() == 32  # of 127: four times the initial range
    assert np.abs(array).mean() == pytest.approx(16, abs=3)
    scales = [float(scale) for scale in kind.partition("{")[2].rstrip("}>").split(",")]
    assert scales == pytest.approx([4 / np.sqrt(6) / 127] * 40, rel=1e-6)
    np.testing.assert_array_equal(array, weight(seed=1)[0])
    assert (array != weight(seed=2)[0]).mean() > 0.9


def test_pixels(small: tuple[Path, dict]) -> None:
    scale, offset = pixel_scaling(load_checkpoint(small[0]))
    assert (scale, offset) == pytest.approx((2 / 255, -256 / 255), rel=1e-6)


def test_command_line_name(small: tuple[Path, dict]) -> None:
    model = models.load(str(small[0]), classes=4, seed=2)
    module = models.import_model(model, None, ir.Context())
    assert str(module) == str(load_checkpoint(small[0], classes=4, seed=2))


# What is refused


def test_too_few_classes(small: tuple[Path, dict]) -> None:
    for classes in (1, 0, -3):
        with pytest.raises(TTEError, match=f"classes is {classes}, expected .* at least 2"):
            load_checkpoint(small[0], classes)


def replaced(value: object, *path: object) -> Callable[[dict], None]:
    """Sets the value at a path; deletes what is there for `...`."""

    def change(network: dict) -> None:
        place = network
        for key in path[:-1]:
            place = place[key]
        if value is ...:
            del place[path[-1]]
        elif callable(value):
            place[path[-1]] = value(place[path[-1]])
        else:
            place[path[-1]] = value

    return change


FIRST, SECOND = ("blocks", 0), ("blocks", 1)
WRONG_FIELDS = {
    "no-stem": (replaced(..., "first_conv"), "has no field 'first_conv', found blocks,"),
    "blocks-none": (replaced(None, "blocks"), "blocks is None, expected a list"),
    "block-number": (replaced(3, *SECOND), r"blocks\.1: is 3, expected a dict"),
    "no-depthwise": (replaced(None, *FIRST, "depthwise"), r"blocks\.0\.depthwise: is None"),
    "no-params": (replaced(..., "classifier", "params"), "classifier: has no field 'params'"),
    "no-weight": (
        replaced(..., *SECOND, "pointwise1", "params", "weight"),
        r"blocks\.1\.pointwise1\.params: has no field 'weight'",
    ),
    "squeeze": (replaced({}, *FIRST, "se"), r"blocks\.0: se is dict, expected None \(squeeze"),
    "act": (replaced("relu6", "first_conv", "act"), "first_conv: act is 'relu6', expected None"),
    "weight-shape": (
        replaced(lambda w: w[:, :-1], *SECOND, "pointwise2", "params", "weight"),
        r"blocks\.1\.pointwise2\.params: weight is int8 of shape \(6, 11, 1, 1\), "
        r"expected int8 of shape \(6, 12, 1, 1\)",
    ),
    "weight-dtype": (
        replaced(lambda w: w.astype(np.float32), "first_conv", "params", "weight"),
        r"first_conv\.params: weight is float32 .*, expected int8 of shape \(4, 3, 3, 3\)",
    ),
    "weight-range": (
        replaced(lambda w: np.full_like(w, -128), "first_conv", "params", "weight"),
        r"first_conv\.params: weight holds -128, expected -127 to 127",
    ),
    "bias-list": (
        replaced([1, 2, 3, 4], "first_conv", "params", "bias"),
        r"first_conv\.params: bias is \[1, 2, 3, 4\], expected int32 of shape \(4,\)",
    ),
    "scale-nan": (
        replaced(float("nan"), *FIRST, "depthwise", "params", "y_scale"),
        r"blocks\.0\.depthwise\.params: y_scale is nan, expected a scale",
    ),
    "weight-scale-zero": (
        replaced(np.zeros_like, *FIRST, "depthwise", "params", "w_scales"),
        r"blocks\.0\.depthwise\.params: w_scales of channel 0 is 0\.0, expected a scale",
    ),
    "zero-point": (
        replaced(128, "first_conv", "params", "y_zero"),
        r"first_conv\.params: y_zero is 128, expected an integer -128 to 127",
    ),
    "grids-differ": (
        replaced(0.021, *FIRST, "pointwise2", "params", "x_scale"),
        r"blocks\.0\.pointwise2\.params: x_scale and x_zero are 0\.021 and -128, expected 0\.02 "
        r"and -128 \(the layer before",
    ),
    "sum-grid": (
        replaced(0, *SECOND, "residual", "params", "x_zero"),
        r"blocks\.1\.residual\.params: x_scale and x_zero are 0\.05 and 0, expected 0\.05 and 3",
    ),
    "sum-shape": (
        replaced({"in_channel": 4, "in_shape": 4, "params": {}}, *FIRST, "residual"),
        r"blocks\.0\.residual: adds maps of shape \(1, 4, 4, 4\) and \(1, 4, 4, 6\)",
    ),
    "factor": (
        replaced(1e-15, *FIRST, "pointwise2", "params", "y_scale"),
        r"blocks\.0\.pointwise2\.params: x_scale \* w_scales / y_scale of channel . is .*, "
        "expected less than",
    ),
    "channels": (
        replaced(7, "classifier", "in_channel"),
        r"classifier: in_channel is 7, expected 6 \(the layer before gives that\)",
    ),
    "out-shape": (
        replaced(5, "first_conv", "out_shape"),
        r"first_conv: out_shape is 5, expected 4 from in_shape 8, kernel_size \(3, 3\) and stride",
    ),
    "stride": (
        replaced(0, "first_conv", "stride"), "first_conv: stride is 0, expected an integer 1 to"
    ),
    "kernel": (
        replaced(3, "first_conv", "kernel_size"),
        r"first_conv: kernel_size is 3, expected \(height, width\)",
    ),
    "groups": (
        replaced(3, "first_conv", "groups"), "first_conv: depthwise is False, expected True"
    ),
    "live-overflow": (
        replaced(lambda b: np.full_like(b, 2**31 - 1), "classifier", "params", "bias"),
        "classifier: bias of channel 0 is 2147483647, which may overflow .* expected at most",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_wrong_fields(tmp_path: Path, case: str) -> None:
    change, message = WRONG_FIELDS[case]
    network = mcunet_files.small_network()
    change(network)
    path = mcunet_files.write(tmp_path / "wrong.pkl", network)
    with pytest.raises(TTEError, match=message):
        load_checkpoint(path)


def test_clamp_that_would_change_an_output(tmp_path: Path) -> None:
    """A constant channel, just above a tie: 100.505, and 100.491 where the bias is clamped."""
    network = mcunet_files.small_network()
    params = network["blocks"][0]["depthwise"]["params"]
    params["weight"][2], params["bias"][2] = 0, 2**31 - 1
    params["w_scales"][2] = 100.505 / 2**31
    path = mcunet_files.write(tmp_path / "tie.pkl", network)
    with pytest.raises(TTEError, match=r"blocks\.0\.depthwise: bias of channel 2 is 2147483647"):
        load_checkpoint(path)


class Marker:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_only_numbers_are_unpickled(tmp_path: Path) -> None:
    for content, found in [
        (Marker(tmp_path / "ran"), "posix.mkdir"),
        (np.array([{}], object), "an array of dtype 'O8'"),
        (np.array(["text"]), "an array of dtype 'U4'"),
        (Fraction(1, 2), "fractions.Fraction"),
        (os.path.join, "posixpath.join"),
    ]:
        path = mcunet_files.write(tmp_path / "code.pkl", {"first_conv": content})
        with pytest.raises(TTEError, match=f"the pickle holds '?{found}'?, expected"):
            load_checkpoint(path)
    assert not (tmp_path / "ran").exists()


def test_tensors_are_refused(tmp_path: Path) -> None:
    reference = b"\x80\x02X\x07\x00\x00\x00storageQ."  # a persistent id, as of torch's tensors
    path = mcunet_files.write_pickle(tmp_path / "tensor.pkl", reference)
    with pytest.raises(TTEError, match="the pickle holds a torch tensor, expected numpy arrays"):
        load_checkpoint(path)


def test_files_that_are_no_archives(small: tuple[Path, dict], tmp_path: Path) -> None:
    whole = small[0].read_bytes()
    path = tmp_path / "damaged.pkl"
    for data in (b"", b"hello", whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(data)
        with pytest.raises(TTEError, match="damaged.pkl: not a zip archive .*, or truncated"):
            load_checkpoint(path)
    mcunet_files.write_pickle(path, b"", member="other")
    with pytest.raises(TTEError, match="has no archive/data.pkl"):
        load_checkpoint(path)
    with pytest.raises(TTEError, match="no such file"):
        load_checkpoint(tmp_path / "absent.pkl")


def test_damaged_pickles_raise_nothing_else(tmp_path: Path) -> None:
    """Seed 0; each byte string is the pickle with bytes changed or its end cut off."""
    whole = pickle.dumps(mcunet_files.small_network(), protocol=2)
    rng = np.random.default_rng(0)
    messages: list[str] = []
    for _ in range(300):
        data = bytearray(whole)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            data[position] = rng.integers(0, 256)
        if rng.random() < 0.2:
            del data[rng.integers(0, len(data)) :]
        path = mcunet_files.write_pickle(tmp_path / "damaged.pkl", bytes(data))
        try:
            mcunet_layers.read(path)
        except TTEError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)
