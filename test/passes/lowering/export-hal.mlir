// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: tte-opt %s --allow-unregistered-dialect --tte-export-hal --mlir-print-op-generic | FileCheck %s
// RUN: not tte-opt %s --tte-export-hal 2>&1 | FileCheck %s --check-prefix=CONTEXT

// CONTEXT: export-hal: needs a context that allows unregistered dialects

// CHECK: "hal.executable.source"() ({
// CHECK: "hal.executable.export"() ({
// CHECK: ^bb0(%{{.*}}: !hal.device):
// CHECK: "hal.return"
// CHECK: }) {layout = #hal.pipeline.layout<bindings = [#hal.pipeline.binding<storage_buffer>, #hal.pipeline.binding<storage_buffer>]>, ordinal = 0 : index, sym_name = "kernel", sym_visibility = "public"}
// CHECK: "builtin.module"
// CHECK-NOT: @row
// CHECK: "func.func"() <{function_type = () -> (), sym_name = "kernel"}>
// CHECK: "hal.interface.binding.subspan"(%{{.*}}) {alignment = 4 : index, binding = 0 : index, {{.*}}} : (index) -> memref<4xf32>
// CHECK: "hal.interface.binding.subspan"(%{{.*}}) {alignment = 4 : index, binding = 1 : index, {{.*}}} : (index) -> memref<4xf32>
// CHECK: {sym_name = "copy", sym_visibility = "public"}

// What a kernel calls comes along, in the order of the library.
// CHECK: "hal.executable.source"() ({
// CHECK: ordinal = 0 : index, sym_name = "kernel"
// CHECK: sym_name = "pixel"
// CHECK: sym_name = "row"
// CHECK: sym_name = "kernel"
// CHECK: {sym_name = "clear", sym_visibility = "public"}

// Numbers are push constants.
// CHECK: "hal.executable.source"() ({
// CHECK: }) {layout = #hal.pipeline.layout<constants = 2, bindings = [#hal.pipeline.binding<storage_buffer>]>, ordinal = 0 : index, sym_name = "kernel", sym_visibility = "public"}
// CHECK: "hal.interface.binding.subspan"
// CHECK: %[[N:.*]] = "hal.interface.constant.load"() {layout = #hal.pipeline.layout<constants = 2, {{.*}}>, ordinal = 0 : index} : () -> i32
// CHECK: %[[M:.*]] = "hal.interface.constant.load"() {layout = {{.*}}, ordinal = 1 : index} : () -> i32
// CHECK: "arith.addi"(%[[N]], %[[M]])
// CHECK: {sym_name = "sized", sym_visibility = "public"}
// CHECK-NOT: unused
func.func @unused() {
  return
}
module @kernels {
  func.func private @pixel(%y: memref<4xf32>) {
    return
  }
  func.func @copy(%x: memref<4xf32>, %y: memref<4xf32>) {
    %c0 = arith.constant 0 : index
    %0 = memref.load %x[%c0] : memref<4xf32>
    memref.store %0, %y[%c0] : memref<4xf32>
    return
  }
  func.func private @row(%y: memref<4xf32>) {
    call @pixel(%y) : (memref<4xf32>) -> ()
    return
  }
  func.func private @unused(%y: memref<4xf32>) {
    return
  }
  func.func @clear(%y: memref<4xf32>) {
    call @row(%y) : (memref<4xf32>) -> ()
    return
  }
  func.func @sized(%y: memref<4xi32>, %n: i32, %m: i32) {
    %c0 = arith.constant 0 : index
    %0 = arith.addi %n, %m : i32
    memref.store %0, %y[%c0] : memref<4xi32>
    return
  }
}
