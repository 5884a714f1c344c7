// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernels of test/runtime/fake_kernels.c for IREE, with explicit fma: an executable each.

#forward = #hal.pipeline.layout<bindings = [
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer, ReadOnly>,
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer>]>
#loss = #hal.pipeline.layout<constants = 1, bindings = [
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer, ReadOnly>,
  #hal.pipeline.binding<storage_buffer>, #hal.pipeline.binding<storage_buffer>]>

// -----
hal.executable.source public @executable {
  hal.executable.export public @kernel ordinal(0) layout(#forward) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @kernel() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %c4 = arith.constant 4 : index
      %image = hal.interface.binding.subspan layout(#forward) binding(0) alignment(4) offset(%c0) : memref<4xi8, #hal.descriptor_type<storage_buffer>>
      %weights = hal.interface.binding.subspan layout(#forward) binding(1) alignment(4) offset(%c0) : memref<3x4xf32, #hal.descriptor_type<storage_buffer>>
      %bias = hal.interface.binding.subspan layout(#forward) binding(2) alignment(4) offset(%c0) : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      %scores = hal.interface.binding.subspan layout(#forward) binding(3) alignment(4) offset(%c0) : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      scf.for %c = %c0 to %c3 step %c1 {
        %b = memref.load %bias[%c] : memref<3xf32, #hal.descriptor_type<storage_buffer>>
        %sum = scf.for %k = %c0 to %c4 step %c1 iter_args(%acc = %b) -> f32 {
          %q = memref.load %image[%k] : memref<4xi8, #hal.descriptor_type<storage_buffer>>
          %x = arith.sitofp %q : i8 to f32
          %w = memref.load %weights[%c, %k] : memref<3x4xf32, #hal.descriptor_type<storage_buffer>>
          %next = math.fma %w, %x, %acc : f32
          scf.yield %next : f32
        }
        memref.store %sum, %scores[%c] : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      }
      return
    }
  }
}
// -----
hal.executable.source public @executable {
  hal.executable.export public @kernel ordinal(0) layout(#loss) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @kernel() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %zero = arith.constant 0.0 : f32
      %half = arith.constant 0.5 : f32
      %bits = hal.interface.constant.load layout(#loss) ordinal(0) : i32
      %target = arith.bitcast %bits : i32 to f32
      %scores = hal.interface.binding.subspan layout(#loss) binding(0) alignment(4) offset(%c0) : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      %label = hal.interface.binding.subspan layout(#loss) binding(1) alignment(4) offset(%c0) : memref<1xi32, #hal.descriptor_type<storage_buffer>>
      %loss = hal.interface.binding.subspan layout(#loss) binding(2) alignment(4) offset(%c0) : memref<1xf32, #hal.descriptor_type<storage_buffer>>
      %gradient = hal.interface.binding.subspan layout(#loss) binding(3) alignment(4) offset(%c0) : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      %l = memref.load %label[%c0] : memref<1xi32, #hal.descriptor_type<storage_buffer>>
      %sum = scf.for %c = %c0 to %c3 step %c1 iter_args(%acc = %zero) -> f32 {
        %s = memref.load %scores[%c] : memref<3xf32, #hal.descriptor_type<storage_buffer>>
        %i = arith.index_cast %c : index to i32
        %hit = arith.cmpi eq, %i, %l : i32
        %t = arith.select %hit, %target, %zero : f32
        %g = arith.subf %s, %t : f32
        memref.store %g, %gradient[%c] : memref<3xf32, #hal.descriptor_type<storage_buffer>>
        %h = arith.mulf %g, %half : f32
        %next = math.fma %h, %g, %acc : f32
        scf.yield %next : f32
      }
      memref.store %sum, %loss[%c0] : memref<1xf32, #hal.descriptor_type<storage_buffer>>
      return
    }
  }
}
// -----
hal.executable.source public @executable {
  hal.executable.export public @kernel ordinal(0) layout(#forward) count(%device: !hal.device) -> (index, index, index) {
    %c1 = arith.constant 1 : index
    hal.return %c1, %c1, %c1 : index, index, index
  }
  builtin.module {
    func.func @kernel() {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %c4 = arith.constant 4 : index
      %image = hal.interface.binding.subspan layout(#forward) binding(0) alignment(4) offset(%c0) : memref<4xi8, #hal.descriptor_type<storage_buffer>>
      %gradient = hal.interface.binding.subspan layout(#forward) binding(1) alignment(4) offset(%c0) : memref<3xf32, #hal.descriptor_type<storage_buffer>>
      %rate = hal.interface.binding.subspan layout(#forward) binding(2) alignment(4) offset(%c0) : memref<1xf32, #hal.descriptor_type<storage_buffer>>
      %weights = hal.interface.binding.subspan layout(#forward) binding(3) alignment(4) offset(%c0) : memref<3x4xf32, #hal.descriptor_type<storage_buffer>>
      %lr = memref.load %rate[%c0] : memref<1xf32, #hal.descriptor_type<storage_buffer>>
      scf.for %c = %c0 to %c3 step %c1 {
        %g = memref.load %gradient[%c] : memref<3xf32, #hal.descriptor_type<storage_buffer>>
        %scaled = arith.mulf %g, %lr : f32
        %step = arith.negf %scaled : f32
        scf.for %k = %c0 to %c4 step %c1 {
          %q = memref.load %image[%k] : memref<4xi8, #hal.descriptor_type<storage_buffer>>
          %x = arith.sitofp %q : i8 to f32
          %w = memref.load %weights[%c, %k] : memref<3x4xf32, #hal.descriptor_type<storage_buffer>>
          %new = math.fma %step, %x, %w : f32
          memref.store %new, %weights[%c, %k] : memref<3x4xf32, #hal.descriptor_type<storage_buffer>>
        }
      }
      return
    }
  }
}
