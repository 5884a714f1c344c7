# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can run a compiled network: the simulator and the emulated board look alike."""

import abc
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from tte_mlir.backend.package import STATE_HEADER_BYTES, Interface
from tte_mlir.errors import TTEError

# tte_status_string of runtime/tte_runtime.c, by status
STATUS_TEXTS = (
    "ok",
    "invalid argument",
    "arena or state is not aligned as the network's header asks",
    "network is not initialized",
    "kernels or tables do not fit this runtime",
    "network was compiled without training",
    "label out of range",
    "learning rate is negative or not finite",
    "input holds NaN",
    "loss or gradient is not finite",
    "kernel failed",
    "state could not be written",
    "saved state is corrupt or truncated",
    "saved state has an unknown format version",
    "saved state belongs to another model",
    "saved state changed between two readings: the network is in its initial state",
)


class DeviceError(TTEError):
    """A call of the C API that did not return TTE_OK."""

    def __init__(self, status: int) -> None:
        known = 0 <= status < len(STATUS_TEXTS)
        super().__init__(STATUS_TEXTS[status] if known else f"unknown status {status}")
        self.status = status


@dataclass(frozen=True)
class Record:
    """One image, to train on where there is a learning rate, else to infer.

    `image` has the network's input shape (channels last, batch optional): uint8 is raw,
    int8 is quantized already, floats are real values.
    """

    image: np.ndarray
    label: int = 0
    learning_rate: float | None = None


@dataclass(frozen=True)
class Result:
    """`scores` is f32[classes]; `loss` is None for inference, `instructions` where not counted.

    `calls` are the instructions of each call, where the device profiles; `instructions` is then
    their sum.
    """

    scores: np.ndarray
    prediction: int
    loss: float | None = None
    instructions: int | None = None
    calls: tuple[int, ...] | None = None


class Device(abc.ABC):
    """A network with its state. Errors leave the state as it was."""

    def __init__(self, interface: Interface) -> None:
        self.interface = interface

    @abc.abstractmethod
    def _execute(self, image: np.ndarray, record: Record) -> Result:
        """Runs a checked record on its image, which is uint8 (raw) or int8."""

    @abc.abstractmethod
    def save_state(self) -> bytes:
        """The state as NAME_save_state writes it: good on every target."""

    @abc.abstractmethod
    def _load_state(self, saved: bytes) -> None:
        """Hands a saved state to NAME_load_state."""

    @abc.abstractmethod
    def close(self) -> None:
        """Frees what the device holds."""

    def load_state(self, saved: bytes) -> None:
        """Takes what save_state gave."""
        is_too_long = len(saved) > self.interface.saved_state_bytes
        # NAME_load_state ignores what follows a state; a header alone it refuses.
        self._load_state(saved[:STATE_HEADER_BYTES] if is_too_long else saved)

    def execute(self, record: Record) -> Result:
        """Checks a record and runs it."""
        self._check(record)
        return self._execute(self._quantize(record.image), record)

    def run(self, records: Iterable[Record]) -> Iterator[Result]:
        """Executes records one at a time and yields each result when it is there."""
        for record in records:
            yield self.execute(record)

    def infer(self, image: np.ndarray) -> np.ndarray:
        """The scores, f32[classes]."""
        return self.execute(Record(image)).scores

    def train_step(self, image: np.ndarray, label: int, learning_rate: float) -> float:
        """The loss of before the update."""
        loss = self.execute(Record(image, label, learning_rate)).loss
        assert loss is not None
        return loss

    def _check(self, record: Record) -> None:
        shape, expected = record.image.shape, self.interface.input_shape
        if shape not in (expected, expected[1:]):
            raise TTEError(f"image has shape {shape}, expected {expected}")
        if record.learning_rate is None:
            return
        if not 0 <= record.label < self.interface.class_count:
            raise TTEError(
                f"label {record.label} out of range, expected 0 to {self.interface.class_count - 1}"
            )
        if not math.isfinite(record.learning_rate) or record.learning_rate < 0:
            raise TTEError(f"learning rate is {record.learning_rate}, expected a finite number ≥ 0")

    def _quantize(self, image: np.ndarray) -> np.ndarray:
        if image.dtype in (np.uint8, np.int8):
            return np.ascontiguousarray(image)
        if not np.issubdtype(image.dtype, np.floating):
            raise TTEError(f"image has type {image.dtype}, expected uint8, int8 or float")
        if np.isnan(image).any():
            raise TTEError("image holds NaN")
        return quantize(image, self.interface.input_scale, self.interface.input_zero_point)

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def quantize(real: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """NAME_quantize_input_f32: f32 division, half to even, saturated to int8."""
    with np.errstate(over="ignore"):
        scaled = real.astype(np.float32) / np.float32(scale)
    low, high = -128 - zero_point, 127 - zero_point
    return (np.rint(np.clip(scaled, low, high)) + zero_point).astype(np.int8)
