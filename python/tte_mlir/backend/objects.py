# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbols of ELF files."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from tte_mlir.errors import TTEError

_SYMBOLS = {32: struct.Struct("<IIIBBH"), 64: struct.Struct("<IBBHQQ")}  # Elf32_Sym, Elf64_Sym
_UNDEFINED, _LOCAL, _OBJECT, _FUNCTION = 0, 0, 1, 2


class Symbol(NamedTuple):
    """An entry of the symbol table; `section` is 0 where it is undefined."""

    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int


def symbols(path: Path) -> list[Symbol]:
    """All symbols of the file, local ones too. A kernel library has thousands: pyelftools would
    take a second."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            table = elf.get_section_by_name(".symtab")
            if table is None:
                return []
            names = elf.get_section(table["sh_link"]).data()
            return list(_parse_symbols(table.data(), names, elf.elfclass))
    except (OSError, ELFError, struct.error, ValueError) as error:
        raise TTEError(f"{path}: not an object file: {error}") from None


def _parse_symbols(table: bytes, names: bytes, bits: int) -> Iterator[Symbol]:
    for entry in _SYMBOLS[bits].iter_unpack(table):
        if bits == 32:
            start, value, size, info, _, section = entry
        else:
            start, info, _, section, value, size = entry
        name = names[start : names.index(b"\0", start)].decode()
        yield Symbol(name, value, size, info & 15, info >> 4, section)


def defined(path: Path) -> set[str]:
    """Global symbols that the file gives to others."""
    return {
        symbol.name
        for symbol in symbols(path)
        if symbol.bind != _LOCAL and symbol.section != _UNDEFINED
    }


def undefined(path: Path) -> set[str]:
    """Symbols that the file wants from others."""
    return {s.name for s in symbols(path) if s.name and s.section == _UNDEFINED}


def datum(path: Path, name: str) -> bytes:
    """The bytes of a datum of the file."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        found = elf.get_section_by_name(".symtab").get_symbol_by_name(name)
        if not found:
            raise TTEError(f"{path}: has no {name}")
        section = elf.get_section(found[0]["st_shndx"])
        begin = found[0]["st_value"] - section["sh_addr"]
        return section.data()[begin : begin + found[0]["st_size"]]


def code_bytes(path: Path) -> int:
    """Bytes of everything that runs."""
    with path.open("rb") as file:
        return sum(
            section["sh_size"]
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR
        )


def code_sizes(path: Path) -> dict[str, int]:
    """Bytes of each function."""
    return {symbol.name: symbol.size for symbol in symbols(path) if symbol.type == _FUNCTION}


def data_sizes(path: Path) -> dict[str, int]:
    """Bytes of each datum."""
    return {symbol.name: symbol.size for symbol in symbols(path) if symbol.type == _OBJECT}
