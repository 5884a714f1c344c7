# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels from IREE: a hal.executable.source each in, one relocatable object out.

Kernels are compiled and cached each by itself, so that one that has changed costs itself alone.
"""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jinja2
import mlir.ir as ir

from tte_mlir.backend import objects, resources, toolchain
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError

_RECIPE = "2"  # part of the cache keys: change it with what happens to objects below
_FUNCTION = "kernel"  # what `tte-export-hal` calls the function of every executable
_ENTRY = "executable_library_query"  # IREE's entry point to it


@dataclass(frozen=True)
class KernelSource:
    """A ``hal.executable.source`` called "executable" with one export, the function "kernel".

    `name` is that of the function in the object of all kernels.
    """

    name: str
    text: str


@dataclass(frozen=True)
class KernelObject:
    """An object file with the one global function `query_symbol`."""

    path: Path
    query_symbol: str


def read_sources(exported: ir.Module) -> list[KernelSource]:
    """Takes the kernels out of a module after `tte-export-hal`, in the order of their ordinals.

    Each is printed by itself: beside others its values would be numbered after theirs, and the text
    would change with them.
    """
    sources = []
    for op in list(exported.body):
        name = ir.StringAttr(op.operation.attributes["sym_name"]).value
        op.operation.attributes["sym_name"] = ir.StringAttr.get("executable", exported.context)
        alone = op.operation.detach_from_parent()
        text = alone.get_asm(print_generic_op_form=True, use_local_scope=True)
        sources.append(KernelSource(name, text))
    return sources


def compile_kernels(
    sources: Sequence[KernelSource], target: Target, name: str = "network"
) -> KernelObject:
    """Compiles kernels for `target` into an executable library, ordinals in the order given.

    `name` begins the one global symbol. Objects are cached by content, so unchanged kernels cost
    nothing. What cannot be reached from the library is dropped.
    """
    compiler = toolchain.find_iree_compile()
    flags = _flags(target)
    keys = content_keys(sources, target)
    query = f"{name}_kernels_library_query"
    names = [source.name for source in sources]
    library = _cached("libraries", _digest(query, *target.c_flags, *keys, *names))
    if _is_library(library, query):
        return KernelObject(library, query)

    paths = [_cached("kernels", key) for key in keys]
    missing = {
        path: (key, source)
        for path, key, source in zip(paths, keys, sources, strict=True)
        if not _is_kernel(path, key)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # iree-compile is a process of its own
        for _ in pool.map(
            lambda item: _compile_kernel(compiler, flags, target, *item[1], item[0]),
            missing.items(),
        ):
            pass
    _link_library(target, query, dict(zip(keys, names, strict=True)), keys, paths, library)
    return KernelObject(library, query)


def content_keys(sources: Sequence[KernelSource], target: Target) -> list[str]:
    """What tells kernels apart: equal keys mean equal machine code."""
    salt = (_RECIPE, toolchain.iree_version(), target.tool_prefix, *_flags(target))
    return [_digest(*salt, source.text) for source in sources]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _cached(kind: str, key: str) -> Path:
    directory = cache_directory() / kind
    directory.mkdir(parents=True, exist_ok=True)
    return directory / f"{key}.o"


def _is_library(path: Path, query: str) -> bool:
    return _defines(path, query)


def _is_kernel(path: Path, key: str) -> bool:
    return _defines(path, _symbol(key))


def _defines(path: Path, symbol: str) -> bool:
    """Whether a whole object lies there that gives `symbol` and nothing else."""
    try:
        return path.exists() and objects.defined(path) == {symbol}
    except TTEError:
        return False  # damaged: make it again


def _symbol(key: str) -> str:
    return f"kernel_{key}"


def _compile_kernel(
    compiler: Path, flags: list[str], target: Target, key: str, source: KernelSource, output: Path
) -> None:
    """One kernel, called after its key, as the only global symbol.

    Unwind tables go: they want a personality routine that bare metal does not have.
    """
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        compiled = Path(temporary) / "kernel.o"
        _run_iree(compiler, flags, source.text, Path(temporary), compiled)
        _check_attributes(compiled, source.name)
        toolchain.run(
            toolchain.find(target.tool("objcopy")),
            "--remove-section=.ARM.exidx*",
            "--remove-section=.rel.ARM.exidx*",
            "--strip-debug",
            f"--localize-symbol={_ENTRY}",
            f"--globalize-symbol={_symbol(key)}",
            f"--redefine-sym={_FUNCTION}={_symbol(key)}",
            str(compiled),
        )
        compiled.replace(output)


def _check_attributes(compiled: Path, name: str) -> None:
    """The runtime gives kernels no workgroup memory (`local_memory_pages` of IREE's ABI)."""
    attributes = objects.datum(compiled, f"{_ENTRY}_v0_attrs")
    if int.from_bytes(attributes[8:10], "little"):
        raise TTEError(f"kernel {name} wants workgroup memory, which there is not")


_LIBRARY = jinja2.Template(
    """
#include "executable_library.h"
{% for symbol in symbols | unique %}
int {{ symbol }}(const tte_environment *, const tte_dispatch_state *, const tte_workgroup_state *);
{% endfor %}
static const tte_kernel {{ query }}_v0_kernels[] = {
{% for symbol in symbols %}
    {{ symbol }},
{% endfor %}
};
static const tte_library_header {{ query }}_v0_header = {.version = TTE_EXECUTABLE_LIBRARY_VERSION};
static const tte_library {{ query }}_v0 = {
    .header = &{{ query }}_v0_header,
    .exports = {.count = {{ symbols | length }}, .kernels = {{ query }}_v0_kernels},
};
const tte_library *{{ query }}(uint32_t max_version, const tte_environment *environment) {
  (void)environment;
  return max_version >= TTE_EXECUTABLE_LIBRARY_VERSION ? &{{ query }}_v0 : NULL;
}
"""
)


def _link_library(
    target: Target,
    query: str,
    names: dict[str, str],
    keys: Sequence[str],
    paths: Sequence[Path],
    output: Path,
) -> None:
    """Joins kernels behind one entry point and gives them their names back.

    IREE adds libm and half-precision helpers to every object; the unused are linked away.
    """
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        source, table, joined, renames = (
            Path(temporary) / name for name in ("table.c", "table.o", "joined.o", "names.txt")
        )
        source.write_text(_LIBRARY.render(query=query, symbols=list(map(_symbol, keys))))
        toolchain.run(
            toolchain.find(target.tool("gcc")),
            *target.c_flags,
            f"-I{resources.path('runtime')}",
            "-c",
            str(source),
            "-o",
            str(table),
        )
        toolchain.run(
            toolchain.find(target.tool("gcc")),
            *target.c_flags,
            "-r",
            "-nostdlib",
            "-Wl,--gc-sections",
            f"-Wl,--undefined={query}",
            str(table),
            *map(str, dict.fromkeys(paths)),
            "-o",
            str(joined),
        )
        renames.write_text("".join(f"{_symbol(key)} {name}\n" for key, name in names.items()))
        unused = [f"--strip-unneeded-symbol={name}" for name in sorted(objects.undefined(joined))]
        toolchain.run(
            toolchain.find(target.tool("objcopy")),
            "--strip-debug",
            f"--keep-global-symbol={query}",
            f"--redefine-syms={renames}",
            *unused,
            str(joined),
        )
        joined.replace(output)


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
