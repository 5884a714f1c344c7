# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C runtime on the host, under the sanitizers."""

import ctypes
import subprocess
from dataclasses import replace
from pathlib import Path

import fake_network
import numpy as np
import pytest

from tte_mlir.backend import package, resources
from tte_mlir.recipe import Recipe


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


class _Schedule(ctypes.Structure):
    """tte_schedule of runtime/tte_runtime.h."""

    _fields_ = [
        ("kind", ctypes.c_int),
        ("learning_rate", ctypes.c_float),
        ("warmup", ctypes.c_uint32),
    ]


@pytest.fixture(scope="module")
def learning_rate(tmp_path_factory: pytest.TempPathFactory) -> "ctypes._FuncPointer":
    library = tmp_path_factory.mktemp("schedule") / "schedule.so"
    source = resources.path("runtime") / "tte_schedule.c"
    flags = ["-std=c11", "-ffreestanding", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-shared", "-fPIC", source, "-o", library], check=True)
    function = ctypes.CDLL(str(library)).tte_learning_rate
    function.argtypes = [ctypes.POINTER(_Schedule), ctypes.c_uint32, ctypes.c_uint32]
    function.restype = ctypes.c_float
    return function


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
@pytest.mark.parametrize(
    ("warmup", "steps"), [(0, 1000), (30, 1000), (7, 8), (9, 5), (0, 40_000_000)]
)
def test_device_and_recipe_give_the_same_rates(learning_rate, kind, warmup, steps) -> None:
    recipe = Recipe(learning_rate=0.02, schedule=kind, warmup=warmup)
    number = ["constant", "linear", "cosine"].index(kind)
    schedule = ctypes.byref(_Schedule(number, recipe.learning_rate, warmup))
    some = {*range(12), *np.linspace(0, steps + 2, 501, dtype=np.int64).tolist(), 2**32 - 1}
    for step in sorted(some):
        found, expected = learning_rate(schedule, step, steps), recipe.rate(step, steps)
        assert abs(found - expected) <= 3e-7 * recipe.learning_rate, (step, found, expected)
        assert found >= 0


def test_library_knows_the_schedule_of_the_recipe(tmp_path: Path) -> None:
    schedule = package.Schedule("cosine", 0.125, warmup=3, steps=50)
    program = replace(fake_network.make_program(), schedule=schedule)
    header, source = package.write_sources(program, tmp_path)
    assert "#define net_TRAINING_STEPS 50u" in header.read_text()
    text = source.read_text()
    assert ".kind = TTE_SCHEDULE_COSINE," in text
    assert ".learning_rate = (0.125f)," in text
    assert ".warmup = 3u," in text
