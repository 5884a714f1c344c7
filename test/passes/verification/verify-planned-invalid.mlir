// RUN: tte-opt %s --pass-pipeline='builtin.module(tte-verify-stage{stage=planned})' --split-input-file --verify-diagnostics

// expected-error @+1 {{has no 'tte.arena': memory is not planned}}
module {
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  // expected-error @+1 {{'func.func' op must have no arguments and no results: values are buffers}}
  func.func @forward(%x: tensor<4xf32>) {
    return
  }
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  func.func @forward() {
    // expected-error @+1 {{'arith.constant' op does not belong into a planned function}}
    %0 = arith.constant 1 : i32
    return
  }
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  func.func @forward() {
    %0 = tte.subspan arena[0] : memref<4xf32>
    // expected-error @+1 {{'tte.call' op calls @kernels::@clamp, which is no kernel}}
    tte.call @kernels::@clamp ins(%0 : memref<4xf32>) outs(%0 : memref<4xf32>) layer "" phase forward macs 0
    return
  }
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  module @kernels {
    tte.kernel @clamp plain {
    ^bb0(%arg0: tensor<4xf32>):
      %0 = tte.clamp %arg0 <0.0, 6.0> : tensor<4xf32>
      tte.yield %0 : tensor<4xf32>
    }
  }
  func.func @forward() {
    %0 = tte.subspan arena[0] : memref<4xf32>
    %1 = tte.subspan arena[16] : memref<4xi8>
    // expected-error @+1 {{'tte.call' op outputs 0 must be of type 'memref<4xf32>', found 'memref<4xi8>'}}
    tte.call @kernels::@clamp ins(%0 : memref<4xf32>) outs(%1 : memref<4xi8>) layer "" phase forward macs 0
    return
  }
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  ml_program.global private @c(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
  module @kernels {
    tte.kernel @clamp plain {
    ^bb0(%arg0: tensor<4xf32>):
      %0 = tte.clamp %arg0 <0.0, 6.0> : tensor<4xf32>
      tte.yield %0 : tensor<4xf32>
    }
  }
  func.func @forward() {
    %0 = tte.flash @c : memref<4xf32>
    // expected-error @+1 {{'tte.call' op must not write to flash}}
    tte.call @kernels::@clamp ins(%0 : memref<4xf32>) outs(%0 : memref<4xf32>) layer "" phase forward macs 0
    return
  }
}

// -----

module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true}, tte.arena_alignment = 16 : i64, tte.state_bytes = 4 : i64} {
  ml_program.global private @c(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
  func.func @forward() {
    // expected-error @+1 {{'tte.flash' op must hold the elements of @c, 'tensor<4xf32>', found 'memref<5xf32>'}}
    %0 = tte.flash @c : memref<5xf32>
    return
  }
}
