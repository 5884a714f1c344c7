# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Symbols of ELF files."""

from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Symbol

from tte_mlir.errors import TTEError


def symbols(path: Path) -> list[Symbol]:
    """All symbols of the file, local ones too."""
    try:
        with path.open("rb") as file:
            table = ELFFile(file).get_section_by_name(".symtab")
            return list(table.iter_symbols()) if table else []
    except (OSError, ELFError) as error:
        raise TTEError(f"{path}: not an object file: {error}") from None


def defined(path: Path) -> set[str]:
    """Global symbols that the file gives to others."""
    return {
        symbol.name
        for symbol in symbols(path)
        if symbol["st_info"]["bind"] != "STB_LOCAL" and symbol["st_shndx"] != "SHN_UNDEF"
    }


def undefined(path: Path) -> set[str]:
    """Symbols that the file wants from others."""
    return {
        symbol.name for symbol in symbols(path) if symbol.name and symbol["st_shndx"] == "SHN_UNDEF"
    }


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
    return {
        symbol.name: symbol["st_size"]
        for symbol in symbols(path)
        if symbol["st_info"]["type"] == "STT_FUNC"
    }


def data_sizes(path: Path) -> dict[str, int]:
    """Bytes of each datum."""
    return {
        symbol.name: symbol["st_size"]
        for symbol in symbols(path)
        if symbol["st_info"]["type"] == "STT_OBJECT"
    }
