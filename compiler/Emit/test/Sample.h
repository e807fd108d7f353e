// A hand-made Program for the tests of emission: no code generator involved.
#pragma once

#include "compiler/Codegen/Program.h"

#include "crosscut/abi.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Parser/Parser.h"

namespace crosscut::test {

// main(a, b) → sum, quotient, copy. Tensors of 64 elements.
//   sum      = a + b (f32), by kernel @add, four lanes an item
//   quotient = trunc(a) / trunc(b) in 64-bit integers, back as f32, by kernel @divide
//   copy     = the first trunc(a[0]) bytes of the weights; the rest is 0
inline const char *sampleCode = R"mlir(
module {
  func.func @add(%args: !llvm.ptr, %begin: i32, %end: i32) {
    %a = llvm.load %args : !llvm.ptr -> !llvm.ptr
    %b_at = llvm.getelementptr %args[8] : (!llvm.ptr) -> !llvm.ptr, i8
    %b = llvm.load %b_at : !llvm.ptr -> !llvm.ptr
    %out_at = llvm.getelementptr %args[16] : (!llvm.ptr) -> !llvm.ptr, i8
    %out = llvm.load %out_at : !llvm.ptr -> !llvm.ptr
    %from = arith.index_cast %begin : i32 to index
    %to = arith.index_cast %end : i32 to index
    %one = arith.constant 1 : index
    %bytes = arith.constant 16 : i32
    scf.for %i = %from to %to step %one {
      %item = arith.index_cast %i : index to i32
      %at = arith.muli %item, %bytes : i32
      %pa = llvm.getelementptr %a[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i8
      %pb = llvm.getelementptr %b[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i8
      %po = llvm.getelementptr %out[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i8
      %va = llvm.load %pa {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
      %vb = llvm.load %pb {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
      %sum = arith.addf %va, %vb : vector<4xf32>
      llvm.store %sum, %po {alignment = 4 : i64} : vector<4xf32>, !llvm.ptr
    }
    return
  }
  func.func private @quotient(%a: f32, %b: f32) -> f32 {
    %x = arith.fptosi %a : f32 to i64
    %y = arith.fptosi %b : f32 to i64
    %q = arith.divsi %x, %y : i64
    %f = arith.sitofp %q : i64 to f32
    return %f : f32
  }
  func.func @divide(%args: !llvm.ptr, %begin: i32, %end: i32) {
    %a = llvm.load %args : !llvm.ptr -> !llvm.ptr
    %b_at = llvm.getelementptr %args[8] : (!llvm.ptr) -> !llvm.ptr, i8
    %b = llvm.load %b_at : !llvm.ptr -> !llvm.ptr
    %out_at = llvm.getelementptr %args[24] : (!llvm.ptr) -> !llvm.ptr, i8
    %out = llvm.load %out_at : !llvm.ptr -> !llvm.ptr
    %one = arith.constant 1 : i32
    scf.for %i = %begin to %end step %one : i32 {
      %pa = llvm.getelementptr %a[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32
      %pb = llvm.getelementptr %b[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32
      %po = llvm.getelementptr %out[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32
      %va = llvm.load %pa : !llvm.ptr -> f32
      %vb = llvm.load %pb : !llvm.ptr -> f32
      %q = func.call @quotient(%va, %vb) : (f32, f32) -> f32
      llvm.store %q, %po : f32, !llvm.ptr
    }
    return
  }
  func.func @main_run(%call: !llvm.ptr) -> i32 {
    %one = arith.constant 1 : i32
    %weights_at = llvm.getelementptr %call[8] : (!llvm.ptr) -> !llvm.ptr, i8
    %weights = llvm.load %weights_at : !llvm.ptr -> !llvm.ptr
    %tensors_at = llvm.getelementptr %call[24] : (!llvm.ptr) -> !llvm.ptr, i8
    %tensors = llvm.load %tensors_at : !llvm.ptr -> !llvm.ptr
    %args = llvm.alloca %one x !llvm.array<4 x i64> : (i32) -> !llvm.ptr
    %zero = arith.constant 0 : i32
    %four = arith.constant 4 : i32
    %stride = arith.constant 16 : i32
    %eight = arith.constant 8 : i32
    scf.for %i = %zero to %four step %one : i32 {
      %at = arith.muli %i, %stride : i32
      %tensor = llvm.getelementptr %tensors[%at] : (!llvm.ptr, i32) -> !llvm.ptr, i8
      %data = llvm.load %tensor : !llvm.ptr -> !llvm.ptr
      %slot = arith.muli %i, %eight : i32
      %to = llvm.getelementptr %args[%slot] : (!llvm.ptr, i32) -> !llvm.ptr, i8
      llvm.store %data, %to : !llvm.ptr, !llvm.ptr
    }
    %items = arith.constant 16 : i32
    func.call @add(%args, %zero, %items) : (!llvm.ptr, i32, i32) -> ()
    %elements = arith.constant 64 : i32
    func.call @divide(%args, %zero, %elements) : (!llvm.ptr, i32, i32) -> ()
    %copy_at = llvm.getelementptr %tensors[64] : (!llvm.ptr) -> !llvm.ptr, i8
    %copy = llvm.load %copy_at : !llvm.ptr -> !llvm.ptr
    %byte = arith.constant 0 : i8
    %all = arith.constant 256 : i32
    "llvm.intr.memset"(%copy, %byte, %all) <{isVolatile = false}> : (!llvm.ptr, i8, i32) -> ()
    %first_at = llvm.load %args : !llvm.ptr -> !llvm.ptr
    %first = llvm.load %first_at : !llvm.ptr -> f32
    %count = arith.fptosi %first : f32 to i32
    "llvm.intr.memcpy"(%copy, %weights, %count) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i32) -> ()
    return %zero : i32
  }
}
)mlir";

inline Program sampleProgram(mlir::MLIRContext &context) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, mlir::arith::ArithDialect, mlir::scf::SCFDialect,
                  mlir::cf::ControlFlowDialect, mlir::math::MathDialect, mlir::vector::VectorDialect,
                  mlir::LLVM::LLVMDialect, mlir::ub::UBDialect, mlir::index::IndexDialect>();
  context.appendDialectRegistry(registry);
  Program program;
  program.code = mlir::parseSourceString<mlir::ModuleOp>(sampleCode, &context);
  program.kernels = {{"add", "Add:sum", 64, 768}, {"divide", "Div:quotient", 64, 768}};
  FunctionInfo main;
  main.name = "main";
  main.inputs = {{"a", XCUT_TYPE_F32, {8, 8}}, {"b", XCUT_TYPE_F32, {64}}};
  main.outputs = {{"sum", XCUT_TYPE_F32, {64}}, {"quotient", XCUT_TYPE_F32, {64}}, {"copy", XCUT_TYPE_U8, {256}}};
  main.runSymbol = "main_run";
  program.functions = {main};
  for (int i = 0; i < 300; ++i) program.weights.push_back(uint8_t(i * 7 + 3));
  program.sourceName = "sample.mlir";
  return program;
}

}  // namespace crosscut::test
