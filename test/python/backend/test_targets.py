# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every target trains the same small network with the same bits as the host."""

import shutil
from pathlib import Path

import fake_network
import numpy as np
import pytest

import tte_mlir as tte
from tte_mlir.backend import image, stack, targets
from tte_mlir.backend.device import Record
from tte_mlir.backend.emulator import Emulator
from tte_mlir.errors import TTEError

BOARDS = [name for name in targets.names() if targets.get(name).board]
STEPS = 3

# A stem with stride 2, an inverted residual block and a classifier.
NETWORK = """
ml_program.global private @stem.weight(dense<STEM> : tensor<3x3x3x8xf32>) : tensor<3x3x3x8xf32>
ml_program.global private @stem.bias(dense<0.1> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private @dw.weight(dense<DEPTHWISE> : tensor<3x3x1x8xf32>) : tensor<3x3x1x8xf32>
ml_program.global private @dw.bias(dense<-0.1> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private @pw.weight(dense<POINTWISE> : tensor<1x1x8x8xf32>) : tensor<1x1x8x8xf32>
ml_program.global private @pw.bias(dense<0.0> : tensor<8xf32>) : tensor<8xf32>
ml_program.global private @fc.weight(dense<CLASSIFIER> : tensor<8x3xf32>) : tensor<8x3xf32>
ml_program.global private @fc.bias(dense<0.0> : tensor<3xf32>) : tensor<3xf32>
func.func @forward(%x: tensor<1x12x12x3xf32> {tte.role = #tte.role<input>}) -> tensor<1x3xf32> {
  %w0 = ml_program.global_load_const @stem.weight : tensor<3x3x3x8xf32>
  %b0 = ml_program.global_load_const @stem.bias : tensor<8xf32>
  %0 = tte.conv2d %x weights(%w0) bias(%b0) strides [2, 2] padding [1, 1, 1, 1] clamp <0.0, 6.0>
    : (tensor<1x12x12x3xf32>, tensor<3x3x3x8xf32>, tensor<8xf32>) -> tensor<1x6x6x8xf32>
    loc("stem")
  %w1 = ml_program.global_load_const @dw.weight : tensor<3x3x1x8xf32>
  %b1 = ml_program.global_load_const @dw.bias : tensor<8xf32>
  %1 = tte.conv2d %0 weights(%w1) bias(%b1) padding [1, 1, 1, 1] groups 8 clamp <0.0, 6.0>
    : (tensor<1x6x6x8xf32>, tensor<3x3x1x8xf32>, tensor<8xf32>) -> tensor<1x6x6x8xf32> loc("dw")
  %w2 = ml_program.global_load_const @pw.weight : tensor<1x1x8x8xf32>
  %b2 = ml_program.global_load_const @pw.bias : tensor<8xf32>
  %2 = tte.conv2d %1 weights(%w2) bias(%b2)
    : (tensor<1x6x6x8xf32>, tensor<1x1x8x8xf32>, tensor<8xf32>) -> tensor<1x6x6x8xf32> loc("pw")
  %3 = tte.add %0, %2 : (tensor<1x6x6x8xf32>, tensor<1x6x6x8xf32>) -> tensor<1x6x6x8xf32> loc("sum")
  %4 = tte.avg_pool2d %3 kernel [6, 6] : (tensor<1x6x6x8xf32>) -> tensor<1x1x1x8xf32> loc("pool")
  %5 = tte.reshape %4 : (tensor<1x1x1x8xf32>) -> tensor<1x8xf32>
  %w3 = ml_program.global_load_const @fc.weight : tensor<8x3xf32>
  %b3 = ml_program.global_load_const @fc.bias : tensor<3xf32>
  %6 = tte.dense %5 weights(%w3) bias(%b3)
    : (tensor<1x8xf32>, tensor<8x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("fc")
  return %6 : tensor<1x3xf32>
}
"""


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (8, 3, 12, 12), np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    text = NETWORK
    for name, shape in (
        ("STEM", (3, 3, 3, 8)),
        ("DEPTHWISE", (3, 3, 1, 8)),
        ("POINTWISE", (1, 1, 8, 8)),
        ("CLASSIFIER", (8, 3)),
    ):
        text = text.replace(name, str(random.normal(size=shape).tolist()))
    path = tmp_path_factory.mktemp("targets") / "network.mlir"
    path.write_text(text)
    return path


def require_tools(target: targets.Target) -> None:
    for tool in (target.tool("gcc"), target.board.emulator[0]):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


@pytest.mark.parametrize("name", BOARDS)
def test_boards_train_with_the_bits_of_the_host(
    name: str, model: Path, images: np.ndarray, tmp_path: Path
) -> None:
    require_tools(targets.get(name))
    program = tte.compile(
        model, calibration=images, recipe=tte.Recipe(update="full"), target=name
    ).save(tmp_path)
    with program.simulator() as host, program.emulator() as board:
        for step in range(STEPS):
            pixels = np.ascontiguousarray(images[step].transpose(1, 2, 0))
            np.testing.assert_array_equal(board.infer(pixels), host.infer(pixels))
            record = Record(pixels, step, 0.01)
            expected, found = host.execute(record), board.execute(record)
            assert found.loss == expected.loss
            assert found.instructions > program.report.macs.forward
        assert board.save_state() == host.save_state()
        used, bound = board.stack_used(), program.report.sram.stack_bound
    assert 0 < used <= bound


LOOP = """
#ifdef __riscv
#define LOOP "1: addi %0, %0, -1\\n bnez %0, 1b"
#else
#define LOOP "1: subs %0, #1\\n bne 1b"
#endif
int main(void) {
  uint64_t begin = board_instructions();
  uint32_t turns = 1000000;
  __asm__ volatile(LOOP : "+r"(turns) : : "cc");
  uint64_t count = board_instructions() - begin;
  board_fail(count >= 2000000 && count < 2000200 ? "exact" : "wrong");
}"""
WRITE_TO_FLASH = """
static const int frozen = 1;
int main(void) { *(volatile int *)&frozen = 2; return 0; }"""
OVERFLOW = """
static int f(int n);
static int (*volatile again)(int) = f;
static int f(int n) { return n ? again(n - 1) + n : 0; }
int main(void) { return f(1000); }"""


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(
    ("body", "message"),
    [(LOOP, "exact"), (WRITE_TO_FLASH, "fault: pc 0x"), (OVERFLOW, "fault: stack overflow")],
    ids=["counter", "flash", "stack"],
)
def test_boards_count_and_guard_their_memory(
    name: str, body: str, message: str, tmp_path: Path
) -> None:
    target = targets.get(name)
    require_tools(target)
    (tmp_path / "main.c").write_text(f'#include "board.h"\n{body}\n')
    image.link([tmp_path / "main.c"], [], target, tmp_path / "a.elf", 8192, 1024)
    interface = fake_network.make_program().interface()
    device = Emulator(tmp_path / "a.elf", interface, target, timeout=60)
    with device, pytest.raises(TTEError, match=f"stopped: {message}"):
        device.infer(np.zeros(interface.input_shape, np.int8))


def test_stack_of_risc_v_code() -> None:
    """What compilers emit: compressed and large frames, an aligned one, calls by name and not."""
    listing = """
80000000 <kernel>:
80000000:	add	sp,sp,-32
80000002:	sw	ra,28(sp)
80000004:	lui	t0,0xfffff
80000008:	addi	t0,t0,-16
8000000c:	add	sp,sp,t0
80000010:	andi	sp,sp,-64
80000014:	jal	80000040 <callee>
80000018:	jalr	a5
8000001c:	addi	sp,s0,-32
80000020:	add	sp,sp,32
80000022:	ret

80000040 <callee>:
80000040:	auipc	t1,0x0
80000044:	jr	-64(t1) # 80000000 <kernel>
"""
    functions = stack._disassemble(listing, stack._RiscvReader)
    assert functions["kernel"].frame == 32 + 4096 + 16 + 64
    assert functions["kernel"].callees == {"callee"}
    assert functions["kernel"].calls_pointers
    assert functions["callee"].callees == {"kernel"}
    assert not functions["callee"].calls_pointers
