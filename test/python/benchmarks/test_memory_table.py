# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of bench-memory: first fit counted by hand, and what a row misses."""

from memory import CASES, Row, misses, page, place_first_fit

from tte_mlir.report.plan import Value


def value(size: int, first: int, last: int) -> Value:
    return Value("", "forward", 0, size, first, last)


def test_first_fit():
    # The second lies on the first; the third does not fit below it, the fourth does.
    values = [value(32, 0, 1), value(32, 1, 4), value(48, 2, 3), value(16, 2, 2)]
    assert place_first_fit(values) == 112
    assert place_first_fit([]) == 0


def row(**changes) -> Row:
    fields = {
        "naive": 300_000, "arena": 135_000, "arena_bound": 135_000, "order_bound": 135_000,
        "optimal": True, "state": 40_000, "stack": 2_000, "runtime": 300, "total": 177_300,
        "seconds": 20.0,
    }  # fmt: skip
    return Row(**(fields | changes))


def test_misses():
    case = CASES[0]
    assert misses(case, row()) == []
    assert misses(case, row(arena=150_000)) == ["the arena is 10.8% over what is required"]
    assert misses(case, row(stack=4_000)) == ["stack and runtime take 4,300 B of 4,096 B"]
    assert misses(case, row(seconds=61.0)) == ["compiled in 61 s, more than 60 s"]


def test_page():
    text = page({CASES[0].name: row(), CASES[-1].name: row(seconds=90.0)})
    assert "| mcunet 49kb | 300,000 | 135,000 | 135,428 |" in text
    assert "| 112,376 | 20 s |" in text
    assert "| 135,000 | yes | 40,000 | 2,000 | 300 | 177,300 |" in text
    assert "- proxyless last:2: compiled in 90 s, more than 60 s" in text
