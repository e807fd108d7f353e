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
    case kI8:
    case kU8: return b.getI8Type();
    case kI16:
    case kU16: return b.getI16Type();
    case kI32:
    case kU32: return b.getI32Type();
    case kI64:
    case kU64: return b.getI64Type();
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
    AsmResourceBlob blob(
        ArrayRef<char>(keep->data(), keep->size()), 8, [keep](void *, size_t, size_t) mutable { keep.reset(); },
        /*dataIsMutable=*/false);
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

// The operation's own verifier skips this check as soon as one dimension is dynamic.
void Emitter::checkSizes(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps) {
  SmallVector<int64_t> sizes(maps.back().getNumDims(), ShapedType::kDynamic);
  for (size_t i = 0; i < maps.size(); ++i) {
    auto type = cast<RankedTensorType>((i < inputs.size() ? inputs[i] : init).getType());
    if (type.getRank() != maps[i].getNumResults()) {
      if (problem.empty()) problem = "a tensor of rank " + std::to_string(type.getRank()) + " does not fit";
      continue;
    }
    for (auto [size, expr] : llvm::zip_equal(type.getShape(), maps[i].getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || ShapedType::isDynamic(size)) continue;
      int64_t &known = sizes[dim.getPosition()];
      if (ShapedType::isDynamic(known)) known = size;
      if (known != size && problem.empty())
        problem = "dimensions of " + std::to_string(known) + " and " + std::to_string(size) + " do not fit";
    }
  }
}

Value Emitter::generic(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps, ArrayRef<IteratorType> iterators,
                       BodyFn bodyFn, bool isUnsigned) {
  checkSizes(inputs, init, maps);
  auto op = linalg::GenericOp::create(b, loc, init.getType(), inputs, init, maps, iterators,
                                      [&](OpBuilder &nested, Location nestedLoc, ValueRange args) {
                                        Body body{nested, nestedLoc, isUnsigned};
                                        Value result = bodyFn(body, args);
                                        linalg::YieldOp::create(nested, nestedLoc, result);
                                      });
  setDims(op.getResult(0), dims(init));
  return op.getResult(0);
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
      v = reshapeConstant(constant, RankedTensorType::get(kept, Emitter::element(v)));
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

}  // namespace crosscut::onnxir
