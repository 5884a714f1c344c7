// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-accumulate{batch=4})' | FileCheck %s --check-prefixes=ALL,BATCH
// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-momentum{factor=0.75})' | FileCheck %s --check-prefixes=ALL,MOMENTUM
// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-residual{bits=3})' | FileCheck %s --check-prefixes=ALL,RESIDUAL
// RUN: tte-opt %s --pass-pipeline='builtin.module(func.func(tte-qas),tte-accumulate{batch=4},tte-momentum,tte-residual,canonicalize)' | FileCheck %s --check-prefix=TOGETHER
// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-accumulate{batch=1})' | FileCheck %s --check-prefix=NONE

!weight = !quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>

// The part of a weight that trains keeps state for itself alone.
// BATCH: ml_program.global private @w.gradient(dense<0.000000e+00> : tensor<3x2xf32>) : tensor<3x2xf32> {tte.update = #tte.update<0, 3>}
// BATCH: ml_program.global private @b.gradient(dense<0.000000e+00> : tensor<2xf32>) : tensor<2xf32> {tte.update = #tte.update<0, 2>}
// MOMENTUM: ml_program.global private @w.velocity(dense<0.000000e+00> : tensor<3x2xf32>)
// RESIDUAL: ml_program.global private @w.residual(dense<0> : tensor<3x2xi8>) : tensor<3x2xi8>
// RESIDUAL-NOT: @b.residual
// NONE-NOT: gradient(dense
ml_program.global private @w(dense<1> : tensor<3x2xi8>) : tensor<3x2x!weight> {tte.update = #tte.update<0, 3>}
ml_program.global private @b(dense<1.0> : tensor<2xf32>) : tensor<2xf32> {tte.update = #tte.update<0, 2>}

// New states come behind the others, before the data.
// ALL: func.func @train_step(%[[W:.*]]: tensor<3x2x!weight> {tte.state = @w}, %[[B:[^:]*]]: tensor<2xf32> {tte.state = @b},
// BATCH-SAME: %[[SUM:.*]]: tensor<3x2xf32> {tte.state = @w.gradient}, %[[SUM_B:[^:]*]]: tensor<2xf32> {tte.state = @b.gradient}, %[[G:[^:]*]]: tensor<3x2xf32>
// MOMENTUM-SAME: %[[V:.*]]: tensor<3x2xf32> {tte.state = @w.velocity}
// RESIDUAL-SAME: %[[LOW:.*]]: tensor<3x2xi8> {tte.state = @w.residual}
func.func @train_step(%w: tensor<3x2x!weight> {tte.state = @w}, %b: tensor<2xf32> {tte.state = @b}, %g: tensor<3x2xf32>, %h: tensor<2xf32>, %rate: tensor<f32>, %step: tensor<i32>)
    -> (tensor<3x2x!weight> {tte.state = @w}, tensor<2xf32> {tte.state = @b}) {
  // BATCH: %[[MEAN:.*]] = tte.accumulate %[[SUM]], %[[G]] step %{{.*}} batch 4
  // BATCH: tte.scale_gradient %[[MEAN]]
  // BATCH: %[[NEW:.*]] = tte.sgd %[[W]], %{{.*}} stochastic stream 7 origin <[8, 2], [5, 0]> every 4
  // BATCH: %[[MEAN_B:.*]] = tte.accumulate %[[SUM_B]]
  // BATCH: %[[NEW_B:.*]] = tte.sgd %[[B]], %[[MEAN_B]] {{.*}} times 2.000000e+00 every 4
  // BATCH: return %[[NEW]], %[[NEW_B]], %[[MEAN]], %[[MEAN_B]]

  // MOMENTUM: %[[MOVED:.*]] = tte.momentum %[[V]], %{{.*}} factor 7.500000e-01 step
  // MOMENTUM: %[[SCALED:.*]] = tte.scale_gradient %[[MOVED]]
  // MOMENTUM: tte.sgd %[[W]], %[[SCALED]]
  // MOMENTUM: return %{{.*}}, %{{.*}}, %[[MOVED]], %{{.*}}

  // RESIDUAL: %[[SCALED:.*]] = tte.scale_gradient
  // RESIDUAL: %[[LEFT:.*]] = tte.sgd_residual %[[W]] low %[[LOW]] bits 3, %[[SCALED]] rate
  // RESIDUAL: tte.sgd %[[W]], %[[SCALED]] {{.*}} residual stream 7 origin <[8, 2], [5, 0]> low %[[LOW]] bits 3
  // RESIDUAL: tte.sgd %{{.*}} nearest stream 8 times 2.000000e+00 :
  // RESIDUAL: return %{{.*}}, %{{.*}}, %[[LEFT]]

  // TOGETHER: %[[MEAN:.*]] = tte.accumulate
  // TOGETHER: %[[MOVED:.*]] = tte.momentum %{{.*}}, %[[MEAN]] factor 0.899999976 step %{{.*}} every 4
  // TOGETHER: %[[SCALED:.*]] = tte.scale_gradient %[[MOVED]] by scale of !weight to the -1
  // TOGETHER: tte.sgd_residual %{{.*}} bits 8, %[[SCALED]] {{.*}} every 4
  // TOGETHER: tte.sgd %{{.*}}, %[[SCALED]] {{.*}} bits 8 every 4
  %0 = tte.scale_gradient %g by scale of !weight to the 1 : tensor<3x2xf32>
  %1 = tte.sgd %w, %0 rate %rate step %step stochastic stream 7 origin <[8, 2], [5, 0]>
    : (tensor<3x2x!weight>, tensor<3x2xf32>, tensor<f32>, tensor<i32>) -> tensor<3x2x!weight>
  %2 = tte.sgd %b, %h rate %rate step %step nearest stream 8 times 2.0
    : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<i32>) -> tensor<2xf32>
  return %1, %2 : tensor<3x2x!weight>, tensor<2xf32>
}
