# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Numbers out of the pickle of a `torch.save` archive, without running what the pickle says.

A pickle calls whatever it names. Here it can name only the five functions and classes that numpy
arrays and scalars are pickled with, and each is replaced by one of ours: not even numpy's own
`__setstate__`, which trusts what it is told about memory, sees the file.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tte_mlir.errors import TTEError

_NUMBERS = ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "f4", "f8")
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError
)  # fmt: skip


class PickledType:
    """The dtype of an array; numbers alone are accepted."""

    def __init__(self, kind: str, *_: Any) -> None:
        if kind not in _NUMBERS:
            raise pickle.UnpicklingError(f"an array of dtype {kind!r}, expected numbers")
        self.dtype = np.dtype(kind).newbyteorder("<")

    def __setstate__(self, state: tuple) -> None:
        if state[1] == ">":
            self.dtype = self.dtype.newbyteorder(">")


class PickledArray:
    """An array. `array` is None until the pickle has given its numbers."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, column_major, data = state
        if not isinstance(kind, PickledType) or len(data) != math.prod(shape) * kind.dtype.itemsize:
            raise pickle.UnpicklingError(f"an array of shape {shape} with {len(data)} bytes")
        flat = np.frombuffer(data, kind.dtype).astype(kind.dtype.newbyteorder("="))
        self.array = flat.reshape(shape, order="F" if column_major else "C")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")
        known = {
            ("numpy", "ndarray"): PickledArray,
            ("numpy", "dtype"): PickledType,
            ("numpy._core.multiarray", "_reconstruct"): self._array,
            ("numpy._core.multiarray", "scalar"): self._scalar,
            ("_codecs", "encode"): self._bytes,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"'{module}.{name}', expected numpy arrays and numbers")
        return known[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a torch tensor, expected numpy arrays and numbers")

    def _array(self, *_: Any) -> PickledArray:
        return PickledArray()

    def _scalar(self, kind: PickledType, data: bytes) -> float:
        return np.frombuffer(data, kind.dtype)[0].item()

    def _bytes(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise pickle.UnpicklingError(f"bytes in encoding {encoding!r}, expected 'latin1'")
        return text.encode("latin1")


def load(path: Path) -> Any:
    """What a `torch.save` archive holds: dicts, lists, tuples, numbers and `PickledArray`s.

    Raises TTEError for a file that is not such an archive, is damaged, or holds anything else.
    """
    data = _read_archive(path)
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except pickle.UnpicklingError as error:
        raise TTEError(f"{path}: the pickle holds {error}") from None
    except Exception as error:  # a damaged pickle may fail in any way
        raise TTEError(f"{path}: the pickle is damaged ({type(error).__name__}: {error})") from None


def _read_archive(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(members) != 1:
                raise TTEError(f"{path}: has no archive/data.pkl, expected a torch.save archive")
            return archive.read(members[0])
    except FileNotFoundError:
        raise TTEError(f"{path}: no such file") from None
    except _ZIP_ERRORS as error:
        raise TTEError(f"{path}: not a zip archive of torch.save, or truncated ({error})") from None
