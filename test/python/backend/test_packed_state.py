# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The initial state is packed in flash and unpacked by the runtime."""

import ctypes
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tte_mlir.backend import package, packed_state, resources


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    directory = tmp_path_factory.mktemp("packed")
    (directory / "unpack.c").write_text(
        """
        #include "tte_program.h"
        void unpack(const uint8_t *packed, uint32_t packed_bytes, uint8_t *state, uint32_t bytes) {
          tte_program program = {.initial_state = packed, .initial_bytes = packed_bytes,
                                 .state_bytes = bytes};
          tte_reset_state(&program, state);
        }"""
    )
    sources = [resources.path("runtime") / name for name in package.RUNTIME_SOURCES]
    library = directory / "unpack.so"
    command = ["gcc", "-shared", "-fPIC", f"-I{resources.path('runtime')}", "unpack.c", *sources]
    subprocess.run([*command, "-o", library], cwd=directory, check=True)
    return ctypes.CDLL(str(library))


def unpack(runtime: ctypes.CDLL, packed: bytes, size: int) -> bytes:
    """What the runtime makes of `packed`, in memory that is neither 0 nor longer than that."""
    memory = ctypes.create_string_buffer(b"\xa5" * (size + 16), size + 16)
    runtime.unpack(packed, len(packed), memory, size)
    assert memory.raw[size:] == b"\xa5" * 16
    return memory.raw[:size]


WORD = st.one_of(
    st.integers(-(2**15) - 1, 2**15).map(lambda value: value.to_bytes(4, "little", signed=True)),
    st.binary(min_size=4, max_size=4),
    st.just(bytes(4)),
)
WORDS = st.lists(st.tuples(WORD, st.integers(1, 200)), min_size=1, max_size=6).map(
    lambda runs: b"".join(word * count for word, count in runs)
)


@settings(max_examples=60, deadline=None)
@given(words=WORDS, end=st.binary(max_size=3))
def test_runtime_unpacks_what_was_packed(runtime: ctypes.CDLL, words: bytes, end: bytes) -> None:
    state = words + end
    packed = packed_state.pack(state)
    assert unpack(runtime, packed, len(state)) == state
    assert len(packed) <= len(state) + -(-len(state) // 128)


def test_small_words_take_two_bytes_and_what_follows_them_nothing(runtime: ctypes.CDLL) -> None:
    small = np.arange(-128, 128, dtype="<i4")
    large = np.full(3, -(2**31) + 1, "<i4")
    state = bytes(4) + b"weights!" + large.tobytes() + small.tobytes() + bytes(100)
    packed = packed_state.pack(state)
    assert len(packed) == 1 + 4 + 8 + 12 + 2 + 2 * 256
    assert unpack(runtime, packed, len(state)) == state


def test_a_state_of_zeros_is_a_run_all_the_same(runtime: ctypes.CDLL) -> None:
    assert packed_state.pack(bytes(4)) == b"\x03" + bytes(4)
    assert unpack(runtime, packed_state.pack(bytes(40)), 40) == bytes(40)
