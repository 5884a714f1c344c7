# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demo's network, data and checkpoint."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "mobilenet_v2"


def load_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mobilenet_v2_{name}", EXAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fashion_mnist = load_module("fashion_mnist")


@pytest.fixture(scope="module")
def model() -> ModuleType:
    pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    return load_module("model")


@pytest.fixture
def pretrain(model: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(sys.modules, "fashion_mnist", fashion_mnist)
    monkeypatch.setitem(sys.modules, "model", model)
    return load_module("pretrain")


@pytest.fixture(scope="module")
def dataset() -> Path:
    if not fashion_mnist.DIRECTORY.is_dir():
        pytest.skip(f"Debian package {fashion_mnist.PACKAGE} is not installed")
    return fashion_mnist.DIRECTORY


def scores(network, x: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return network(torch.from_numpy(x).float() / 255).numpy()


# The data


def test_absent_dataset_names_the_package(tmp_path: Path):
    with pytest.raises(fashion_mnist.DatasetError, match="dataset-fashion-mnist") as caught:
        fashion_mnist.load("train", tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_dataset_is_refused(tmp_path: Path, dataset: Path):
    name = "t10k-images-idx3-ubyte.gz"
    (tmp_path / name).write_bytes((dataset / name).read_bytes()[:5000])
    with pytest.raises(fashion_mnist.DatasetError, match="damaged"):
        fashion_mnist.load("test", tmp_path)


def test_subset_keeps_classes_and_renumbers(dataset: Path):
    classes = (9, 2)
    x, y = fashion_mnist.subset("test", classes, count=200, seed=3)
    assert x.shape == (200, 3, 64, 64) and x.dtype == np.uint8
    assert set(y) == {0, 1}
    assert (x[:, 0] == x[:, 1]).all() and (x[:, 0] == x[:, 2]).all()
    images, labels = fashion_mnist.load("test")
    chosen = np.random.default_rng(3).permutation(np.flatnonzero(np.isin(labels, classes)))[:200]
    assert [classes[i] for i in y] == labels[chosen].tolist()


def test_order_depends_on_the_seed_alone(dataset: Path):
    first, again, other = (
        fashion_mnist.subset("test", (5, 6), count=50, seed=seed)[0] for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_too_many_images_are_refused(dataset: Path):
    with pytest.raises(fashion_mnist.DatasetError, match="3000 images asked for.*has 2000"):
        fashion_mnist.subset("test", (0, 1), count=3000)


def test_resize_is_bilinear():
    torch = pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28), dtype=np.uint8)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(images)[:, None].double(), size=(64, 64), mode="bilinear"
    )
    # Weights in 1/256 and the final rounding: one grey level at most, each about a half.
    difference = fashion_mnist.resize(images) - expected[:, 0].numpy()
    assert np.abs(difference).max() < 1.5


def test_command_line_writes_npz(tmp_path: Path, dataset: Path):
    output = tmp_path / "data.npz"
    command = [sys.executable, EXAMPLE / "fashion_mnist.py", "--split", "test"]
    command += ["--classes", "5-9", "--count", "20", "--seed", "1", "-o", output]
    subprocess.run(command, check=True)
    with np.load(output) as data:
        x, y = fashion_mnist.subset("test", (5, 6, 7, 8, 9), 20, seed=1)
        assert (data["x"] == x).all() and (data["y"] == y).all()


def test_command_line_refuses_unknown_class(tmp_path: Path):
    command = [sys.executable, EXAMPLE / "fashion_mnist.py", "--split", "test"]
    command += ["--classes", "7-12", "-o", tmp_path / "data.npz"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2
    assert "7-12" in result.stderr and "Traceback" not in result.stderr


# The network and its checkpoint


def test_shapes_and_names_are_those_of_mobilenet_v2(model: ModuleType):
    network = model.demo_model(num_classes=7)
    assert scores(network, np.zeros((2, *model.INPUT_SHAPE), np.uint8)).shape == (2, 7)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes["features.0.0.weight"] == (16, 3, 3, 3)
    assert shapes["features.1.conv.0.0.weight"] == (16, 1, 3, 3)
    assert shapes["features.17.conv.2.weight"] == (112, 336, 1, 1)
    assert shapes["features.18.0.weight"] == (256, 112, 1, 1)
    assert shapes["classifier.1.weight"] == (7, 256)
    skips = [i for i in range(1, 18) if network.features[i].use_res_connect]
    assert skips == [3, 5, 6, 8, 9, 10, 12, 13, 15, 16]


def test_checkpoint_is_small():
    assert (EXAMPLE / "mobilenet_v2_w035.npz").stat().st_size < 1_000_000


def test_pretrained_accuracy(model: ModuleType, dataset: Path):
    x, y = fashion_mnist.subset("test", fashion_mnist.PRETRAINING_CLASSES, count=500, seed=0)
    accuracy = (scores(model.pretrained_model(), x).argmax(1) == y).mean()
    assert accuracy >= 0.89


def test_fresh_classifier_depends_on_the_seed_alone(model: ModuleType):
    first, again, other = (model.demo_model(seed=seed) for seed in (0, 0, 1))
    for name, value in first.state_dict().items():
        assert (value == again.state_dict()[name]).all()
        assert (value != other.state_dict()[name]).any() == (name == "classifier.1.weight")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_checkpoint_is_refused(model: ModuleType, tmp_path: Path, share: float):
    content = model.CHECKPOINT.read_bytes()
    path = tmp_path / "short.npz"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(model.CheckpointError, match="short.npz: truncated") as caught:
        model.pretrained_model(path)
    assert "\n" not in str(caught.value)


def test_damaged_checkpoint_is_refused(model: ModuleType, tmp_path: Path):
    content = bytearray(model.CHECKPOINT.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    with pytest.raises(model.CheckpointError, match="damaged.npz"):
        model.pretrained_model(path)


def test_checkpoint_of_another_width_is_refused(model: ModuleType, tmp_path: Path):
    path = tmp_path / "wide.npz"
    model.save_checkpoint(model.MobileNetV2(num_classes=5, width=0.5), path)
    with pytest.raises(model.CheckpointError, match=r"shape \(.*\), expected \(") as caught:
        model.demo_model(checkpoint=path)
    assert "features." in str(caught.value)


def test_absent_checkpoint_is_refused(model: ModuleType, tmp_path: Path):
    with pytest.raises(model.CheckpointError, match="no such checkpoint"):
        model.demo_model(checkpoint=tmp_path / "none.npz")


# The pretraining


def test_half_a_batch_is_turned_in_equal_shares(pretrain: ModuleType):
    import torch

    x = torch.rand(12, 3, 8, 8)
    turned, turns = pretrain.turn_second_half(x)
    assert sorted(turns.tolist()) == [0] * 6 + [1, 1, 2, 2, 3, 3]
    assert (turns[:6] == 0).all()
    for before, after, quarters in zip(x, turned, turns, strict=True):
        for channel in range(3):
            assert (np.rot90(before[channel], int(quarters)) == after[channel].numpy()).all()


def test_pretraining_repeats(pretrain: ModuleType):
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (256, 3, 32, 32), dtype=np.uint8)
    y = generator.integers(0, 5, 256)
    first, again, other = (
        pretrain.pretrain(x, y, epochs=1, seed=seed).state_dict() for seed in (0, 0, 1)
    )
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["features.0.0.weight"] != other["features.0.0.weight"]).any()
