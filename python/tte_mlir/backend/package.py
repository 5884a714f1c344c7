# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled network as data, and the C library made of it."""

import enum
import hashlib
import itertools
import json
import math
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import jinja2

from tte_mlir.backend import objects, packed_state, resources, toolchain
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError
from tte_mlir.version import version

ABI_VERSION = 3  # TTE_ABI_VERSION of runtime/tte_runtime.h
MAX_BINDINGS = 32  # TTE_MAX_BINDINGS of runtime/tte_program.h
CHECK_FINITE = 0xFFFF
STATE_HEADER_BYTES = 24
RUNTIME_SOURCES = (
    "executable_library.c",
    "tte_memory.c",
    "tte_quantize.c",
    "tte_runtime.c",
    "tte_schedule.c",
    "tte_state.c",
)


class Space(enum.IntEnum):
    """Where a binding lies; the values are the runtime's."""

    ARENA = 0
    STATE = 1
    FLASH = 2


@dataclass(frozen=True)
class Binding:
    """A byte offset in a memory space."""

    space: Space
    offset: int

    def encode(self) -> int:
        """The word of the call table."""
        return self.space << 30 | self.offset


@dataclass(frozen=True)
class Call:
    """Runs the kernel with ordinal `kernel`; `constants` are 32-bit words.

    `name` says in the generated C what the call computes.
    """

    kernel: int
    bindings: tuple[Binding, ...]
    constants: tuple[int, ...] = ()
    name: str = ""


def check_finite(binding: Binding, count: int, name: str = "") -> Call:
    """A call that ends the function with an error unless `count` f32 values are finite."""
    return Call(CHECK_FINITE, (binding,), (count,), name)


@dataclass(frozen=True)
class Function:
    """Calls in order; the f32 scores lie at arena offset `scores` when they are done.

    `dead` makes a debug build: per call, the ranges (offset, size) of the arena to overwrite
    after it. They do not count for what the network is.
    """

    calls: tuple[Call, ...]
    scores: int
    dead: tuple[tuple[tuple[int, int], ...], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Input:
    """The image: int8 in `shape` (batch first, channels last) at arena offset `offset`.

    real = scale * (q - zero_point); a raw uint8 value u stands for u * u8_scale + u8_offset.
    """

    shape: tuple[int, ...]
    scale: float
    zero_point: int
    offset: int
    u8_scale: float = 1 / 255
    u8_offset: float = 0.0

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Schedule:
    """The learning rate that the recipe chose; `kind` is constant, linear or cosine.

    `steps` is 0 where the recipe leaves them open.
    """

    kind: str = "constant"
    learning_rate: float = 0.01
    warmup: int = 0
    steps: int = 0


@dataclass(frozen=True)
class Program:
    """Everything about a network but the code of its kernels. Sizes and offsets in bytes.

    `label` (i32), `learning_rate` and `loss` (f32) are arena offsets; `step` (i32, completed
    steps) is an offset in the state. `query_symbol` is the entry point of the kernels' object,
    `kernel_names` are its functions in the order of their ordinals.
    `fingerprint` tells networks apart; unlike calls and flash it is the same for every target.
    """

    name: str
    input: Input
    class_count: int
    infer: Function
    train_step: Function | None
    kernel_count: int
    query_symbol: str
    arena_bytes: int
    initial_state: bytes
    flash: bytes
    arena_alignment: int = 16
    state_alignment: int = 16
    flash_alignment: int = 16
    label: int = 0
    learning_rate: int = 0
    loss: int = 0
    step: int = 0
    schedule: Schedule = Schedule()
    kernel_names: tuple[str, ...] = ()
    fingerprint: bytes = b""

    @cached_property
    def packed_state(self) -> bytes:
        """The initial state as it lies in flash."""
        return packed_state.pack(self.initial_state)

    @property
    def functions(self) -> dict[str, Function]:
        """The functions that there are, by their names in C."""
        named = {"infer": self.infer, "train_step": self.train_step}
        return {name: function for name, function in named.items() if function}

    @property
    def poisons(self) -> bool:
        """Whether this is a debug build that overwrites what is dead."""
        return any(function.dead for function in self.functions.values())

    def model_hash(self) -> int:
        """64 bits that bind a saved state to this network; the same for every target."""
        fields = (
            (self.input, self.class_count, self.train_step is not None, self.step),
            (self.initial_state, self.fingerprint),
        )
        return int.from_bytes(hashlib.sha256(repr(fields).encode()).digest()[:8], "little")

    def check(self) -> None:
        """Refuses what the tables of the runtime cannot express."""
        if not re.fullmatch(r"[A-Za-z_]\w*", self.name, re.ASCII):
            raise TTEError(f"network name '{self.name}' is not a C identifier")
        if not self.infer.calls:
            raise TTEError(f"network {self.name} computes nothing")
        sizes = {
            Space.ARENA: self.arena_bytes,
            Space.STATE: len(self.initial_state),
            Space.FLASH: len(self.flash),
        }
        for function in self.functions.values():
            for call in function.calls:
                where = f"call of '{call.name or call.kernel}'"
                if call.kernel != CHECK_FINITE and not 0 <= call.kernel < self.kernel_count:
                    raise TTEError(f"{where}: kernel {call.kernel} of {self.kernel_count}")
                if len(call.bindings) > MAX_BINDINGS:
                    raise TTEError(
                        f"{where}: {len(call.bindings)} bindings, at most {MAX_BINDINGS} allowed"
                    )
                for binding in call.bindings:
                    if not 0 <= binding.offset < sizes[binding.space]:
                        raise TTEError(
                            f"{where}: offset {binding.offset} outside the "
                            f"{sizes[binding.space]} bytes of the {binding.space.name.lower()}"
                        )

    def interface(self) -> "Interface":
        """What callers must know."""
        return Interface(
            name=self.name,
            input_shape=self.input.shape,
            input_scale=self.input.scale,
            input_zero_point=self.input.zero_point,
            class_count=self.class_count,
            arena_bytes=self.arena_bytes,
            arena_alignment=self.arena_alignment,
            state_bytes=len(self.initial_state),
            state_alignment=self.state_alignment,
            model_hash=self.model_hash(),
        )


@dataclass(frozen=True)
class Interface:
    """What a caller of the C library must know; lives in a JSON file beside it."""

    name: str
    input_shape: tuple[int, ...]
    input_scale: float
    input_zero_point: int
    class_count: int
    arena_bytes: int
    arena_alignment: int
    state_bytes: int
    state_alignment: int
    model_hash: int

    @property
    def input_size(self) -> int:
        """Elements of the input."""
        return math.prod(self.input_shape)

    @property
    def saved_state_bytes(self) -> int:
        """Bytes of a saved state with its header."""
        return STATE_HEADER_BYTES + self.state_bytes

    def write(self, path: Path) -> None:
        """Writes JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> "Interface":
        """Reads what write wrote."""
        try:
            fields = json.loads(path.read_text())
            return Interface(**{**fields, "input_shape": tuple(fields["input_shape"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise TTEError(f"{path}: not the interface of a compiled network: {error}") from None


class FlashLayout:
    """Constants in flash, each at a multiple of `alignment` bytes, a power of two.

    Equal ones are there once, and so is one that is a part of another: tables of a fused block are
    those of its layers one after the other.
    """

    def __init__(self, constants: Iterable[bytes], alignment: int) -> None:
        self._data = bytearray()
        self._offsets: dict[bytes, int] = {}
        self.alignment = alignment
        distinct = dict.fromkeys(constants)
        for constant in sorted(distinct, key=len, reverse=True):
            self._offsets[constant] = self._find(constant)

    def _find(self, constant: bytes) -> int:
        """Where `constant` lies; at the end where it was nowhere."""
        offset = self._data.find(constant)
        while offset % self.alignment and offset >= 0:
            offset = self._data.find(constant, offset + 1)
        if offset < 0:
            self._data += bytes(-len(self._data) % self.alignment)
            offset = len(self._data)
            self._data += constant
        return offset

    def __getitem__(self, constant: bytes) -> Binding:
        """Where one of the constants lies."""
        return Binding(Space.FLASH, self._offsets[constant])

    @property
    def data(self) -> bytes:
        """The bytes of the flash space."""
        return bytes(self._data) or b"\0"  # C has no empty arrays


@dataclass
class _Pool:
    """Words of all calls one after the other, equal sequences once."""

    words: list[int] = field(default_factory=list)
    _index: dict[tuple[int, ...], int] = field(default_factory=dict)

    def add(self, words: tuple[int, ...]) -> int:
        if words not in self._index:
            self._index[words] = len(self.words) if words else 0
            self.words += words
            if self._index[words] > 0xFFFF:
                raise TTEError("the call table has more than 65536 words of operands")
        return self._index[words]


@dataclass(frozen=True)
class _Dead:
    """The dead ranges of all calls one after the other; those of call i end before ends[i]."""

    ranges: list[tuple[int, int]]
    ends: list[int]

    @staticmethod
    def of(calls: Sequence[Sequence[tuple[int, int]]]) -> "_Dead":
        ranges = [range_ for call in calls for range_ in call]
        return _Dead(ranges or [(0, 0)], list(itertools.accumulate(map(len, calls))))


class _Tables:
    """The call table as the template prints it."""

    def __init__(self, program: Program) -> None:
        bindings, constants = _Pool(), _Pool()
        self.calls: dict[str, list[tuple[tuple[int, ...], str]]] = {}
        for name, function in program.functions.items():
            self.calls[name] = []
            for call in function.calls:
                row = (
                    call.kernel,
                    len(call.bindings),
                    len(call.constants),
                    bindings.add(tuple(binding.encode() for binding in call.bindings)),
                    constants.add(call.constants),
                )
                self.calls[name].append((row, call.name.replace("\n", " ").rstrip("\\")))
        self.dead = {
            name: _Dead.of(function.dead)
            for name, function in program.functions.items()
            if function.dead
        }
        self.bindings = bindings.words or [0]
        self.constants = constants.words or [0]


def _c_lines(values: Sequence[int]) -> str:
    lines = (values[i : i + 20] for i in range(0, len(values), 20))
    return "\n".join("    " + ", ".join(map(str, line)) + "," for line in lines)


def _c_words(words: Sequence[int]) -> str:
    return _c_lines([f"{word & 0xFFFFFFFF:#x}" for word in words])


def _c_float(value: float) -> str:
    """The literal that reads back as `value` rounded to f32."""
    single = struct.unpack("f", struct.pack("f", value))[0]
    text = f"{single:.9g}"
    return f"({text if set(text) & set('.e') else text + '.0'}f)"


def write_sources(program: Program, directory: Path) -> tuple[Path, Path]:
    """Writes NAME.h and NAME.c, and tte_runtime.h that they include; returns the two."""
    program.check()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(c_bytes=_c_lines, c_words=_c_words, c_float=_c_float)
    directory.mkdir(parents=True, exist_ok=True)
    header, source = (directory / f"{program.name}{suffix}" for suffix in (".h", ".c"))
    for path in (header, source):
        text = environment.get_template(f"NAME{path.suffix}.j2").render(
            name=program.name,
            p=program,
            tables=_Tables(program),
            version=version(),
            abi_version=ABI_VERSION,
            model_hash=program.model_hash(),
        )
        path.write_text(text)
    shutil.copy(resources.path("runtime/tte_runtime.h"), directory)
    return header, source


def compile_library(program: Program, kernels: Path, target: Target, directory: Path) -> list[Path]:
    """Compiles NAME.c and the runtime to objects beside a copy of the kernels' object.

    Refuses objects that want more from elsewhere than the target permits.
    """
    write_sources(program, directory)
    runtime = resources.path("runtime")
    compiler = toolchain.find(target.tool("gcc"))
    flags = (*target.c_flags, *(["-DTTE_POISON"] if program.poisons else []))
    include = (f"-I{directory}", f"-I{runtime}")

    def build(source: Path) -> Path:
        path = directory / f"{source.stem}.o"
        toolchain.run(compiler, *flags, *include, "-c", str(source), "-o", str(path))
        return path

    sources = (directory / f"{program.name}.c", *(runtime / s for s in RUNTIME_SOURCES))
    shutil.copy(kernels, directory / f"{program.name}_kernels.o")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # gcc is a process of its own
        compiled = [directory / f"{program.name}_kernels.o", *pool.map(build, sources)]
    wanted = set().union(*map(objects.undefined, compiled))
    given = set().union(*map(objects.defined, compiled)) | target.helpers
    if missing := sorted(wanted - given):
        raise TTEError(
            f"{program.name} calls {', '.join(missing)}, which target {target.name} does not permit"
        )
    return compiled


def build_archive(program: Program, kernels: Path, target: Target, directory: Path) -> Path:
    """Builds libNAME.a for `target` in `directory`, with its headers and NAME.json beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory / f"lib{program.name}.a"
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        compiled = compile_library(program, kernels, target, Path(temporary))
        toolchain.run(toolchain.find(target.tool("ar")), "rcsD", str(archive), *map(str, compiled))
        for header in Path(temporary).glob("*.h"):
            shutil.copy(header, directory)
    program.interface().write(directory / f"{program.name}.json")
    return archive
