// RUN: tte-opt %s --tte-autodiff | FileCheck %s
// The gradients of a value with several readers are added up before they go on.

ml_program.global private @a(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
ml_program.global private @b(dense<1.0> : tensor<2x2xf32>) : tensor<2x2xf32>
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %a = ml_program.global_load_const @a : tensor<2x2xf32>
  %b = ml_program.global_load_const @b : tensor<2x2xf32>
  %0 = tte.dense %x weights(%a) : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tte.dense %0 weights(%b) clamp <0.0, inf> : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %2 = tte.add %0, %1 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%{{.*}}: tensor<2x2xf32> {tte.state = @a}, %[[B:.*]]: tensor<2x2xf32> {tte.state = @b}, %[[X:[^:]*]]:
// CHECK: %[[MID:.*]] = tte.dense %[[X]]
// CHECK: %[[BRANCH:.*]] = tte.dense %[[MID]]
// CHECK: %[[DY:.*]]:2 = tte.check_finite
// CHECK: %[[MASKED:.*]] = tte.clamp_grad %[[DY]]#1, %[[BRANCH]] <0.0, inf>
// CHECK-DAG: %[[THROUGH:.*]] = tte.dense_input_grad %[[MASKED]] weights(%[[B]])
// CHECK-DAG: %[[DB:.*]] = tte.dense_weight_grad %[[MID]], %[[MASKED]]
// CHECK: %[[SUM:.*]] = tte.add %[[DY]]#1, %[[THROUGH]]
// CHECK-NOT: tte.dense_input_grad
// CHECK: %[[DA:.*]] = tte.dense_weight_grad %[[X]], %[[SUM]]
// CHECK: tte.sgd %{{.*}}, %[[DA]]
// CHECK: tte.sgd %[[B]], %[[DB]]
