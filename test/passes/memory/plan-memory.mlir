// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-fuse-update,tte-fuse-clamp-grad,tte-form-dispatches,tte-schedule),tte-plan-memory)' | FileCheck %s

!activation = !quant.uniform<i8:f32, 0.5:3>
!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>
!bias = !quant.uniform<i32:f32:0, {0.25, 0.125}>

ml_program.global private @"fc.weight"(dense<1> : tensor<4x2xi8>) : tensor<4x2x!weight> {tte.update = #tte.update<0, 4>}
ml_program.global private @"fc.bias"(dense<1> : tensor<2xi32>) : tensor<2x!bias>

// CHECK: module attributes
// CHECK-SAME: tte.arena = {bytes = 96 : i64, lower_bound = 96 : i64, optimal = true}
// CHECK-SAME: tte.arena_alignment = 16
// CHECK-SAME: tte.state_alignment = 16
// CHECK-SAME: tte.state_bytes = 24

// CHECK: module @kernels
// CHECK: tte.kernel @dense plain {
// CHECK-NEXT: (%[[X:.*]]: tensor<1x4x!activation>, %[[W:.*]]: tensor<4x2x!weight>, %[[B:.*]]: tensor<2x!bias>)
// CHECK-NEXT: %[[Y:.*]] = tte.dense %[[X]] weights(%[[W]]) bias(%[[B]])
// CHECK-NEXT: tte.yield %[[Y]]
// CHECK-NOT: tte.kernel @dense plain
// CHECK: tte.kernel @dense_weight_grad_scale_gradient_sgd

// CHECK: func.func @forward() attributes
// CHECK-SAME: tte.schedule
func.func @forward(%w: tensor<4x2x!weight> {tte.state = @"fc.weight"}, %x: tensor<1x2x2x1x!activation> {tte.role = #tte.role<input>})
    -> (tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
  // CHECK-DAG: %[[W:.*]] = tte.subspan state[16] {tte.state = @fc.weight, tte.tensor = tensor<4x2x!weight>} : memref<4x2xi8>
  // CHECK-DAG: tte.subspan arena[[[INPUT:.*]]] {tte.role = #tte.role<input>, tte.tensor = tensor<1x2x2x1x!activation>, tte.value = [[VALUE:.*]] : i64} : memref<1x2x2x1xi8>
  // CHECK-DAG: %[[SCORES:.*]] = tte.subspan arena[{{.*}}] {tte.role = #tte.role<scores>, {{.*}} : memref<1x2xf32>
  // CHECK-DAG: %[[X:.*]] = tte.subspan arena[[[INPUT]]] {tte.value = [[VALUE]] : i64} : memref<1x4xi8>
  // CHECK-DAG: %[[B:.*]] = tte.flash @fc.bias : memref<2xi32>
  // CHECK: tte.call @kernels::@dense ins(%[[X]], %[[W]], %[[B]] : memref<1x4xi8>, memref<4x2xi8>, memref<2xi32>) scratch({{.*}} : memref<8xi8>) outs(%[[SCORES]] : memref<1x2xf32>) layer "fc" phase forward macs 8
  // CHECK-NEXT: return
  %0 = tte.reshape %x : (tensor<1x2x2x1x!activation>) -> tensor<1x4x!activation>
  %1 = ml_program.global_load_const @"fc.bias" : tensor<2x!bias>
  %2 = tte.dense %0 weights(%w) bias(%1) : (tensor<1x4x!activation>, tensor<4x2x!weight>, tensor<2x!bias>) -> tensor<1x2xf32> loc("fc")
  return %2 : tensor<1x2xf32>
}

// CHECK: func.func @train_step()
func.func @train_step(%w: tensor<4x2x!weight> {tte.state = @"fc.weight"}, %x: tensor<1x2x2x1x!activation> {tte.role = #tte.role<input>},
    %label: tensor<1xi32> {tte.role = #tte.role<label>}, %rate: tensor<f32> {tte.role = #tte.role<learning_rate>}, %step: tensor<i32> {tte.role = #tte.role<step>})
    -> (tensor<4x2x!weight> {tte.state = @"fc.weight"}, tensor<f32> {tte.role = #tte.role<loss>}, tensor<1x2xf32> {tte.role = #tte.role<scores>}) {
  // CHECK-DAG: %[[W:.*]] = tte.subspan state[16] {tte.state = @fc.weight, {{.*}} : memref<4x2xi8>
  // CHECK-DAG: %[[STEP:.*]] = tte.subspan state[0] {tte.role = #tte.role<step>, {{.*}} : memref<i32>
  // CHECK-DAG: tte.subspan arena[[[INPUT]]] {tte.role = #tte.role<input>
  // CHECK-DAG: %[[LOSS:.*]] = tte.subspan arena[{{.*}}] {tte.role = #tte.role<loss>, tte.tensor = tensor<f32>
  // CHECK: tte.call @kernels::@dense ins
  // CHECK: phase forward
  // CHECK: tte.require_finite %[[LOSS]] : memref<f32>
  // CHECK: tte.require_finite
  // CHECK: tte.call @kernels::@dense_weight_grad_scale_gradient_sgd ins({{.*}}, %[[W]], {{.*}}, %[[STEP]] {{.*}}) outs(%[[W]] : memref<4x2xi8>) layer "fc" phase update macs 8
  // CHECK: return{{$}}
  %0 = tte.reshape %x : (tensor<1x2x2x1x!activation>) -> tensor<1x4x!activation>
  %1 = ml_program.global_load_const @"fc.bias" : tensor<2x!bias>
  %2 = tte.dense %0 weights(%w) bias(%1) : (tensor<1x4x!activation>, tensor<4x2x!weight>, tensor<2x!bias>) -> tensor<1x2xf32> loc("fc")
  %3 = tte.softmax_cross_entropy %2, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<f32>
  %4 = tte.softmax_cross_entropy_grad %2, %label : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<1x2xf32>
  %5:2 = tte.check_finite %3, %4 : (tensor<f32>, tensor<1x2xf32>) -> (tensor<f32>, tensor<1x2xf32>)
  %6 = tte.dense_weight_grad %0, %5#1 : (tensor<1x4x!activation>, tensor<1x2xf32>) -> tensor<4x2xf32> loc("fc")
  %7 = tte.scale_gradient %6 by scale of !weight to the -1 : tensor<4x2xf32> loc("fc")
  %8 = tte.sgd %w, %7 rate %rate step %step stochastic stream 7
    : (tensor<4x2x!weight>, tensor<4x2xf32>, tensor<f32>, tensor<i32>) -> tensor<4x2x!weight> loc("fc")
  return %8, %5#0, %2 : tensor<4x2x!weight>, tensor<f32>, tensor<1x2xf32>
}
