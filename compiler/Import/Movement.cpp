// The emitter's part that moves elements without looking at them: reshape, transpose, broadcast, pad, slice, concat.
#include "compiler/Import/Emitter.h"

namespace crosscut::onnxir {

using namespace mlir;

namespace {

// A product of dimensions: a number times symbols.
struct Product {
  int64_t number = 1;
  SmallVector<void *> symbols;

  void multiply(OpFoldResult d) {
    if (auto c = constantOf(d)) {
      number *= *c;
    } else if (auto product = cast<Value>(d).getDefiningOp<arith::MulIOp>()) {
      multiply(product.getLhs());
      multiply(product.getRhs());
    } else {
      symbols.push_back(cast<Value>(d).getAsOpaquePointer());
      llvm::sort(symbols);
    }
  }
  bool operator==(const Product &o) const { return number == o.number && symbols == o.symbols; }
  bool divides(const Product &o) const {
    return number && o.number % number == 0 &&
           std::includes(o.symbols.begin(), o.symbols.end(), symbols.begin(), symbols.end());
  }
};

// Splits both shapes into groups of the same size. False when there is no such split but the whole.
bool group(ArrayRef<OpFoldResult> from, ArrayRef<OpFoldResult> to, SmallVector<ReassociationIndices> &collapse,
           SmallVector<ReassociationIndices> &expand) {
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    Product a, c;
    ReassociationIndices ai{int64_t(i)}, ci{int64_t(j)};
    a.multiply(from[i++]);
    c.multiply(to[j++]);
    while (!(a == c)) {
      if (a.divides(c) && i < from.size()) {
        ai.push_back(i);
        a.multiply(from[i++]);
      } else if (c.divides(a) && j < to.size()) {
        ci.push_back(j);
        c.multiply(to[j++]);
      } else {
        return false;
      }
    }
    collapse.push_back(ai);
    expand.push_back(ci);
  }
  for (; i < from.size(); ++i) {
    if (collapse.empty() || constantOf(from[i]) != 1) return false;
    collapse.back().push_back(i);
  }
  for (; j < to.size(); ++j) {
    if (expand.empty() || constantOf(to[j]) != 1) return false;
    expand.back().push_back(j);
  }
  return true;
}

}  // namespace

Value Emitter::reshape(Value tensor, const Dims &to) {
  Dims from = dims(tensor);
  if (from == to) return tensor;
  Type element = Emitter::element(tensor);
  RankedTensorType type = tensorType(to, element);
  if (type == tensor.getType() && type.hasStaticShape()) return tensor;
  if (auto constant = tensor.getDefiningOp<arith::ConstantOp>())
    if (type.hasStaticShape())
      if (Value reshaped = reshapeConstant(constant, type)) return reshaped;
  for (OpFoldResult d : to)
    if (constantOf(d) == 0) return empty(to, element);
  SmallVector<ReassociationIndices> collapse, expand;
  bool scalarSide = from.empty() || to.empty();
  if (!scalarSide && !group(from, to, collapse, expand)) {
    collapse.assign(1, {});
    expand.assign(1, {});
    for (size_t i = 0; i < from.size(); ++i) collapse[0].push_back(i);
    for (size_t j = 0; j < to.size(); ++j) expand[0].push_back(j);
  }
  Dims middle;
  for (auto &indices : collapse) {
    OpFoldResult size = attr(1);
    for (int64_t i : indices) size = mul(size, from[i]);
    middle.push_back(size);
  }
  // Where one target dimension takes a group, its own value is the group's size: later reshapes recognise it.
  for (size_t g = 0; g < expand.size(); ++g)
    if (expand[g].size() == 1) middle[g] = to[expand[g][0]];
    else if (collapse[g].size() == 1) middle[g] = from[collapse[g][0]];
  if (middle.size() != from.size()) {
    tensor = tensor::CollapseShapeOp::create(b, loc, tensorType(middle, element), tensor, collapse);
    setDims(tensor, middle);
  }
  if (middle.size() != to.size()) {
    tensor = tensor::ExpandShapeOp::create(b, loc, type, tensor, expand, to);
    setDims(tensor, to);
  }
  if (tensor.getType() != type) {
    tensor = tensor::CastOp::create(b, loc, type, tensor);
    setDims(tensor, to);
  }
  return tensor;
}

Value Emitter::transpose(Value tensor, ArrayRef<int64_t> permutation) {
  Dims from = dims(tensor), to;
  bool identity = true;
  for (size_t i = 0; i < permutation.size(); ++i) {
    to.push_back(from[permutation[i]]);
    identity &= permutation[i] == int64_t(i);
  }
  if (identity) return tensor;
  Value result = linalg::TransposeOp::create(b, loc, tensor, empty(to, element(tensor)), permutation).getResult()[0];
  setDims(result, to);
  return result;
}

Value Emitter::broadcastTo(Value tensor, const Dims &to) {
  Dims from = dims(tensor);
  if (from == to) return tensor;
  // Without unit dimensions to stretch this is linalg.broadcast, else a map.
  SmallVector<int64_t> added;
  for (size_t i = 0; i + from.size() < to.size(); ++i) added.push_back(i);
  bool stretches = false;
  for (size_t i = 0; i < from.size(); ++i)
    stretches |= constantOf(from[i]) == 1 && constantOf(to[added.size() + i]) != 1;
  if (!stretches && !scalarConstant(tensor)) {
    Value result = linalg::BroadcastOp::create(b, loc, tensor, empty(to, element(tensor)), added).getResult()[0];
    setDims(result, to);
    return result;
  }
  if (TypedAttr scalar = scalarConstant(tensor)) return splat(to, scalar);
  return map(to, element(tensor), {tensor}, [](Body &, ValueRange v) { return v[0]; });
}

Value Emitter::slice(Value tensor, const Dims &offsets, const Dims &sizes, ArrayRef<int64_t> strides) {
  RankedTensorType type = tensorType(sizes, element(tensor));
  // A slice of nothing may begin behind the end, which the operation's verifier refuses.
  if (llvm::any_of(sizes, [](OpFoldResult d) { return constantOf(d) == 0; })) return empty(sizes, element(tensor));
  if (sizes == dims(tensor) && llvm::all_of(strides, [](int64_t s) { return s == 1; })) return tensor;
  Value result = tensor::ExtractSliceOp::create(b, loc, type, tensor, offsets, sizes, attrs(strides));
  setDims(result, sizes);
  return result;
}

Value Emitter::pad(Value tensor, const Dims &low, const Dims &high, TypedAttr value) {
  Dims from = dims(tensor), to;
  bool none = true;
  for (size_t i = 0; i < from.size(); ++i) {
    to.push_back(add(add(from[i], low[i]), high[i]));
    none &= constantOf(low[i]) == 0 && constantOf(high[i]) == 0;
  }
  if (none) return tensor;
  Value scalar = arith::ConstantOp::create(b, loc, value);
  Value result =
      tensor::PadOp::create(b, loc, tensorType(to, element(tensor)), tensor, low, high, scalar, /*nofold=*/false);
  setDims(result, to);
  return result;
}

Value Emitter::concat(ArrayRef<Value> tensors, int64_t axis) {
  if (tensors.size() == 1) return tensors[0];
  Dims to = dims(tensors[0]);
  for (Value v : tensors.drop_front()) to[axis] = add(to[axis], dims(v)[axis]);
  RankedTensorType type = tensorType(to, element(tensors[0]));
  Value result = tensor::ConcatOp::create(b, loc, type, axis, tensors);
  setDims(result, to);
  return result;
}

Value Emitter::reshapeConstant(arith::ConstantOp constant, RankedTensorType type) {
  Attribute value = constant.getValue();
  TypedAttr reshaped;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) reshaped = dense.reshape(type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    reshaped = DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return reshaped ? Value(arith::ConstantOp::create(b, loc, type, reshaped)) : Value();
}

}  // namespace crosscut::onnxir
