// RUN: tte-opt %s --tte-lower-kernels --split-input-file --verify-diagnostics

module {
module @kernels {
  // expected-error @below {{lower-kernels: a kernel has at most one op that is not elementwise, found another}}
  tte.kernel @two plain {
  ^bb0(%x: tensor<1x4xf32>):
    // expected-note @below {{the first is 'tte.slice'}}
    %0 = tte.slice %x offsets [0, 1] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    // expected-note @below {{the other is 'tte.permute'}}
    %1 = tte.permute %0 [1, 0] : (tensor<1x2xf32>) -> tensor<2x1xf32>
    tte.yield %1 : tensor<2x1xf32>
  }
}
}

// -----

module {
module @kernels {
  // expected-error @below {{operands of 'tte.slice' must be inputs of the kernel, found the result of 'tte.clamp'}}
  tte.kernel @chain plain {
  ^bb0(%x: tensor<1x4xf32>):
    %0 = tte.clamp %x <0.0, 6.0> : tensor<1x4xf32>
    %1 = tte.slice %0 offsets [0, 1] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    tte.yield %1 : tensor<1x2xf32>
  }
}
}

// -----

module {
module @kernels {
  // expected-error @below {{no kernel computes 'tte.check_finite'}}
  tte.kernel @unknown plain {
  ^bb0(%x: tensor<4xf32>):
    %0 = tte.check_finite %x : (tensor<4xf32>) -> tensor<4xf32>
    tte.yield %0 : tensor<4xf32>
  }
}
}
