// Reads by computed positions: every lowering is a generic over its output whose body extracts what it needs. Positions
// that come from data are brought into range first, because a model's input must not make a kernel read elsewhere.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;
using utils::IteratorType;

LogicalResult lowerGather(Op &op) {
  Emitter &e = op.e;
  Dims data = op.dims(0), indices = op.dims(1);
  int64_t axis = op.attribute("axis", int64_t(0)), rank = data.size();
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  Dims out(data.begin(), data.begin() + axis);
  out.append(indices);
  out.append(data.begin() + axis + 1, data.end());
  Value x = op.in(0);
  // One constant index is a slice.
  if (auto known = op.constantInts(1); known && known->size() == 1) {
    int64_t at = (*known)[0];
    auto size = constantOf(data[axis]);
    if (size && (at < -*size || at >= *size)) return op.fail("index " + Twine(at) + " is out of range");
    Dims offsets(rank, e.attr(0)), sizes = data;
    offsets[axis] = at < 0 ? e.add(data[axis], e.attr(at)) : e.attr(at);
    sizes[axis] = e.attr(1);
    op.result(e.reshape(e.slice(x, offsets, sizes, SmallVector<int64_t>(rank, 1)), out), op.type());
    return success();
  }
  unsigned loops = out.size();
  SmallVector<AffineExpr> indexMap;
  for (size_t i = 0; i < indices.size(); ++i) indexMap.push_back(e.b.getAffineDimExpr(axis + i));
  Value size = e.index(data[axis]);
  op.result(e.generic({op.in(1)}, e.empty(out, op.elementType()),
                      {AffineMap::get(loops, 0, indexMap, e.b.getContext()), e.b.getMultiDimIdentityMap(loops)},
                      SmallVector<IteratorType>(loops, IteratorType::parallel),
                      [&](Body &s, ValueRange v) {
                        SmallVector<Value> at;
                        for (int64_t d = 0; d < rank; ++d) {
                          if (d == axis) at.push_back(s.wrapIndex(s.toIndex(v[0]), size));
                          else at.push_back(s.iv(d < axis ? d : d + indices.size() - 1));
                        }
                        return extract(s, x, at);
                      }),
            op.type());
  return success();
}

LogicalResult lowerGatherElements(Op &op) {
  Emitter &e = op.e;
  Dims data = op.dims(0), out = op.dims(1);
  int64_t axis = op.attribute("axis", int64_t(0)), rank = data.size();
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  if (int64_t(out.size()) != rank) return op.fail("data and indices differ in rank");
  Value x = op.in(0), size = e.index(data[axis]);
  op.result(e.map(out, op.elementType(), {op.in(1)},
                  [&](Body &s, ValueRange v) {
                    SmallVector<Value> at;
                    for (int64_t d = 0; d < rank; ++d)
                      at.push_back(d == axis ? s.wrapIndex(s.toIndex(v[0]), size) : s.iv(d));
                    return extract(s, x, at);
                  }),
            op.type());
  return success();
}

LogicalResult lowerGatherND(Op &op) {
  Emitter &e = op.e;
  Dims data = op.dims(0), indices = op.dims(1);
  int64_t batch = op.attribute("batch_dims", int64_t(0)), rank = data.size(), q = indices.size();
  auto depth = q ? constantOf(indices.back()) : std::nullopt;
  if (!depth || batch < 0 || batch >= q || *depth < 0 || batch + *depth > rank)
    return op.fail("indices do not fit the data");
  Dims out(indices.begin(), indices.end() - 1);
  out.append(data.begin() + batch + *depth, data.end());
  Value x = op.in(0), positions = op.in(1);
  SmallVector<Value> sizes;
  for (OpFoldResult d : data) sizes.push_back(e.index(d));
  op.result(e.produce(out, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        SmallVector<Value> at(iv.take_front(batch)), tuple(iv.take_front(q - 1));
                        tuple.push_back({});
                        for (int64_t k = 0; k < *depth; ++k) {
                          tuple.back() = s.index(k);
                          at.push_back(s.wrapIndex(s.toIndex(extract(s, positions, tuple)), sizes[batch + k]));
                        }
                        llvm::append_range(at, iv.drop_front(q - 1));
                        return extract(s, x, at);
                      }),
            op.type());
  return success();
}

namespace {

// What a scatter does where an update meets an element; null for a reduction that does not exist.
using Combine = Value (*)(Body &, Value old, Value update);
Combine combineFor(StringRef reduction) {
  if (reduction == "none") return [](Body &, Value, Value update) { return update; };
  if (reduction == "add") return [](Body &s, Value old, Value update) { return s.add(old, update); };
  if (reduction == "mul") return [](Body &s, Value old, Value update) { return s.mul(old, update); };
  if (reduction == "max") return [](Body &s, Value old, Value update) { return s.max(old, update); };
  if (reduction == "min") return [](Body &s, Value old, Value update) { return s.min(old, update); };
  return nullptr;
}

}  // namespace

// Every output element looks through the updates that could meet it, in their order.
LogicalResult lowerScatterElements(Op &op) {
  Emitter &e = op.e;
  Dims data = op.dims(0), updates = op.dims(1);
  int64_t axis = op.attribute("axis", int64_t(0)), rank = data.size();
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  if (int64_t(updates.size()) != rank) return op.fail("data and indices differ in rank");
  Combine combine = combineFor(op.attribute("reduction", "none"));
  if (!combine) return op.fail("reduction '" + op.attribute("reduction", "") + "' is not supported");
  Value indices = op.in(1), values = op.in(2), size = e.index(data[axis]);
  SmallVector<Value> updateSizes;
  for (OpFoldResult d : updates) updateSizes.push_back(e.index(d));
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  SmallVector<AffineExpr> outMap;
  for (int64_t d = 0; d < rank; ++d) outMap.push_back(e.b.getAffineDimExpr(d));
  MLIRContext *context = e.b.getContext();
  op.result(e.generic(
                {e.empty({updates[axis]}, op.elementType())}, op.in(0),
                {AffineMap::get(rank + 1, 0, {e.b.getAffineDimExpr(rank)}, context),
                 AffineMap::get(rank + 1, 0, outMap, context)},
                iterators,
                [&](Body &s, ValueRange v) {
                  Body plain{s.b, s.loc, false};
                  SmallVector<Value> at;
                  Value meets = s.integer(s.b.getI1Type(), 1);
                  for (int64_t d = 0; d < rank; ++d) {
                    Value i = d == axis ? s.iv(rank) : s.iv(d);
                    if (d != axis && updates[d] != data[d]) {
                      meets = s.andi(meets, plain.lt(i, updateSizes[d]));
                      i = plain.max(plain.min(i, s.sub(updateSizes[d], s.index(1))), s.index(0));
                    }
                    at.push_back(i);
                  }
                  Value target = s.wrapIndex(plain.toIndex(extract(s, indices, at)), size);
                  meets = s.andi(meets, s.eq(target, s.iv(axis)));
                  return s.select(meets, combine(s, v[1], extract(s, values, at)), v[1]);
                },
                op.isUnsigned()),
            op.type());
  return success();
}

LogicalResult lowerScatterND(Op &op) {
  Emitter &e = op.e;
  Dims data = op.dims(0), indices = op.dims(1);
  int64_t rank = data.size(), q = indices.size();
  auto depth = q ? constantOf(indices.back()) : std::nullopt;
  if (!depth || *depth < 0 || *depth > rank) return op.fail("indices do not fit the data");
  Combine combine = combineFor(op.attribute("reduction", "none"));
  if (!combine) return op.fail("reduction '" + op.attribute("reduction", "") + "' is not supported");
  OpFoldResult count = e.product(ArrayRef<OpFoldResult>(indices).drop_back());
  Value tuples = e.reshape(op.in(1), {count, indices.back()});
  Dims flat{count};
  flat.append(data.begin() + *depth, data.end());
  Value values = e.reshape(op.in(2), flat);
  SmallVector<Value> sizes;
  for (OpFoldResult d : data) sizes.push_back(e.index(d));
  SmallVector<IteratorType> iterators(rank + 1, IteratorType::parallel);
  iterators.back() = IteratorType::reduction;
  SmallVector<AffineExpr> outMap, valueMap{e.b.getAffineDimExpr(rank)};
  for (int64_t d = 0; d < rank; ++d) {
    outMap.push_back(e.b.getAffineDimExpr(d));
    if (d >= *depth) valueMap.push_back(outMap.back());
  }
  MLIRContext *context = e.b.getContext();
  op.result(
      e.generic(
          {values}, op.in(0),
          {AffineMap::get(rank + 1, 0, valueMap, context), AffineMap::get(rank + 1, 0, outMap, context)}, iterators,
          [&](Body &s, ValueRange v) {
            Body plain{s.b, s.loc, false};
            Value meets = s.integer(s.b.getI1Type(), 1);
            for (int64_t k = 0; k < *depth; ++k) {
              Value i = plain.toIndex(extract(s, tuples, {s.iv(rank), s.index(k)}));
              meets = s.andi(meets, s.eq(s.wrapIndex(i, sizes[k]), s.iv(k)));
            }
            return s.select(meets, combine(s, v[1], v[0]), v[1]);
          },
          op.isUnsigned()),
      op.type());
  return success();
}

LogicalResult lowerTensorScatter(Op &op) {
  Emitter &e = op.e;
  Dims cache = op.dims(0), update = op.dims(1);
  int64_t rank = cache.size(), axis = op.attribute("axis", int64_t(-2));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  bool circular = op.attribute("mode", "linear") == "circular";
  Value values = op.in(1), starts = op.has(2) ? op.in(2) : Value();
  Value length = e.index(cache[axis]), count = e.index(update[axis]);
  op.result(e.map(cache, op.elementType(), {op.in(0)},
                  [&](Body &s, ValueRange v) {
                    Body plain{s.b, s.loc, false};
                    Value start = starts ? plain.toIndex(extract(s, starts, {s.iv(0)})) : s.index(0);
                    Value relative = s.sub(s.iv(axis), start);
                    if (circular) relative = plain.floorMod(relative, length);
                    Value inside = s.andi(plain.ge(relative, s.index(0)), plain.lt(relative, count));
                    SmallVector<Value> at;
                    for (int64_t d = 0; d < rank; ++d)
                      at.push_back(d == axis ? s.wrapIndex(s.select(inside, relative, s.index(0)), count) : s.iv(d));
                    return s.select(inside, extract(s, values, at), v[0]);
                  }),
            op.type());
  return success();
}

LogicalResult lowerOneHot(Op &op) {
  Emitter &e = op.e;
  Dims indices = op.dims(0);
  int64_t rank = indices.size() + 1, axis = op.attribute("axis", int64_t(-1));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  Dims out = indices;
  if (auto declared = op.declaredDims(0, rank)) {
    out = *declared;
  } else {
    auto depth = op.constantInts(1);
    std::optional<float> fraction = op.constantFloat(1);
    if (depth && depth->size() == 1) out.insert(out.begin() + axis, e.attr((*depth)[0]));
    else if (fraction) out.insert(out.begin() + axis, e.attr(int64_t(*fraction)));
    else return op.fail("a depth known at run time only needs a result of a stated shape");
  }
  Value depth = e.index(out[axis]), positions = op.in(0), values = op.in(2);
  ElementType indexType = op.type(0);
  op.result(e.produce(out, op.elementType(2),
                      [&](Body &s, ValueRange iv) {
                        SmallVector<Value> at(iv.begin(), iv.end());
                        at.erase(at.begin() + axis);
                        Value i = s.toIndex(s.cast(extract(s, positions, at), indexType, kI64));
                        i = s.select(s.lt(i, s.index(0)), s.add(i, depth), i);
                        Value hot = s.select(s.eq(i, iv[axis]), s.index(1), s.index(0));
                        return extract(s, values, {hot});
                      }),
            op.type(2));
  return success();
}

LogicalResult lowerReverseSequence(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t batch = op.attribute("batch_axis", int64_t(1)), time = op.attribute("time_axis", int64_t(0));
  int64_t rank = dims.size();
  if (failed(op.normalizeAxis(batch, rank)) || failed(op.normalizeAxis(time, rank))) return failure();
  Value x = op.in(0), lengths = op.in(1), size = e.index(dims[time]);
  op.result(e.produce(dims, op.elementType(),
                      [&](Body &s, ValueRange iv) {
                        Value length = s.toIndex(extract(s, lengths, {iv[batch]})), t = iv[time];
                        Value back = s.sub(s.sub(length, s.index(1)), t);
                        SmallVector<Value> at(iv.begin(), iv.end());
                        at[time] = s.wrapIndex(s.select(s.lt(t, length), back, t), size);
                        return extract(s, x, at);
                      }),
            op.type());
  return success();
}

}  // namespace crosscut::onnxir
