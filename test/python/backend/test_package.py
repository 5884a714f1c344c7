# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The program as data and the C sources made of it."""

import ctypes
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import fake_network
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tte_mlir.backend import package, resources, targets, toolchain
from tte_mlir.backend.device import STATUS_TEXTS, quantize
from tte_mlir.backend.package import Binding, Call, FlashLayout, Interface, Space
from tte_mlir.backend.simulator import _Network
from tte_mlir.errors import TTEError

PROGRAM = fake_network.make_program()


def test_hash_binds_the_state_to_the_network() -> None:
    assert PROGRAM.model_hash() == fake_network.make_program().model_hash()
    assert replace(PROGRAM, name="other", query_symbol="q").model_hash() == PROGRAM.model_hash()
    # tables and packed weights are the target's own
    assert replace(PROGRAM, flash=PROGRAM.flash + b"\0").model_hash() == PROGRAM.model_hash()
    changed = [
        replace(PROGRAM, initial_state=bytes(len(PROGRAM.initial_state))),
        replace(PROGRAM, fingerprint=b"another"),
        replace(PROGRAM, train_step=None),
        replace(PROGRAM, input=replace(PROGRAM.input, scale=0.25)),
    ]
    assert len({PROGRAM.model_hash(), *(program.model_hash() for program in changed)}) == 5


def _with_call(call: Call) -> package.Program:
    return replace(PROGRAM, infer=replace(PROGRAM.infer, calls=(call,)))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (replace(PROGRAM, name="3d"), "network name '3d' is not a C identifier"),
        (replace(PROGRAM, infer=replace(PROGRAM.infer, calls=())), "net computes nothing"),
        (_with_call(Call(3, ())), "call of '3': kernel 3 of 3"),
        (
            _with_call(Call(0, (Binding(Space.STATE, 252),), name="a.b")),
            "call of 'a.b': offset 252 outside the 252 bytes of the state",
        ),
        (_with_call(Call(0, (Binding(Space.ARENA, 0),) * 33)), "33 bindings, at most 32 allowed"),
    ],
)
def test_what_tables_cannot_express_is_refused(
    program: package.Program, message: str, tmp_path: Path
) -> None:
    with pytest.raises(TTEError, match=message):
        package.write_sources(program, tmp_path)


def test_flash_is_aligned_and_holds_equal_constants_once() -> None:
    flash = FlashLayout([b"abc", b"12345", b"abc", b"z"], 4)
    assert flash.data == b"12345" + bytes(3) + b"abc" + bytes(1) + b"z"
    assert [flash[constant].offset for constant in (b"12345", b"abc", b"z")] == [0, 8, 12]
    assert FlashLayout([], 4).data == b"\0"


def test_constants_that_are_part_of_another_take_no_flash() -> None:
    flash = FlashLayout([b"2345", b"0", b"012345670123452345"], 2)
    assert flash.data == b"012345670123452345"
    assert [flash[constant].offset for constant in (b"0", b"2345")] == [0, 2]
    flash = FlashLayout([b"2345", b"012345670123452345"], 4)
    assert flash.data == b"012345670123452345" + bytes(2) + b"2345"


def test_operands_that_repeat_are_stored_once() -> None:
    calls = tuple(Call(0, (Binding(Space.ARENA, 0), Binding(Space.FLASH, 4)), (7,)) for _ in "ab")
    tables = package._Tables(replace(PROGRAM, infer=package.Function(calls, 0), train_step=None))
    assert [row for row, _ in tables.calls["infer"]] == [(0, 2, 1, 0, 0)] * 2
    assert tables.bindings == [0, 2 << 30 | 4]
    assert tables.constants == [7]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_exactly(value: float) -> None:
    literal = package._c_float(value)
    assert literal.startswith("(")
    assert literal.endswith("f)")
    assert np.float32(literal[1:-2]) == np.float32(value)


def test_interface_survives_its_file(tmp_path: Path) -> None:
    PROGRAM.interface().write(tmp_path / "net.json")
    assert Interface.read(tmp_path / "net.json") == PROGRAM.interface()
    (tmp_path / "net.json").write_text('{"name": "net"}')
    with pytest.raises(TTEError, match=r"net\.json: not the interface of a compiled network"):
        Interface.read(tmp_path / "net.json")


def test_python_knows_the_numbers_of_the_c_headers(tmp_path: Path) -> None:
    package.write_sources(PROGRAM, tmp_path)
    lines = "".join(f"puts(tte_status_string((tte_status){i}));" for i in range(len(STATUS_TEXTS)))
    (tmp_path / "main.c").write_text(
        f"""
        #include <stdio.h>
        #include "net.h"
        #include "tte_program.h"
        int main(void) {{
          printf("%u %d %d %u %zu\\n", TTE_ABI_VERSION, TTE_MAX_BINDINGS, TTE_CHECK_FINITE,
                 TTE_STATE_HEADER_BYTES, sizeof(net_t));
          {lines}
        }}"""
    )
    runtime = resources.path("runtime")
    sources = [runtime / name for name in package.RUNTIME_SOURCES]
    command = ["gcc", f"-I{runtime}", "main.c", *sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    output = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout
    numbers, *texts = output.splitlines()
    assert [int(number) for number in numbers.split()] == [
        package.ABI_VERSION,
        package.MAX_BINDINGS,
        package.CHECK_FINITE,
        package.STATE_HEADER_BYTES,
        ctypes.sizeof(_Network),
    ]
    assert tuple(texts) == STATUS_TEXTS


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4),
    scale=st.just(0.5),
)
def test_quantize_is_the_same_in_numpy_and_c(
    fake_library: Path, values: list[float], scale: float
) -> None:
    interface = PROGRAM.interface()
    library = ctypes.CDLL(str(fake_library))
    network = _Network()
    arena, state = (ctypes.create_string_buffer(512) for _ in "as")
    aligned = [
        ctypes.addressof(memory) + -ctypes.addressof(memory) % 16 for memory in (arena, state)
    ]
    assert library.net_init(ctypes.byref(network), *map(ctypes.c_void_p, aligned)) == 0
    real = np.array(values, np.float32)
    pointer = ctypes.c_void_p(real.ctypes.data)
    assert library.net_quantize_input_f32(ctypes.byref(network), pointer) == 0
    written = ctypes.string_at(aligned[0] + PROGRAM.input.offset, 4)
    expected = quantize(real, scale, interface.input_zero_point)
    np.testing.assert_array_equal(np.frombuffer(written, np.int8), expected)


@pytest.mark.parametrize(
    ("tool", "packages"),
    [
        ("arm-none-eabi-gcc", "gcc-arm-none-eabi and libnewlib-arm-none-eabi"),
        ("arm-none-eabi-ar", "binutils-arm-none-eabi"),
        ("qemu-system-arm", "qemu-system-arm"),
        ("gcc", "gcc"),
        ("objcopy", "binutils"),
    ],
)
def test_missing_tools_name_their_package(
    tool: str, packages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        TTEError, match=f"^{tool} is missing: install the Debian package {packages}$"
    ):
        toolchain.find(tool)


def test_unknown_target_lists_the_known() -> None:
    with pytest.raises(TTEError, match="unknown target 'pdp11': expected one of cortex-.*, host"):
        targets.get("pdp11")


def test_push_constants_are_words() -> None:
    assert "0xbf800000" in package._c_words([struct.unpack("I", struct.pack("f", -1.0))[0]])
    assert "0xffffffff" in package._c_words([-1])
