// Operators that move elements without looking at them: reshapes, transposes, joins, splits and repetitions.
#include "compiler/Import/Lowerings.h"

namespace crosscut::onnxir {

using namespace mlir;

bool comesFromData(OpFoldResult s) {
  Value v = dyn_cast<Value>(s);
  Operation *def = v ? v.getDefiningOp() : nullptr;
  if (!def) return false;
  if (isa<tensor::ExtractOp>(def)) return true;
  return llvm::any_of(def->getOperands(),
                      [](Value operand) { return !isa<ShapedType>(operand.getType()) && comesFromData(operand); });
}

namespace {

// All elements of `from` over all known dimensions of `to`, where the same symbol above and below cancels.
OpFoldResult remainingDim(Emitter &e, const Dims &from, const Dims &to, size_t except) {
  SmallVector<OpFoldResult> above(from.begin(), from.end()), below;
  int64_t numberBelow = 1, numberAbove = 1;
  for (size_t i = 0; i < to.size(); ++i) {
    if (i == except) continue;
    if (auto known = constantOf(to[i])) {
      numberBelow *= *known;
    } else if (auto *same = llvm::find(above, to[i]); same != above.end()) {
      above.erase(same);
    } else {
      below.push_back(to[i]);
    }
  }
  OpFoldResult symbols = e.attr(1);
  for (OpFoldResult d : above) {
    if (auto known = constantOf(d)) numberAbove *= *known;
    else symbols = e.mul(symbols, d);
  }
  if (numberBelow == 0) return e.attr(0);
  OpFoldResult result = numberAbove % numberBelow == 0
                            ? e.mul(symbols, e.attr(numberAbove / numberBelow))
                            : e.floorDiv(e.mul(symbols, e.attr(numberAbove)), e.attr(numberBelow));
  return below.empty() ? result : e.floorDiv(result, e.product(below));
}

// Ends a reshape: checks element counts where both are known.
LogicalResult finishReshape(Op &op, const Dims &to) {
  auto count = [](const Dims &dims) -> std::optional<int64_t> {
    int64_t n = 1;
    for (OpFoldResult d : dims) {
      auto known = constantOf(d);
      if (!known) return std::nullopt;
      n *= *known;
    }
    return n;
  };
  auto have = count(op.dims(0)), want = count(to);
  if (have && want && have != want)
    return op.fail("a tensor of " + Twine(*have) + " elements can not take a shape of " + Twine(*want));
  op.result(op.e.reshape(op.in(0), to), op.type());
  return success();
}

}  // namespace

LogicalResult lowerReshape(Op &op) {
  if (auto declared = op.declaredDims(0)) return finishReshape(op, *declared);
  Emitter &e = op.e;
  Dims from = op.dims(0), to;
  Scalars shape;
  if (op.hasAttribute("shape")) {
    for (int64_t d : op.intsAttribute("shape")) shape.push_back(e.b.getI64IntegerAttr(d));
  } else if (const Scalars *known = op.scalars(1)) {
    shape = *known;
  } else {
    return op.fail("the shape is computed at run time");
  }
  bool allowZero = op.attribute("allowzero", int64_t(0));
  std::optional<size_t> inferred;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (comesFromData(shape[i])) return op.fail("a shape read from an input needs a result of a stated shape");
    auto known = constantOf(shape[i]);
    if (known == -1) {
      if (inferred) return op.fail("more than one dimension is -1");
      inferred = i;
      to.push_back(e.attr(1));
    } else if (known == 0 && !allowZero) {
      if (i >= from.size()) return op.fail("dimension " + Twine(i) + " to copy does not exist");
      to.push_back(from[i]);
    } else if (known && *known < 0) {
      return op.fail("dimension " + Twine(*known) + " is negative");
    } else {
      to.push_back(op.toIndex(shape[i]));
    }
  }
  if (inferred) to[*inferred] = remainingDim(e, from, to, *inferred);
  return finishReshape(op, to);
}

LogicalResult lowerFlatten(Op &op) {
  Emitter &e = op.e;
  Dims from = op.dims(0);
  int64_t rank = from.size(), axis = op.attribute("axis", int64_t(1));
  if (axis < -rank || axis > rank) return op.fail("axis " + Twine(axis) + " is out of range");
  if (axis < 0) axis += rank;
  ArrayRef<OpFoldResult> all(from);
  return finishReshape(op, {e.product(all.take_front(axis)), e.product(all.drop_front(axis))});
}

LogicalResult lowerSqueeze(Op &op) {
  Dims from = op.dims(0);
  if (op.has(1) && !op.constantInts(1)) {
    if (auto declared = op.declaredDims(0)) return finishReshape(op, *declared);
  }
  std::optional<SmallVector<int64_t>> axes;
  if (failed(op.axes(1, from.size(), axes))) return failure();
  Dims to;
  for (size_t d = 0; d < from.size(); ++d) {
    bool squeeze = axes ? llvm::is_contained(*axes, int64_t(d)) : constantOf(from[d]) == 1;
    if (!squeeze) to.push_back(from[d]);
    else if (constantOf(from[d]).value_or(1) != 1) return op.fail("dimension " + Twine(d) + " is not 1");
  }
  return finishReshape(op, to);
}

LogicalResult lowerUnsqueeze(Op &op) {
  Dims from = op.dims(0);
  if (op.has(1) && !op.constantInts(1)) {
    if (auto declared = op.declaredDims(0)) return finishReshape(op, *declared);
  }
  SmallVector<int64_t> given;
  if (op.hasAttribute("axes")) given = op.intsAttribute("axes");
  else if (auto known = op.constantInts(1)) given = *known;
  else return op.fail("axes that are not constant are not supported");
  std::optional<SmallVector<int64_t>> axes;
  if (failed(op.axes(1, from.size() + given.size(), axes))) return failure();
  Dims to;
  size_t next = 0;
  for (size_t d = 0; d < from.size() + axes->size(); ++d)
    to.push_back(llvm::is_contained(*axes, int64_t(d)) ? op.e.attr(1) : from[next++]);
  return finishReshape(op, to);
}

namespace {

// A constant transposed now, so that no kernel does it at every run.
std::shared_ptr<HostTensor> transposeHost(const HostTensor &from, ArrayRef<int64_t> permutation) {
  size_t rank = from.dims.size(), size = elementBytes(from.type);
  auto to = std::make_shared<HostTensor>(from);
  SmallVector<int64_t> stride(rank, 1), step(rank);
  for (size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * from.dims[d];
  for (size_t d = 0; d < rank; ++d) {
    to->dims[d] = from.dims[permutation[d]];
    step[d] = stride[permutation[d]];
  }
  std::string bytes(from.bytes->size(), '\0');
  SmallVector<int64_t> at(rank, 0);
  int64_t source = 0;
  for (int64_t i = 0, n = from.count(); i < n; ++i) {
    memcpy(&bytes[i * size], from.bytes->data() + source * size, size);
    for (size_t d = rank; d-- > 0;) {
      source += step[d];
      if (++at[d] < to->dims[d]) break;
      source -= step[d] * to->dims[d];
      at[d] = 0;
    }
  }
  to->name += ".transposed";
  to->bytes = std::make_shared<const std::string>(std::move(bytes));
  return to;
}

}  // namespace

LogicalResult lowerTranspose(Op &op) {
  int64_t rank = op.rank();
  SmallVector<int64_t> permutation = op.intsAttribute("perm");
  if (permutation.empty())
    for (int64_t d = rank; d-- > 0;) permutation.push_back(d);
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  for (int64_t d = 0; d < int64_t(sorted.size()); ++d)
    if (sorted[d] != d) return op.fail("perm is not a permutation");
  if (int64_t(permutation.size()) != rank) return op.fail("perm does not fit a tensor of rank " + Twine(rank));
  if (const HostTensor *constant = op.host(0)) {
    Tensor result;
    result.type = constant->type;
    result.host = transposeHost(*constant, permutation);
    op.result(0, std::move(result));
    return success();
  }
  op.result(op.e.transpose(op.in(0), permutation), op.type());
  return success();
}

LogicalResult lowerConcat(Op &op) {
  int64_t rank = op.rank(), axis = op.attribute("axis", int64_t(1));
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  SmallVector<Value> parts;
  for (unsigned i = 0; i < op.inputCount(); ++i) {
    Dims d = op.dims(i);
    if (int64_t(d.size()) != rank) return op.fail("the inputs differ in rank");
    if (constantOf(d[axis]) != 0) parts.push_back(op.in(i));
  }
  if (parts.empty()) parts.push_back(op.in(0));
  op.result(op.e.concat(parts, axis), op.type());
  return success();
}

LogicalResult lowerSplit(Op &op) {
  Emitter &e = op.e;
  Dims dims = op.dims(0);
  int64_t rank = dims.size(), axis = op.attribute("axis", int64_t(0)), parts = op.outputCount();
  if (failed(op.normalizeAxis(axis, rank))) return failure();
  SmallVector<OpFoldResult> sizes;
  if (op.hasAttribute("split")) {
    sizes = e.attrs(op.intsAttribute("split"));
  } else if (auto known = op.constantInts(1)) {
    sizes = e.attrs(*known);
  } else if (op.has(1)) {
    for (int64_t i = 0; i < parts; ++i) {
      auto declared = op.declaredDims(i, rank);
      if (!declared) return op.fail("split sizes known at run time only need results of a stated shape");
      sizes.push_back((*declared)[axis]);
    }
  } else {
    OpFoldResult part = e.ceilDiv(dims[axis], e.attr(parts)), rest = dims[axis];
    for (int64_t i = 0; i + 1 < parts; ++i) {
      sizes.push_back(part);
      rest = e.sub(rest, part);
    }
    sizes.push_back(rest);
  }
  if (int64_t(sizes.size()) != parts) return op.fail("split does not fit the number of outputs");
  Dims offsets(rank, e.attr(0));
  int64_t total = 0;
  for (int64_t i = 0; i < parts; ++i) {
    auto known = constantOf(sizes[i]);
    if (known && *known < 0) return op.fail("a part has a negative size");
    total += known.value_or(0);
    Dims size = dims;
    size[axis] = sizes[i];
    if (auto whole = constantOf(dims[axis]); whole && total > *whole) return op.fail("the parts exceed the input");
    op.result(i, e.slice(op.in(0), offsets, size, SmallVector<int64_t>(rank, 1)), op.type());
    offsets[axis] = e.add(offsets[axis], sizes[i]);
  }
  return success();
}

LogicalResult lowerExpand(Op &op) {
  Emitter &e = op.e;
  Dims from = op.dims(0), to;
  auto declared = op.declaredDims(0);
  const Scalars *shape = op.scalars(1);
  if (!declared && !shape) return op.fail("the shape is computed at run time");
  size_t rank = std::max(from.size(), shape ? shape->size() : declared->size());
  if (declared && declared->size() != rank) return op.fail("the stated shape has another rank");
  OpFoldResult one = e.b.getI64IntegerAttr(1);
  for (size_t i = 0; i < rank; ++i) {
    OpFoldResult own = i + from.size() >= rank ? from[i + from.size() - rank] : e.attr(1);
    OpFoldResult wanted = !shape                      ? op.toI64((*declared)[i])
                          : i + shape->size() >= rank ? (*shape)[i + shape->size() - rank]
                                                      : one;
    bool stretches = constantOf(own) == 1;
    if (declared) to.push_back((*declared)[i]);
    else if (!stretches) to.push_back(own);
    else to.push_back(comesFromData(wanted) ? e.max(op.toIndex(wanted), e.attr(0)) : op.toIndex(wanted));
    OpFoldResult made = op.toI64(to.back());
    if (!stretches && constantOf(wanted) == 1) wanted = made;  // 1 leaves a dimension as it is
    if (!stretches && !constantOf(wanted)) {
      Body s = e.body();
      wanted = s.select(s.eq(op.scalar(wanted), op.scalar(one)), op.scalar(made), op.scalar(wanted));
    }
    if (failed(op.requireEqual(made, wanted, "the shape does not fit dimension " + Twine(i)))) return failure();
  }
  op.result(e.broadcastTo(op.in(0), to), op.type());
  return success();
}

LogicalResult lowerTile(Op &op) {
  Emitter &e = op.e;
  Dims from = op.dims(0), to;
  auto repeats = op.constantInts(1);
  if (repeats) {
    if (repeats->size() != from.size()) return op.fail("repeats does not fit the input");
    for (size_t d = 0; d < from.size(); ++d) {
      if ((*repeats)[d] < 0) return op.fail("repeats is negative");
      to.push_back(e.mul(from[d], e.attr((*repeats)[d])));
    }
  } else if (auto declared = op.declaredDims(0, from.size())) {
    to = *declared;
  } else if (const Scalars *scalars = op.scalars(1); scalars && scalars->size() == from.size()) {
    for (size_t d = 0; d < from.size(); ++d) to.push_back(e.mul(from[d], e.max(op.toIndex((*scalars)[d]), e.attr(0))));
  } else {
    return op.fail("repeats is computed at run time");
  }
  Value x = op.in(0);
  if (from == to) return op.result(0, op.tensor(0)), success();
  SmallVector<Value> sizes;
  for (OpFoldResult d : from) sizes.push_back(e.index(d));
  op.result(e.produce(to, op.elementType(),
                      [&](Body &s, ValueRange at) {
                        SmallVector<Value> position;
                        for (size_t d = 0; d < from.size(); ++d)
                          position.push_back(constantOf(from[d]) == 1 ? s.index(0)
                                             : from[d] == to[d]       ? at[d]
                                                                      : s.op<arith::RemUIOp>(at[d], sizes[d]));
                        return extract(s, x, position);
                      }),
            op.type());
  return success();
}

LogicalResult lowerDepthToSpace(Op &op) {
  Emitter &e = op.e;
  Dims d = op.dims(0);
  int64_t block = op.attribute("blocksize", int64_t(0));
  auto channels = d.size() == 4 ? constantOf(d[1]) : std::nullopt;
  if (!channels || block < 1 || *channels % (block * block)) return op.fail("blocksize does not fit the channels");
  OpFoldResult b = e.attr(block), c = e.attr(*channels / (block * block));
  bool crd = op.attribute("mode", "DCR") == "CRD";
  Value x = e.reshape(op.in(0), crd ? Dims{d[0], c, b, b, d[2], d[3]} : Dims{d[0], b, b, c, d[2], d[3]});
  x = e.transpose(x, crd ? ArrayRef<int64_t>{0, 1, 4, 2, 5, 3} : ArrayRef<int64_t>{0, 3, 4, 1, 5, 2});
  op.result(e.reshape(x, {d[0], c, e.mul(d[2], b), e.mul(d[3], b)}), op.type());
  return success();
}

LogicalResult lowerSpaceToDepth(Op &op) {
  Emitter &e = op.e;
  Dims d = op.dims(0);
  int64_t block = op.attribute("blocksize", int64_t(0));
  if (d.size() != 4 || block < 1) return op.fail("blocksize does not fit the input");
  OpFoldResult b = e.attr(block), h = e.floorDiv(d[2], b), w = e.floorDiv(d[3], b);
  Value x = e.reshape(op.in(0), {d[0], d[1], h, b, w, b});
  // The new channels hold the block before the old channels (DCR), or the other way round (CRD).
  bool crd = op.attribute("mode", "DCR") == "CRD";
  x = e.transpose(x, crd ? ArrayRef<int64_t>{0, 1, 3, 5, 2, 4} : ArrayRef<int64_t>{0, 3, 5, 1, 2, 4});
  op.result(e.reshape(x, {d[0], e.mul(e.mul(b, b), d[1]), h, w}), op.type());
  return success();
}

}  // namespace crosscut::onnxir
