# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The same runtime, call table and kernels as a shared library of the host."""

import ctypes
import tempfile
from pathlib import Path

import numpy as np

from tte_mlir.backend import toolchain
from tte_mlir.backend.device import Device, DeviceError, Record, Result
from tte_mlir.backend.package import Interface, Program, compile_library
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError


def build_simulator(program: Program, kernels: Path, target: Target, directory: Path) -> Path:
    """Builds libNAME.so from kernels compiled for the host `target`, and NAME.json beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    library = directory / f"lib{program.name}.so"
    compiler = toolchain.find(target.tool("gcc"))
    with tempfile.TemporaryDirectory() as temporary:
        compiled = compile_library(program, kernels, target, Path(temporary))
        toolchain.run(compiler, *target.link_flags, *map(str, compiled), "-o", str(library))
    program.interface().write(directory / f"{program.name}.json")
    return library


class _Network(ctypes.Structure):
    """tte_network of runtime/tte_runtime.h."""

    _fields_ = [
        (name, ctypes.c_void_p) for name in ("program", "library", "arena", "state", "scores")
    ]


class _MemoryWriter(ctypes.Structure):
    """tte_memory_writer of runtime/tte_runtime.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("capacity", ctypes.c_size_t),
        ("size", ctypes.c_size_t),
    ]


class _MemoryReader(ctypes.Structure):
    """tte_memory_reader of runtime/tte_runtime.h."""

    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class Simulator(Device):
    """Runs a library of build_simulator in this process."""

    def __init__(self, library: Path, interface: Interface) -> None:
        super().__init__(interface)
        try:
            self._library = ctypes.CDLL(str(library.resolve()))
        except OSError as error:
            raise TTEError(f"cannot load the simulator: {error}") from None
        self._network = _Network()
        self._arena = _aligned(interface.arena_bytes, interface.arena_alignment)
        self._state = _aligned(interface.state_bytes, interface.state_alignment)
        self._call("init", _pointer(self._arena), _pointer(self._state))

    @property
    def state(self) -> np.ndarray:
        """A copy of the state's bytes."""
        return self._state.copy()

    def save_state(self) -> bytes:
        """See Device."""
        saved = ctypes.create_string_buffer(self.interface.saved_state_bytes)
        writer = _MemoryWriter(ctypes.addressof(saved), len(saved), 0)
        self._call("save_state", self._library.tte_write_memory, ctypes.byref(writer))
        return saved.raw

    def _load_state(self, saved: bytes) -> None:
        """See Device."""
        reader = _MemoryReader(saved, len(saved))
        self._call("load_state", self._library.tte_read_memory, ctypes.byref(reader))

    def close(self) -> None:
        """Nothing is held but memory."""

    def _execute(self, image: np.ndarray, record: Record) -> Result:
        if image.dtype == np.uint8:
            self._call("quantize_input_u8", _pointer(image))
        else:
            ctypes.memmove(self._function("input")(ctypes.byref(self._network)), *_span(image))
        scores = np.empty(self.interface.class_count, np.float32)
        loss = None
        if record.learning_rate is None:
            self._call("infer", _pointer(scores))
        else:
            written = ctypes.c_float()
            label, rate = ctypes.c_int(record.label), ctypes.c_float(record.learning_rate)
            self._call("train_step", label, rate, ctypes.byref(written))
            loss = written.value
            ctypes.memmove(_pointer(scores), self._network.scores, scores.nbytes)
        return Result(scores, int(np.argmax(scores)), loss)

    def _function(self, name: str) -> "ctypes._FuncPointer":
        function = self._library[f"{self.interface.name}_{name}"]
        if name == "input":
            function.restype = ctypes.c_void_p
        return function

    def _call(self, name: str, *arguments: object) -> None:
        status = self._function(name)(ctypes.byref(self._network), *arguments)
        if status:
            raise DeviceError(status)


def _aligned(size: int, alignment: int) -> np.ndarray:
    memory = np.zeros(size + alignment, np.uint8)
    start = -memory.ctypes.data % alignment
    return memory[start : start + size]


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _span(array: np.ndarray) -> tuple[ctypes.c_void_p, int]:
    return _pointer(array), array.nbytes
