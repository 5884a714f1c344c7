# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Finds MLIR at MLIR_DIR, else in the wheels of the Python in use. Sets
# TTE_MLIR_PREFIX and TTE_LLVM_PREFIX, the installation trees of both.
find_package(Python 3.10 REQUIRED COMPONENTS Interpreter OPTIONAL_COMPONENTS Development.Module)

function(tte_find_wheel package output)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
      "import importlib.util as u; print(u.find_spec('${package}').submodule_search_locations[0])"
    OUTPUT_VARIABLE location OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "no Python package '${package}' in ${Python_EXECUTABLE}; "
      "install the packages of [build-system] in pyproject.toml or set MLIR_DIR and LLVM_DIR")
  endif()
  set(${output} "${location}" PARENT_SCOPE)
endfunction()

if(NOT MLIR_DIR)
  tte_find_wheel(mlir mlir_wheel)
  set(MLIR_DIR "${mlir_wheel}/lib/cmake/mlir")
endif()
if(NOT LLVM_DIR)
  tte_find_wheel(llvm llvm_wheel)
  set(LLVM_DIR "${llvm_wheel}/lib/cmake/llvm")
endif()
find_package(MLIR REQUIRED CONFIG)
get_filename_component(TTE_MLIR_PREFIX "${MLIR_DIR}/../../.." REALPATH)
get_filename_component(TTE_LLVM_PREFIX "${LLVM_DIR}/../../.." REALPATH)
message(STATUS "MLIR ${LLVM_PACKAGE_VERSION} in ${TTE_MLIR_PREFIX}")
