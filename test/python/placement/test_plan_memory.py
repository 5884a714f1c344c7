# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`ttec plan-memory`: CSV in, offsets and what is proved out; one clear line for bad input."""

from __future__ import annotations

import csv
import re

import pytest
from test_cli import fails, ttec

from tte_mlir import placement
from tte_mlir.errors import TTEError

EXAMPLE = "id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\nb3,0,9,4\nb4,9,21,4\nb5,0,21,4\n"


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "example.csv"
    path.write_text(EXAMPLE)
    return path


def test_offsets(example):
    result = ttec("plan-memory", example, "--capacity", 12)
    assert result.returncode == 0, result.stderr
    *lines, summary = result.stdout.splitlines()
    assert summary == "# height 12, lower bound 12: proved"
    rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == ["b1", "b2", "b3", "b4", "b5"]
    for i, a in enumerate(rows):
        for b in rows[:i]:
            if int(a["lower"]) < int(b["upper"]) and int(b["lower"]) < int(a["upper"]):
                assert abs(int(a["offset"]) - int(b["offset"])) >= 4


def test_own_output_is_input(example, tmp_path):
    output = ttec("plan-memory", example).stdout
    again = tmp_path / "again.csv"
    again.write_text("".join(f"{line}\n" for line in output.splitlines() if line[0] != "#"))
    assert ttec("plan-memory", again).stdout == output


def test_capacity_too_small(example):
    message = fails(1, "plan-memory", example, "--capacity", 11)
    assert "capacity of 11 is too small by 1: at time 0 12 are alive (b1 4, b3 4, b5 4)" in message


def test_capacity_proved_too_small(tmp_path):
    # At most 4 are alive at once, yet no placement is within 4.
    path = tmp_path / "gap.csv"
    path.write_text(
        "id,lower,upper,size\na,0,2,1\nb,0,1,2\nc,1,3,2\nd,0,4,1\ne,2,4,2\nf,3,5,2\ng,4,6,1\n"
        "h,4,5,1\n"
    )
    buffers = placement.read_csv(path)
    found = placement.place(buffers)
    assert found.proved
    with pytest.raises(TTEError, match="is too small"):
        placement.check_capacity(buffers, found, found.height - 1)


def test_not_found():
    buffers = [placement.Buffer("a", 0, 1, 4)]
    with pytest.raises(TTEError, match=r"no placement within 7 found: the lowest found is 8"):
        placement.check_capacity(buffers, placement.Placement([4], 8, 4), 7)


@pytest.mark.parametrize("options", [("--alignment", 3), ("--capacity", "much")])
def test_bad_options(example, options):
    assert str(options[1]) in fails(1, "plan-memory", example, *options)


HEADER = "id,lower,upper,size\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty, expected a line id,lower,upper,size"),
        ("a,b\n", "line 1 must name the columns id,lower,upper,size, found 'a,b'"),
        ("id,lower,upper,size,size\n", "line 1 must name the columns"),
        (HEADER + "a,0,1\n", "line 2: 3 fields, expected 4"),
        (HEADER + "a,0,1,4\nb,0,x,4\n", "line 3, upper of 'b': 'x' is not a whole number"),
        (HEADER + "a,0,1,1.5\n", "size of 'a': '1.5' is not a whole number"),
        (HEADER + "a,0,1,0\n", "the size of 'a' is 0, expected at least 1"),
        (HEADER + "a,0,1,-4\n", "the size of 'a' is -4, expected at least 1"),
        (HEADER + "a,0,1,9223372036854775808\n", "9223372036854775808 needs more than 64 bits"),
        (HEADER + f"a,0,1,{'9' * 5000}\n", "needs more than 64 bits"),
        (HEADER + "a,0,1,9223372036854775807\nb,0,1,1\n", "the sizes add up to more than"),
        (HEADER + "a,5,3,4\n", "'a' ends before it begins: lower 5, upper 3"),
        (HEADER + "a,5,5,4\n", "'a' ends as it begins"),
        (HEADER + "a,0,1,4\na,0,1,4\n", "line 3: the id 'a' stands in line 2 already"),
        (HEADER + ",0,1,4\n", "line 2: the id is empty"),
        (HEADER + '"a,0,1,4\n', "not a CSV file"),
    ],
)
def test_bad_input(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(TTEError, match=re.escape(message)) as raised:
        placement.read_csv(path)
    assert str(path) in str(raised.value)


def test_bad_files(tmp_path):
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    assert "not a CSV file" in fails(1, "plan-memory", binary)
    assert "No such file" in fails(1, "plan-memory", tmp_path / "missing.csv")
    assert "Is a directory" in fails(1, "plan-memory", tmp_path)
