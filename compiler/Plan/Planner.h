// Builds the plan of a function: walks its operations once backwards, to decide which values are written straight into
// the memory of a later one (a padded buffer, a part of a concatenation, an output of the function), and once forwards,
// to make steps. A reduction waits for the elementwise operations that follow it, and takes them in as epilogues.
#pragma once

#include "compiler/Plan/Layout.h"
#include "compiler/Plan/Structure.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

#include <map>

namespace crosscut {

// The name of the model node that an operation came from.
std::string nameOf(mlir::Operation *op);
// The ABI's number of a type by its name in xcut.type ("f32", "u8"); 0 for none.
uint8_t abiType(llvm::StringRef name);
// The name of the model's tensor that a value is, else of the node that makes it.
std::string tensorNameOf(mlir::Value value);
// A sum of loops times constants, plus a constant: what strides can say.
bool isLinear(mlir::AffineExpr expr);

class Planner {
 public:
  Planner(mlir::func::FuncOp function, const PlanOptions &options)
      : function(function),
        options(options),
        symbols(std::make_unique<Symbols>(function.getContext())),
        shapes(*symbols),
        layout(function, shapes) {}

  llvm::Expected<FunctionPlan> run();

 private:
  mlir::MLIRContext *context() { return function.getContext(); }
  Size constant(int64_t value) { return symbols->constant(value); }

  // Signature.
  llvm::Error describeSignature();
  llvm::Expected<TensorInfo> describe(mlir::Type type, mlir::DictionaryAttr attrs, llvm::StringRef fallback);

  // Memory.
  Buffer *newBuffer(BufferKind kind, mlir::Type type, Size elements);
  Buffer *newArenaBuffer(std::string name, mlir::Type type, Size elements);
  TensorRef denseRef(Buffer *buffer, mlir::Type type, const Sizes &dims, llvm::ArrayRef<unsigned> order);
  TensorRef refOf(mlir::Value value);
  TensorRef destinationOf(mlir::Value value) { return destinationOf(value, tensorNameOf(value)); }
  TensorRef destinationOf(mlir::Value value, std::string name);
  llvm::Expected<TensorRef> constantRef(mlir::arith::ConstantOp op);

  // Whether the tensor lies row-major in one run of memory.
  bool isRowMajor(const TensorRef &ref);

  // Backwards.
  void place(mlir::Value value, TensorRef ref);
  void placeOperands();

  // Forwards.
  llvm::Error visit(mlir::Operation *op);
  llvm::Error visitGeneric(mlir::linalg::GenericOp op);
  llvm::Error visitPad(mlir::tensor::PadOp op);
  llvm::Error visitConcat(mlir::tensor::ConcatOp op);
  llvm::Error visitInsertSlice(mlir::tensor::InsertSliceOp op);
  llvm::Error visitReshape(mlir::Operation *op, mlir::Value source, llvm::ArrayRef<mlir::ReassociationIndices> groups,
                           bool expands);
  llvm::Error visitReturn(mlir::func::ReturnOp op);
  llvm::Error visitAssert(mlir::cf::AssertOp op);
  llvm::Error visitCall(mlir::func::CallOp op);
  // The value lies at `ref`: a copy when it was to lie elsewhere.
  void finish(mlir::Value value, const TensorRef &ref, mlir::Operation *op);

  llvm::Expected<Nest> makeNest(mlir::linalg::GenericOp op);
  bool tryEpilogue(mlir::linalg::GenericOp op);
  bool mayTakeEpilogue(mlir::linalg::GenericOp op);
  void flush(mlir::Value value);
  void emit(Step step);
  // A reduction with its epilogues, in the form that is fastest.
  void emitReduction(Step step);
  void copy(const TensorRef &from, const TensorRef &to, const std::string &name);
  TensorRef materialize(const TensorRef &ref, llvm::ArrayRef<unsigned> order, const std::string &name);
  void constrain(Size a, Size b);
  Access accessFor(const TensorRef &ref, mlir::AffineMap map, unsigned loops);

  mlir::func::FuncOp function;
  const PlanOptions &options;
  std::unique_ptr<Symbols> symbols;
  Shapes shapes;
  Layout layout;
  FunctionPlan plan;
  llvm::DenseMap<mlir::Value, TensorRef> refs, placements;
  std::map<void *, Step> pending;  // reductions whose result is still in registers
};
}  // namespace crosscut
