// The tensor-level half of the emitter; Body.cpp has the scalar half.
#include "compiler/Import/Emitter.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

// Constants with more elements are resources, so that their bytes are neither copied nor hashed.
static constexpr int64_t kInlineElements = 16;

Type Emitter::elementType(ElementType type) {
  switch (type) {
    case kF32: return b.getF32Type();
    case kBool: return b.getI1Type();
    case kI8: case kU8: return b.getI8Type();
    case kI16: case kU16: return b.getI16Type();
    case kI32: case kU32: return b.getI32Type();
    case kI64: case kU64: return b.getI64Type();
    default: return {};
  }
}

RankedTensorType Emitter::tensorType(const Dims &dims, Type element) {
  SmallVector<int64_t> shape;
  for (OpFoldResult d : dims) shape.push_back(constantOf(d).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

Dims Emitter::dims(Value tensor) {
  auto known = dimensions_.find(tensor);
  if (known != dimensions_.end()) return known->second;
  auto type = cast<RankedTensorType>(tensor.getType());
  Dims result;
  for (int64_t d = 0; d < type.getRank(); ++d)
    result.push_back(type.isDynamicDim(d) ? OpFoldResult(b.createOrFold<tensor::DimOp>(loc, tensor, d))
                                          : attr(type.getDimSize(d)));
  dimensions_[tensor] = result;
  return result;
}

Dims Emitter::attrs(ArrayRef<int64_t> values) {
  Dims result;
  for (int64_t v : values) result.push_back(attr(v));
  return result;
}

Value Emitter::index(OpFoldResult value) {
  if (auto constant = constantOf(value)) return arith::ConstantIndexOp::create(b, loc, *constant);
  return cast<Value>(value);
}
OpFoldResult Emitter::add(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy) return attr(*cx + *cy);
  if (cx && *cx == 0) return y;
  if (cy && *cy == 0) return x;
  return b.createOrFold<arith::AddIOp>(loc, index(x), index(y));
}
OpFoldResult Emitter::sub(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy) return attr(*cx - *cy);
  if (cy && *cy == 0) return x;
  if (x == y) return attr(0);
  return b.createOrFold<arith::SubIOp>(loc, index(x), index(y));
}
OpFoldResult Emitter::mul(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy) return attr(*cx * *cy);
  if ((cx && *cx == 0) || (cy && *cy == 0)) return attr(0);
  if (cx && *cx == 1) return y;
  if (cy && *cy == 1) return x;
  return b.createOrFold<arith::MulIOp>(loc, index(x), index(y));
}
OpFoldResult Emitter::floorDiv(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy && *cy != 0) return attr(llvm::divideFloorSigned(*cx, *cy));
  if (cy && *cy == 1) return x;
  Body s = body();
  return s.div(index(x), index(y));
}
OpFoldResult Emitter::ceilDiv(OpFoldResult x, OpFoldResult y) { return floorDiv(add(x, sub(y, attr(1))), y); }
OpFoldResult Emitter::max(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy) return attr(std::max(*cx, *cy));
  return b.createOrFold<arith::MaxSIOp>(loc, index(x), index(y));
}
OpFoldResult Emitter::min(OpFoldResult x, OpFoldResult y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy) return attr(std::min(*cx, *cy));
  return b.createOrFold<arith::MinSIOp>(loc, index(x), index(y));
}
OpFoldResult Emitter::product(ArrayRef<OpFoldResult> dims) {
  OpFoldResult result = attr(1);
  for (OpFoldResult d : dims) result = mul(result, d);
  return result;
}

Value Emitter::constant(const HostTensor &tensor) {
  auto type = RankedTensorType::get(tensor.dims, elementType(tensor.type));
  ElementsAttr value;
  if (tensor.type == kBool) {
    SmallVector<bool> bits(tensor.bytes->begin(), tensor.bytes->end());
    value = DenseElementsAttr::get(type, bits);
  } else if (type.getNumElements() <= kInlineElements) {
    value = DenseElementsAttr::getFromRawBuffer(type, ArrayRef<char>(tensor.bytes->data(), tensor.bytes->size()));
  } else {
    auto keep = tensor.bytes;
    AsmResourceBlob blob(ArrayRef<char>(keep->data(), keep->size()), 8,
                         [keep](void *, size_t, size_t) mutable { keep.reset(); }, /*dataIsMutable=*/false);
    value = DenseResourceElementsAttr::get(type, tensor.name.empty() ? "constant" : tensor.name, std::move(blob));
  }
  return arith::ConstantOp::create(b, loc, type, cast<TypedAttr>(value));
}

Value Emitter::empty(const Dims &dims, Type element) {
  Value result = tensor::EmptyOp::create(b, loc, dims, element);
  setDims(result, dims);
  return result;
}
Value Emitter::splat(const Dims &dims, TypedAttr value) {
  Value scalar = arith::ConstantOp::create(b, loc, value);
  Value result = linalg::FillOp::create(b, loc, scalar, empty(dims, value.getType())).getResult(0);
  setDims(result, dims);
  return result;
}
Value Emitter::splat(const Dims &dims, Type element, double value) {
  TypedAttr attribute = isa<FloatType>(element) ? TypedAttr(b.getFloatAttr(element, value))
                                                : TypedAttr(b.getIntegerAttr(element, int64_t(value)));
  return splat(dims, attribute);
}

TypedAttr Emitter::scalarConstant(Value tensor) {
  auto constant = tensor.getDefiningOp<arith::ConstantOp>();
  if (!constant) return {};
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!dense || dense.getNumElements() != 1) return {};
  return cast<TypedAttr>(*dense.value_begin<Attribute>());
}

Value Emitter::generic(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps, ArrayRef<IteratorType> iterators,
                       BodyFn bodyFn, bool isUnsigned) {
  auto op = linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, iterators,
                                      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
                                        Body body{nested, nestedLoc, isUnsigned};
                                        Value result = bodyFn(body, args);
                                        linalg::YieldOp::create(nested, nestedLoc, result);
                                      });
  setDims(op.getResult(0), dims(init));
  return op.getResult(0);
}

// The same constant under another shape; shares its bytes.
static Value reshapeConstant(Emitter &e, arith::ConstantOp constant, RankedTensorType type) {
  Attribute value = constant.getValue();
  TypedAttr reshaped;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) reshaped = dense.reshape(type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    reshaped = DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return reshaped ? Value(arith::ConstantOp::create(e.b, e.loc, type, reshaped)) : Value();
}

Value Emitter::map(Type element, ArrayRef<Value> inputs, BodyFn bodyFn, bool isUnsigned) {
  size_t rank = 0;
  for (Value v : inputs) rank = std::max(rank, size_t(Emitter::rank(v)));
  Dims result(rank, attr(1));
  for (Value v : inputs) {
    Dims d = dims(v);
    for (size_t i = 0; i < d.size(); ++i) {
      OpFoldResult &to = result[rank - d.size() + i];
      // A dynamic dimension next to a static one: the static one is what it has to be.
      if (constantOf(to) == 1 || (!constantOf(to) && constantOf(d[i]) && constantOf(d[i]) != 1)) to = d[i];
    }
  }
  return map(result, element, inputs, bodyFn, isUnsigned);
}

Value Emitter::map(const Dims &result, Type element, ArrayRef<Value> inputs, BodyFn bodyFn, bool isUnsigned) {
  unsigned rank = result.size();
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  SmallVector<TypedAttr> scalars;  // one an input; null: the next operand
  for (Value v : inputs) {
    scalars.push_back(scalarConstant(v));
    if (scalars.back()) continue;
    Dims d = dims(v);
    unsigned offset = rank - d.size();
    auto constant = v.getDefiningOp<arith::ConstantOp>();
    SmallVector<AffineExpr> exprs;
    SmallVector<int64_t> kept;
    for (unsigned i = 0; i < d.size(); ++i) {
      bool unit = constantOf(d[i]) == 1 && constantOf(result[offset + i]) != 1;
      if (unit && constant) continue;  // a constant loses its unit dimensions: [1, C, 1, 1] is [C]
      exprs.push_back(unit ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(offset + i));
      kept.push_back(constantOf(d[i]).value_or(ShapedType::kDynamic));
    }
    if (constant && kept.size() != d.size())
      v = reshapeConstant(*this, constant, RankedTensorType::get(kept, Emitter::element(v)));
    operands.push_back(v);
    maps.push_back(AffineMap::get(rank, 0, exprs, b.getContext()));
  }
  maps.push_back(b.getMultiDimIdentityMap(rank));
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  return generic(
      operands, empty(result, element), maps, iterators,
      [&](Body &body, ValueRange args) {
        SmallVector<Value> values;
        unsigned next = 0;
        for (TypedAttr scalar : scalars)
          values.push_back(scalar ? Value(arith::ConstantOp::create(body.b, body.loc, scalar)) : args[next++]);
        return bodyFn(body, values);
      },
      isUnsigned);
}

Value Emitter::produce(const Dims &result, Type element, BodyFn bodyFn, bool isUnsigned) {
  SmallVector<IteratorType> iterators(result.size(), IteratorType::parallel);
  return generic(
      {}, empty(result, element), {b.getMultiDimIdentityMap(result.size())}, iterators,
      [&](Body &body, ValueRange) {
        SmallVector<Value> indices;
        for (unsigned d = 0; d < result.size(); ++d) indices.push_back(body.iv(d));
        return bodyFn(body, indices);
      },
      isUnsigned);
}

Value Emitter::reduce(Value input, ArrayRef<int64_t> axes, Value init, BodyFn bodyFn, bool isUnsigned) {
  unsigned rank = Emitter::rank(input);
  SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
  for (int64_t a : axes) iterators[a] = IteratorType::reduction;
  SmallVector<AffineExpr> kept;
  for (unsigned d = 0; d < rank; ++d)
    if (iterators[d] == IteratorType::parallel) kept.push_back(b.getAffineDimExpr(d));
  return generic({input}, init, {b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, kept, b.getContext())},
                 iterators, bodyFn, isUnsigned);
}

// ---- Movement

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
      if (Value reshaped = reshapeConstant(*this, constant, type)) return reshaped;
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

}  // namespace crosscut::onnxir
