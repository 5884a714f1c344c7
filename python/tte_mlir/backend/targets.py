# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Targets as data: adding one adds an entry here.

A new architecture also needs its startup code in runtime/boards, and a reader of its
disassembly in `stack`.
"""

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

from tte_mlir.errors import TTEError

_VECTORS_BYTES = 64  # the region VECTORS of runtime/boards/board.ld


@dataclass(frozen=True)
class Board:
    """An emulated board. Origins are addresses, sizes are in bytes.

    `architecture` is the directory of its startup code in runtime/boards. `counting` are the
    flags of the emulator that make its counter exact: so many ticks pass in one instruction.
    `vectors_origin` is where the processor begins, where that is not in flash.
    """

    architecture: str
    emulator: tuple[str, ...]
    counting: tuple[str, ...]
    ticks_per_instruction: Fraction
    flash_origin: int
    flash_bytes: int
    sram_origin: int
    sram_bytes: int
    default_sram_bytes: int
    exception_frame_bytes: int  # pushed by the processor on an interrupt, at most
    vectors_origin: int | None = None

    def regions(self) -> dict[str, int]:
        """The symbols that runtime/boards/board.ld takes from the board."""
        apart = self.vectors_origin is not None
        return {
            "VECTORS_ORIGIN": self.vectors_origin if apart else self.flash_origin,
            "CODE_ORIGIN": self.flash_origin + (0 if apart else _VECTORS_BYTES),
            "FLASH_ORIGIN": self.flash_origin,
            "FLASH_BYTES": self.flash_bytes,
            "SRAM_ORIGIN": self.sram_origin,
        }


@dataclass(frozen=True)
class Target:
    """A processor, and how code is made for it.

    `vector_bytes` is the width that IREE and the kernels may use, 4 where there are no vectors.
    `instructions` says which groups of them there are, beyond the least: "dsp" (Armv7E-M: products
    of pairs of 16-bit integers) and "fp-rounding" (f32 minimum, maximum and rounding to integers).
    `helpers` are the undefined symbols that libNAME.a may have: they come from
    the C library and the compiler's runtime.
    """

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    instructions: frozenset[str]
    iree_flags: tuple[str, ...]
    tool_prefix: str
    c_flags: tuple[str, ...]
    link_flags: tuple[str, ...]
    helpers: frozenset[str]
    board: Board | None = None

    def tool(self, name: str) -> str:
        """The name of a GNU tool for this target."""
        return self.tool_prefix + name

    @property
    def lowering_options(self) -> str:
        """Options of `tte-lower-kernels`."""
        dsp = str("dsp" in self.instructions).lower()
        return f"vector-width={self.vector_bytes // 4} dsp={dsp}"

    @property
    def lowering(self) -> str:
        """The passes from planned kernels to what `tte-export-hal` takes."""
        passes = [f"tte-lower-kernels{{{self.lowering_options}}}", "tte-share-kernels"]
        if "fp-rounding" not in self.instructions:
            passes.append("tte-expand-float")
        return ",".join(passes)


_LIBC = frozenset({"memcpy", "memmove", "memset"})

_C_FLAGS = (
    "-std=c11",
    "-ffreestanding",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-fdata-sections",
)

# AEABI names of the memory functions, which compilers for Arm call instead.
_AEABI = frozenset(
    f"__aeabi_mem{name}{alignment}"
    for name in ("cpy", "move", "set", "clr")
    for alignment in ("", "4", "8")
)


def _qemu(program: str, machine: str, *flags: str) -> tuple[str, ...]:
    return (f"qemu-system-{program}", "-M", machine, *flags)


# An instruction takes 64 ns of the board's time; SysTick runs at 25, 20 and 32 MHz.
_NANOSECONDS = 64
_SYSTICK = ("-icount", "shift=6,align=off,sleep=off")

_MPS2_AN500 = Board(
    architecture="arm",
    emulator=_qemu("arm", "mps2-an500"),
    counting=_SYSTICK,
    ticks_per_instruction=Fraction(25 * _NANOSECONDS, 1000),
    flash_origin=0,
    flash_bytes=4 << 20,
    sram_origin=0x2000_0000,
    sram_bytes=4 << 20,
    default_sram_bytes=256 << 10,
    exception_frame_bytes=112,
)
_MPS2_AN386 = dataclasses.replace(_MPS2_AN500, emulator=_qemu("arm", "mps2-an386"))
# The secure aliases of the code and data memories: the processor starts in the secure state.
_MPS2_AN505 = dataclasses.replace(
    _MPS2_AN500,
    emulator=_qemu("arm", "mps2-an505"),
    ticks_per_instruction=Fraction(20 * _NANOSECONDS, 1000),
    flash_origin=0x1000_0000,
    sram_origin=0x3800_0000,
)
_MPS3_AN547 = dataclasses.replace(
    _MPS2_AN500,
    emulator=_qemu("arm", "mps3-an547"),
    ticks_per_instruction=Fraction(32 * _NANOSECONDS, 1000),
    flash_origin=0x0100_0000,
    flash_bytes=2 << 20,
    sram_origin=0x2100_0000,
    vectors_origin=0,
)
# Code lies in RAM too, which start-up protects; between it and SRAM nothing may be touched.
_RISCV_VIRT = Board(
    architecture="riscv",
    emulator=_qemu("riscv32", "virt", "-bios", "none"),
    counting=("-icount", "shift=0,align=off,sleep=off"),
    ticks_per_instruction=Fraction(1),
    flash_origin=0x8000_0000,
    flash_bytes=4 << 20,
    sram_origin=0x8080_0000,
    sram_bytes=4 << 20,
    default_sram_bytes=256 << 10,
    exception_frame_bytes=0,  # no interrupt is enabled
)


def _cortex_m(
    name: str,
    architecture: str,
    features: str,
    fpu: str,
    instructions: set[str],
    board: Board,
    vector_bytes: int = 4,
) -> Target:
    """A Cortex-M with a single-precision unit."""
    c_flags = (f"-mcpu={name}", "-mthumb", "-mfloat-abi=hard", f"-mfpu={fpu}", "-Os")
    return Target(
        name=name,
        triple=f"thumb{architecture}-none-eabihf",
        cpu=name,
        features=features,
        vector_bytes=vector_bytes,
        instructions=frozenset(instructions),
        iree_flags=("--iree-llvmcpu-target-float-abi=hard",),
        tool_prefix="arm-none-eabi-",
        c_flags=(*c_flags, *_C_FLAGS),
        link_flags=("-nostartfiles", "--specs=nano.specs", "-Wl,-z,noexecstack"),
        helpers=_LIBC | _AEABI,
        board=board,
    )


_FPV5 = "+dsp,+fp-armv8d16sp,-fp64"
_RISCV_FLAGS = ("-march=rv32imafc", "-mabi=ilp32f", "-mcmodel=medany", "-Os")

_TARGETS = {
    target.name: target
    for target in (
        _cortex_m("cortex-m7", "v7em", _FPV5, "fpv5-sp-d16", {"dsp", "fp-rounding"}, _MPS2_AN500),
        _cortex_m(
            "cortex-m4", "v7em", "+dsp,+vfp4d16sp,-fp64", "fpv4-sp-d16", {"dsp"}, _MPS2_AN386
        ),
        _cortex_m(
            "cortex-m33", "v8m.main", _FPV5, "fpv5-sp-d16", {"dsp", "fp-rounding"}, _MPS2_AN505
        ),
        # The vector unit takes the portable bodies; the DSP ones are for scalar registers.
        _cortex_m(
            "cortex-m55",
            "v8.1m.main",
            f"{_FPV5},+mve.fp",
            "auto",
            {"fp-rounding"},
            _MPS3_AN547,
            vector_bytes=16,
        ),
        Target(
            name="riscv32",
            triple="riscv32-unknown-elf",
            cpu="generic-rv32",
            features="+m,+a,+f,+c",
            vector_bytes=4,
            instructions=frozenset({"fp-rounding"}),
            iree_flags=("--iree-llvmcpu-target-abi=ilp32f",),
            tool_prefix="riscv64-unknown-elf-",
            c_flags=(*_RISCV_FLAGS, *_C_FLAGS),
            link_flags=("-nostartfiles", "--specs=picolibc.specs", "-Wl,-z,noexecstack"),
            helpers=_LIBC,
            board=_RISCV_VIRT,
        ),
        # A feature level of its own, not the build machine's: runs repeat across machines.
        Target(
            name="host",
            triple="x86_64-unknown-linux-gnu",
            cpu="x86-64-v3",
            features="",
            vector_bytes=32,
            instructions=frozenset({"fp-rounding"}),
            iree_flags=(),
            tool_prefix="",
            c_flags=("-march=x86-64-v3", "-O2", "-fPIC", *_C_FLAGS),
            link_flags=("-shared", "-Wl,-Bsymbolic"),
            helpers=_LIBC | {"_GLOBAL_OFFSET_TABLE_"},
        ),
    )
}


def names() -> list[str]:
    """All targets, sorted."""
    return sorted(_TARGETS)


def get(name: str) -> Target:
    """The target called `name`."""
    if name not in _TARGETS:
        raise TTEError(f"unknown target '{name}': expected one of {', '.join(names())}")
    return _TARGETS[name]
