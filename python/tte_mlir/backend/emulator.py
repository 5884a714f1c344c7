# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The example firmware on an emulated board.

Two pipes carry the records, through semihosting; the emulator inherits their far ends, so
that the death of either side ends the streams of the other. Every request has one reply.
"""

import os
import select
import struct
import subprocess
import tempfile
import time
from enum import IntEnum
from pathlib import Path

import numpy as np

from tte_mlir.backend import toolchain
from tte_mlir.backend.device import Device, DeviceError, Record, Result
from tte_mlir.backend.package import Interface
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError

# The headers of examples/firmware/records.h.
_REQUEST = struct.Struct("<IIifI")
_REPLY = struct.Struct("<ifiIQ")
_PIECE = struct.Struct("<II")


class _Command(IntEnum):
    INFER = 0
    TRAIN_STEP = 1
    SAVE_STATE = 2
    LOAD_STATE = 3
    REPORT_STACK = 4
    REPORT_PROFILE = 5


class Emulator(Device):
    """Boots the firmware `image`; `timeout` is in seconds and for one record.

    Counting is exact and repeatable: it runs one instruction every 64 ns of board time. Without
    it integer code runs up to twice as fast (800 instead of 400 million instructions a second)
    and floating-point code no faster, at 150 to 200 million.

    An image of `link_profile` counts each call (`profiles`); what its counters cost is left out.
    """

    def __init__(
        self,
        image: Path,
        interface: Interface,
        target: Target,
        count_instructions: bool = True,
        profiles: bool = False,
        timeout: float = 600.0,
    ) -> None:
        super().__init__(interface)
        if target.board is None:
            raise TTEError(f"target {target.name} has no emulated board")
        self._counts = count_instructions or profiles
        self._profiles = profiles
        self._timeout = timeout
        program = toolchain.find(target.board.emulator[0])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the emulator)
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        streams = ",".join(f"arg=/dev/fd/{end}" for end in (requests, replies))
        command = [str(program), *target.board.emulator[1:]]
        command += target.board.counting if self._counts else ()
        command += ["-display", "none", "-monitor", "none", "-serial", "null"]
        command += ["-semihosting-config", f"enable=on,target=native,arg=firmware,{streams}"]
        command += ["-kernel", str(image)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(requests, replies),
        )
        os.close(requests)
        os.close(replies)
        os.set_blocking(self._requests, False)

    def save_state(self) -> bytes:
        """See Device."""
        return self._request(_Command.SAVE_STATE)[1]

    def _load_state(self, saved: bytes) -> None:
        """See Device."""
        deadline = self._start(_Command.LOAD_STATE, len(saved))
        while True:
            offset, size = _PIECE.unpack(self._receive(_PIECE.size, deadline))
            if not size:
                break
            self._send(saved[offset : offset + size], deadline)
        self._reply(deadline)

    def stack_used(self) -> int:
        """The most bytes of stack that the firmware used so far, interrupts included."""
        return struct.unpack("<I", self._request(_Command.REPORT_STACK)[1])[0]

    def close(self) -> None:
        """The firmware stops where its requests end; the emulator is not waited for long."""
        if self._requests < 0:
            return
        os.close(self._requests)
        os.close(self._replies)
        self._requests = self._replies = -1
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _execute(self, image: np.ndarray, record: Record) -> Result:
        trains = record.learning_rate is not None
        (loss, prediction, instructions), scores = self._request(
            _Command.TRAIN_STEP if trains else _Command.INFER,
            payload=image.tobytes(),
            is_raw=image.dtype == np.uint8,
            label=record.label,
            learning_rate=record.learning_rate or 0.0,
        )
        calls = self._call_instructions() if self._profiles else None
        return Result(
            scores=np.frombuffer(scores, np.float32),
            prediction=prediction,
            loss=loss if trains else None,
            instructions=sum(calls) if calls else instructions if self._counts else None,
            calls=calls,
        )

    def _call_instructions(self) -> tuple[int, ...]:
        data = self._request(_Command.REPORT_PROFILE)[1]
        return struct.unpack(f"<{len(data) // 4}I", data)

    def _request(
        self,
        command: _Command,
        payload: bytes = b"",
        is_raw: bool = False,
        label: int = 0,
        learning_rate: float = 0.0,
    ) -> tuple[tuple[float, int, int], bytes]:
        deadline = self._start(command, len(payload), is_raw, label, learning_rate)
        self._send(payload, deadline)
        return self._reply(deadline)

    def _start(
        self,
        command: _Command,
        size: int,
        is_raw: bool = False,
        label: int = 0,
        learning_rate: float = 0.0,
    ) -> float:
        """Sends the header of a request; returns until when its reply must be there."""
        if self._requests < 0:
            raise TTEError("the emulator is closed")
        deadline = time.monotonic() + self._timeout
        self._send(_REQUEST.pack(command, is_raw, label, learning_rate, size), deadline)
        return deadline

    def _reply(self, deadline: float) -> tuple[tuple[float, int, int], bytes]:
        status, loss, prediction, length, instructions = _REPLY.unpack(
            self._receive(_REPLY.size, deadline)
        )
        data = self._receive(length, deadline)
        if status:
            raise DeviceError(status)
        return (loss, prediction, instructions), data

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(deadline, writes=True)
            try:
                rest = rest[os.write(self._requests, rest) :]
            except BrokenPipeError:
                raise self._death() from None

    def _receive(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(deadline, writes=False)
            piece = os.read(self._replies, size - len(data))
            if not piece:
                raise self._death()
            data += piece
        return bytes(data)

    def _wait(self, deadline: float, writes: bool) -> None:
        readers, writers = ([], [self._requests]) if writes else ([self._replies], [])
        remaining = max(0.0, deadline - time.monotonic())
        if not any(select.select(readers, writers, [], remaining)):
            self._process.kill()
            self.close()
            raise TTEError(f"the emulated board did not answer within {self._timeout:g} s")

    def _death(self) -> TTEError:
        self._process.kill()  # no effect where it has ended by itself
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode(errors="replace").strip().splitlines()
        self.close()
        reason = said[-1] if said else f"exit code {code}"
        return TTEError(f"the emulated board stopped: {reason}")
