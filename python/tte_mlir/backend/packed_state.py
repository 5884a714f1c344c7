# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The initial state as it lies in flash: words that fit in 16 bits take two bytes."""

from collections.abc import Iterator
from itertools import groupby

WORDS = 0x80
_LONGEST = 128  # units of a run


def pack(state: bytes) -> bytes:
    """Runs that `tte_reset_state` of the runtime unpacks.

    A run begins with a byte: its low 7 bits are the number of units less 1. With the bit `WORDS`
    the units are i16 that stand for the i32 of the same value, else bytes. Behind the last run the
    state is 0. Little-endian, at least one run.
    """
    used = len(state.rstrip(b"\0")) or 1
    state = state[: used + -used % 4]
    return b"".join(_run(state[4 * begin : 4 * end], small) for begin, end, small in _spans(state))


def _spans(state: bytes) -> Iterator[tuple[int, int, bool]]:
    """(first, end, whether they fit in 16 bits) of words that are packed alike."""
    words = [state[at : at + 4] for at in range(0, len(state), 4)]
    spans: list[tuple[int, int, bool]] = []
    begin = 0
    for small, group in groupby(words, _is_small):
        end = begin + len(list(group))
        # A single word saves less than a run of its own costs.
        small = small and end - begin > 1
        if spans and not small and not spans[-1][2]:
            spans[-1] = (spans[-1][0], end, False)
        else:
            spans.append((begin, end, small))
        begin = end
    return iter(spans)


def _is_small(word: bytes) -> bool:
    value = int.from_bytes(word, "little", signed=True)
    return len(word) == 4 and -(2**15) <= value < 2**15


def _run(span: bytes, small: bool) -> bytes:
    if small:
        span = b"".join(span[at : at + 2] for at in range(0, len(span), 4))
    width = 2 if small else 1
    pieces = (span[at : at + width * _LONGEST] for at in range(0, len(span), width * _LONGEST))
    flag = WORDS if small else 0
    return b"".join(bytes((flag | len(piece) // width - 1,)) + piece for piece in pieces)
