# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Targets as data: adding one adds an entry here, and a board directory where it has one."""

import dataclasses
from dataclasses import dataclass

from tte_mlir.errors import TTEError


@dataclass(frozen=True)
class Board:
    """An emulated board; its C sources and linker script lie in runtime/boards/`directory`."""

    directory: str
    linker_script: str
    emulator: tuple[str, ...]
    counting: tuple[str, ...]  # further flags for one tick of a clock an instruction
    flash_bytes: int
    sram_bytes: int
    default_sram_bytes: int
    exception_frame_bytes: int  # pushed by the processor on an interrupt, at most


@dataclass(frozen=True)
class Target:
    """A processor, and how code is made for it.

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
        passes = [f"tte-lower-kernels{{{self.lowering_options}}}"]
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

_MPS2_AN500 = Board(
    directory="mps2",
    linker_script="mps2.ld",
    emulator=("qemu-system-arm", "-M", "mps2-an500"),
    counting=("-icount", "shift=6,align=off,sleep=off"),
    flash_bytes=4 << 20,
    sram_bytes=4 << 20,
    default_sram_bytes=256 << 10,
    exception_frame_bytes=112,
)

_MPS2_AN386 = dataclasses.replace(_MPS2_AN500, emulator=("qemu-system-arm", "-M", "mps2-an386"))

_TARGETS = {
    target.name: target
    for target in (
        Target(
            name="cortex-m7",
            triple="thumbv7em-none-eabihf",
            cpu="cortex-m7",
            features="+dsp,+fp-armv8d16sp,-fp64",
            vector_bytes=4,
            instructions=frozenset({"dsp", "fp-rounding"}),
            iree_flags=("--iree-llvmcpu-target-float-abi=hard",),
            tool_prefix="arm-none-eabi-",
            c_flags=(
                "-mcpu=cortex-m7",
                "-mthumb",
                "-mfloat-abi=hard",
                "-mfpu=fpv5-sp-d16",
                "-Os",
                *_C_FLAGS,
            ),
            link_flags=("-nostartfiles", "--specs=nano.specs", "-Wl,-z,noexecstack"),
            helpers=_LIBC | _AEABI,
            board=_MPS2_AN500,
        ),
        Target(
            name="cortex-m4",
            triple="thumbv7em-none-eabihf",
            cpu="cortex-m4",
            features="+dsp,+vfp4d16sp,-fp64",
            vector_bytes=4,
            instructions=frozenset({"dsp"}),
            iree_flags=("--iree-llvmcpu-target-float-abi=hard",),
            tool_prefix="arm-none-eabi-",
            c_flags=(
                "-mcpu=cortex-m4",
                "-mthumb",
                "-mfloat-abi=hard",
                "-mfpu=fpv4-sp-d16",
                "-Os",
                *_C_FLAGS,
            ),
            link_flags=("-nostartfiles", "--specs=nano.specs", "-Wl,-z,noexecstack"),
            helpers=_LIBC | _AEABI,
            board=_MPS2_AN386,
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
