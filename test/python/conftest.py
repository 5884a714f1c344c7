# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What holds for all Python tests."""

import os

# The arrays are small: threads of BLAS and torch cost more than they bring, many times more on a
# busy machine. Read when numpy and torch are first imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
