# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The fake network, built once for the board and once for the host."""

from pathlib import Path

import fake_network
import pytest

from tte_mlir.backend import package, simulator, targets
from tte_mlir.backend.image import Image, link_firmware

M7 = targets.get("cortex-m7")
HOST = targets.get("host")


@pytest.fixture(scope="session")
def fake_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("m7")
    kernels = fake_network.compile_kernels(M7, directory)
    return package.build_archive(fake_network.make_program(), kernels, M7, directory)


@pytest.fixture(scope="session")
def fake_image(fake_archive: Path) -> Image:
    interface = fake_network.make_program().interface()
    return link_firmware(fake_archive, interface, M7, fake_archive.with_name("net.elf"))


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("host")
    kernels = fake_network.compile_kernels(HOST, directory)
    return simulator.build_simulator(fake_network.make_program(), kernels, HOST, directory)
