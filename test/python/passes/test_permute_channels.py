# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Permuted networks infer and train as the original does, parameter by parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import mcunet_files
import numpy as np
import pytest
from mcunet_networks import model_path
from mlir import ir

from tte_mlir import stages
from tte_mlir.errors import TTEError
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint
from tte_mlir.passes import update_marks
from tte_mlir.passes.origins import Origin
from tte_mlir.passes.parameters import parameters_of
from tte_mlir.passes.permute_channels import permute_channels
from tte_mlir.passes.split_parameters import split_parameters
from tte_mlir.passes.update_scheme import mark_updates
from tte_mlir.reference import Interpreter
from tte_mlir.reference.training import TrainingRun

SCHEMES = Path(__file__).parents[3] / "examples" / "schemes"
TRAINING = "tte-autodiff{rounding=%s},tte-prune-backward,func.func(tte-qas,canonicalize)"

Permute = Callable[[ir.Module, Callable[[str], None]], None]


def build(
    checkpoint: Path,
    scheme: Path,
    permute: Permute = permute_channels,
    rounding: str = "stochastic",
    optimizer: str = "",
) -> tuple[ir.Module, list[str]]:
    """A module that trains, and the remarks on it."""
    remarks: list[str] = []
    module = load_checkpoint(checkpoint)
    with module.context, ir.Location.unknown():
        mark_updates(module, str(scheme))
        permute(module, remarks.append)
        split_parameters(module)
    stages.run_step(module, TRAINING % rounding + optimizer, "optimizer")
    return module, remarks


def leave(module: ir.Module, remark: Callable[[str], None]) -> None:
    """Permutes nothing: the runs of channels become parts of their weights."""


def originals(module: ir.Module, state: dict[str, np.ndarray]) -> dict[str, dict[tuple, int]]:
    """The trained numbers by parameter and by their index in the original one."""
    parameters = parameters_of(module)
    found: dict[str, dict[tuple, int]] = {}
    for name, array in state.items():
        if name.endswith((".gradient", ".velocity", ".residual")):
            continue  # the optimizer's
        origin = Origin.of(parameters[name])
        numbers = found.setdefault(origin.name, {})
        for index in np.ndindex(array.shape):
            place = tuple(origin.places[d][i] for d, i in enumerate(index))
            assert place not in numbers
            numbers[place] = array[index]
    return found


def parts_of(module: ir.Module) -> set[str]:
    """The parameters that are parts of others."""
    return {name for name, op in parameters_of(module).items() if Origin.of(op).name != name}


def assert_same_training(first: ir.Module, second: ir.Module, inputs: Sequence[np.ndarray]) -> None:
    """Scores, losses and every trained number, step by step. Sums of the interpreter are f64, so
    that their order does not show."""
    runs = [TrainingRun(module) for module in (first, second)]
    before = originals(first, runs[0].state)
    assert before == originals(second, runs[1].state)
    for step, x in enumerate(inputs):
        results = [run.train_step(x, step % 5, 0.3) for run in runs]
        np.testing.assert_array_equal(results[0].scores, results[1].scores)
        assert results[0].loss == results[1].loss
        assert originals(first, runs[0].state) == originals(second, runs[1].state)
    assert before != originals(first, runs[0].state)


def images(size: int, count: int = 3, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(-128, 128, (1, size, size, 3)).astype(np.int8) for _ in range(count)]


def small_checkpoint(directory: Path) -> Path:
    return mcunet_files.write(directory / "small.pkl", mcunet_files.small_network())


def scheme_file(directory: Path, text: str) -> Path:
    path = directory / "scheme.yaml"
    path.write_text(text)
    return path


def test_chosen_channels_lie_together_and_train_alike(tmp_path: Path):
    checkpoint = small_checkpoint(tmp_path)
    scheme = scheme_file(tmp_path, mcunet_files.CHOSEN_CHANNELS)
    permuted, remarks = build(checkpoint, scheme)
    assert remarks == []
    assert parts_of(permuted) == set()
    parts, _ = build(checkpoint, scheme, leave)
    assert "blocks.1.pointwise1.weight.1" in parts_of(parts)
    assert_same_training(permuted, parts, images(8))


@pytest.mark.parametrize(
    ("rounding", "optimizer"),
    [
        ("stochastic", ",tte-accumulate{batch=2},tte-momentum{factor=0.5}"),
        ("nearest", ",tte-residual{bits=4}"),
    ],
)
def test_the_state_of_an_optimizer_follows_its_channels(tmp_path: Path, rounding, optimizer):
    checkpoint = small_checkpoint(tmp_path)
    scheme = scheme_file(tmp_path, mcunet_files.CHOSEN_CHANNELS)
    permuted, _ = build(checkpoint, scheme, permute_channels, rounding, optimizer)
    parts, _ = build(checkpoint, scheme, leave, rounding, optimizer)
    assert_same_training(permuted, parts, images(8, count=5))


def test_first_channels_need_no_permutation(tmp_path: Path):
    scheme = scheme_file(tmp_path, "layers: {blocks.1.pointwise1: 1/2, blocks.1.depthwise: 1/4}")
    permuted, remarks = build(small_checkpoint(tmp_path), scheme)
    left, _ = build(small_checkpoint(tmp_path), scheme, leave)
    assert str(permuted) == str(left)
    assert remarks == []


def test_the_largest_norms_are_of_real_values(tmp_path: Path):
    network = mcunet_files.small_network()
    params = network["blocks"][1]["pointwise1"]["params"]
    params["weight"][...] = 1
    params["weight"][:, 3] = 2  # the largest in the grid
    params["weight"][7, 5] = 4  # the largest in reality: its output channel has a large scale
    params["w_scales"][7] *= 100
    module = load_checkpoint(mcunet_files.write(tmp_path / "net.pkl", network))
    scheme = scheme_file(tmp_path, "channels: norm\nlayers: {blocks.1.pointwise1: 1/6}")
    mark_updates(module, str(scheme))
    assert update_marks.read(parameters_of(module)["blocks.1.pointwise1.weight"]) == {5}


def test_channels_of_the_input_stay_in_several_parts(tmp_path: Path):
    checkpoint = small_checkpoint(tmp_path)
    scheme = scheme_file(tmp_path, "layers: {first_conv: {channels: [2, 0]}}")
    module, remarks = build(checkpoint, scheme)
    assert remarks == [
        "first_conv.weight: the 2 channels that train lie in 2 runs, each a part of its own: their "
        "order is fixed: the network's input or a reshape needs their order"
    ]
    assert parts_of(module) == {f"first_conv.weight.{part}" for part in range(3)}
    whole, _ = build(checkpoint, scheme_file(tmp_path, "layers: {first_conv: 1}"))
    runs = [TrainingRun(module), TrainingRun(whole)]
    for x in images(8, 1):
        losses = [run.train_step(x, 1, 0.3).loss for run in runs]
        assert losses[0] == losses[1]
    trained = originals(module, runs[0].state)["first_conv.weight"]
    expected = originals(whole, runs[1].state)["first_conv.weight"]
    assert {index[2] for index in trained} == {0, 2}
    assert trained == {index: expected[index] for index in trained}


def three_readers(directory: Path) -> Path:
    """Two blocks that read one stream of channels, as does the classifier."""
    network = mcunet_files.small_network()
    block = dict(network["blocks"][1])
    grid = network["blocks"][1]["residual"]["params"]
    source = {"x_scale": grid["y_scale"], "x_zero": grid["y_zero"]}
    pointwise = dict(block["pointwise1"], params=block["pointwise1"]["params"] | source)
    total = dict(block["residual"], params=grid | source)
    network["blocks"].append(block | {"pointwise1": pointwise, "residual": total})
    return mcunet_files.write(directory / "stream.pkl", network)


def test_three_choices_on_one_stream(tmp_path: Path):
    """Channels {0, 1}, {1, 2} and {2, 0}: two of them lie together, the compiler says which not."""
    checkpoint = three_readers(tmp_path)
    scheme = scheme_file(
        tmp_path,
        """
        layers:
          blocks.1.pointwise1: {channels: [0, 1]}
          blocks.2.pointwise1: {channels: [1, 2]}
          classifier: {channels: [2, 0]}
        """,
    )
    module, remarks = build(checkpoint, scheme)
    assert len(remarks) == 1
    assert remarks[0].startswith("classifier.weight: the 2 channels that train lie in 2 runs, each")
    assert "shared with layers that chose others: blocks.1.pointwise1.weight, " in remarks[0]
    assert_same_training(module, build(checkpoint, scheme, leave)[0], images(8))


def test_too_many_runs_are_refused(tmp_path: Path):
    module = load_checkpoint(small_checkpoint(tmp_path))
    update_marks.write(parameters_of(module)["blocks.1.pointwise2.weight"], range(0, 12, 2))
    with module.context, ir.Location.unknown():
        split_parameters(module)  # six runs are few enough
    assert len(parts_of(module)) == 12
    module = load_checkpoint(model_path("mcunet"))
    update_marks.write(parameters_of(module)["blocks.1.pointwise2.weight"], range(0, 18, 2))
    with (
        module.context,
        ir.Location.unknown(),
        pytest.raises(TTEError, match="blocks.1.pointwise2: .* in 9 runs .* expected at most 8"),
    ):
        split_parameters(module)


@pytest.mark.parametrize("network", ["mcunet", "mbv2", "proxyless"])
def test_backbones_infer_alike(tmp_path: Path, network: str):
    """The 49 KB schemes with the channels of the largest norms: scores are the same, bit for bit,
    and what trains starts from the original weights, of the channels that were chosen."""
    text = (SCHEMES / f"{network}-49kb.yaml").read_text()
    scheme = scheme_file(tmp_path, text + "channels: norm\n")
    module, _ = build(model_path(network), scheme)
    original = load_checkpoint(model_path(network))
    mark_updates(original, str(scheme))
    run = TrainingRun(module)
    trained = originals(module, run.state)
    for name, op in parameters_of(original).items():
        chosen, values = update_marks.read(op), np.array(op.value)
        if not chosen:
            continue
        numbers = trained.pop(name)
        assert all(values[place] == number for place, number in numbers.items())
        axis = -1 if name.endswith(("bias", "depthwise.weight")) else -2
        assert {place[axis] for place in numbers} == chosen
    assert not trained
    image = images(128, 1)[0]
    reference = Interpreter(original).run("forward", image)[0]
    np.testing.assert_array_equal(run.infer(image), reference)
