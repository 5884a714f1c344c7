# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models by name, and the refusal of what is none."""

from pathlib import Path

import pytest
from mlir import ir

from tte_mlir.errors import TTEError
from tte_mlir.frontend import models

NETWORK = """
func.func @forward(%x: tensor<1x1x1x4xf32> {tte.role = #tte.role<input>}) -> tensor<1x4xf32> {
  %0 = tte.reshape %x : (tensor<1x1x1x4xf32>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}
"""

FILE = """
import torch
from neighbour import CLASSES
def make(num_classes=CLASSES): return torch.nn.Linear(4, num_classes)
def number(): return 3
def broken(): raise ValueError("no weights\\nhere")
value = 5
"""


def load_mlir(path: Path, text: str) -> ir.Module:
    file = path / "net.mlir"
    file.write_text(text)
    return models.import_model(models.load(str(file)), None, ir.Context())


def test_mlir(tmp_path: Path):
    module = load_mlir(tmp_path, NETWORK)
    assert "tte.reshape" in str(module)


MALFORMED = {
    "syntax": ("func.func @forward(", r"net\.mlir:1:\d+: "),
    "unknown op": (NETWORK.replace("tte.reshape", "tte.foo"), r"net\.mlir:3:8: .*tte\.foo"),
    "verifier": (
        NETWORK.replace("-> tensor<1x4xf32>\n  return", "-> tensor<1x5xf32>\n  return"),
        r"net\.mlir:\d+:\d+: ",
    ),
    "no function": ("", "has no function @forward"),
    "no role": (NETWORK.replace("{tte.role = #tte.role<input>}", ""), "must take one argument"),
    "rank": (NETWORK.replace("1x1x1x4", "1x1x4"), r"takes \[1, 1, 4\], expected \[1, height"),
    "batch": (
        NETWORK.replace("1x1x1x4", "2x1x1x4").replace("<1x4x", "<2x4x"),
        r"takes \[2, 1, 1, 4\], expected \[1, height",
    ),
    "scores": (NETWORK.replace("tensor<1x4", "tensor<4x1"), r"scores of shape \[4, 1\]"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_mlir_is_refused_in_one_line(tmp_path: Path, name: str):
    text, message = MALFORMED[name]
    with pytest.raises(TTEError, match=message) as caught:
        load_mlir(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "current operation" not in str(caught.value)


def write_python(path: Path) -> str:
    (path / "nets.py").write_text(FILE)
    (path / "neighbour.py").write_text("CLASSES = 6\n")
    return str(path / "nets.py")


def test_python(tmp_path: Path):
    pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    file = write_python(tmp_path)
    assert models.load(f"{file}:make").out_features == 6
    assert models.load(f"{file}:make", classes=9).out_features == 9


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("", r"nets\.py: name a callable"),
        (":nothing", r"nets\.py: has no callable 'nothing'"),
        (":value", r"nets\.py: has no callable 'value'"),
        (":number", r"nets\.py:number: returned int, expected a module"),
        (":broken", r"nets\.py:broken: ValueError: no weights$"),
    ],
)
def test_python_without_a_model_is_refused(tmp_path: Path, suffix: str, message: str):
    pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    with pytest.raises(TTEError, match=message):
        models.load(write_python(tmp_path) + suffix)


def test_python_that_fails_to_import_is_refused(tmp_path: Path):
    pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    (tmp_path / "bad.py").write_text("import no_such_package\n")
    with pytest.raises(TTEError, match=r"bad\.py: ModuleNotFoundError: .*no_such_package"):
        models.load(f"{tmp_path / 'bad.py'}:make")


def test_absent_and_unknown_files_are_refused(tmp_path: Path):
    for name in ("net.mlir", "net.pt2", "net.onnx"):
        with pytest.raises(TTEError, match="no such model"):
            models.load(str(tmp_path / name))
    (tmp_path / "net.onnx").write_bytes(b"")
    with pytest.raises(TTEError, match="unknown kind of model"):
        models.load(str(tmp_path / "net.onnx"))


def test_truncated_exported_program_is_refused(tmp_path: Path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(torch.nn.Linear(4, 2), (torch.zeros(1, 4),)), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TTEError, match=r"net\.pt2: truncated or not an exported program") as caught:
        models.load(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "name"),
    [("a/model.py:demo_model", "demo_model"), ("net-2.mlir", "net_2"), ("5x.pt2", "n5x")],
)
def test_names_are_identifiers_of_c(model: str, name: str):
    assert models.name_of(model) == name
