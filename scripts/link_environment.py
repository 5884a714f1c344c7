# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Make the build usable from the running virtual environment: `link_environment.py BUILD`.

The package becomes importable by a .pth file; `ttec` and `tte-opt` appear beside `python`.
"""

import sys
import sysconfig
from pathlib import Path


def write_if_changed(path: Path, text: str) -> None:
    """Keep the time stamp of a file that already says `text`."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(build: Path) -> None:
    """Write the .pth file and the two commands."""
    write_if_changed(
        Path(sysconfig.get_path("purelib")) / "tte_mlir_build.pth", f"{build / 'python_packages'}\n"
    )
    scripts = Path(sysconfig.get_path("scripts"))
    ttec = scripts / "ttec"
    write_if_changed(
        ttec,
        f"#!{scripts / 'python'}\nfrom tte_mlir.cli import main\n\nmain()\n",
    )
    ttec.chmod(0o755)
    tte_opt = scripts / "tte-opt"
    if not tte_opt.is_symlink():
        tte_opt.symlink_to(build / "bin" / "tte-opt")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
