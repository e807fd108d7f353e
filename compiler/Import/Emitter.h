// Builds the tensor IR of Import.h: dimensions with folding, elementwise maps, windows, gathers, reshapes.
//
// The dimensions of every tensor are remembered when it is built, as attributes or as values that stem from the
// function's arguments. So two tensors of the same dynamic size have the very same value as their dimension, which is
// how reshapes of dynamic tensors are understood.
#pragma once

#include "compiler/Import/OnnxModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace crosscut::onnxir {

using llvm::ArrayRef;
using llvm::SmallVector;
using mlir::AffineExpr;
using mlir::AffineMap;
using mlir::Location;
using mlir::OpFoldResult;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
using Dims = SmallVector<OpFoldResult>;

// Scalar arithmetic inside a linalg body or between shapes. `isUnsigned` picks the integer operations' reading.
struct Body {
  mlir::OpBuilder &b;
  Location loc;
  bool isUnsigned = false;

  template <typename Op, typename... Args>
  Value op(Args &&...args) {
    return b.createOrFold<Op>(loc, std::forward<Args>(args)...);
  }

  Value constant(Type type, double value);  // of a float, integer or index type
  Value integer(Type type, int64_t value);
  Value like(Value v, double value) { return constant(v.getType(), value); }
  Value index(int64_t value);
  Value iv(unsigned dim);  // linalg.index

  Value add(Value a, Value c);
  Value sub(Value a, Value c);
  Value mul(Value a, Value c);
  Value div(Value a, Value c);       // integers: truncating, defined for every operand (x / 0 is x)
  Value rem(Value a, Value c);       // C's remainder, defined for every operand
  Value floorMod(Value a, Value c);  // Python's remainder
  Value neg(Value a);
  Value abs(Value a);
  Value lt(Value a, Value c);
  Value le(Value a, Value c);
  Value gt(Value a, Value c);
  Value ge(Value a, Value c);
  Value eq(Value a, Value c);
  Value ne(Value a, Value c);
  Value min(Value a, Value c);  // floats: NaN wins
  Value max(Value a, Value c);
  Value select(Value condition, Value a, Value c);
  Value andi(Value a, Value c);
  Value ori(Value a, Value c);
  Value xori(Value a, Value c);
  Value logicalNot(Value a);
  // Conversions as ONNX Cast states them. `from` and `to` tell signedness.
  Value cast(Value v, ElementType from, ElementType to);
  Value toIndex(Value v);  // from an integer, sign-extended
  Value fromIndex(Value v, Type type);
  Value toFloat(Value index);  // f32
  // An index that may be negative (counts from the end) brought into 0 ... size-1.
  Value wrapIndex(Value index, Value size);
};

using BodyFn = llvm::function_ref<Value(Body &, ValueRange)>;

class Emitter {
 public:
  Emitter(mlir::OpBuilder &builder, Location location) : b(builder), loc(location) {}

  mlir::OpBuilder &b;
  Location loc;
  std::string problem;  // the first pair of shapes that did not fit; whoever lowers a node looks at it

  Body body(bool isUnsigned = false) { return Body{b, loc, isUnsigned}; }

  // ---- Types and dimensions
  Type elementType(ElementType type);  // signless; null when not supported
  RankedTensorType tensorType(const Dims &dims, Type element);
  Dims dims(Value tensor);
  void setDims(Value tensor, Dims dims) { dimensions_[tensor] = std::move(dims); }
  static int64_t rank(Value tensor) { return mlir::cast<RankedTensorType>(tensor.getType()).getRank(); }
  static Type element(Value tensor) { return mlir::cast<RankedTensorType>(tensor.getType()).getElementType(); }

  OpFoldResult attr(int64_t value) { return b.getIndexAttr(value); }
  Dims attrs(ArrayRef<int64_t> values);
  Value index(OpFoldResult value);  // as a value of index type
  OpFoldResult add(OpFoldResult x, OpFoldResult y);
  OpFoldResult sub(OpFoldResult x, OpFoldResult y);
  OpFoldResult mul(OpFoldResult x, OpFoldResult y);
  OpFoldResult floorDiv(OpFoldResult x, OpFoldResult y);  // of numbers that are not negative
  OpFoldResult ceilDiv(OpFoldResult x, OpFoldResult y);
  OpFoldResult max(OpFoldResult x, OpFoldResult y);
  OpFoldResult min(OpFoldResult x, OpFoldResult y);
  OpFoldResult product(ArrayRef<OpFoldResult> dims);

  // ---- Tensors
  Value constant(const HostTensor &tensor);
  Value splat(const Dims &dims, mlir::TypedAttr value);  // linalg.fill
  Value splat(const Dims &dims, Type element, double value);
  Value empty(const Dims &dims, Type element);
  // The single element of a constant tensor, else null.
  static mlir::TypedAttr scalarConstant(Value tensor);

  Value generic(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps,
                ArrayRef<mlir::utils::IteratorType> iterators, BodyFn body, bool isUnsigned = false);
  // Elementwise with numpy's broadcasting. Constants of one element become part of the body.
  Value map(Type element, ArrayRef<Value> inputs, BodyFn body, bool isUnsigned = false);
  Value map(const Dims &dims, Type element, ArrayRef<Value> inputs, BodyFn body, bool isUnsigned = false);
  // out[i...] = body(i...): the body reads whatever it needs with extract().
  Value produce(const Dims &dims, Type element, BodyFn body, bool isUnsigned = false);
  // Reduces `axes` (sorted) into `init`, which lacks them. body(element, accumulator).
  Value reduce(Value input, ArrayRef<int64_t> axes, Value init, BodyFn body, bool isUnsigned = false);

  Value reshape(Value tensor, const Dims &dims);
  Value transpose(Value tensor, ArrayRef<int64_t> permutation);
  Value broadcastTo(Value tensor, const Dims &dims);
  Value pad(Value tensor, const Dims &low, const Dims &high, mlir::TypedAttr value);
  Value slice(Value tensor, const Dims &offsets, const Dims &sizes, ArrayRef<int64_t> strides);
  Value concat(ArrayRef<Value> tensors, int64_t axis);

 private:
  // The same constant under another shape; shares its bytes. Null when its attribute is of another kind.
  Value reshapeConstant(mlir::arith::ConstantOp constant, RankedTensorType type);

  void checkSizes(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps);

  llvm::DenseMap<Value, Dims> dimensions_;
};

// tensor.extract inside a body.
Value extract(Body &body, Value tensor, ValueRange indices);

bool isUnsigned(ElementType type);
bool isFloat(ElementType type);
bool isInteger(ElementType type);  // bool is not one
std::optional<int64_t> constantOf(OpFoldResult value);

}  // namespace crosscut::onnxir
