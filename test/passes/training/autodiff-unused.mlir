// RUN: tte-opt %s --tte-autodiff | FileCheck %s
// A parameter that the scores do not depend on is returned as it came.

ml_program.global private @w(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
ml_program.global private @unused(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %u = ml_program.global_load_const @unused : tensor<2x2xf32>
  %w = ml_program.global_load_const @w : tensor<2x2xf32>
  %0 = tte.dense %x weights(%u) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %x weights(%w) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%{{.*}}: tensor<2x2xf32> {tte.state = @w}, %[[UNUSED:.*]]: tensor<2x2xf32> {tte.state = @unused}
// CHECK: %[[NEW:.*]] = tte.sgd
// CHECK: return %[[NEW]], %[[UNUSED]],
