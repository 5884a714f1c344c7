# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels from IREE: one hal.executable.source in, one relocatable object out."""

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tte_mlir.backend import objects, toolchain
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError

_RECIPE = "1"  # part of the cache key: change it with what happens to objects below


@dataclass(frozen=True)
class KernelObject:
    """An object file with the one global function `query_symbol`."""

    path: Path
    query_symbol: str


def compile_kernels(mlir: str, target: Target) -> KernelObject:
    """Compiles the text of a ``hal.executable.source`` (generic form) for `target`.

    Objects are cached by content, so an unchanged module costs nothing. Kernels that cannot
    be reached from the library are dropped, and with them what they would have called.
    """
    compiler = toolchain.find_iree_compile()
    flags = _flags(target)
    key = "\n".join((_RECIPE, toolchain.iree_version(), target.tool_prefix, *flags, mlir))
    path = cache_directory() / "kernels" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.o"
    if path.exists():
        try:
            return KernelObject(path, _query_symbol(path))
        except TTEError:
            path.unlink()  # damaged: compile again

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        directory = Path(temporary)
        compiled, cleaned = directory / "iree.o", directory / "kernels.o"
        _run_iree(compiler, flags, mlir, directory, compiled)
        _drop_unreachable(compiled, cleaned, target)
        cleaned.rename(path)
    return KernelObject(path, _query_symbol(path))


def cache_directory() -> Path:
    """``TTE_CACHE_DIR``, else tte-mlir in the user's cache directory."""
    if explicit := os.environ.get("TTE_CACHE_DIR"):
        return Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tte-mlir"


def _flags(target: Target) -> list[str]:
    flags = [
        "--compile-mode=hal-executable",
        "--iree-hal-target-backends=llvm-cpu",
        f"--iree-llvmcpu-target-triple={target.triple}",
        f"--iree-llvmcpu-target-cpu={target.cpu}",
        f"--iree-llvmcpu-target-vector-width-in-bytes={target.vector_bytes}",
        "--iree-llvmcpu-link-embedded=false",
        "--iree-llvmcpu-link-static",
        "--iree-llvmcpu-debug-symbols=false",
        "--iree-llvmcpu-disable-distribution",
        *target.iree_flags,
    ]
    if target.features:
        flags.append(f"--iree-llvmcpu-target-cpu-features={target.features}")
    return flags


def _run_iree(compiler: Path, flags: list[str], mlir: str, directory: Path, output: Path) -> None:
    source = directory / "kernels.mlir"
    source.write_text(mlir)
    command = [
        str(compiler),
        str(source),
        *flags,
        f"--iree-llvmcpu-static-library-output-path={output}",
        "-o",
        str(directory / "kernels.bin"),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode or not output.exists():
        error = toolchain.first_error(result.stderr).replace(f"{source}:", "kernels.mlir:")
        raise TTEError(f"iree-compile failed: {error}")


def _drop_unreachable(compiled: Path, cleaned: Path, target: Target) -> None:
    """IREE adds libm and half-precision helpers to every object; links away the unused.

    Unwind tables go too: they want a personality routine that bare metal does not have.
    """
    query = _query_symbol(compiled)
    objcopy = toolchain.find(target.tool("objcopy"))
    toolchain.run(
        objcopy, "--remove-section=.ARM.exidx*", "--remove-section=.rel.ARM.exidx*", str(compiled)
    )
    linker = toolchain.find(target.tool("ld"))
    toolchain.run(
        linker, "-r", "--gc-sections", f"--undefined={query}", str(compiled), "-o", str(cleaned)
    )
    unused = [f"--strip-unneeded-symbol={name}" for name in sorted(objects.undefined(cleaned))]
    keep = f"--keep-global-symbol={query}"
    toolchain.run(objcopy, "--strip-debug", keep, *unused, str(cleaned))


def _query_symbol(path: Path) -> str:
    names = sorted(objects.defined(path))
    if len(names) != 1 or not names[0].endswith("_library_query"):
        raise TTEError(f"{path}: expected one executable library, found {names}")
    return names[0]
