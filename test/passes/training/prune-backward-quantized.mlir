// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-autodiff,tte-prune-backward,func.func(tte-qas,canonicalize))' | FileCheck %s
// Ranges of quantized weights: scales per output channel stay, but are sliced where the channels
// of a depthwise convolution train in part. Input gradients read all parts.

!activation = !quant.uniform<i8:f32, 0.5:3>
!depthwise = !quant.uniform<i8<-127:127>:f32:3, {0.5, 0.25, 0.125, 1.0}>
!pointwise = !quant.uniform<i8<-127:127>:f32:3, {2.0, 4.0}>

// CHECK-DAG: ![[ALL:.*]] = !quant.uniform<i8<-127:127>:f32:3, {2.000000e+00,4.000000e+00}>
// CHECK-DAG: ![[TRAINED:.*]] = !quant.uniform<i8<-127:127>:f32:3, {2.500000e-01,1.250000e-01}>
// CHECK-DAG: ![[BEFORE:.*]] = !quant.uniform<i8<-127:127>:f32:3, {5.000000e-01}>
// CHECK-DAG: ![[AFTER:.*]] = !quant.uniform<i8<-127:127>:f32:3, {1.000000e+00}>

// CHECK-DAG: @dw(dense<{{\[\[\[\[}}2, 3]]], {{\[\[\[}}6, 7]]]]> : tensor<2x1x1x2xi8>) : tensor<2x1x1x2x![[TRAINED]]> {tte.origin = #tte.origin<[2, 1, 1, 4], [0, 0, 0, 1]>, tte.update = #tte.update<0, 2>}
// CHECK-DAG: @dw.before(dense<{{\[\[\[\[}}1]]], {{\[\[\[}}5]]]]> : tensor<2x1x1x1xi8>) : tensor<2x1x1x1x![[BEFORE]]>
// CHECK-DAG: @dw.after(dense<{{\[\[\[\[}}4]]], {{\[\[\[}}8]]]]> : tensor<2x1x1x1xi8>) : tensor<2x1x1x1x![[AFTER]]>
ml_program.global private @dw(dense<[[[[1, 2, 3, 4]]], [[[5, 6, 7, 8]]]]> : tensor<2x1x1x4xi8>) : tensor<2x1x1x4x!depthwise> {tte.update = #tte.update<1, 2>}
// CHECK-DAG: @pw(dense<{{.*}}> : tensor<1x1x2x2xi8>) : tensor<1x1x2x2x![[ALL]]> {tte.origin = #tte.origin<[1, 1, 4, 2], [0, 0, 2, 0]>, tte.update = #tte.update<0, 2>}
// CHECK-DAG: @pw.before(dense<{{.*}}> : tensor<1x1x2x2xi8>) : tensor<1x1x2x2x![[ALL]]>
// CHECK-NOT: @pw.after
ml_program.global private @pw(dense<[[[[1, 2], [3, 4], [5, 6], [7, 8]]]]> : tensor<1x1x4x2xi8>) : tensor<1x1x4x2x!pointwise> {tte.update = #tte.update<2, 2>}

func.func @forward(%x: tensor<1x2x1x4x!activation>) -> tensor<1x2xf32> {
  %dw = ml_program.global_load_const @dw : tensor<2x1x1x4x!depthwise>
  %pw = ml_program.global_load_const @pw : tensor<1x1x4x2x!pointwise>
  %0 = tte.conv2d %x weights(%dw) groups 4 : (tensor<1x2x1x4x!activation>, tensor<2x1x1x4x!depthwise>) -> tensor<1x1x1x4x!activation>
  %1 = tte.conv2d %0 weights(%pw) : (tensor<1x1x1x4x!activation>, tensor<1x1x4x2x!pointwise>) -> tensor<1x1x1x2xf32>
  %2 = tte.reshape %1 : (tensor<1x1x1x2xf32>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}

// CHECK: func.func @train_step(%[[DW:.*]]: tensor<2x1x1x2x![[TRAINED]]> {tte.state = @dw}, %[[PW:.*]]: tensor<1x1x2x2x![[ALL]]> {tte.state = @pw},
// CHECK-DAG: %[[DW0:.*]] = ml_program.global_load_const @dw.before
// CHECK-DAG: %[[DW2:.*]] = ml_program.global_load_const @dw.after
// CHECK-DAG: %[[PW0:.*]] = ml_program.global_load_const @pw.before
// CHECK: tte.conv2d %{{.*}} weights(%[[DW0]], %[[DW]], %[[DW2]]) groups 4
// CHECK: tte.conv2d %{{.*}} weights(%[[PW0]], %[[PW]]) :
// CHECK-DAG: tte.conv2d_input_grad %{{.*}} weights(%[[PW0]], %[[PW]]) :
// CHECK-DAG: %[[PWGRAD:.*]] = tte.conv2d_weight_grad %{{[^ ]*}}, %{{[^ ]*}} : {{.*}} -> tensor<1x1x2x2xf32>
// CHECK-DAG: %[[DWGRAD:.*]] = tte.conv2d_weight_grad %{{.*}} groups 4 offset 1 : {{.*}} -> tensor<2x1x1x2xf32>
// CHECK: %[[SCALED:.*]] = tte.scale_gradient %[[DWGRAD]] by scale of ![[TRAINED]] to the -1
// CHECK: tte.sgd %[[DW]], %[[SCALED]] {{.*}} origin <[2, 1, 1, 4], [0, 0, 0, 1]>
// CHECK: %[[SCALED:.*]] = tte.scale_gradient %[[PWGRAD]] by scale of ![[ALL]] to the -1
// CHECK: tte.sgd %[[PW]], %[[SCALED]] {{.*}} origin <[1, 1, 4, 2], [0, 0, 2, 0]>
