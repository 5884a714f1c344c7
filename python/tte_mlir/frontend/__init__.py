# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What comes in: networks and data."""
