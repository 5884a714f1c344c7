# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C runtime on the host, under the sanitizers."""

import subprocess
from pathlib import Path

import fake_network

from tte_mlir.backend import package, resources


def test_c_api_under_sanitizers(tmp_path: Path) -> None:
    for program in (fake_network.make_program(), fake_network.make_frozen_program()):
        package.write_sources(program, tmp_path)
    runtime = resources.path("runtime")
    command = ["gcc", "-std=c11", "-g", "-ffp-contract=off"]
    command += ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{path}" for path in (tmp_path, runtime, fake_network.KERNELS)]
    command += [str(runtime / name) for name in package.RUNTIME_SOURCES]
    command += [str(tmp_path / "net.c"), str(tmp_path / "frozen.c")]
    command += [
        str(fake_network.KERNELS / f"{name}.c") for name in ("fake_kernels", "runtime_test")
    ]
    subprocess.run([*command, "-o", str(tmp_path / "test")], check=True)
    result = subprocess.run([tmp_path / "test"], check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_header_is_cplusplus(tmp_path: Path) -> None:
    package.write_sources(fake_network.make_program(), tmp_path)
    (tmp_path / "user.cpp").write_text(
        '#include "net.h"\nnet_t net;\nint8_t *p = net_input(&net);\n'
    )
    command = ["g++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-c", "user.cpp"]
    subprocess.run(command, cwd=tmp_path, check=True)
    symbols = subprocess.run(
        ["nm", "-u", "user.o"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert "U net_input" in symbols.stdout  # C linkage
