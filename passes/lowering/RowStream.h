// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of the strategy row_stream: the plain kernels of the layers, called row by row.
#ifndef TTE_LOWERING_ROWSTREAM_H
#define TTE_LOWERING_ROWSTREAM_H

#include "FusedKernel.h"
#include "RowChain.h"

namespace tte {

/// Bytes of scratch for a chain: windows of rows, a row that lies aligned, and what the kernels of
/// the layers work in.
int64_t getRowStreamScratchBytes(const RowChain &chain);

/// Emits a loop over the rows of the result: each layer's window moves on by its stride, and the
/// layer before computes the rows that enter it. Nothing is computed twice.
llvm::LogicalResult emitRowStream(const RowChain &chain, FusedKernel &kernel);

} // namespace tte

#endif // TTE_LOWERING_ROWSTREAM_H
