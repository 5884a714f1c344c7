// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PROGRAM_OPS_TD
#define TTE_PROGRAM_OPS_TD

include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "tte/IR/TTEOpBase.td"

def TTE_YieldOp : TTE_Op<"yield", [Pure, Terminator, ParentOneOf<["DispatchOp", "KernelOp"]>]> {
  let summary = "Results of a dispatch or of a kernel";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
}

def TTE_DispatchOp : TTE_Op<"dispatch", [Pure, IsolatedFromAbove, SingleBlock]> {
  let summary = "Ops that run as one kernel";
  let description = [{
    The region, isolated from above, says what is computed: its block arguments
    stand for the operands, its yield for the results. The strategy says how:
    `plain` runs one op and elementwise ops on its result in one loop nest,
    `row_stream` a chain of layers row by row, so that of each value inside
    only the rows exist that the next layer still reads, and `channel_group`
    the gradients of a block by groups of its expanded channels, so that of
    each gradient inside only a group exists.
    `tied` gives per result the operand whose memory it takes (an updated
    parameter takes the place of its old value), or -1.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, TTE_StrategyAttr:$strategy,
                       TTE_PhaseAttr:$phase, DenseI64ArrayAttr:$tied);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def TTE_KernelOp : TTE_Op<"kernel", [IsolatedFromAbove, SingleBlock, Symbol]> {
  let summary = "The outlined region of a dispatch";
  let description = [{
    Block arguments stand for the inputs, the yield for the outputs of
    `tte.call`; types are those of the values, quantization included.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TTE_StrategyAttr:$strategy);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `` $strategy attr-dict-with-keyword $body";
}

def TTE_SubspanOp : TTE_Op<"subspan", [Pure]> {
  let summary = "A buffer at a byte offset of the arena or of the state";
  let arguments = (ins TTE_MemorySpaceAttr:$space, TTE_Int64Attr:$offset);
  let results = (outs TTE_StaticBuffer:$buffer);
  let assemblyFormat = "`` $space `[` $offset `]` attr-dict `:` type($buffer)";
  let hasVerifier = 1;
}

def TTE_FlashOp : TTE_Op<"flash", [Pure]> {
  let summary = "The buffer of a constant in flash";
  let description = [{
    Names an `ml_program.global`; read-only.
  }];
  let arguments = (ins FlatSymbolRefAttr:$global);
  let results = (outs TTE_StaticBuffer:$buffer);
  let assemblyFormat = "$global attr-dict `:` type($buffer)";
}

def TTE_CallOp : TTE_Op<"call", [AttrSizedOperandSegments]> {
  let summary = "Run a kernel on buffers";
  let description = [{
    `inputs` are read, `outputs` written (an output may be the buffer of an
    input that it overwrites), `tables` are constants that the lowering of the
    kernel added, `scratch` is memory of the arena that holds nothing before
    and after. `layer` names the layer, `macs` counts multiply-accumulates.
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Arg<Variadic<TTE_StaticBuffer>, "", [MemRead]>:$inputs,
                       Arg<Variadic<TTE_StaticBuffer>, "", [MemRead]>:$tables,
                       Arg<Variadic<TTE_StaticBuffer>, "", [MemRead, MemWrite]>:$scratch,
                       Arg<Variadic<TTE_StaticBuffer>, "", [MemWrite]>:$outputs,
                       StrAttr:$layer, TTE_PhaseAttr:$phase, TTE_Int64Attr:$macs);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)?
    (`tables` `(` $tables^ `:` type($tables) `)`)?
    (`scratch` `(` $scratch^ `:` type($scratch) `)`)?
    (`outs` `(` $outputs^ `:` type($outputs) `)`)?
    `layer` $layer `phase` `` $phase `macs` $macs attr-dict
  }];
}

def TTE_RequireFiniteOp : TTE_Op<"require_finite"> {
  let summary = "End the step with an error unless a buffer is finite";
  let description = [{
    What `tte.check_finite` becomes on buffers; the runtime does it, not a kernel.
  }];
  let arguments = (ins Arg<TTE_StaticBuffer, "", [MemRead]>:$buffer);
  let assemblyFormat = "$buffer attr-dict `:` type($buffer)";
}

#endif // TTE_PROGRAM_OPS_TD
