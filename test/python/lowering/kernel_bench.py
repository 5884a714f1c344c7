# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels compiled for the host and for the emulated Cortex-M7, run on the same bytes.

All buffers of all cases lie in one block of memory, which either machine gets, works on and gives
back.
"""

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlir import ir
from mlir.passmanager import PassManager

from tte_mlir.backend import image, kernels, resources, targets, toolchain
from tte_mlir.dialects import tte
from tte_mlir.reference import Grid, Interpreter

HOST, M7 = targets.get("host"), targets.get("cortex-m7")
_ALIGNMENT = 16
# one instruction takes 64 ns of board time, a tick of the 25 MHz counter 40 ns
_TICKS_PER_INSTRUCTION = 1.6


@dataclass
class Case:
    """A kernel's block, from its arguments to its yield.

    `tied` gives results the buffer of an argument, `data` fixes arguments that must not be random.
    `over` lays the first result that is not tied over an argument, which begins so many bytes
    behind it. `scratch` are the bytes that the kernel works in.
    `frozen` are arguments in flash.
    """

    name: str
    body: str
    tied: dict[int, int] = field(default_factory=dict)
    data: dict[int, np.ndarray] = field(default_factory=dict)
    macs: int = 0
    strategy: str = "plain"
    over: tuple[int, int] | None = None
    scratch: int = 0
    frozen: tuple[int, ...] = ()


@dataclass
class Outcome:
    """What one case gave: by the interpreter, on the host, on the board."""

    expected: list[np.ndarray]
    host: list[np.ndarray]
    board: list[np.ndarray]
    instructions: int


class Bench:
    """Cases of one test module, compiled together. `aliases` are the type aliases they use.

    With `shares`, cases of one form run the same function; `functions` then says how many there
    are for the board.
    """

    def __init__(
        self, aliases: str, cases: Sequence[Case], seed: int = 0, shares: bool = False
    ) -> None:
        self.cases, self.functions = cases, 0
        self._share = ",tte-share-kernels" if shares else ""
        self._random = np.random.default_rng(seed)
        self._aliases = aliases
        self._memory = bytearray()
        self._buffers: list[tuple[list[int], list[int]]] = []
        self._lay_out()

    def run(self, directory: Path) -> dict[str, Outcome]:
        """Compiles and runs all cases."""
        host_calls, host_memory, host_sources = self._lower(HOST)
        board_calls, board_memory, board_sources = self._lower(M7)
        self.functions = len(board_sources)
        host = _run_host(host_sources, host_calls, host_memory, directory)
        board, instructions = _run_board(board_sources, board_calls, board_memory, directory)
        return {
            case.name: Outcome(
                self._expected(index),
                self._outputs(index, host),
                self._outputs(index, board),
                count,
            )
            for index, (case, count) in enumerate(zip(self.cases, instructions, strict=True))
        }

    def count_instructions(self, directory: Path) -> dict[str, int]:
        """Instructions of each case on the board."""
        calls, memory, sources = self._lower(M7)
        _, instructions = _run_board(sources, calls, memory, directory)
        return {case.name: count for case, count in zip(self.cases, instructions, strict=True)}

    def content_keys(self) -> list[str]:
        """What tells the board's kernels apart (see `kernels.content_keys`)."""
        return kernels.content_keys(self._lower(M7)[2], M7)

    def _lay_out(self) -> None:
        kernel_texts = "\n".join(
            f"tte.kernel @{case.name} {case.strategy} {{\n{case.body}\n}}" for case in self.cases
        )
        library = f"module @kernels {{\n{kernel_texts}\n}}"
        with ir.Context(), ir.Location.unknown():
            module = ir.Module.parse(f"{self._aliases}\nmodule {{\n{library}\n}}")
            calls = []
            self._globals: list[str] = []
            self._arguments: list[list[np.ndarray]] = []
            for index, (case, kernel) in enumerate(
                zip(self.cases, module.body.operations[0].regions[0].blocks[0], strict=True)
            ):
                calls.append(self._call(index, case, kernel.regions[0].blocks[0]))
        body = "\n".join(calls)
        run = f"func.func @run() {{\n{body}\nreturn\n}}"
        self._text = "\n".join((self._aliases, *self._globals, library, run))
        with ir.Context(), ir.Location.unknown():
            self._reference = Interpreter(ir.Module.parse(self._text))

    def _call(self, index: int, case: Case, block: ir.Block) -> str:
        arguments = [
            case.data.get(i, None) if i in case.data else self._draw(argument.type)
            for i, argument in enumerate(block.arguments)
        ]
        self._arguments.append(arguments)
        yielded = list(block.operations[len(block.operations) - 1].operands)
        inputs = [self._allocate(array) for array in arguments]
        outputs = [
            inputs[case.tied[i]]
            if i in case.tied
            else self._allocate(np.full(value.type.shape, 0x55, _storage(value.type)))
            for i, value in enumerate(yielded)
        ]
        if case.over is not None:
            free = next(i for i in range(len(yielded)) if i not in case.tied)
            outputs[free] = self._lay_over(inputs, arguments, yielded[free].type, *case.over)
        self._buffers.append((inputs, outputs))
        lines, names, types = [], [], []
        kinds = [argument.type for argument in block.arguments] + [v.type for v in yielded]
        for number, (offset, kind) in enumerate(zip(inputs + outputs, kinds, strict=True)):
            memref = f"memref<{'x'.join([*map(str, kind.shape), _storage_text(kind)])}>"
            names.append(f"%b{index}_{number}")
            types.append(memref)
            if number in case.frozen:
                constant = f"@constant{index}_{number}"
                self._globals.append(_global(constant, arguments[number], kind))
                lines.append(f"{names[-1]} = tte.flash {constant} : {memref}")
            else:
                lines.append(f"{names[-1]} = tte.subspan arena[{offset}] : {memref}")
        split, scratch = len(inputs), ""
        if case.scratch:
            offset = self._allocate(np.full(case.scratch, 0x5A, np.int8))
            memref = f"memref<{case.scratch}xi8>"
            lines.append(f"%s{index} = tte.subspan arena[{offset}] : {memref}")
            scratch = f"scratch(%s{index} : {memref}) "
        lines.append(
            f"tte.call @kernels::@{case.name} "
            f"ins({', '.join(names[:split])} : {', '.join(types[:split])}) {scratch}"
            f"outs({', '.join(names[split:])} : {', '.join(types[split:])}) "
            f'layer "" phase forward macs {case.macs}'
        )
        return "\n".join(lines)

    def _draw(self, kind: ir.RankedTensorType) -> np.ndarray:
        element = kind.element_type
        if isinstance(element, ir.F32Type):
            return self._random.standard_normal(kind.shape).astype(np.float32)
        storage = _storage(kind)
        if storage == np.int32:
            return self._random.integers(-5000, 5000, kind.shape, np.int32)
        low = -127 if "<-127:127>" in str(element) or "i8<-127" in str(element) else -128
        return self._random.integers(low, 128, kind.shape, np.int8)

    def _allocate(self, array: np.ndarray) -> int:
        offset = len(self._memory)
        self._memory += np.ascontiguousarray(array).tobytes()
        self._memory += bytes(-len(self._memory) % _ALIGNMENT)
        return offset

    def _lay_over(
        self,
        inputs: list[int],
        arguments: list[np.ndarray],
        result: ir.RankedTensorType,
        argument: int,
        distance: int,
    ) -> int:
        """Moves an argument to where the result may lie `distance` bytes before it; returns the
        offset of the result."""
        source = arguments[argument]
        size = int(np.prod(result.shape)) * _storage(result).itemsize
        before, behind = max(distance, 0), max(size - distance - source.nbytes, 0)
        room = np.full(before + source.nbytes + behind, 0x55, np.uint8)
        room[before : before + source.nbytes] = source.reshape(-1).view(np.uint8)
        inputs[argument] = self._allocate(room) + before
        return inputs[argument] - distance

    def _lower(self, target: targets.Target) -> tuple["Calls", bytearray, "Sources"]:
        """The calls, the memory with tables added, and the kernels."""
        memory = bytearray(self._memory)
        with ir.Context() as context, ir.Location.unknown():
            context.allow_unregistered_dialects = True
            module = ir.Module.parse(self._text)
            lowering = f"tte-lower-kernels{{{target.lowering_options}}}{self._share}"
            _run_passes(module, f"{lowering},canonicalize,cse")
            globals_, ordinals, signatures = {}, {}, {}
            for op in module.body.operations:
                if op.operation.name == "ml_program.global":
                    globals_[op.sym_name.value] = np.array(op.value)
                if op.operation.name == "builtin.module":
                    public = (
                        f for f in op.regions[0].blocks[0] if "sym_visibility" not in f.attributes
                    )
                    for ordinal, function in enumerate(public):
                        ordinals[function.sym_name.value] = ordinal
                        signatures[function.sym_name.value] = [
                            kind for kind in function.type.inputs if isinstance(kind, ir.MemRefType)
                        ]
            placed: dict[str, int] = {}

            def offset_of(buffer: ir.Value) -> int:
                definition = buffer.owner.opview
                if isinstance(definition, tte.SubspanOp):
                    return definition.offset.value
                name = definition.operation.attributes["global"].value
                if name not in placed:
                    placed[name] = len(memory)
                    memory.extend(globals_[name].tobytes())
                    memory.extend(bytes(-len(memory) % _ALIGNMENT))
                return placed[name]

            calls = []
            for op in _function(module, "run"):
                if isinstance(op.operation.opview, tte.CallOp):
                    callee = str(op.operation.attributes["kernel"]).rsplit("@", 1)[1].strip('"')
                    buffers = [offset_of(value) for value in op.operation.operands]
                    if len(buffers) < len(signatures[callee]):
                        # the plan would have reserved scratch, which stands before the outputs
                        place = len(buffers) - len(op.outputs)
                        buffers.insert(place, len(memory))
                        memory.extend(b"\xaa" * signatures[callee][place].shape[0])
                        memory.extend(bytes(-len(memory) % _ALIGNMENT))
                    attributes = op.operation.attributes
                    constants = attributes.get("tte.constants", ())
                    calls.append(Call(ordinals[callee], buffers, list(constants)))
            _run_passes(module, "tte-export-hal")
            sources = kernels.read_sources(module)
        return calls, memory, sources

    def _expected(self, index: int) -> list[np.ndarray]:
        name = f"kernels::{self.cases[index].name}"
        return list(self._reference.call(name, self._arguments[index]))

    def _outputs(self, index: int, memory: bytes) -> list[np.ndarray]:
        return [
            np.frombuffer(memory, array.dtype, array.size, offset).reshape(array.shape)
            for array, offset in zip(self._expected(index), self._buffers[index][1], strict=True)
        ]


def _run_passes(module: ir.Module, pipeline: str) -> None:
    PassManager.parse(f"builtin.module({pipeline})").run(module.operation)


def _function(module: ir.Module, name: str) -> ir.Block:
    for op in module.body.operations:
        if op.operation.name == "func.func" and op.sym_name.value == name:
            return op.regions[0].blocks[0]
    raise KeyError(name)


def _global(name: str, data: np.ndarray, kind: ir.Type) -> str:
    storage = f"tensor<{'x'.join([*map(str, kind.shape), _storage_text(kind)])}>"
    text = data.tobytes().hex().upper()
    return f'ml_program.global private {name}(dense<"0x{text}"> : {storage}) : {kind}'


def _storage_text(kind: ir.RankedTensorType) -> str:
    element = str(kind.element_type)
    if "quant" not in element and not element.startswith("!"):
        return element
    return f"i{_storage(kind).itemsize * 8}"


def _storage(kind: ir.RankedTensorType) -> np.dtype:
    if isinstance(kind.element_type, ir.F32Type):
        return np.dtype(np.float32)
    if grid := Grid.of(kind.element_type):
        return grid.storage
    return np.dtype(f"i{kind.element_type.width // 8}")


@dataclass(frozen=True)
class Call:
    """The ordinal of a kernel, its buffers' offsets and its constants."""

    kernel: int
    offsets: list[int]
    constants: list[int]


Calls = list[Call]
Sources = list[kernels.KernelSource]


def _run_host(sources: Sources, calls: Calls, memory: bytearray, directory: Path) -> bytes:
    compiled = kernels.compile_kernels(sources, HOST)
    library = directory / "libkernels.so"
    source = resources.path("runtime/executable_library.c")
    command = [str(toolchain.find(HOST.tool("gcc"))), *HOST.c_flags, "-shared", str(source)]
    toolchain.run(Path(command[0]), *command[1:], str(compiled.path), "-o", str(library))
    loaded = ctypes.CDLL(str(library))
    loaded.tte_library_load.restype = ctypes.c_void_p
    handle = loaded.tte_library_load(getattr(loaded, compiled.query_symbol), 1)
    assert handle
    space = np.zeros(len(memory) + 64, np.uint8)
    start = -space.ctypes.data % 64
    block = space[start : start + len(memory)]
    block[:] = memory
    for call in calls:
        bindings = (ctypes.c_void_p * len(call.offsets))(
            *(block.ctypes.data + offset for offset in call.offsets)
        )
        constants = (ctypes.c_uint32 * len(call.constants))(*call.constants)
        status = loaded.tte_library_dispatch(
            ctypes.c_void_p(handle),
            call.kernel,
            bindings,
            ctypes.c_uint8(len(bindings)),
            constants,
            ctypes.c_uint8(len(constants)),
        )
        assert status == 0
    return block.tobytes()


def _run_board(
    sources: Sources, calls: Calls, memory: bytearray, directory: Path
) -> tuple[bytes, list[int]]:
    compiled = kernels.compile_kernels(sources, M7)
    (directory / "memory.bin").write_bytes(memory)
    offsets = [offset for call in calls for offset in call.offsets]
    constants = [constant for call in calls for constant in call.constants]
    table = ",".join(
        f"{{{call.kernel},{len(call.offsets)},{len(call.constants)}}}" for call in calls
    )
    source = directory / "bench.c"
    source.write_text(
        _FIRMWARE.replace("@SIZE@", str(len(memory)))
        .replace("@CALLS@", table)
        .replace("@OFFSETS@", ",".join(map(str, offsets)))
        .replace("@CONSTANTS@", ",".join(map(str, constants or [0])))
        .replace("@QUERY@", compiled.query_symbol)
        .replace("@RUNTIME@", str(resources.path("runtime")))
    )
    elf = directory / "bench.elf"
    image.link(
        [source, resources.path("runtime/executable_library.c")],
        [compiled.path],
        M7,
        elf,
        4 << 20,
        16384,
        [f'DIRECTORY="{directory}"'],
    )
    board = M7.board
    assert board is not None
    command = [str(toolchain.find(board.emulator[0])), *board.emulator[1:], *board.counting]
    command += ["-display", "none", "-monitor", "none", "-serial", "null"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    ticks = np.frombuffer((directory / "ticks.bin").read_bytes(), np.uint64)
    counts = [round(int(tick) / _TICKS_PER_INSTRUCTION) for tick in ticks]
    return (directory / "result.bin").read_bytes(), counts


_FIRMWARE = r"""
#include "@RUNTIME@/executable_library.h"
#include "semihosting.h"
#include "startup.h"
static uint8_t memory[@SIZE@] __attribute__((aligned(64)));
static const struct { unsigned short kernel, bindings, constants; } calls[] = {@CALLS@};
static const unsigned offsets[] = {@OFFSETS@};
static const int constants[] = {@CONSTANTS@};
static uint64_t ticks[sizeof calls / sizeof *calls];
const tte_library *@QUERY@(uint32_t, const tte_environment *);
int main(void) {
  int file = semihosting_open(DIRECTORY "/memory.bin", SEMIHOSTING_READ);
  if (file < 0 || semihosting_read(file, memory, sizeof memory)) return 4;
  const tte_library *library = tte_library_load(@QUERY@, 1);
  if (!library) return 5;
  const unsigned *offset = offsets;
  const uint32_t *constant = (const uint32_t *)constants;
  for (unsigned c = 0; c < sizeof calls / sizeof *calls; ++c) {
    void *bindings[32];
    for (unsigned b = 0; b < calls[c].bindings; ++b) bindings[b] = memory + *offset++;
    uint64_t start = counter_ticks();
    if (tte_library_dispatch(library, calls[c].kernel, bindings, calls[c].bindings, constant,
                             calls[c].constants))
      return 6;
    ticks[c] = counter_ticks() - start;
    constant += calls[c].constants;
  }
  file = semihosting_open(DIRECTORY "/result.bin", SEMIHOSTING_WRITE);
  if (semihosting_write(file, memory, sizeof memory)) return 7;
  file = semihosting_open(DIRECTORY "/ticks.bin", SEMIHOSTING_WRITE);
  if (semihosting_write(file, ticks, sizeof ticks)) return 8;
  return 0;
}
"""
