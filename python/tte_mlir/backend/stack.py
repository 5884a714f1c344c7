# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A static bound on the stack of a linked image.

Frames are read off the disassembly, so that C, kernels and the C library count alike. The
bound of a function adds up everything it takes from the stack pointer anywhere, and the
deepest of what it calls. A call through a pointer may reach every function whose address is
taken, as the relocations of the image tell, and every function that nothing calls by name.
"""

import abc
import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_RELOC_TYPE_ARM
from elftools.elf.relocation import RelocationSection

from tte_mlir.backend import toolchain
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError


@dataclass
class _Function:
    frame: int = 0
    callees: set[str] = field(default_factory=set)
    targets: set[tuple[int, bool]] = field(default_factory=set)  # address, whether by a call
    calls_pointers: bool = False
    dynamic: str = ""  # the instruction that takes an unknown amount


@dataclass(frozen=True)
class StackBound:
    """Bytes; `path` is the deepest chain of calls with the frame of each function."""

    total: int
    interrupts: int
    path: tuple[tuple[str, int], ...]


def bound(image: Path, target: Target) -> StackBound:
    """The bound of everything from reset on, and one interrupt on top of it."""
    if target.board is None:
        raise TTEError(f"target {target.name} has no board: its stack is not bounded")
    functions = _functions(image, target)
    root, handlers = _entry_points(image, target.board.architecture)
    graph = _Graph(functions, handlers | {root}, _address_taken(image))
    depth, path = graph.deepest(root)
    handler = max((graph.deepest(name)[0] for name in handlers - {root}), default=0)
    interrupts = target.board.exception_frame_bytes + handler
    frames = tuple((name, functions[name].frame) for name in path)
    return StackBound(depth + interrupts, interrupts, frames)


def frames(image: Path, target: Target) -> dict[str, int]:
    """Bytes of stack that each function of an image takes by itself."""
    return {name: function.frame for name, function in _functions(image, target).items()}


def _functions(image: Path, target: Target) -> dict[str, _Function]:
    objdump = toolchain.find(target.tool("objdump"))
    listing = toolchain.run(objdump, "-d", "--no-show-raw-insn", str(image))
    return _disassemble(listing, _RiscvReader if "riscv" in target.triple else _ArmReader)


class _Graph:
    def __init__(
        self, functions: dict[str, _Function], roots: set[str], address_taken: set[str]
    ) -> None:
        self._functions = functions
        called = set().union(*(function.callees for function in functions.values()))
        self._pointed = (set(functions) - called - roots) | address_taken
        self._known: dict[str, tuple[int, tuple[str, ...]]] = {}

    def deepest(self, name: str, callers: tuple[str, ...] = ()) -> tuple[int, tuple[str, ...]]:
        if name in callers:
            raise TTEError(f"stack has no bound: {' calls '.join((*callers, name))}")
        if name not in self._known:
            function = self._functions.get(name)
            if function is None:
                raise TTEError(f"stack has no bound: {callers[-1]} calls {name}, which has no code")
            if function.dynamic:
                raise TTEError(f"stack has no bound: {name} has '{function.dynamic}'")
            callees = function.callees | (self._pointed if function.calls_pointers else set())
            below = [self.deepest(callee, (*callers, name)) for callee in sorted(callees)]
            depth, path = max(below, default=(0, ()), key=lambda pair: pair[0])
            self._known[name] = (function.frame + depth, (name, *path))
        return self._known[name]


def _entry_points(image: Path, architecture: str) -> tuple[str, set[str]]:
    """The function at reset and those of the vector table, which on RISC-V holds code."""
    with image.open("rb") as file:
        elf = ELFFile(file)
        names = {
            symbol["st_value"] & ~1: symbol.name
            for symbol in elf.get_section_by_name(".symtab").iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
        if architecture == "riscv":
            return names[elf.header["e_entry"]], set()
        table = elf.get_section_by_name(".vectors").data()
        words = (int.from_bytes(table[i : i + 4], "little") for i in range(4, len(table), 4))
        return names[elf.header["e_entry"] & ~1], {names[word & ~1] for word in words if word}


# Relocations of branches; all others take an address.
_ARM_BRANCHES = ("NONE", "THM_CALL", "THM_JUMP6", "THM_JUMP8", "THM_JUMP11", "THM_JUMP19")
# RISC-V ELF psABI: NONE, BRANCH, JAL, CALL, CALL_PLT, ALIGN, RVC_BRANCH, RVC_JUMP, RELAX.
_RISCV_BRANCHES = {0, 16, 17, 18, 19, 43, 44, 45, 51}
_BRANCHES = {
    "EM_ARM": {ENUM_RELOC_TYPE_ARM[f"R_ARM_{n}"] for n in (*_ARM_BRANCHES, "THM_JUMP24")},
    "EM_RISCV": _RISCV_BRANCHES,
}


def _address_taken(image: Path) -> set[str]:
    """Functions of which something but the vector table holds the address."""
    with image.open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        sections = [
            section
            for section in elf.iter_sections()
            if isinstance(section, RelocationSection)
            and elf.get_section(section["sh_info"])["sh_flags"] & SH_FLAGS.SHF_ALLOC
            and not section.name.endswith(".vectors")
        ]
        if not sections:
            raise TTEError(f"stack has no bound: {image} was linked without --emit-relocs")
        branches = _BRANCHES[elf["e_machine"]]
        indices = {
            relocation["r_info_sym"]
            for section in sections
            for relocation in section.iter_relocations()
            if relocation["r_info_type"] not in branches
        }
        pointed = map(symbols.get_symbol, indices)
        return {symbol.name for symbol in pointed if symbol["st_info"]["type"] == "STT_FUNC"}


_LABEL = re.compile(r"^([0-9a-f]+) <(.+)>:$")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\s+(\S+)\s*([^;@]*)")
_TARGET = re.compile(r"\b([0-9a-f]+) <")


def _disassemble(listing: str, reader_type: "type[_Reader] | None" = None) -> dict[str, _Function]:
    functions: dict[str, _Function] = {}
    starts: list[tuple[int, str]] = []
    reader = None
    for line in listing.splitlines():
        if label := _LABEL.match(line):
            starts.append((int(label[1], 16), label[2]))
            functions[label[2]] = _Function()
            reader = (reader_type or _ArmReader)(functions[label[2]])
        elif reader and (instruction := _INSTRUCTION.match(line)):
            reader.read(instruction[1].split(".")[0], instruction[2].strip(), line)
    _resolve(functions, sorted(starts))
    return functions


def _resolve(functions: dict[str, _Function], starts: list[tuple[int, str]]) -> None:
    """Turns targets of branches into callees, by address: at the small addresses of flash the
    disassembler names a target after any absolute symbol of that value."""
    addresses = [start for start, _ in starts]
    for name, function in functions.items():
        for target, is_call in function.targets:
            start, callee = starts[max(bisect.bisect_right(addresses, target) - 1, 0)]
            if callee != name or (is_call and target == start):
                function.callees.add(callee)


class _Reader(abc.ABC):
    """Follows the stack pointer through the code of one function."""

    def __init__(self, function: _Function) -> None:
        self._function = function
        self._constants: dict[str, int] = {}
        self._below_stack: dict[str, int] = {}  # register = sp - at most this

    @abc.abstractmethod
    def read(self, mnemonic: str, operands: str, line: str) -> None:
        """Reads one instruction, `line` of the listing."""


class _ArmReader(_Reader):
    """Thumb."""

    def read(self, mnemonic: str, operands: str, line: str) -> None:
        registers = [operand.strip() for operand in operands.split(",")]
        if mnemonic in ("push", "vpush") or operands.startswith("sp!, {"):
            if mnemonic.startswith(("push", "vpush", "stmdb", "vstmdb")):
                self._function.frame += sum(_register_sizes(operands))
        elif match := re.search(r"\[sp, #-(\d+)\]!", operands):
            self._function.frame += int(match[1])
        elif mnemonic in ("sub", "subw") and registers[0] == "sp":
            self._function.frame += self._amount(registers[-1], line)
        elif mnemonic in ("add", "addw") and registers[0] == "sp":
            self._amount(registers[-1], line)  # gives back, if by a known amount
        elif mnemonic in ("sub", "subw") and registers[1:2] == ["sp"]:
            self._below_stack[registers[0]] = self._amount(registers[2], line)
        elif mnemonic in ("mov", "add") and registers[1:2] == ["sp"]:
            self._below_stack[registers[0]] = 0
        elif mnemonic == "bfc" and registers[0] in self._below_stack:
            self._below_stack[registers[0]] += 1 << int(registers[2].lstrip("#"))
        elif mnemonic == "mov" and registers[0] == "sp":
            self._function.frame += self._below_stack.pop(registers[1], 0)
        elif mnemonic in ("mov", "movw", "movs") and registers[1].startswith("#"):
            self._constants[registers[0]] = int(registers[1].lstrip("#"))
        elif mnemonic == "movt" and registers[0] in self._constants:
            self._constants[registers[0]] |= int(registers[1].lstrip("#")) << 16
        elif mnemonic.startswith(("b", "cb")):
            self._branch(mnemonic, operands)

    def _amount(self, operand: str, line: str) -> int:
        if operand.startswith("#"):
            return int(operand.lstrip("#"))
        if operand not in self._constants:
            self._function.dynamic = " ".join(line.split()[1:])
        return self._constants.get(operand, 0)

    def _branch(self, mnemonic: str, operands: str) -> None:
        if target := _TARGET.search(operands):
            self._function.targets.add((int(target[1], 16), mnemonic == "bl"))
        elif mnemonic in ("blx", "bx") and operands != "lr":
            self._function.calls_pointers = True


class _RiscvReader(_Reader):
    """RV32."""

    def read(self, mnemonic: str, operands: str, line: str) -> None:
        operands, _, note = operands.partition("#")
        registers = [operand.strip() for operand in operands.split(",")]
        first, last = registers[0], registers[-1]
        if mnemonic in ("add", "addi", "sub") and registers[:2] == ["sp", "sp"]:
            amount = self._amount(last, line)
            self._function.frame += max(amount if mnemonic == "sub" else -amount, 0)
        elif mnemonic == "andi" and registers[:2] == ["sp", "sp"]:
            self._function.frame += -int(last)  # aligned down
        elif mnemonic == "li":
            self._constants[first] = int(last, 0)
        elif mnemonic == "lui":
            self._constants[first] = _signed(int(last, 0) << 12)
        elif mnemonic in ("add", "addi") and registers[0] == registers[1] in self._constants:
            if _is_number(last):
                self._constants[first] += int(last)
        elif mnemonic.startswith(("j", "b", "call", "tail")):
            if target := _TARGET.search(f"{operands} {note}"):
                is_call = mnemonic in ("jal", "jalr", "call")
                self._function.targets.add((int(target[1], 16), is_call))
            elif mnemonic in ("jalr", "jr"):
                self._function.calls_pointers = True

    def _amount(self, operand: str, line: str) -> int:
        if _is_number(operand):
            return int(operand)
        if operand not in self._constants:
            self._function.dynamic = " ".join(line.split()[1:])
        return self._constants.get(operand, 0)


def _is_number(operand: str) -> bool:
    return operand.lstrip("-").isdigit()


def _signed(word: int) -> int:
    return (word & 0xFFFFFFFF) - ((word & 0x80000000) << 1)


def _register_sizes(operands: str) -> Iterator[int]:
    """Bytes of each register in a list such as ``{r4, r5-r7, lr}`` or ``{d8-d15}``."""
    for item in operands[operands.index("{") + 1 : operands.index("}")].split(","):
        first, _, last = item.strip().partition("-")
        size = 8 if first.startswith("d") else 4
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        yield size * count
