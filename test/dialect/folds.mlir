// RUN: tte-opt %s --canonicalize | FileCheck %s

!w = !quant.uniform<i8<-127:127>:f32:1, {0.1, 0.2}>
!v = !quant.uniform<i8<-127:127>:f32:1, {0.1, 0.3}>

// CHECK-LABEL: func.func @identities(
// CHECK-SAME: %[[X:.*]]: tensor<4x2x!weight>
func.func @identities(%x: tensor<4x2x!w>) -> tensor<4x2x!w> {
  // CHECK-NEXT: return %[[X]]
  %0 = tte.reshape %x : (tensor<4x2x!w>) -> tensor<4x2x!w>
  %1 = tte.slice %0 offsets [0, 0] : (tensor<4x2x!w>) -> tensor<4x2x!w>
  %2 = tte.permute %1 [0, 1] : (tensor<4x2x!w>) -> tensor<4x2x!w>
  return %2 : tensor<4x2x!w>
}

// A square transpose keeps the type, not the elements.
// CHECK-LABEL: func.func @transpose(
func.func @transpose(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
  // CHECK: tte.permute
  %0 = tte.permute %x [1, 0] : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0 : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @powers_of_the_scale_add_up(
// CHECK-SAME: %[[G:.*]]: tensor<4x2xf32>
func.func @powers_of_the_scale_add_up(%g: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // CHECK-NEXT: %[[R:.*]] = tte.scale_gradient %[[G]] by scale of !weight to the -1
  // CHECK-NEXT: return %[[R]]
  %0 = tte.scale_gradient %g by scale of !w to the 1 : tensor<4x2xf32>
  %1 = tte.scale_gradient %0 by scale of !w to the -2 : tensor<4x2xf32>
  return %1 : tensor<4x2xf32>
}

// CHECK-LABEL: func.func @power_0(
// CHECK-SAME: %[[G:.*]]: tensor<4x2xf32>
func.func @power_0(%g: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // CHECK-NEXT: return %[[G]]
  %0 = tte.scale_gradient %g by scale of !w to the 2 : tensor<4x2xf32>
  %1 = tte.scale_gradient %0 by scale of !w to the -2 : tensor<4x2xf32>
  return %1 : tensor<4x2xf32>
}

// CHECK-LABEL: func.func @scales_of_another_grid_stay(
func.func @scales_of_another_grid_stay(%g: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // CHECK-COUNT-2: tte.scale_gradient
  %0 = tte.scale_gradient %g by scale of !w to the 1 : tensor<4x2xf32>
  %1 = tte.scale_gradient %0 by scale of !v to the -1 : tensor<4x2xf32>
  return %1 : tensor<4x2xf32>
}

// Ops without effects disappear where nobody reads them.
// CHECK-LABEL: func.func @unused(
func.func @unused(%x: tensor<4x2xf32>) {
  // CHECK-NEXT: return
  %0 = tte.add %x, %x : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<4x2xf32>
  %1 = tte.dispatch plain forward (%a = %0 : tensor<4x2xf32>) -> tensor<4x2xf32> {
    tte.yield %a : tensor<4x2xf32>
  }
  return
}
