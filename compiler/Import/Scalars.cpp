// Shape arithmetic: nodes whose inputs are small tensors with elements known one by one, such as the
// Shape → Gather → Concat → Reshape chains that exporters write, are computed on those elements. Static chains fold to
// constants, dynamic ones become arith on dimensions; neither makes a kernel.
#include "compiler/Import/Op.h"

#include "mlir/IR/Matchers.h"

namespace crosscut::onnxir {

using namespace mlir;

namespace {

// Inputs that say how a node works rather than what it works on.
SmallVector<unsigned> shapeInputs(StringRef op) {
  if (op == "Reshape" || op == "Expand" || op == "Tile" || op == "Unsqueeze" || op == "Squeeze" || op == "TopK" ||
      op == "Split" || op == "CumSum" || op == "Trilu" || op == "Upsample" || op.starts_with("Reduce"))
    return {1};
  if (op == "ConstantOfShape") return {0};
  if (op == "Slice") return {1, 2, 3, 4};
  if (op == "Pad") return {1, 3};
  if (op == "Range") return {0, 1, 2};
  if (op == "Resize") return {2, 3};
  if (op == "OneHot") return {1};
  if (op == "CenterCropPad" || op == "AffineGrid") return {1};
  return {};
}

bool isScalarOp(StringRef op) {
  static const llvm::StringSet<> ops = {"Identity",  "Cast",      "Shape",     "Size",        "Gather",
                                        "Concat",    "Slice",     "Squeeze",   "Unsqueeze",   "Reshape",
                                        "Flatten",   "Add",       "Sub",       "Mul",         "Div",
                                        "Mod",       "Min",       "Max",       "Neg",         "Abs",
                                        "Equal",     "Less",      "Greater",   "LessOrEqual", "GreaterOrEqual",
                                        "And",       "Or",        "Not",       "Where",       "ReduceProd",
                                        "ReduceSum", "ReduceMax", "ReduceMin", "Range",       "ConstantOfShape",
                                        "Expand",    "Split",     "Floor",     "Ceil",        "Sqrt"};
  return ops.contains(op);
}

struct Evaluator {
  Op &op;
  Emitter &e;
  Body body;
  SmallVector<const Scalars *> in;
  SmallVector<ArrayRef<int64_t>> dims;

  explicit Evaluator(Op &op) : op(op), e(op.e), body(op.e.body()) {}

  Value value(OpFoldResult s) {
    if (Value v = dyn_cast<Value>(s)) return v;
    return arith::ConstantOp::create(e.b, e.loc, cast<TypedAttr>(cast<Attribute>(s)));
  }
  OpFoldResult fold(Value v) {
    Attribute attribute;
    if (matchPattern(v, m_Constant(&attribute))) return attribute;
    return v;
  }
  void set(unsigned i, Scalars scalars, ArrayRef<int64_t> shape, ElementType type) {
    Tensor tensor;
    tensor.type = type;
    tensor.scalars = std::move(scalars);
    tensor.scalarDims.assign(shape.begin(), shape.end());
    op.result(i, std::move(tensor));
  }

  // Elementwise with broadcasting among inputs of at most one dimension.
  bool elementwise(ElementType type, llvm::function_ref<Value(ArrayRef<Value>)> fn) {
    SmallVector<int64_t> shape;
    size_t rank = 0;
    for (auto d : dims) rank = std::max(rank, d.size());
    if (rank > 1) {
      for (auto d : dims)
        if (d != dims[0]) return false;
      shape.assign(dims[0].begin(), dims[0].end());
    } else if (rank == 1) {
      shape = {1};
      for (auto d : dims)
        if (d.size() == 1 && d[0] != 1) shape[0] = d[0];
    }
    int64_t count = 1;
    for (int64_t d : shape) count *= d;
    for (const Scalars *s : in)
      if (int64_t(s->size()) != count && s->size() != 1) return false;
    Scalars result;
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<Value> args;
      for (const Scalars *s : in) args.push_back(value((*s)[s->size() == 1 ? 0 : i]));
      result.push_back(fold(fn(args)));
    }
    set(0, std::move(result), shape, type);
    return true;
  }

  // Reads constant integers of input i (or attribute), for slices and the like.
  std::optional<SmallVector<int64_t>> ints(unsigned i, const char *attribute) {
    if (op.hasAttribute(attribute)) return op.intsAttribute(attribute);
    return op.constantInts(i);
  }

  bool run();
  bool runArithmetic(StringRef name);
  bool slice();
};

bool Evaluator::runArithmetic(StringRef name) {
  ElementType type = op.type(0);
  using Fn = Value (Body::*)(Value, Value);
  static const llvm::StringMap<Fn> binary = {{"Add", &Body::add},  {"Sub", &Body::sub}, {"Mul", &Body::mul},
                                             {"Div", &Body::div},  {"Min", &Body::min}, {"Max", &Body::max},
                                             {"And", &Body::andi}, {"Or", &Body::ori}};
  static const llvm::StringMap<Fn> comparison = {{"Equal", &Body::eq},
                                                 {"Less", &Body::lt},
                                                 {"Greater", &Body::gt},
                                                 {"LessOrEqual", &Body::le},
                                                 {"GreaterOrEqual", &Body::ge}};
  if (auto it = binary.find(name); it != binary.end())
    return elementwise(type, [&](ArrayRef<Value> v) {
      Value result = v[0];
      for (Value other : v.drop_front()) result = (body.*it->second)(result, other);
      return result;
    });
  if (auto it = comparison.find(name); it != comparison.end())
    return elementwise(kBool, [&](ArrayRef<Value> v) { return (body.*it->second)(v[0], v[1]); });
  if (name == "Mod")
    return elementwise(type, [&](ArrayRef<Value> v) {
      return op.attribute("fmod", int64_t(0)) ? body.rem(v[0], v[1]) : body.floorMod(v[0], v[1]);
    });
  if (name == "Neg") return elementwise(type, [&](ArrayRef<Value> v) { return body.neg(v[0]); });
  if (name == "Abs") return elementwise(type, [&](ArrayRef<Value> v) { return body.abs(v[0]); });
  if (name == "Not") return elementwise(kBool, [&](ArrayRef<Value> v) { return body.logicalNot(v[0]); });
  if (name == "Floor") return elementwise(type, [&](ArrayRef<Value> v) { return body.op<math::FloorOp>(v[0]); });
  if (name == "Ceil") return elementwise(type, [&](ArrayRef<Value> v) { return body.op<math::CeilOp>(v[0]); });
  if (name == "Sqrt") return elementwise(type, [&](ArrayRef<Value> v) { return body.op<math::SqrtOp>(v[0]); });
  if (name == "Where") return elementwise(op.type(1), [&](ArrayRef<Value> v) { return body.select(v[0], v[1], v[2]); });
  if (name == "Cast") {
    auto to = static_cast<ElementType>(op.attribute("to", int64_t(0)));
    if (!isSupported(to) || !isSupported(type)) return false;
    auto wide = [](ElementType t) { return isInteger(t) ? kI64 : t; };
    return elementwise(to, [&](ArrayRef<Value> v) { return body.cast(v[0], wide(type), wide(to)); });
  }
  if (name.starts_with("Reduce")) {
    if (dims[0].size() > 1) return false;
    if (in.size() > 1 || op.hasAttribute("axes")) {
      auto axes = ints(1, "axes");
      if (!axes || (axes->empty() && op.attribute("noop_with_empty_axes", int64_t(0)))) return false;
    }
    Fn fn = name == "ReduceProd"  ? &Body::mul
            : name == "ReduceSum" ? &Body::add
            : name == "ReduceMax" ? &Body::max
                                  : &Body::min;
    if (in[0]->empty()) return false;
    Value result = value((*in[0])[0]);
    for (OpFoldResult s : ArrayRef<OpFoldResult>(*in[0]).drop_front()) result = (body.*fn)(result, value(s));
    SmallVector<int64_t> shape;
    if (op.attribute("keepdims", int64_t(1)) && dims[0].size() == 1) shape = {1};
    set(0, {fold(result)}, shape, type);
    return true;
  }
  return false;
}

bool Evaluator::slice() {
  if (dims[0].size() != 1) return false;
  auto starts = ints(1, "starts"), ends = ints(2, "ends");
  if (!starts || !ends || starts->size() != 1 || ends->size() != 1) return false;
  int64_t step = 1, size = dims[0][0];
  if (op.has(4)) {
    auto steps = op.constantInts(4);
    if (!steps || steps->size() != 1) return false;
    step = (*steps)[0];
  }
  if (step == 0) return false;
  auto clamp = [&](int64_t v, int64_t low, int64_t high) {
    if (v < 0) v += size;
    return std::min(std::max(v, low), high);
  };
  int64_t start = step > 0 ? clamp((*starts)[0], 0, size) : clamp((*starts)[0], 0, size - 1);
  int64_t end = step > 0 ? clamp((*ends)[0], 0, size) : clamp((*ends)[0], -1, size - 1);
  Scalars result;
  for (int64_t i = start; step > 0 ? i < end : i > end; i += step) result.push_back((*in[0])[i]);
  int64_t count = result.size();
  set(0, std::move(result), {count}, op.type(0));
  return true;
}

bool Evaluator::run() {
  StringRef name = op.node.op;
  ElementType type = op.inputCount() ? op.type(0) : kUndefined;
  if (name == "Identity") return set(0, *in[0], dims[0], type), true;
  if (name == "Gather") {
    auto indices = op.constantInts(1);
    if (!indices || dims[0].size() != 1) return false;
    Scalars result;
    for (int64_t i : *indices) {
      if (i < 0) i += dims[0][0];
      if (i < 0 || i >= dims[0][0]) return false;
      result.push_back((*in[0])[i]);
    }
    return set(0, std::move(result), dims[1], type), true;
  }
  if (name == "Concat") {
    Scalars result;
    for (unsigned i = 0; i < in.size(); ++i) {
      if (dims[i].size() != 1) return false;
      result.append(*in[i]);
    }
    int64_t count = result.size();
    return set(0, std::move(result), {count}, type), true;
  }
  if (name == "Slice") return slice();
  if (name == "Split") {
    if (dims[0].size() != 1) return false;
    auto sizes = ints(1, "split");
    if (!op.has(1) && !op.hasAttribute("split")) {
      // Equal parts; the last one takes what is left.
      int64_t parts = op.outputCount(), all = dims[0][0], each = (all + parts - 1) / parts;
      sizes.emplace(parts, each);
      sizes->back() = all - each * (parts - 1);
    }
    if (!sizes || sizes->size() != op.outputCount()) return false;
    int64_t at = 0;
    for (unsigned i = 0; i < sizes->size(); ++i) {
      int64_t count = (*sizes)[i];
      if (count < 0 || at + count > int64_t(in[0]->size())) return false;
      set(i, Scalars(in[0]->begin() + at, in[0]->begin() + at + count), {count}, type);
      at += count;
    }
    return true;
  }
  if (name == "Squeeze" || name == "Unsqueeze" || name == "Reshape" || name == "Flatten") {
    auto declared = op.declaredDims(0);
    SmallVector<int64_t> shape;
    if (declared) {
      for (OpFoldResult d : *declared) shape.push_back(*constantOf(d));
    } else if (name == "Squeeze" && in[0]->size() == 1 && dims[0].size() == 1) {
    } else if (name == "Unsqueeze" && dims[0].empty()) {
      shape = {1};
    } else {
      return false;
    }
    int64_t count = 1;
    for (int64_t d : shape) count *= d;
    if (count != int64_t(in[0]->size())) return false;
    return set(0, *in[0], shape, type), true;
  }
  if (name == "ConstantOfShape" || name == "Expand") {
    auto shape = op.constantInts(name == "Expand" ? 1 : 0);
    if (!shape || shape->size() > 1) return false;
    int64_t count = shape->empty() ? 1 : (*shape)[0];
    if (name == "Expand") {
      if (in[0]->size() != 1) return false;
      return count >= 0 && count <= kMaxScalars && dims[0].size() <= shape->size()
                 ? (set(0, Scalars(count, (*in[0])[0]), *shape, type), true)
                 : false;
    }
    if (count < 0 || count > kMaxScalars) return false;
    OpFoldResult fill = e.b.getF32FloatAttr(0);
    ElementType fillType = kF32;
    if (auto it = op.node.attributes.find("value"); it != op.node.attributes.end()) {
      const HostTensor &t = *it->second.tensor;
      if (t.type == kI64 && t.count() == 1) fill = e.b.getI64IntegerAttr(*t.as<int64_t>());
      else if (t.type == kF32 && t.count() == 1) fill = e.b.getF32FloatAttr(*t.as<float>());
      else return false;
      fillType = t.type;
    }
    return set(0, Scalars(count, fill), *shape, fillType), true;
  }
  if (name == "Range") {
    auto start = op.constantInts(0), limit = op.constantInts(1), delta = op.constantInts(2);
    if (!start || !limit || !delta || !(*delta)[0]) return false;
    Scalars result;
    int64_t step = (*delta)[0];
    for (int64_t i = (*start)[0]; step > 0 ? i < (*limit)[0] : i > (*limit)[0]; i += step) {
      if (result.size() == size_t(kMaxScalars)) return false;
      result.push_back(e.b.getI64IntegerAttr(i));
    }
    int64_t count = result.size();
    return set(0, std::move(result), {count}, type), true;
  }
  return runArithmetic(name);
}

}  // namespace

bool lowerOnScalars(Op &op) {
  if (!op.node.domain.empty() || !isScalarOp(op.node.op)) return false;
  Evaluator evaluator(op);
  if (op.node.op == "Shape" || op.node.op == "Size") {
    Dims dims = op.dims(0);
    int64_t rank = dims.size();
    Scalars result;
    if (op.node.op == "Size") {
      result.push_back(op.toI64(op.e.product(dims)));
      return evaluator.set(0, std::move(result), {}, kI64), true;
    }
    int64_t start = op.attribute("start", int64_t(0)), end = op.attribute("end", rank);
    if (start < 0) start += rank;
    if (end < 0) end += rank;
    start = std::clamp<int64_t>(start, 0, rank);
    end = std::clamp<int64_t>(end, 0, rank);
    for (int64_t i = start; i < end; ++i) result.push_back(op.toI64(dims[i]));
    int64_t count = result.size();
    return evaluator.set(0, std::move(result), {count}, kI64), true;
  }
  for (unsigned i = 0; i < op.inputCount(); ++i) {
    if (!op.has(i)) return false;
    const Scalars *known = op.knownScalars(i);
    if (!known) return false;
    evaluator.in.push_back(known);
    evaluator.dims.push_back(op.tensor(i).scalarDims);
  }
  if (evaluator.in.empty()) return false;
  return evaluator.run();
}

void findShapeLike(Values &values) {
  const auto &nodes = values.model().nodes;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    for (unsigned i : shapeInputs(node->op))
      if (i < node->inputs.size()) values.shapeLike.insert(node->inputs[i]);
    if (!isScalarOp(node->op) || node->op == "Shape" || node->op == "Size") continue;
    bool needed = llvm::any_of(node->outputs, [&](const std::string &o) { return values.shapeLike.contains(o); });
    if (!needed) continue;
    for (const std::string &input : node->inputs) values.shapeLike.insert(input);
  }
}

}  // namespace crosscut::onnxir
