# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What goes out: kernels through IREE, static libraries, firmware images, devices."""
