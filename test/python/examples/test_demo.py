# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demo with one seed and fewer test images; it fails by itself below its thresholds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the demo's network is in PyTorch")

DEMO = Path(__file__).resolve().parents[3] / "examples" / "demo.py"


def test_the_device_learns(tmp_path: Path):
    command = [sys.executable, str(DEMO), "--seeds=1", "--test-images=300", f"--out={tmp_path}"]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr

    result = json.loads((tmp_path / "result.json").read_text())
    assert result["accuracy_before"] <= 0.30
    assert result["accuracy_after"] >= 0.80
    assert result["accuracy_after"] > result["accuracy_classifier_only"]
    assert result["sram_total"] <= 256 * 1024
    assert result["instructions_per_step"] <= 4 * result["macs_per_step"]
    changed = result["runs"][0]["changed_parameters"]
    assert {"features.16.conv.1.0.weight", "features.17.conv.1.0.weight"} <= set(changed)
    assert (tmp_path / "memory.svg").stat().st_size > 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sram"]["total"] == result["sram_total"]
    assert report["sram"]["stack_measured"] <= report["sram"]["stack_bound"]
