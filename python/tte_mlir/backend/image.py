# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Firmware images: linking them, and measuring what lies in which memory."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tte_mlir.backend import objects, resources, stack, toolchain
from tte_mlir.backend.package import Interface
from tte_mlir.backend.targets import Board, Target
from tte_mlir.errors import TTEError


@dataclass(frozen=True)
class Sram:
    """Bytes of RAM by part. `stack` is what the linker script reserves, and `runtime` holds
    what lies between the parts."""

    arena: int
    state: int
    runtime: int
    stack: int

    @property
    def total(self) -> int:
        """Bytes of SRAM that the image needs."""
        return self.arena + self.state + self.runtime + self.stack


@dataclass(frozen=True)
class Flash:
    """Bytes of flash by part. `tables` are the call table and the kernels' directory."""

    code: int
    weights: int
    initial_state: int
    tables: int

    @property
    def total(self) -> int:
        """Bytes of flash that the image needs."""
        return self.code + self.weights + self.initial_state + self.tables


@dataclass(frozen=True)
class Image:
    """A linked firmware image and its sizes."""

    path: Path
    sram: Sram
    flash: Flash
    stack_bound: stack.StackBound


class SramOverflow(TTEError):
    """An image that needs `needed` bytes of SRAM, more than its budget."""

    def __init__(self, parts: Sram, budget: int, name: str) -> None:
        super().__init__(
            f"{name} needs {parts.total} bytes of SRAM (arena {parts.arena}, "
            f"state {parts.state}, runtime {parts.runtime}, stack {parts.stack}), "
            f"{parts.total - budget} more than the budget of {budget}"
        )
        self.needed = parts.total


def link_firmware(
    archive: Path,
    interface: Interface,
    target: Target,
    output: Path,
    sram_bytes: int | None = None,
) -> Image:
    """Links the example firmware with libNAME.a, whose headers lie beside it.

    The stack is as large as its static bound. Raises TTEError where everything together
    needs more than `sram_bytes` (default: the board's usual region).
    """
    board = _board(target)
    budget = board.default_sram_bytes if sram_bytes is None else sram_bytes
    if budget > board.sram_bytes:
        raise TTEError(f"SRAM of {budget} bytes asked for, the board has {board.sram_bytes}")
    sources = [resources.path("examples/firmware/main.c")]
    defines = _network_defines(interface)
    link(sources, [archive], target, output, board.sram_bytes, 4096, defines)
    bound = stack.bound(output, target)
    reserved = bound.total + -bound.total % 8
    try:
        link(sources, [archive], target, output, budget, reserved, defines)
    except TTEError:
        link(sources, [archive], target, output, board.sram_bytes, reserved, defines)
        parts = _sram(output)
        if parts.total <= budget:
            raise
        raise SramOverflow(parts, budget, interface.name) from None
    return Image(output, _sram(output), _flash(output, interface.name), bound)


def link_profile(archive: Path, interface: Interface, target: Target, output: Path) -> None:
    """Links the example firmware so that it counts the instructions of each call.

    The runtime is compiled again with its hooks; the kernels are those of libNAME.a. The image
    may take all memory of the board: its sizes are not those of the firmware.
    """
    firmware, runtime = resources.path("examples/firmware"), resources.path("runtime")
    sources = [firmware / "main.c", firmware / "profile.c", runtime / "tte_runtime.c"]
    defines = [*_network_defines(interface), "TTE_PROFILE"]
    sram_bytes = _board(target).sram_bytes
    link(sources, [archive], target, output, sram_bytes, 16 << 10, defines, [runtime])


def _network_defines(interface: Interface) -> list[str]:
    return [f"NETWORK={interface.name}", f'NETWORK_HEADER="{interface.name}.h"']


def link(
    sources: Sequence[Path],
    archives: Sequence[Path],
    target: Target,
    output: Path,
    sram_bytes: int,
    stack_bytes: int,
    defines: Sequence[str] = (),
    includes: Sequence[Path] = (),
) -> None:
    """Links C `sources` with libraries, their headers beside them, for the target's board.

    The linker refuses what does not fit in `sram_bytes`; `output` is only written on success.
    """
    board = _board(target)
    boards = resources.path("runtime/boards")
    sources = [*sources, *sorted(boards.glob("*.c")), boards / board.architecture / "startup.c"]
    ratio = board.ticks_per_instruction
    defines = [*defines, f"TICKS={ratio.numerator}", f"INSTRUCTIONS={ratio.denominator}"]
    include = {str(path.parent) for path in archives} | {str(boards)}
    include |= {str(path) for path in includes}
    toolchain.run(
        toolchain.find(target.tool("gcc")),
        *target.c_flags,
        *(f"-I{path}" for path in sorted(include)),
        *(f"-D{define}" for define in defines),
        *(str(path) for path in (*sources, *archives)),
        *target.link_flags,
        "-Wl,--gc-sections",
        "-Wl,--fatal-warnings",
        "-Wl,--emit-relocs",
        *(f"-Wl,--defsym={name}={value}" for name, value in board.regions().items()),
        f"-Wl,--defsym=SRAM_BYTES={sram_bytes}",
        f"-Wl,--defsym=STACK_BYTES={stack_bytes}",
        f"-T{boards / 'board.ld'}",
        "-o",
        str(output),
    )


def _board(target: Target) -> Board:
    if target.board is None:
        raise TTEError(f"target {target.name} has no board to link firmware for")
    return target.board


@dataclass(frozen=True)
class _Section:
    address: int
    size: int
    is_loaded: bool  # from flash


def _sections(path: Path) -> dict[str, _Section]:
    """The sections in memory."""
    with path.open("rb") as file:
        return {
            section.name: _Section(
                section["sh_addr"], section["sh_size"], section["sh_type"] != "SHT_NOBITS"
            )
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        }


def _sram(path: Path) -> Sram:
    data = objects.data_sizes(path)
    sections = _sections(path)
    reserved = sections[".stack"]
    written = [sections[name] for name in (".stack", ".data", ".bss") if name in sections]
    extent = max(section.address + section.size for section in written) - reserved.address
    runtime = extent - reserved.size - data["arena"] - data["state"]
    return Sram(data["arena"], data["state"], runtime, reserved.size)


def _flash(path: Path, name: str) -> Flash:
    data = objects.data_sizes(path)
    total = sum(section.size for section in _sections(path).values() if section.is_loaded)
    weights, initial_state = data[f"{name}_constants"], data[f"{name}_initial_state"]
    pattern = re.compile(
        rf"{name}_(bindings|push_constants|program|\w+_calls)|\w+_library_query_v0\w*"
    )
    tables = sum(size for symbol, size in data.items() if pattern.fullmatch(symbol))
    return Flash(total - weights - initial_state - tables, weights, initial_state, tables)
