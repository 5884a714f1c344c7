// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: tte-opt --tte-expand-float %s | FileCheck %s
// RUN: tte-opt --tte-expand-float %s | FileCheck --check-prefix=NONE %s

// NONE-NOT: maxnumf
// NONE-NOT: minnumf
// NONE-NOT: math.floor
// NONE-NOT: llvm.intr

// CHECK-LABEL: func @clamp
// CHECK: %[[ABOVE:.*]] = arith.cmpf ogt, %[[X:.*]], %[[LOW:.*]] : f32
// CHECK: %[[RAISED:.*]] = arith.select %[[ABOVE]], %[[X]], %[[LOW]]
// CHECK: %[[BELOW:.*]] = arith.cmpf olt, %[[RAISED]], %[[HIGH:.*]] : f32
// CHECK: %[[CLAMPED:.*]] = arith.select %[[BELOW]], %[[RAISED]], %[[HIGH]]
// CHECK: return %[[CLAMPED]]
func.func @clamp(%x: f32) -> f32 {
  %low = arith.constant 0.0 : f32
  %high = arith.constant 6.0 : f32
  %0 = arith.maxnumf %x, %low : f32
  %1 = arith.minnumf %0, %high : f32
  return %1 : f32
}

// A NaN is not chosen.
// CHECK-LABEL: func @largest
// CHECK: %[[ABOVE:.*]] = arith.cmpf ogt, %[[X:.*]], %[[Y:.*]] : f32
// CHECK: %[[CHOSEN:.*]] = arith.select %[[ABOVE]], %[[X]], %[[Y]]
// CHECK: %[[NAN:.*]] = arith.cmpf uno, %[[Y]], %[[Y]] : f32
// CHECK: arith.select %[[NAN]], %[[X]], %[[CHOSEN]]
func.func @largest(%x: f32, %y: f32) -> f32 {
  %0 = arith.maxnumf %x, %y : f32
  return %0 : f32
}

// CHECK-LABEL: func @round_down
// CHECK: arith.fptosi %{{.*}} : vector<4xf32> to vector<4xi32>
// CHECK: arith.cmpf ogt
// CHECK: math.absf
// CHECK: arith.select
func.func @round_down(%x: vector<4xf32>) -> vector<4xf32> {
  %0 = math.floor %x : vector<4xf32>
  return %0 : vector<4xf32>
}

// CHECK-LABEL: func @half_even
// CHECK-DAG: %[[BIG:.*]] = arith.constant 0x4B000000 : f32
// CHECK: %[[SHIFT:.*]] = math.copysign %{{.*}}, %[[X:.*]] : f32
// CHECK: %[[SUM:.*]] = arith.addf %[[X]], %[[SHIFT]]
// CHECK: arith.subf %[[SUM]], %[[SHIFT]]
// CHECK: arith.select
func.func @half_even(%x: f32) -> f32 {
  %0 = llvm.intr.roundeven(%x) : (f32) -> f32
  return %0 : f32
}
