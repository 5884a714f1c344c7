# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The fake network, built once for the board and once for the host."""

import subprocess
from pathlib import Path

import fake_network
import pytest
from tte_mlir.backend import package, resources, simulator, targets, toolchain
from tte_mlir.backend.image import Image, link_firmware
from tte_mlir.backend.targets import Target

M7 = targets.get("cortex-m7")
HOST = targets.get("host")


def compile_fake_kernels(target: Target, directory: Path, *flags: str) -> Path:
    output = directory / f"fake-{target.name}.o"
    source = fake_network.KERNELS / "fake_kernels.c"
    include = f"-I{resources.path('runtime')}"
    command = [toolchain.find(target.tool("gcc")), *target.c_flags, include, *flags]
    subprocess.run([*command, "-c", source, "-o", output], check=True)
    return output


@pytest.fixture(scope="session")
def fake_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("m7")
    kernels = compile_fake_kernels(M7, directory)
    return package.build_archive(fake_network.make_program(), kernels, M7, directory)


@pytest.fixture(scope="session")
def fake_image(fake_archive: Path) -> Image:
    interface = fake_network.make_program().interface()
    return link_firmware(fake_archive, interface, M7, fake_archive.with_name("net.elf"))


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("host")
    kernels = compile_fake_kernels(HOST, directory)
    return simulator.build_simulator(fake_network.make_program(), kernels, HOST, directory)
