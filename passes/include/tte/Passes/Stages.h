// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_STAGES_H
#define TTE_PASSES_STAGES_H

namespace tte {

/// Stages of the compiler in order.
enum class Stage { Imported, Quantized, Autodiff, Pruned, Dispatched, Planned };

} // namespace tte

#endif // TTE_PASSES_STAGES_H
