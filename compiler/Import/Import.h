// Reads a model file into the tensor IR that the rest of the compiler works on.
//
// The tensor IR is upstream MLIR: one module with one public func.func per entry point (ONNX: @main), on ranked
// tensors.
// - Logical dimensions are the model's own (ONNX: NCHW). Physical layout is decided later and never shows here.
// - Computation is linalg (named ops or linalg.generic; bodies of arith, math, linalg.index, tensor.extract of captured
//   tensors, arith.constant). Movement is tensor.pad (constant value), expand_shape, collapse_shape, extract_slice,
//   insert_slice, concat, cast, and linalg.transpose / linalg.broadcast. Gathers are a linalg.generic over the output
//   with tensor.extract in its body.
// - Shapes are scalars: tensor.dim, arith on index / i64 / i1, and tensor.extract from function arguments. Dynamic
//   dimensions are given to tensor.empty as such values.
// - What the data or shapes of inputs have to be, when the function runs, is a cf.assert that two such scalars are
// equal:
//   its condition is their arith.cmpi eq.
// - Constants of more than 16 elements are arith.constant with a dense_resource attribute (the bytes stay where the
//   model file has them), smaller ones and those of i1 dense<>.
// - Bias of a convolution or matmul is its `outs`: linalg.broadcast of the bias into a tensor.empty; none: a fill of 0.
//   The `outs` of a scatter is the tensor that it writes into.
// - A reduction whose extent no input has (windows, gathers that sum) takes a tensor.empty of that shape, as upstream's
//   pooling ops do. Bodies also capture scalars from outside (sizes, run-time axes and bounds).
// - Integers are signless; unsigned arithmetic uses the unsigned ops of arith. Bool is i1 in the IR, a byte in memory.
//   The element types as the model states them are in the argument and result attributes below.
// - Every op carries NameLoc("<op_type>:<node name or first output>"), which errors and kernels quote. The one
//   that makes a tensor of the model has NameLoc("<tensor's name>") as the child of that.
// - A plugin's call (crosscut/plugin.h) is a func.call of a private func.func without body. Its operands are the
//   plugin's inputs, and behind them one index for each open dimension of its results, in order. The call's attribute
//   xcut.attributes is a dictionary of the node's constants (integers, floats, strings, dense<>, of signed or unsigned
//   types where that matters); the function's xcut.plugin names the plugin, else its own name does.
// - Argument and result attributes: xcut.name (string), xcut.type (string "f32", "u8", "bool", ...: xcut_type_name).
#pragma once

#include "llvm/Support/Error.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace crosscut {

struct ImportOptions {
  // Input name → dimensions, from --input-shape. A name that no input has, or a rank that differs, is an error.
  std::map<std::string, std::vector<int64_t>> inputShapes;
  // Keep every node's result as an extra output, named as in the model, for `crosscut verify`.
  bool exposeIntermediates = false;
};

// One operator that can not be imported, for --check.
struct UnsupportedNode {
  std::string node, op, reason;
  int64_t opset = 0;
};

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::array<uint8_t, 32> sha256{};
};

// Names of the plugins that the module's functions call, sorted.
std::vector<std::string> pluginsOf(mlir::ModuleOp module);

// Reads `path` (.onnx, or MLIR text: .mlir). Errors name the file, and for ONNX the node, operator and opset. With
// `unsupported` non-null, collects every unsupported node instead of failing at the first; the module is then null when
// there were any.
llvm::Expected<ImportedModel> importModel(mlir::MLIRContext &context, llvm::StringRef path,
                                          const ImportOptions &options,
                                          std::vector<UnsupportedNode> *unsupported = nullptr);

}  // namespace crosscut
