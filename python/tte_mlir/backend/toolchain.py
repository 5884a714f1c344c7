# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compilers and emulators: where they are, and which package has them."""

import re
import shutil
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path

from tte_mlir.errors import TTEError

_DEBIAN_PACKAGES = {
    "arm-none-eabi-": "binutils-arm-none-eabi",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi and libnewlib-arm-none-eabi",
    "qemu-system-arm": "qemu-system-arm",
    "riscv64-unknown-elf-": "binutils-riscv64-unknown-elf",
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf",
    "qemu-system-riscv32": "qemu-system-misc",
    "gcc": "gcc",
    "": "binutils",
}


def find(tool: str) -> Path:
    """The path of `tool`; the error names the Debian package that has it."""
    path = shutil.which(tool)
    if path:
        return Path(path)
    prefix = tool[: tool.rfind("-") + 1]
    package = _DEBIAN_PACKAGES.get(tool) or _DEBIAN_PACKAGES[prefix]
    raise TTEError(f"{tool} is missing: install the Debian package {package}")


def find_iree_compile() -> Path:
    """The compiler of the pinned wheel, wherever PATH points."""
    if (spec := util.find_spec("iree")) is not None:
        for root in spec.submodule_search_locations or ():
            program = Path(root) / "compiler" / "_mlir_libs" / "iree-compile"
            if program.exists():
                return program
    beside = Path(sys.executable).parent / "iree-compile"
    path = beside if beside.exists() else shutil.which("iree-compile")
    if path is None:
        raise TTEError("iree-compile is missing: install the Python package iree-base-compiler")
    return Path(path)


def iree_version() -> str:
    """The version of the installed IREE compiler."""
    try:
        return metadata.version("iree-base-compiler")
    except metadata.PackageNotFoundError:
        return "unknown"


def run(program: Path, *arguments: str) -> str:
    """Runs a compiler; returns its standard output, or raises with its first error."""
    command = [str(program), *arguments]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise TTEError(f"{program.name} failed: {first_error(result.stderr)}")
    return result.stdout


_ERRORS = ("error", "undefined reference", "overflowed", "will not fit")


def first_error(text: str) -> str:
    """The first line of a compiler's or linker's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith("collect2:")]
    errors = [line for line in said if any(word in line.lower() for word in _ERRORS)]
    line = (errors or said or lines or ["no output"])[0]
    return re.sub(r"^\S*/(?=\S+: )", "", line)  # the name of the file says enough
