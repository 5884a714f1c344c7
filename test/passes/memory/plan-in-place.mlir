// RUN: tte-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(tte-form-dispatches,tte-schedule),tte-plan-memory{arena-alignment=4})' | FileCheck %s

// A chain of values, each over the one before: the input, the same size, less, and four times as
// much, which begins a lag before what it is computed from.

!activation = !quant.uniform<i8:f32, 0.5:3>

// CHECK-LABEL: func.func @chain
// CHECK-SAME: tte.arena = {bytes = 128 : i64, lower_bound = 128 : i64, optimal = true}
// CHECK-SAME: tte.schedule = {lower_bound = 128 : i64, optimal = true, peak_live = 128 : i64}
func.func @chain(%x: tensor<64x!activation> {tte.role = #tte.role<input>}) -> (tensor<32xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.clamp %x <-128.0, 20.0> : tensor<64x!activation>
  %1 = tte.slice %0 offsets [0] : (tensor<64x!activation>) -> tensor<32x!activation>
  %2 = tte.dequantize %1 : (tensor<32x!activation>) -> tensor<32xf32>
  return %2 : tensor<32xf32>
}

// -----

// A value that is read again later keeps its bytes.

// CHECK-LABEL: func.func @read_later
// CHECK-SAME: tte.arena = {bytes = 512 : i64
func.func @read_later(%x: tensor<64xf32> {tte.role = #tte.role<input>}) -> (tensor<64xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.clamp %x <0.0, 6.0> : tensor<64xf32>
  %1 = tte.add %0, %x : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %1 : tensor<64xf32>
}

// -----

// So does one that lives to the end.

// CHECK-LABEL: func.func @live_at_end
// CHECK-SAME: tte.arena = {bytes = 512 : i64
func.func @live_at_end(%x: tensor<64xf32> {tte.role = #tte.role<input>}) -> (tensor<64xf32>, tensor<64xf32>) {
  %0 = tte.clamp %x <0.0, 6.0> : tensor<64xf32>
  %1 = tte.clamp %0 <0.0, 4.0> : tensor<64xf32>
  return %0, %1 : tensor<64xf32>, tensor<64xf32>
}

// -----

// A pool whose windows overlap reads behind what it writes: its result begins before its input.

// CHECK-LABEL: func.func @window
// CHECK-SAME: lower_bound = 168 : i64
// CHECK-SAME: tte.schedule = {lower_bound = 168 : i64, optimal = true, peak_live = 168 : i64}
func.func @window(%x: tensor<1x4x4x2xf32> {tte.role = #tte.role<input>}) -> (tensor<1x4x4x2xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.avg_pool2d %x kernel [3, 3] padding [1, 1, 1, 1] : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  return %0 : tensor<1x4x4x2xf32>
}

// -----

// What a kernel reads in an order of its own is not overwritten.

// CHECK-LABEL: func.func @permuted
// CHECK-SAME: tte.arena = {bytes = 512 : i64
func.func @permuted(%x: tensor<8x8xf32> {tte.role = #tte.role<input>}) -> (tensor<8x8xf32> {tte.role = #tte.role<scores>}) {
  %0 = tte.permute %x [1, 0] : (tensor<8x8xf32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
}
