# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels through IREE: the object, the cache, and the same numbers on host and board."""

from dataclasses import replace
from pathlib import Path

import fake_network
import mlir.ir as ir
import numpy as np
import pytest

from tte_mlir.backend import kernels, objects, package, simulator, targets
from tte_mlir.backend.device import Record
from tte_mlir.backend.emulator import Emulator
from tte_mlir.backend.image import link_firmware
from tte_mlir.errors import TTEError

M7 = targets.get("cortex-m7")
HOST = targets.get("host")


def read_sources() -> list[kernels.KernelSource]:
    """The kernels of fake_kernels.mlir, each in an executable of its own."""
    parts = Path(__file__).with_name("fake_kernels.mlir").read_text().split("// -----\n")
    texts = [parts[0] + part for part in parts[1:]]
    return list(map(kernels.KernelSource, ("scores", "loss", "update"), texts))


SOURCES = read_sources()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TTE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("target", [M7, HOST], ids=lambda target: target.name)
def test_object_has_one_entry_and_wants_nothing(target: targets.Target) -> None:
    compiled = kernels.compile_kernels(SOURCES, target)
    assert compiled.query_symbol == "network_kernels_library_query"
    assert objects.defined(compiled.path) == {compiled.query_symbol}
    assert objects.undefined(compiled.path) - {"_GLOBAL_OFFSET_TABLE_"} == set()


def test_host_and_board_give_the_same_bits(tmp_path: Path) -> None:
    program = fake_network.make_program(query_symbol="network_kernels_library_query")
    interface = program.interface()
    library = simulator.build_simulator(
        program, kernels.compile_kernels(SOURCES, HOST).path, HOST, tmp_path / "host"
    )
    archive = package.build_archive(
        program, kernels.compile_kernels(SOURCES, M7).path, M7, tmp_path / "m7"
    )
    image = link_firmware(archive, interface, M7, tmp_path / "net.elf")
    random = np.random.default_rng(1)
    oracle = fake_network.Oracle()
    host = simulator.Simulator(library, interface)
    with Emulator(image.path, interface, M7, timeout=60) as board:
        for _ in range(20):
            pixels = random.integers(-128, 128, interface.input_shape, np.int8)
            record = Record(pixels, int(random.integers(fake_network.CLASSES)), 1e-6)
            on_host, on_board = host.execute(record), board.execute(record)
            np.testing.assert_array_equal(on_host.scores, on_board.scores)
            assert on_host.loss == on_board.loss
            np.testing.assert_allclose(on_host.scores, oracle.scores(pixels), rtol=1e-5, atol=1e-4)
            oracle.train_step(pixels, record.label, 1e-6)
        assert host.save_state() == board.save_state()
        assert board.stack_used() <= image.stack_bound.total


def test_source_of_a_kernel_does_not_depend_on_others() -> None:
    context = ir.Context()
    context.allow_unregistered_dialects = True
    one, two = (
        '"hal.executable.source"() ({ %c = "arith.constant"() <{value = '
        f'{value} : i32}}> : () -> i32 }}) {{sym_name = "{name}"}} : () -> ()\n'
        for value, name in ((1, "one"), (2, "two"))
    )
    alone = kernels.read_sources(ir.Module.parse(two, context))
    beside = kernels.read_sources(ir.Module.parse(one + two, context))
    assert [source.name for source in beside] == ["one", "two"]
    assert beside[1].text == alone[0].text


def test_unchanged_kernels_are_not_compiled_again(cache: Path, monkeypatch) -> None:
    first = kernels.compile_kernels(SOURCES, M7)
    monkeypatch.setattr(kernels, "_run_iree", None)
    assert kernels.compile_kernels(SOURCES, M7) == first
    assert len(list(cache.rglob("*.o"))) == 1 + len(SOURCES)


def test_a_changed_kernel_costs_itself_alone(cache: Path, monkeypatch) -> None:
    whole = kernels.compile_kernels(SOURCES, M7)
    compiled = []
    run = kernels._run_iree

    def noting(compiler, flags, text, directory, output):
        compiled.append(text)
        run(compiler, flags, text, directory, output)

    monkeypatch.setattr(kernels, "_run_iree", noting)
    changed = replace(SOURCES[1], text=SOURCES[1].text.replace("0.5", "0.25"))
    fewer = kernels.compile_kernels([changed, SOURCES[0]], M7)
    assert compiled == [changed.text]
    assert objects.code_bytes(fewer.path) < objects.code_bytes(whole.path)
    sizes = objects.code_sizes(whole.path)
    assert all(sizes[source.name] > 0 for source in SOURCES)


def test_equal_kernels_are_kept_once() -> None:
    once = kernels.compile_kernels(SOURCES[:1], M7)
    twice = kernels.compile_kernels([SOURCES[0], replace(SOURCES[0], name="again")], M7)
    assert objects.code_bytes(once.path) == objects.code_bytes(twice.path)


def test_damaged_cache_entries_are_replaced(cache: Path) -> None:
    first = kernels.compile_kernels(SOURCES, M7)
    whole = first.path.read_bytes()
    first.path.write_bytes(whole[:100])
    (kernel, *_) = (cache / "kernels").glob("*.o")
    kernel.write_bytes(kernel.read_bytes()[:100])
    assert kernels.compile_kernels(SOURCES, M7).path.read_bytes() == whole


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TTE_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/tte-mlir"),
        ({"HOME": "/c"}, "/c/.cache/tte-mlir"),
    ],
)
def test_cache_directory(variables: dict[str, str], expected: str, monkeypatch) -> None:
    for name in ("TTE_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert kernels.cache_directory() == Path(expected)


def test_malformed_kernels_are_one_clear_line() -> None:
    with pytest.raises(TTEError, match=r"^iree-compile failed: kernels\.mlir:1:1: error: .+$"):
        kernels.compile_kernels([kernels.KernelSource("k", "nonsense")], M7)


def test_missing_compiler_names_its_package(monkeypatch) -> None:
    monkeypatch.setattr(kernels.toolchain.util, "find_spec", lambda name: None)
    monkeypatch.setattr(kernels.toolchain.sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TTEError, match=r"iree-compile is missing: install .* iree-base-compiler"):
        kernels.compile_kernels(SOURCES, M7)
