# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The simulator and the emulated board run the fake network as numpy does."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import fake_network
import numpy as np
import pytest

from tte_mlir.backend import image, targets
from tte_mlir.backend.device import Device, DeviceError, Record, quantize
from tte_mlir.backend.emulator import Emulator
from tte_mlir.backend.image import Image
from tte_mlir.backend.simulator import Simulator
from tte_mlir.errors import TTEError

M7 = targets.get("cortex-m7")
INTERFACE = fake_network.make_program().interface()
IMAGE = np.array([1, -2, 3, 4], np.int8).reshape(INTERFACE.input_shape)


@pytest.fixture
def simulator(fake_library: Path) -> Simulator:
    return Simulator(fake_library, INTERFACE)


@pytest.fixture
def emulator(fake_image: Image) -> Iterator[Emulator]:
    with Emulator(fake_image.path, INTERFACE, M7, timeout=60) as device:
        yield device


@pytest.fixture(params=["simulator", "emulator"])
def device(request: pytest.FixtureRequest) -> Device:
    return request.getfixturevalue(request.param)


def test_training_equals_numpy_bit_for_bit(device: Device) -> None:
    random = np.random.default_rng(0)
    oracle = fake_network.Oracle()
    for _ in range(20):
        image = random.integers(-20, 20, INTERFACE.input_shape, np.int8)
        label = int(random.integers(0, fake_network.CLASSES))
        expected = oracle.scores(image)
        result = device.execute(Record(image, label, 1e-4))
        np.testing.assert_array_equal(result.scores, expected)
        assert result.prediction == np.argmax(expected)
        assert result.loss == oracle.train_step(image, label, 1e-4)
    np.testing.assert_array_equal(device.infer(IMAGE), oracle.scores(IMAGE))
    weights = np.frombuffer(device.save_state()[24 : 24 + oracle.weights.nbytes], np.float32)
    np.testing.assert_array_equal(weights.reshape(oracle.weights.shape), oracle.weights)


def test_raw_and_real_images_are_quantized(device: Device) -> None:
    raw = np.array([32, 33, 35, 255], np.uint8).reshape(INTERFACE.input_shape)
    real = raw.astype(np.float32) * 0.25 - 8
    oracle = fake_network.Oracle().scores(quantize(real, 0.5, 3))
    np.testing.assert_array_equal(device.infer(raw), oracle)
    np.testing.assert_array_equal(device.infer(real), oracle)
    np.testing.assert_array_equal(device.infer(real[0]), oracle)  # without its batch dimension


def test_saved_state_is_a_checksummed_header_and_the_state(device: Device) -> None:
    device.train_step(IMAGE, 1, 0.01)
    saved = device.save_state()
    assert len(saved) == INTERFACE.saved_state_bytes
    magic, version, model, size, crc = struct.unpack("<4sIQII", saved[:24])
    assert (magic, version, model) == (b"TTES", 1, INTERFACE.model_hash)
    assert size == INTERFACE.state_bytes == len(saved) - 24
    assert crc == zlib.crc32(saved[:20] + saved[24:])
    assert saved[-4:] == struct.pack("<i", 1)  # completed steps


def test_states_travel_between_host_and_board(simulator: Simulator, emulator: Emulator) -> None:
    for source, sink in ((simulator, emulator), (emulator, simulator)):
        source.train_step(IMAGE, 2, 0.01)
        sink.load_state(source.save_state())
        np.testing.assert_array_equal(sink.infer(IMAGE), source.infer(IMAGE))
    assert simulator.save_state()[-4:] == struct.pack("<i", 2)


@pytest.mark.parametrize(
    ("image", "label", "rate", "message"),
    [
        (IMAGE, 3, 0.1, "label 3 out of range, expected 0 to 2"),
        (IMAGE, -1, 0.1, "label -1 out of range"),
        (IMAGE, 0, float("nan"), "learning rate is nan"),
        (IMAGE, 0, -0.1, "learning rate is -0.1"),
        (IMAGE[:, :1], 0, 0.1, r"image has shape \(1, 1, 2, 1\), expected \(1, 2, 2, 1\)"),
        (np.full(IMAGE.shape, np.nan), 0, 0.1, "image holds NaN"),
        (IMAGE.astype(np.int32), 0, 0.1, "image has type int32"),
    ],
)
def test_bad_arguments_leave_the_state_alone(
    device: Device, image: np.ndarray, label: int, rate: float, message: str
) -> None:
    before = device.save_state()
    with pytest.raises(TTEError, match=message):
        device.train_step(image, label, rate)
    assert device.save_state() == before


def test_loss_that_is_not_finite_leaves_the_state_alone(device: Device) -> None:
    device.train_step(IMAGE, 0, 3e18)  # the next scores are near 1e20, their squares infinite
    before = device.save_state()
    with pytest.raises(DeviceError, match="loss or gradient is not finite"):
        device.train_step(IMAGE, 0, 3e18)
    assert device.save_state() == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda saved: saved[:-1], "corrupt or truncated"),
        (lambda saved: saved[:23], "corrupt or truncated"),
        (lambda saved: saved[:30] + b"\0\0\1" + saved[33:], "corrupt or truncated"),
        (lambda saved: saved[:-1] + b"\1", "corrupt or truncated"),
        (lambda saved: saved[:4] + b"\2" + saved[5:], "unknown format version"),
        (lambda saved: saved[:8] + bytes(8) + saved[16:], "belongs to another model"),
        (lambda saved: b"", "corrupt or truncated"),
        (lambda saved: saved + b"\0", "corrupt or truncated"),
        (lambda saved: saved[:8] + bytes(8) + saved[16:] * 2, "belongs to another model"),
    ],
)
def test_bad_saved_states_leave_the_state_alone(device: Device, damage, message: str) -> None:
    device.train_step(IMAGE, 1, 0.01)
    before = device.save_state()
    with pytest.raises(TTEError, match=message):
        device.load_state(damage(before))
    assert device.save_state() == before
    device.load_state(before)


def test_instructions_repeat_exactly(fake_image: Image) -> None:
    runs = []
    for _ in range(2):
        with Emulator(fake_image.path, INTERFACE, M7, timeout=60) as device:
            results = list(device.run([Record(IMAGE), Record(IMAGE, 1, 0.1)]))
            runs.append([result.instructions for result in results])
    assert runs[0] == runs[1]
    assert 0 < runs[0][0] < runs[0][1] < 10_000


def test_instructions_are_optional(fake_image: Image) -> None:
    with Emulator(fake_image.path, INTERFACE, M7, count_instructions=False, timeout=60) as device:
        assert device.execute(Record(IMAGE)).instructions is None


def test_thousands_of_records_stream(emulator: Emulator) -> None:
    record = Record(IMAGE, 1, 1e-4)
    received = 0
    for result in emulator.run(record for _ in range(3000)):
        received += 1
        assert result.loss is not None
    assert received == 3000
    assert emulator.save_state()[-4:] == struct.pack("<i", 3000)


def test_stack_stays_within_its_static_bound(emulator: Emulator, fake_image: Image) -> None:
    emulator.train_step(IMAGE, 1, 0.1)
    emulator.load_state(emulator.save_state())
    assert 0 < emulator.stack_used() <= fake_image.stack_bound.total <= fake_image.sram.stack


def _link_board(tmp_path: Path, body: str, stack_bytes: int = 1024) -> Path:
    source = tmp_path / "main.c"
    source.write_text(f'#include "board.h"\n{body}\n')
    image.link([source], [], M7, tmp_path / "app.elf", 8192, stack_bytes)
    return tmp_path / "app.elf"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('int main(void) { board_fail("no network"); }', "stopped: no network"),
        ("int main(void) { return 7; }", "stopped: exit code 7"),
        (
            "int main(void) { *(volatile int *)0xF0000000 = 1; return 0; }",
            "stopped: fault: pc 0x[0-9a-f]{8} lr 0x[0-9a-f]{8} cfsr 0x[0-9a-f]{8}",
        ),
        (
            "static const int frozen = 1;\n"
            "int main(void) { *(volatile int *)&frozen = 2; return 0; }",
            "stopped: fault: pc",
        ),
        (
            "static int f(int n);\n"
            "static int (*volatile again)(int) = f;\n"
            "static int f(int n) { return n ? again(n - 1) + n : 0; }\n"
            "int main(void) { return f(1000); }",
            "stopped: fault: stack overflow",
        ),
    ],
)
def test_death_of_the_board_is_reported(tmp_path: Path, body: str, message: str) -> None:
    with Emulator(_link_board(tmp_path, body), INTERFACE, M7, timeout=60) as device:
        with pytest.raises(TTEError, match=message):
            device.infer(IMAGE)
        with pytest.raises(TTEError, match="the emulator is closed"):
            device.infer(IMAGE)


def test_board_that_hangs_is_reported(tmp_path: Path) -> None:
    elf = _link_board(tmp_path, "int main(void) { for (;;) ; }")
    device = Emulator(elf, INTERFACE, M7, timeout=0.5)
    with device, pytest.raises(TTEError, match=r"did not answer within 0\.5 s"):
        device.infer(IMAGE)


def test_instruction_counter_outlasts_24_bits(tmp_path: Path) -> None:
    """30 million turns of a loop of two instructions; SysTick wraps every 10.5 million."""
    body = """
    int main(void) {
      uint64_t begin = board_instructions();
      uint32_t turns = 30000000;
      __asm__ volatile("1: subs %0, #1\\n bne 1b" : "+r"(turns) : : "cc");
      uint64_t count = board_instructions() - begin;
      board_fail(count > 60000000 && count < 60001000 ? "exact" : "wrong");
    }"""
    device = Emulator(_link_board(tmp_path, body), INTERFACE, M7, timeout=60)
    with device, pytest.raises(TTEError, match="stopped: exact"):
        device.infer(IMAGE)
