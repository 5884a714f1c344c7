// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-schedule))' | FileCheck %s

// Two chains of large intermediate values: one runs to its end before the other begins.
// CHECK-LABEL: @depth_first
// CHECK-SAME: tte.schedule = {lower_bound = 384 : i64, optimal = true, peak_live = 384 : i64}
func.func @depth_first(%x: tensor<16xf32>) -> tensor<16xf32> {
  // CHECK: dispatch plain forward (%{{.*}} = %arg0
  // CHECK: slice_grad
  // CHECK: slice
  // CHECK: slice_grad
  // CHECK: slice
  // CHECK: add
  %0 = tte.dispatch plain forward (%a = %x : tensor<16xf32>) -> tensor<64xf32> {
    %6 = tte.slice_grad %a offsets [0] : (tensor<16xf32>) -> tensor<64xf32>
    tte.yield %6 : tensor<64xf32>
  }
  %1 = tte.dispatch plain forward (%a = %x : tensor<16xf32>) -> tensor<64xf32> {
    %6 = tte.slice_grad %a offsets [1] : (tensor<16xf32>) -> tensor<64xf32>
    tte.yield %6 : tensor<64xf32>
  }
  %2 = tte.dispatch plain forward (%a = %0 : tensor<64xf32>) -> tensor<16xf32> {
    %6 = tte.slice %a offsets [8] : (tensor<64xf32>) -> tensor<16xf32>
    tte.yield %6 : tensor<16xf32>
  }
  %3 = tte.dispatch plain forward (%a = %1 : tensor<64xf32>) -> tensor<16xf32> {
    %6 = tte.slice %a offsets [8] : (tensor<64xf32>) -> tensor<16xf32>
    tte.yield %6 : tensor<16xf32>
  }
  %4 = tte.dispatch plain forward (%a = %2 : tensor<16xf32>, %b = %3 : tensor<16xf32>) -> tensor<16xf32> {
    %6 = tte.add %a, %b : (tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
    tte.yield %6 : tensor<16xf32>
  }
  return %4 : tensor<16xf32>
}

// The update comes first in the text, but the input gradient reads the old weight.
// CHECK-LABEL: @old_value
func.func @old_value(%w: tensor<4x2xf32> {tte.state = @w}, %x: tensor<1x4xf32>, %g: tensor<1x2xf32>, %rate: tensor<f32>, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4x2xf32> {tte.state = @w}, tensor<1x4xf32>) {
  // CHECK: tte.dense_input_grad
  // CHECK: tte.sgd
  %0 = tte.dispatch plain update (%a = %x : tensor<1x4xf32>, %b = %g : tensor<1x2xf32>, %c = %w : tensor<4x2xf32>, %d = %rate : tensor<f32>, %e = %step : tensor<i32>) -> tensor<4x2xf32> tied [2] {
    %6 = tte.dense_weight_grad %a, %b : (tensor<1x4xf32>, tensor<1x2xf32>) -> tensor<4x2xf32>
    %7 = tte.sgd %c, %6 rate %d step %e nearest stream 0 : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2xf32>
    tte.yield %7 : tensor<4x2xf32>
  }
  %1 = tte.dispatch plain backward (%a = %g : tensor<1x2xf32>, %b = %w : tensor<4x2xf32>) -> tensor<1x4xf32> {
    %6 = tte.dense_input_grad %a weights(%b) : (tensor<1x2xf32>, tensor<4x2xf32>) -> tensor<1x4xf32>
    tte.yield %6 : tensor<1x4xf32>
  }
  return %0, %1 : tensor<4x2xf32>, tensor<1x4xf32>
}

// Views and loads move with their reader; a checked value is read after the check.
// CHECK-LABEL: @views
ml_program.global private @c(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
func.func @views(%x: tensor<1x4xf32>) -> tensor<4xf32> {
  // CHECK: tte.check_finite
  // CHECK: tte.reshape
  // CHECK: ml_program.global_load_const
  // CHECK: tte.dispatch
  %0 = ml_program.global_load_const @c : tensor<4xf32>
  %1 = tte.check_finite %x : (tensor<1x4xf32>) -> tensor<1x4xf32>
  %2 = tte.reshape %1 : (tensor<1x4xf32>) -> tensor<4xf32>
  %3 = tte.dispatch plain forward (%a = %2 : tensor<4xf32>, %b = %0 : tensor<4xf32>) -> tensor<4xf32> {
    %6 = tte.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    tte.yield %6 : tensor<4xf32>
  }
  return %3 : tensor<4xf32>
}

// Without the search, the greedy order stands beside the bound that was proved.
// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-schedule{search-limit=0}))' | FileCheck %s --check-prefix=GREEDY
// GREEDY-LABEL: @depth_first
