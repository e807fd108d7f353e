// Access to a node's inputs, attributes and outputs, and the making of tensors from constants and known elements.
#include "compiler/Import/Op.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

namespace crosscut::onnxir {

using namespace mlir;

bool isSupported(ElementType type) { return type == kF32 || type == kBool || isInteger(type); }

Tensor *Values::find(const std::string &name) {
  auto known = tensors_.find(name);
  if (known != tensors_.end()) return &known->second;
  auto constant = model_.constants.find(name);
  if (constant == model_.constants.end()) return nullptr;
  Tensor tensor;
  tensor.type = constant->second.type;
  tensor.host = std::shared_ptr<const HostTensor>(std::shared_ptr<void>(), &constant->second);
  return &(tensors_[name] = std::move(tensor));
}

template <typename T>
static void appendAs(std::string &bytes, int64_t value) {
  T typed = static_cast<T>(value);
  bytes.append(reinterpret_cast<const char *>(&typed), sizeof typed);
}

// A constant of known scalars, or null when one of them is not constant.
static std::shared_ptr<HostTensor> hostOfScalars(const Tensor &tensor) {
  std::string bytes;
  for (OpFoldResult scalar : *tensor.scalars) {
    auto attribute = dyn_cast<Attribute>(scalar);
    if (!attribute) return nullptr;
    if (auto f = dyn_cast<FloatAttr>(attribute)) {
      float value = float(f.getValueAsDouble());
      bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
      continue;
    }
    int64_t value = cast<IntegerAttr>(attribute).getValue().getZExtValue();
    switch (elementBytes(tensor.type)) {
      case 1: appendAs<int8_t>(bytes, value); break;
      case 2: appendAs<int16_t>(bytes, value); break;
      case 4: appendAs<int32_t>(bytes, value); break;
      default: appendAs<int64_t>(bytes, value); break;
    }
  }
  auto host = std::make_shared<HostTensor>();
  host->type = tensor.type;
  host->dims.assign(tensor.scalarDims.begin(), tensor.scalarDims.end());
  host->bytes = std::make_shared<const std::string>(std::move(bytes));
  return host;
}

Value Values::materialize(Emitter &e, Tensor &tensor) {
  if (tensor.value) return tensor.value;
  if (!tensor.host && tensor.scalars) tensor.host = hostOfScalars(tensor);
  if (tensor.host) return e.constant(*tensor.host);  // at each use, next to it
  // Elements that are known at run time only: a chain of selects on the index.
  Type element = e.elementType(tensor.type);
  SmallVector<Value> elements;
  Body outside = e.body();
  for (OpFoldResult scalar : *tensor.scalars) {
    Value v = dyn_cast<Value>(scalar);
    if (!v) v = arith::ConstantOp::create(e.b, e.loc, cast<TypedAttr>(cast<Attribute>(scalar)));
    if (v.getType() != element) v = outside.op<arith::TruncIOp>(element, v);
    elements.push_back(v);
  }
  Value flat = e.produce(e.attrs({int64_t(elements.size())}), element, [&](Body &body, ValueRange indices) {
    Value result = elements.back();
    for (int64_t i = int64_t(elements.size()) - 2; i >= 0; --i)
      result = body.select(body.eq(indices[0], body.index(i)), elements[i], result);
    return result;
  });
  return tensor.value = e.reshape(flat, e.attrs(tensor.scalarDims));
}

static OpFoldResult scalarOf(Builder &b, const HostTensor &host, int64_t i) {
  switch (host.type) {
    case kF32: return b.getF32FloatAttr(host.as<float>()[i]);
    case kBool: return b.getBoolAttr(host.as<uint8_t>()[i]);
    case kI8: return b.getI64IntegerAttr(host.as<int8_t>()[i]);
    case kU8: return b.getI64IntegerAttr(host.as<uint8_t>()[i]);
    case kI16: return b.getI64IntegerAttr(host.as<int16_t>()[i]);
    case kU16: return b.getI64IntegerAttr(host.as<uint16_t>()[i]);
    case kI32: return b.getI64IntegerAttr(host.as<int32_t>()[i]);
    case kU32: return b.getI64IntegerAttr(host.as<uint32_t>()[i]);
    default: return b.getI64IntegerAttr(host.as<int64_t>()[i]);
  }
}

const Scalars *Values::scalars(Emitter &e, Tensor &tensor, bool extractArguments) {
  if (tensor.scalars) return &*tensor.scalars;
  if (!isSupported(tensor.type)) return nullptr;
  if (tensor.host) {
    if (tensor.host->count() > kMaxScalars) return nullptr;
    Scalars scalars;
    for (int64_t i = 0; i < tensor.host->count(); ++i) scalars.push_back(scalarOf(e.b, *tensor.host, i));
    tensor.scalars = std::move(scalars);
    tensor.scalarDims.assign(tensor.host->dims.begin(), tensor.host->dims.end());
    return &*tensor.scalars;
  }
  auto argument = dyn_cast_or_null<BlockArgument>(tensor.value);
  if (!extractArguments || !argument) return nullptr;
  auto type = cast<RankedTensorType>(argument.getType());
  if (!type.hasStaticShape() || type.getNumElements() > kMaxScalars || type.getRank() > 1) return nullptr;
  Body body = e.body(onnxir::isUnsigned(tensor.type));
  Scalars scalars;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    SmallVector<Value> at;
    if (type.getRank()) at.push_back(body.index(i));
    Value v = extract(body, argument, at);
    if (isInteger(tensor.type)) v = body.cast(v, tensor.type, kI64);
    scalars.push_back(v);
  }
  tensor.scalars = std::move(scalars);
  tensor.scalarDims.assign(type.getShape().begin(), type.getShape().end());
  return &*tensor.scalars;
}

Dims Op::dims(unsigned i) {
  Tensor &t = tensor(i);
  if (t.value) return e.dims(t.value);
  if (t.host) return e.attrs(t.host->dims);
  return e.attrs(t.scalarDims);
}

std::optional<SmallVector<int64_t>> Op::constantInts(unsigned i) {
  if (!has(i) || !isInteger(type(i))) return std::nullopt;
  SmallVector<int64_t> result;
  if (const HostTensor *constant = host(i)) {
    for (int64_t k = 0; k < constant->count(); ++k) result.push_back(*getConstantIntValue(scalarOf(e.b, *constant, k)));
    return result;
  }
  const Scalars *known = knownScalars(i);
  if (!known) {
    // An empty list is known whatever its source.
    Dims d = dims(i);
    if (d.size() == 1 && constantOf(d[0]) == 0) return result;
    return std::nullopt;
  }
  for (OpFoldResult scalar : *known) {
    auto value = constantOf(scalar);
    if (!value) return std::nullopt;
    result.push_back(*value);
  }
  return result;
}

std::optional<float> Op::constantFloat(unsigned i) {
  const HostTensor *constant = host(i);
  if (!constant || constant->type != kF32 || constant->count() != 1) return std::nullopt;
  return *constant->as<float>();
}

int64_t Op::attribute(const char *name, int64_t otherwise) const {
  auto it = node.attributes.find(name);
  return it == node.attributes.end() ? otherwise : it->second.i;
}
float Op::attribute(const char *name, float otherwise) const {
  auto it = node.attributes.find(name);
  return it == node.attributes.end() ? otherwise : it->second.f;
}
std::string Op::attribute(const char *name, const char *otherwise) const {
  auto it = node.attributes.find(name);
  return it == node.attributes.end() ? otherwise : it->second.s;
}
SmallVector<int64_t> Op::intsAttribute(const char *name) const {
  auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return {};
  return SmallVector<int64_t>(it->second.ints.begin(), it->second.ints.end());
}

LogicalResult Op::normalizeAxis(int64_t &axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return fail("axis " + Twine(axis) + " is outside a tensor of rank " + Twine(rank));
  if (axis < 0) axis += rank;
  return success();
}

LogicalResult Op::axes(unsigned input, int64_t rank, std::optional<SmallVector<int64_t>> &axes) {
  if (hasAttribute("axes")) axes = intsAttribute("axes");
  else if (has(input)) {
    axes = constantInts(input);
    if (!axes) return fail("axes that are not constant are not supported");
  } else {
    return success();
  }
  for (int64_t &axis : *axes)
    if (failed(normalizeAxis(axis, rank))) return failure();
  llvm::sort(*axes);
  if (std::adjacent_find(axes->begin(), axes->end()) != axes->end()) return fail("an axis is given twice");
  return success();
}

const ValueInfo *Op::declaredInput(unsigned i) const {
  auto it = values_.model().types.find(node.inputs[i]);
  return it == values_.model().types.end() ? nullptr : &it->second;
}
Value Op::graphInput(const std::string &name) {
  Tensor *input = values_.find(name);
  return input ? input->value : Value();
}

const ValueInfo *Op::declared(unsigned i) const {
  if (!wants(i)) return nullptr;
  auto it = values_.model().types.find(node.outputs[i]);
  return it == values_.model().types.end() ? nullptr : &it->second;
}
std::optional<Dims> Op::declaredDims(unsigned i, int64_t rank) {
  const ValueInfo *info = declared(i);
  if (!info || !info->hasRank || llvm::is_contained(info->dims, -1)) return std::nullopt;
  if (rank >= 0 && rank != int64_t(info->dims.size())) return std::nullopt;
  return e.attrs(info->dims);
}
ElementType Op::declaredType(unsigned i) const {
  const ValueInfo *info = declared(i);
  return info ? info->type : kUndefined;
}

// Gives the tensor's name to the operation that makes it, through reshapes. A node that passes a tensor on makes none.
void Op::nameAfter(Value value, const std::string &tensor) {
  Location named = NameLoc::get(cast<NameLoc>(e.loc).getName(), NameLoc::get(e.b.getStringAttr(tensor)));
  while (Operation *maker = value ? value.getDefiningOp() : nullptr) {
    if (maker->getLoc() != e.loc) return;
    maker->setLoc(named);
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(maker)) return;
    value = maker->getOperand(0);
  }
}

void Op::result(unsigned i, Value value, ElementType type) {
  Tensor tensor;
  tensor.type = type;
  tensor.value = value;
  result(i, std::move(tensor));
}
void Op::result(unsigned i, Tensor tensor) {
  if (!wants(i)) return;
  nameAfter(tensor.value, node.outputs[i]);
  values_.define(node.outputs[i], std::move(tensor));
}

LogicalResult Op::fail(const Twine &why) {
  if (reason.empty()) reason = why.str();
  return failure();
}

LogicalResult Op::requireEqual(OpFoldResult x, OpFoldResult y, const Twine &otherwise) {
  if (x == y) return success();
  if (constantOf(x) && constantOf(y)) return constantOf(x) == constantOf(y) ? success() : fail(otherwise);
  cf::AssertOp::create(e.b, e.loc, e.body().eq(scalar(x), scalar(y)), otherwise.str());
  return success();
}

Value Op::scalar(OpFoldResult i64) {
  auto constant = constantOf(i64);
  return constant ? e.body().integer(e.b.getI64Type(), *constant) : cast<Value>(i64);
}

OpFoldResult Op::toIndex(OpFoldResult i64) {
  if (auto constant = constantOf(i64)) return e.attr(*constant);
  return e.body().toIndex(cast<Value>(i64));
}
OpFoldResult Op::toI64(OpFoldResult index) {
  if (auto constant = constantOf(index)) return e.b.getI64IntegerAttr(*constant);
  return e.body().fromIndex(cast<Value>(index), e.b.getI64Type());
}

}  // namespace crosscut::onnxir
