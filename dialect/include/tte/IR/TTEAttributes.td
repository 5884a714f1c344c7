// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_ATTRIBUTES_TD
#define TTE_ATTRIBUTES_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "tte/IR/TTEDialect.td"

class TTE_Attr<string name, string attrMnemonic> : AttrDef<TTE_Dialect, name> {
  let mnemonic = attrMnemonic;
}

class TTE_Interval<string name, string attrMnemonic> : TTE_Attr<name, attrMnemonic> {
  let parameters = (ins "::llvm::APFloat":$lower, "::llvm::APFloat":$upper);
  let builders = [AttrBuilder<(ins "double":$min, "double":$max), [{
    return $_get($_ctxt, ::llvm::APFloat(min), ::llvm::APFloat(max));
  }]>];
  let extraClassDeclaration = [{
    double getMin() const { return getLower().convertToDouble(); }
    double getMax() const { return getUpper().convertToDouble(); }
  }];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def TTE_RangeAttr : TTE_Interval<"Range", "range"> {
  let summary = "Calibrated range of a value";
  let description = [{
    `#tte.range<min, max>`: the real values that a calibration run saw, as the
    discardable attribute `tte.range` of the op that produces the value or of
    the function argument. `tte-quantize` reads it.
  }];
}

def TTE_ClampAttr : TTE_Interval<"Clamp", "clamp"> {
  let summary = "Range to which an op clamps its result";
  let description = [{
    `#tte.clamp<min, max>` in the domain that is stored: real values for f32
    results (`<0.0, 6.0>` is ReLU6, `<0.0, inf>` ReLU), grid integers for
    quantized ones (DESIGN: [act_min, act_max]).
  }];
}

def TTE_UpdateAttr : TTE_Attr<"Update", "update"> {
  let summary = "Which part of a parameter trains";
  let description = [{
    `#tte.update<offset, size>` as the attribute `tte.update` of an
    `ml_program.global`: the channels [offset, offset + size) train, the rest
    is frozen. Channels are input channels for convolutions and dense layers,
    channels for depthwise convolutions, elements for biases. A global without
    it is frozen.
  }];
  let parameters = (ins "int64_t":$offset, "int64_t":$size);
  let assemblyFormat = "`<` $offset `,` $size `>`";
  let genVerifyDecl = 1;
}

def TTE_OriginAttr : TTE_Attr<"Origin", "origin"> {
  let summary = "Place of a slice in its original full parameter";
  let description = [{
    `#tte.origin<[shape], [offsets]>`: element i of the slice is element
    i + offsets of the full parameter of that shape. The generator of
    stochastic rounding counts by the index in the full parameter, so that
    slicing does not change a run.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape,
                        ArrayRefParameter<"int64_t">:$offsets);
  let assemblyFormat = "`<` `[` $shape `]` `,` `[` $offsets `]` `>`";
  let genVerifyDecl = 1;
}

class TTE_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::tte";
  let genSpecializedAttr = 0;
}

def TTE_Role : TTE_Enum<"Role", "What an argument or a result of a step is", [
    I32EnumAttrCase<"input", 0>, I32EnumAttrCase<"label", 1>,
    I32EnumAttrCase<"learning_rate", 2>, I32EnumAttrCase<"step", 3>,
    I32EnumAttrCase<"loss", 4>, I32EnumAttrCase<"scores", 5>]>;
def TTE_RoleAttr : EnumAttr<TTE_Dialect, TTE_Role, "role"> {
  let assemblyFormat = "`<` $value `>`";
}

def TTE_Rounding : TTE_Enum<"Rounding", "How an update rounds to the grid", [
    I32EnumAttrCase<"nearest", 0>, I32EnumAttrCase<"stochastic", 1>,
    I32EnumAttrCase<"residual", 2>]>;
def TTE_RoundingAttr : EnumAttr<TTE_Dialect, TTE_Rounding, "rounding">;

def TTE_Strategy : TTE_Enum<"Strategy", "How the region of a dispatch is executed", [
    I32EnumAttrCase<"plain", 0>, I32EnumAttrCase<"row_stream", 1>,
    I32EnumAttrCase<"channel_group", 2>]>;
def TTE_StrategyAttr : EnumAttr<TTE_Dialect, TTE_Strategy, "strategy">;

def TTE_Phase : TTE_Enum<"Phase", "Part of a step", [
    I32EnumAttrCase<"forward", 0>, I32EnumAttrCase<"backward", 1>,
    I32EnumAttrCase<"update", 2>]>;
def TTE_PhaseAttr : EnumAttr<TTE_Dialect, TTE_Phase, "phase">;

def TTE_MemorySpace : TTE_Enum<"MemorySpace", "Where a buffer lies", [
    I32EnumAttrCase<"arena", 0>, I32EnumAttrCase<"state", 1>]>;
def TTE_MemorySpaceAttr : EnumAttr<TTE_Dialect, TTE_MemorySpace, "space">;

#endif // TTE_ATTRIBUTES_TD
