# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each kind of fault, planted into a sound plan, is seen."""

import re

import pytest
from planned import PIPELINE, parse, plan

from tte_mlir.certificate import certify, check
from tte_mlir.errors import TTEError


@pytest.fixture(scope="module")
def sound() -> str:
    return plan()


def training(text: str) -> tuple[str, str]:
    """What comes before @train_step, and the rest."""
    start = text.index("func.func @train_step")
    return text[:start], text[start:]


def edit(text: str, pattern: str, replacement: str) -> str:
    """Replaces the one match of `pattern` in @train_step."""
    head, body = training(text)
    body, count = re.subn(pattern, replacement, body, flags=re.MULTILINE)
    assert count == 1, f"{count} matches of {pattern}"
    return head + body


def move_after(text: str, moved: str, anchor: str) -> str:
    """Moves the call in @train_step that matches `moved` behind the one that matches `anchor`."""
    head, body = training(text)
    lines = body.splitlines(keepends=True)
    (line,) = (line for line in lines if re.search(moved, line))
    lines.remove(line)
    (place,) = (index for index, other in enumerate(lines) if re.search(anchor, other))
    lines.insert(place + 1, line)
    return head + "".join(lines)


def faults(text: str) -> list[str]:
    return [str(violation) for violation in check(parse(text))]


def offset_of(text: str, what: str) -> int:
    _, body = training(text)
    return int(re.search(rf"\[(\d+)\] {{{what}", body)[1])


def test_sound_plan(sound):
    assert faults(sound) == []
    certify(parse(sound))


def test_no_plan():
    with pytest.raises(TTEError, match="run tte-plan-memory first"):
        check(parse("func.func @f() { return }"))


def test_overlap_of_live_values(sound):
    # The convolution's output, needed by the backward pass, ends on the image.
    value = r"arena\[\d+\] ({tte.value = 6 : i64} : memref<1x4x4x4xf32>)"
    image = offset_of(sound, "tte.role = #tte.role<input>")
    found = faults(edit(sound, value, rf"arena[{image - 256 + 64}] \1"))
    assert any("input is read after conv2d of layer conv has overwritten it" in f for f in found)


def test_result_overwritten(sound):
    loss = offset_of(sound, "tte.role = #tte.role<loss>")
    gradient = r"arena\[\d+\] ({tte.value = 12 : i64} : memref<1x4xf32>)"
    found = faults(edit(sound, gradient, rf"arena[{loss}] \1"))
    assert any("loss is read after dense_input_grad of layer fc has overwr" in f for f in found)


def test_read_before_write(sound):
    found = faults(move_after(sound, r"@avg_pool2d ins", r"@dense ins"))
    expected = r"dense of layer fc: an input \(1, 4\) at \d+ is read before it"
    assert any(re.search(expected, f) for f in found)


def test_update_before_last_reader(sound):
    found = faults(move_after(sound, r"@dense_input_grad ins", r"@dense_weight_grad_sgd ins"))
    assert found == [
        "@train_step, dense_input_grad of layer fc: state fc.weight is read after its update by "
        "dense_weight_grad_sgd of layer fc"
    ]


def test_update_from_the_sum_of_the_batch_before():
    accumulates = PIPELINE.replace("module(", "module(tte-accumulate{batch=2},", 1)
    sound = plan(pipeline=accumulates)
    assert faults(sound) == []
    found = faults(move_after(sound, r"@conv2d_weight_grad_accumulate", r"@sgd_0 ins"))
    assert found == [
        "@train_step, sgd_0 of layer conv: state conv.weight.gradient is read before its batch "
        "accumulates"
    ]


def test_missing_update(sound):
    found = faults(edit(sound, r"^.*@conv2d_weight_grad_sgd.*\n", ""))
    assert found == ["@train_step: state conv.weight is written 0 times, expected 1"]


def test_second_update(sound):
    found = faults(edit(sound, r"^(.*@conv2d_weight_grad_sgd.*\n)", r"\1\1"))
    assert "@train_step: state conv.weight is written 2 times, expected 1" in found


def test_update_in_inference(sound):
    call = re.search(r"^.*@conv2d ins\((%\d+), (%\d+).*\n", sound, re.MULTILINE)
    wrong = re.sub(r"outs\(.*?\)", f"outs({call[2]} : memref<1x1x2x4xf32>)", call[0])
    found = faults(sound.replace(call[0], call[0] + wrong, 1))
    assert "@forward: state conv.weight is written 1 times, expected 0" in found


def test_misaligned(sound):
    scores = r"arena\[\d+\] ({tte.role = #tte.role<scores>)"
    (fault,) = faults(edit(sound, scores, r"arena[4] \1"))
    assert fault == "@train_step: scores at 4 is not aligned to 16 bytes"


@pytest.mark.parametrize(
    ("space", "what", "size"),
    [("arena", "tte.role = #tte.role<scores>", 480), ("state", "tte.state = @fc.weight", 96)],
)
def test_beyond_its_space(sound, space, what, size):
    found = faults(edit(sound, rf"{space}\[\d+\] ({{{what})", rf"{space}[{size}] \1"))
    assert any(f"leaves the {size} bytes of the {space}" in fault for fault in found)


def test_state_inside_the_arena(sound):
    found = faults(edit(sound, r"state\[\d+\] ({tte.state = @fc.weight)", r"arena[0] \1"))
    assert "@train_step: fc.weight is state inside the arena" in found


def test_states_overlap(sound):
    everywhere = re.sub(r"state\[\d+\] ({tte.state = @fc.weight)", r"state[16] \1", sound)
    assert "@: state fc.weight overlaps state conv.weight" in faults(everywhere)


def test_state_at_two_places(sound):
    found = faults(edit(sound, r"state\[\d+\] ({tte.state = @conv.weight)", r"state[0] \1"))
    assert any("conv.weight lies at 0, elsewhere at 16" in fault for fault in found)


def test_in_place_where_the_kernel_still_reads(sound):
    # The gradient of a pool grows over what it is computed from, from its begin instead of its end.
    result = offset_of(sound, "tte.value = 13 : i64")
    found = faults(re.sub(r"arena\[\d+\] ({tte.value = 12 : i64})", rf"arena[{result}] \1", sound))
    assert any(
        f"avg_pool2d_grad_clamp_grad of layer pool: output 0 at {result} overwrites input 0 at "
        f"{result}, which the kernel still reads" in fault
        for fault in found
    )


CLAMP = """
func.func @forward(%x: tensor<64xf32> {tte.role = #tte.role<input>})
    -> (tensor<64xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.clamp %x <0.0, 6.0> : tensor<64xf32>
  return %0 : tensor<64xf32>
}"""


@pytest.mark.parametrize(
    ("source", "result", "is_legal"), [(16, 16, True), (16, 0, True), (0, 16, False)]
)
def test_in_place_by_element(source, result, is_legal):
    text = plan(CLAMP).replace("bytes = 256", "bytes = 512")
    text = re.sub(r"arena\[\d+\] ({tte.role = #tte.role<scores>)", rf"arena[{result}] \1", text)
    text = re.sub(r"arena\[\d+\] ({tte.role = #tte.role<input>)", rf"arena[{source}] \1", text)
    assert any("overwrites input 0" in fault for fault in faults(text)) != is_legal


DEPTHWISE = """
ml_program.global private @w(dense<1.0> : tensor<3x3x1x2xf32>) : tensor<3x3x1x2xf32>
func.func @forward(%x: tensor<1x4x4x2xf32> {tte.role = #tte.role<input>})
    -> (tensor<1x4x4x2xf32> {tte.role = #tte.role<scores>}) {
  %w = ml_program.global_load_const @w : tensor<3x3x1x2xf32>
  %0 = tte.conv2d_input_grad %x weights(%w) padding [1, 1, 1, 1] groups 2
    : (tensor<1x4x4x2xf32>, tensor<3x3x1x2xf32>) -> tensor<1x4x4x2xf32>
  return %0 : tensor<1x4x4x2xf32>
}"""


@pytest.mark.parametrize(
    ("source", "result", "is_legal"), [(0, 0, True), (16, 0, False), (0, 16, False)]
)
def test_in_place_channel_by_channel(source, result, is_legal):
    text = re.sub(r"bytes = \d+", "bytes = 4096", plan(DEPTHWISE))
    text = re.sub(r"arena\[\d+\] ({tte.role = #tte.role<scores>)", rf"arena[{result}] \1", text)
    text = re.sub(r"arena\[\d+\] ({tte.role = #tte.role<input>)", rf"arena[{source}] \1", text)
    assert any("overwrites input 0" in fault for fault in faults(text)) != is_legal


@pytest.mark.parametrize("over", ["input", "scores"])
def test_scratch_on_a_live_value(sound, over):
    offset = offset_of(sound, f"tte.role = #tte.role<{over}>")
    text = edit(
        sound,
        r"^(.*tte.call @kernels::@dense ins\(.*?\)) outs",
        rf"  %scratch = tte.subspan arena[{offset}] : memref<16xi8>"
        "\n"
        r"\1 scratch(%scratch : memref<16xi8>) outs",
    )
    assert any("scratch" in fault for fault in faults(text))


def test_buffer_of_another_shape(sound):
    found = faults(sound.replace("memref<3xf32>", "memref<2xf32>"))
    assert any("inputs do not fit the kernel" in fault for fault in found)


def test_first_fault_is_raised(sound):
    text = edit(sound, r"^.*@conv2d_weight_grad_sgd.*\n", "")
    with pytest.raises(TTEError, match="the memory plan is unsound: @train_step: state conv.weig"):
        certify(parse(text))
