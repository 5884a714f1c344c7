# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Write docs/reference from the descriptions of ops and passes; --check only compares."""

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PAGES = {
    "dialect.md": [
        "-gen-dialect-doc",
        "-dialect=tte",
        "-Idialect/include",
        "dialect/include/tte/IR/TTEOps.td",
    ],
    "passes.md": ["-gen-pass-doc", "-Ipasses/include", "passes/include/tte/Passes/Passes.td"],
}


def page(arguments: list[str]) -> str:
    """The Markdown that mlir-tblgen makes of one .td file."""
    mlir = Path(importlib.util.find_spec("mlir").submodule_search_locations[0])
    tblgen = [str(mlir / "bin" / "mlir-tblgen"), f"-I{mlir / 'include'}"]
    return subprocess.run(
        tblgen + arguments, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def main(check: bool) -> int:
    """Write the pages, or with `check` name those that are out of date."""
    folder = ROOT / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, arguments in PAGES.items():
        path, text = folder / name, page(arguments)
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    if check and stale:
        print(f"docs/reference is out of date ({', '.join(stale)}): run ./dev docs")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
