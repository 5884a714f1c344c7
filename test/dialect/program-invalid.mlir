// RUN: tte-opt %s --split-input-file --verify-diagnostics

// Updates, dispatches, buffers and attributes.

func.func @grid(%g: tensor<4xf32>) {
  // expected-error @+1 {{grid must be a quantized element type, found 'f32'}}
  %0 = tte.scale_gradient %g by scale of f32 to the 1 : tensor<4xf32>
  return
}

// -----

func.func @grid_axis(%g: tensor<4x3xf32>) {
  // expected-error @+1 {{gradient must have size 2 along the axis 1 of the grid, found 'tensor<4x3xf32>'}}
  %0 = tte.scale_gradient %g by scale of !quant.uniform<i8:f32:1, {0.5, 0.25}> to the 1 : tensor<4x3xf32>
  return
}

// -----

func.func @sgd_shape(%w: tensor<4xf32>, %g: tensor<3xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{gradient must have shape (4), found 'tensor<3xf32>'}}
  %0 = tte.sgd %w, %g rate %rate step %step nearest stream 0 : (tensor<4xf32>, tensor<3xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @sgd_rate(%w: tensor<4xf32>, %rate: tensor<1xf32>, %step: tensor<i32>) {
  // expected-error @+1 {{operand #2 must be tensor<f32>, but got 'tensor<1xf32>'}}
  %0 = tte.sgd %w, %w rate %rate step %step nearest stream 0 : (tensor<4xf32>, tensor<4xf32>, tensor<1xf32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @sgd_step(%w: tensor<4xf32>, %rate: tensor<f32>) {
  // expected-error @+1 {{operand #3 must be tensor<i32>, but got 'tensor<f32>'}}
  %0 = tte.sgd %w, %w rate %rate step %rate nearest stream 0 : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

func.func @sgd_origin_rank(%w: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{origin must have rank 1, found 2}}
  %0 = tte.sgd %w, %w rate %rate step %step nearest stream 0 origin <[8, 1], [0, 0]> : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

func.func @sgd_origin(%w: tensor<4xf32>, %rate: tensor<f32>, %step: tensor<i32>) {
  // expected-error @+1 {{slice [5, 9) leaves dimension 0 of size 8 of the full parameter}}
  %0 = tte.sgd %w, %w rate %rate step %step nearest stream 0 origin <[8], [5]> : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i32>) -> tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{shape has rank 1 but there are 2 offsets}}
func.func @origin() attributes {a = #tte.origin<[8], [0, 0]>} { return }

// -----

func.func @finite(%a: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{results must have the types of the values}}
  %0:2 = tte.check_finite %a, %b : (tensor<4xf32>, tensor<3xf32>) -> (tensor<3xf32>, tensor<4xf32>)
  return
}

// -----

func.func @strategy(%x: tensor<4xf32>) {
  // expected-error @+1 {{unknown strategy 'fancy'}}
  %0 = tte.dispatch fancy forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @phase(%x: tensor<4xf32>) {
  // expected-error @+1 {{unknown phase 'sideways'}}
  %0 = tte.dispatch plain sideways (%a = %x : tensor<4xf32>) -> tensor<4xf32> {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @tied_count(%x: tensor<4xf32>) {
  // expected-error @+1 {{tied needs one entry for each of the 1 results, found 2}}
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> tied [-1, 0] {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @tied_operand(%x: tensor<4xf32>) {
  // expected-error @+1 {{result 0 is tied to operand 1 of 1}}
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> tied [1] {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @tied_type(%x: tensor<4xf32>, %y: tensor<3xf32>) {
  // expected-error @+1 {{result 0 of type 'tensor<4xf32>' is tied to an operand of type 'tensor<3xf32>'}}
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>, %b = %y : tensor<3xf32>) -> tensor<4xf32> tied [1] {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @arguments(%x: tensor<4xf32>) {
  // expected-error @+1 {{block arguments must have the types of the inputs}}
  %0 = "tte.dispatch"(%x) <{strategy = #tte<strategy plain>, phase = #tte<phase forward>, tied = array<i64: -1>}> ({
  ^bb0(%a: tensor<3xf32>):
    tte.yield %a : tensor<3xf32>
  }) : (tensor<4xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @yield(%x: tensor<4xf32>) {
  // expected-error @+1 {{must yield values of the types of its results}}
  %0 = tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<3xf32> {
    tte.yield %a : tensor<4xf32>
  }
  return
}

// -----

func.func @isolated(%x: tensor<4xf32>) {
  // expected-note @+1 {{required by region isolation constraints}}
  %0 = tte.dispatch plain forward () -> tensor<4xf32> {
    // expected-error @+1 {{using value defined outside the region}}
    tte.yield %x : tensor<4xf32>
  }
  return
}

// -----

func.func @yield_parent(%x: tensor<4xf32>) {
  // expected-error @+1 {{expects parent op to be one of 'tte.dispatch, tte.kernel'}}
  tte.yield %x : tensor<4xf32>
}

// -----

func.func @subspan_offset() {
  // expected-error @+1 {{offset must be a multiple of the element size 4, found 6}}
  %0 = tte.subspan arena[6] : memref<4xf32>
  return
}

// -----

func.func @subspan_negative() {
  // expected-error @+1 {{offset must be a multiple of the element size 1, found -1}}
  %0 = tte.subspan state[-1] : memref<4xi8>
  return
}

// -----

func.func @buffer_type() {
  // expected-error @+1 {{result #0 must be statically shaped memref of i8, i32 or f32, but got 'memref<4xf64>'}}
  %0 = tte.subspan arena[0] : memref<4xf64>
  return
}

// -----

// expected-error @+1 {{'tte.range' must be a #tte.range, found 1.000000e+00 : f32}}
func.func @range() attributes {tte.range = 1.0 : f32} { return }

// -----

// expected-error @+1 {{minimum 1.000000e+00 is above maximum 0.000000e+00}}
func.func @range_bounds() attributes {tte.range = #tte.range<1.0, 0.0>} { return }

// -----

// expected-error @+1 {{'tte.update' must be a #tte.update, found 1 : i64}}
ml_program.global private @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32> {tte.update = 1}

// -----

// expected-error @+1 {{'tte.update' belongs on an ml_program.global}}
func.func @update() attributes {tte.update = #tte.update<0, 1>} { return }

// -----

// expected-error @+1 {{a range of channels needs offset >= 0 and size > 0, found offset 0 and size 0}}
ml_program.global private @w(dense<1.0> : tensor<8xf32>) : tensor<8xf32> {tte.update = #tte.update<0, 0>}

// -----

// expected-error @+1 {{'tte.places' has 1 lists, expected one for each dimension of an origin}}
ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.origin = #tte.origin<[4, 2], [0, 0]>, tte.places = [array<i64: 3, 2, 1, 0>]}

// -----

// expected-error @+1 {{'tte.places' names 4 in dimension 0 of size 4}}
ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.origin = #tte.origin<[4, 2], [0, 0]>, tte.places = [array<i64: 3, 2, 1, 4>, array<i64>]}

// -----

// expected-error @+1 {{'tte.places' must be a list of array<i64>, found 3}}
ml_program.global private @w(dense<1.0> : tensor<4x2xf32>) : tensor<4x2xf32> {tte.places = 3}
