# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Firmware images: sizes, the SRAM region, the stack bound, two networks in one image."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import fake_network
import numpy as np
import pytest

from tte_mlir.backend import image, package, resources, stack, targets, toolchain
from tte_mlir.backend.image import Image
from tte_mlir.errors import TTEError

M7 = targets.get("cortex-m7")
PROGRAM = fake_network.make_program()
INTERFACE = PROGRAM.interface()


def _run(elf: Path, directory: Path) -> bytes:
    """What firmware without requests writes to its reply stream."""
    requests, replies = directory / "requests", directory / "replies"
    requests.touch()
    streams = f"arg=firmware,arg={requests},arg={replies}"
    command = [*M7.board.emulator, "-display", "none", "-monitor", "none", "-serial", "null"]
    command += ["-semihosting-config", f"enable=on,target=native,{streams}", "-kernel", elf]
    subprocess.run(command, check=True, timeout=60)
    return replies.read_bytes()


def test_parts_are_those_of_the_program(fake_image: Image) -> None:
    assert fake_image.sram.arena == PROGRAM.arena_bytes
    assert fake_image.sram.state == len(PROGRAM.initial_state) > PROGRAM.arena_bytes
    assert fake_image.flash.weights == len(PROGRAM.flash)
    assert fake_image.flash.initial_state == len(PROGRAM.packed_state)
    calls = len(PROGRAM.infer.calls) + len(PROGRAM.train_step.calls)
    assert fake_image.flash.tables > 8 * calls


def test_larger_state_takes_no_more_than_itself(fake_image: Image, tmp_path: Path) -> None:
    program = replace(PROGRAM, initial_state=PROGRAM.initial_state + bytes(10000))
    kernels = fake_network.compile_kernels(M7, tmp_path)
    archive = package.build_archive(program, kernels, M7, tmp_path)
    large = image.link_firmware(archive, program.interface(), M7, tmp_path / "net.elf")
    assert large.sram == replace(fake_image.sram, state=fake_image.sram.state + 10000)


def test_totals_are_what_the_size_tool_says(fake_image: Image) -> None:
    listing = subprocess.run(
        ["arm-none-eabi-size", fake_image.path], check=True, capture_output=True, text=True
    ).stdout
    text, data, bss = map(int, listing.splitlines()[1].split()[:3])
    assert fake_image.flash.total == text + data
    assert 0 <= fake_image.sram.total - (data + bss) < 16  # padding between sections


def test_link_fails_by_exactly_one_byte(
    fake_archive: Path, fake_image: Image, tmp_path: Path
) -> None:
    def link(sram_bytes: int) -> Image:
        return image.link_firmware(fake_archive, INTERFACE, M7, tmp_path / "net.elf", sram_bytes)

    total = fake_image.sram.total
    assert link(total).sram == fake_image.sram
    with pytest.raises(TTEError, match=rf"net needs {total} bytes of SRAM \(arena .*\), 1 more "):
        link(total - 1)


def test_more_sram_than_the_board_has_is_refused(fake_archive: Path, tmp_path: Path) -> None:
    with pytest.raises(TTEError, match="SRAM of 8388608 bytes asked for, the board has 4194304"):
        image.link_firmware(fake_archive, INTERFACE, M7, tmp_path / "net.elf", 8 << 20)


def test_linker_itself_refuses_a_small_region(fake_archive: Path, tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text("char big[4096]; int main(void) { return big[0]; }")
    image.link([source], [], M7, tmp_path / "a.elf", 8192, 1024)
    for sram, reserved in ((4096, 1024), (8192, 8192)):
        with pytest.raises(TTEError, match=r"region `SRAM' overflowed|will not fit in region"):
            image.link([source], [], M7, tmp_path / "a.elf", sram, reserved)


def test_archive_wants_only_what_the_target_permits(fake_archive: Path) -> None:
    listing = subprocess.run(
        ["arm-none-eabi-nm", "-g", fake_archive], check=True, capture_output=True, text=True
    ).stdout
    defined = set(re.findall(r" [TDRB] (\w+)", listing))
    assert set(re.findall(r" U (\w+)", listing)) - defined <= M7.helpers
    assert {name for name in defined if not name.startswith(("net_", "tte_", "fake"))} == set()


def test_kernels_that_want_libm_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "k.c"
    source.write_text(
        "float expf(float); float volatile x;"
        "void *fake_library_query(void) { x = expf(x); return 0; }"
    )
    command = [toolchain.find("arm-none-eabi-gcc"), *M7.c_flags, "-c", source]
    subprocess.run([*command, "-o", tmp_path / "k.o"], check=True)
    with pytest.raises(TTEError, match="net calls expf, which target cortex-m7 does not permit"):
        package.build_archive(PROGRAM, tmp_path / "k.o", M7, tmp_path)


def test_no_static_state_but_the_caller_s(fake_archive: Path, tmp_path: Path) -> None:
    """The runtime and NAME.c have neither .data nor .bss, nor constructors."""
    subprocess.run(["arm-none-eabi-ar", "x", fake_archive], cwd=tmp_path, check=True)
    assert len(list(tmp_path.glob("*.o"))) == 2 + len(package.RUNTIME_SOURCES)
    for member in tmp_path.glob("*.o"):
        if member.stem == "net_kernels":
            continue
        listing = subprocess.run(
            ["arm-none-eabi-size", "-A", member], check=True, capture_output=True, text=True
        ).stdout
        sizes = dict(re.findall(r"^(\.(?:data|bss|init_array)\S*)\s+(\d+)", listing, re.MULTILINE))
        written = {k: v for k, v in sizes.items() if v != "0" and not k.startswith(".data.rel.ro")}
        assert written == {}, member.name


def test_two_networks_share_an_arena(tmp_path: Path) -> None:
    archives = []
    for name in ("first", "second"):
        query = f"-Dfake_library_query={name}_query"
        kernels = fake_network.compile_kernels(M7, tmp_path, query, f"-Dfake={name}_fake")
        program = fake_network.make_program(name, f"{name}_query")
        archives.append(package.build_archive(program, kernels, M7, tmp_path))
    source = tmp_path / "main.c"
    source.write_text(
        """
        #include "board.h"
        #include "first.h"
        #include "second.h"
        static _Alignas(16) uint8_t arena[first_ARENA_BYTES];
        static _Alignas(16) uint8_t first_state[first_STATE_BYTES];
        static _Alignas(16) uint8_t second_state[second_STATE_BYTES];
        int main(void) {
          static const int8_t image[] = {1, -2, 3, 4};
          first_t first;
          second_t second;
          float losses[8];
          board_open();
          if (first_init(&first, arena, first_state) ||
              second_init(&second, arena, second_state))
            board_fail("init");
          for (int i = 0; i < 8; ++i) {
            int8_t *input = i & 1 ? second_input(&second) : first_input(&first);
            for (int k = 0; k < 4; ++k)
              input[k] = image[k];
            if (i & 1 ? second_train_step(&second, 2, 0.02f, &losses[i])
                      : first_train_step(&first, 1, 0.01f, &losses[i]))
              board_fail("step");
          }
          board_write(losses, sizeof(losses));
          return 0;
        }"""
    )
    elf = tmp_path / "two.elf"
    image.link([source], archives, M7, elf, 16384, 2048)
    losses = np.frombuffer(_run(elf, tmp_path), np.float32)
    pixels = np.array([1, -2, 3, 4], np.int8)
    oracles = [(fake_network.Oracle(), 1, 0.01), (fake_network.Oracle(), 2, 0.02)]
    expected = [
        oracle.train_step(pixels, label, rate) for _ in range(4) for oracle, label, rate in oracles
    ]
    np.testing.assert_array_equal(losses, np.float32(expected))


def test_frames_are_those_of_the_compiler(tmp_path: Path) -> None:
    """Oracle: gcc -fstack-usage."""
    runtime = resources.path("runtime")
    compiler = toolchain.find("arm-none-eabi-gcc")
    checked = 0
    for source in runtime.glob("*.c"):
        command = [compiler, *M7.c_flags, "-fstack-usage", f"-I{runtime}"]
        output = tmp_path / f"{source.stem}.o"
        subprocess.run([*command, "-c", source, "-o", output], check=True)
        usage = dict(
            re.findall(r"^\S+:(\w+)\t(\d+)", output.with_suffix(".su").read_text(), re.MULTILINE)
        )
        frames = stack.frames(output, M7)
        for name, size in frames.items():
            assert size == int(usage[name]), name
            checked += 1
    assert checked == 19


def test_all_ways_to_take_stack_are_counted() -> None:
    """What GNU and LLVM compilers emit, a realigned frame included."""
    listing = """
00000000 <kernel>:
   0:	push	{r4, r6-r8, lr}
   2:	add	r7, sp, #12
   4:	str.w	r8, [sp, #-4]!
   6:	stmdb	sp!, {r9, sl}
   8:	vpush	{d8-d11}
   a:	vpush	{s16}
   c:	sub.w	sp, sp, #1024	@ 0x400
  10:	movw	ip, #4464	@ 0x1170
  14:	movt	ip, #1
  18:	sub.w	sp, sp, ip
  1c:	mov	r4, sp
  20:	bfc	r4, #0, #6
  24:	mov	sp, r4
  28:	sub.w	r4, r7, #16
  2c:	mov	sp, r4
  30:	add	sp, ip
  32:	pop	{r4, r6-r8, pc}
"""
    expected = 20 + 4 + 8 + 32 + 4 + 1024 + (0x10000 + 4464) + 64
    assert stack._disassemble(listing)["kernel"].frame == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("int f(int n) { return n ? f(n - 1) * n + f(n - 2) : 1; } int main(void) { return f(3); }",
         "stack has no bound: .* calls f calls f"),
        ("void g(char *); int n = 5; int main(void) { char a[n]; g(a); return a[0]; }\n"
         "__attribute__((noipa)) void g(char *a) { *a = 1; }",
         "stack has no bound: main has 'sub"),
    ],
    ids=["recursion", "dynamic"],
)  # fmt: skip
def test_unbounded_stacks_are_refused(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "main.c").write_text(body)
    image.link([tmp_path / "main.c"], [], M7, tmp_path / "a.elf", 8192, 1024)
    with pytest.raises(TTEError, match=message):
        stack.bound(tmp_path / "a.elf", M7)


def test_functions_called_by_name_and_by_pointer_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        """
        __attribute__((noipa)) static void use(volatile char *a) { *a = 1; }
        __attribute__((noipa)) static void callee(void) { char a[1000]; use(a); }
        __attribute__((noipa)) static void caller(void (*f)(void)) {
          char a[2000];
          use(a);
          f();
          use(a);
        }
        int main(void) { callee(); caller(callee); return 0; }"""
    )
    image.link([tmp_path / "main.c"], [], M7, tmp_path / "a.elf", 8192, 4096)
    bound = stack.bound(tmp_path / "a.elf", M7)
    assert [name for name, _ in bound.path][-4:] == ["main", "caller", "callee", "use"]
    assert bound.total > 3000


def test_bound_covers_a_large_frame_that_is_used(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        """
        #include "board.h"
        __attribute__((noipa)) static int fill(volatile char *a, int n) {
          for (int i = 0; i < n; ++i) a[i] = (char)i;
          return a[n - 1];
        }
        __attribute__((noipa)) static int large(void) {
          char a[6000];
          return fill(a, sizeof(a));
        }
        int main(void) {
          board_open();
          large();
          uint32_t used = board_stack_used();
          board_write(&used, sizeof(used));
          return 0;
        }"""
    )
    elf = tmp_path / "a.elf"
    image.link([tmp_path / "main.c"], [], M7, elf, 16384, 8192)
    bound = stack.bound(elf, M7)
    used = int.from_bytes(_run(elf, tmp_path), "little")
    assert 6000 < used <= bound.total < used + 600
