// Operators of domains that ONNX does not define: calls of functions that the user's program has (crosscut/plugin.h).
//
// The compiler knows nothing of such an operator, so the model has to state the type and shape of its outputs: in
// value_info, or where they are outputs of the graph. A dimension is a number, or a name (dim_param) that one of the
// node's inputs or of the graph's has for one of its dimensions.
#include "compiler/Import/Lowerings.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace crosscut::onnxir {

using namespace mlir;

namespace {

constexpr int64_t kMostElements = int64_t(1) << 40;

// As in an xcut.type.
std::string typeName(ElementType type) {
  if (type == kF32) return "f32";
  if (type == kBool) return "bool";
  return (isUnsigned(type) ? "u" : "i") + std::to_string(8 * elementBytes(type));
}

// The type of an attribute's elements, where signedness is part of the type.
Type attributeType(Builder &b, ElementType type) {
  if (type == kF32) return b.getF32Type();
  if (type == kBool) return b.getI1Type();
  return b.getIntegerType(8 * elementBytes(type), !isUnsigned(type));
}

template <typename T>
DenseElementsAttr listOf(Type type, const std::vector<T> &values) {
  return DenseElementsAttr::get(RankedTensorType::get({int64_t(values.size())}, type), ArrayRef<T>(values));
}

// Null when plugins are not given attributes of this kind.
Attribute convert(Op &op, const OnnxAttribute &from) {
  Builder &b = op.e.b;
  switch (from.kind) {
    case OnnxAttribute::Int: return b.getI64IntegerAttr(from.i);
    case OnnxAttribute::Float: return b.getF32FloatAttr(from.f);
    case OnnxAttribute::String: return b.getStringAttr(from.s);
    case OnnxAttribute::Ints: return listOf(b.getI64Type(), from.ints);
    case OnnxAttribute::Floats: return listOf(b.getF32Type(), from.floats);
    case OnnxAttribute::Tensor: {
      const HostTensor &tensor = *from.tensor;
      if (!isSupported(tensor.type)) return {};
      auto type = RankedTensorType::get(tensor.dims, attributeType(b, tensor.type));
      if (tensor.type == kBool) {
        SmallVector<bool> bits(tensor.bytes->begin(), tensor.bytes->end());
        return DenseElementsAttr::get(type, bits);
      }
      return DenseElementsAttr::getFromRawBuffer(type, ArrayRef(tensor.bytes->data(), tensor.bytes->size()));
    }
    default: return {};
  }
}

// The dimension that the model calls `symbol`.
OpFoldResult dimensionNamed(Op &op, const std::string &symbol) {
  auto find = [&](const ValueInfo &info, Value value) -> OpFoldResult {
    for (size_t d = 0; d < info.symbols.size() && int64_t(d) < Emitter::rank(value); ++d)
      if (info.symbols[d] == symbol) return op.e.dims(value)[d];
    return {};
  };
  if (symbol.empty()) return {};
  for (unsigned i = 0; i < op.inputCount(); ++i)
    if (const ValueInfo *info = op.has(i) ? op.declaredInput(i) : nullptr)
      if (OpFoldResult dim = find(*info, op.in(i))) return dim;
  for (const ValueInfo &input : op.graphInputs())
    if (Value value = op.graphInput(input.name))
      if (OpFoldResult dim = find(input, value)) return dim;
  return {};
}

// A function without body for calls of these types; the same for equal ones.
func::FuncOp declare(Emitter &e, const std::string &plugin, FunctionType type, ArrayRef<std::string> argumentTypes,
                     ArrayRef<std::string> resultTypes) {
  auto module = e.b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  Builder &b = e.b;
  std::string symbol = plugin;
  for (unsigned number = 2;; ++number) {
    auto known = module.lookupSymbol<func::FuncOp>(symbol);
    if (!known) break;
    bool fits = known.isExternal() && known.getFunctionType() == type;
    for (unsigned i = 0; fits && i < argumentTypes.size(); ++i)
      fits = known.getArgAttrOfType<StringAttr>(i, "xcut.type") == b.getStringAttr(argumentTypes[i]);
    for (unsigned i = 0; fits && i < resultTypes.size(); ++i)
      fits = known.getResultAttrOfType<StringAttr>(i, "xcut.type") == b.getStringAttr(resultTypes[i]);
    if (fits) return known;
    symbol = plugin + "#" + std::to_string(number);
  }
  OpBuilder::InsertionGuard guard(e.b);
  e.b.setInsertionPointToStart(module.getBody());
  auto function = func::FuncOp::create(e.b, e.loc, symbol, type);
  function.setPrivate();
  function->setAttr("xcut.plugin", b.getStringAttr(plugin));
  for (auto [i, name] : llvm::enumerate(argumentTypes)) function.setArgAttr(i, "xcut.type", b.getStringAttr(name));
  for (auto [i, name] : llvm::enumerate(resultTypes)) function.setResultAttr(i, "xcut.type", b.getStringAttr(name));
  return function;
}

}  // namespace

LogicalResult lowerPlugin(Op &op) {
  Emitter &e = op.e;
  unsigned inputs = op.inputCount(), outputs = op.outputCount();
  while (inputs && !op.has(inputs - 1)) --inputs;
  while (outputs && !op.wants(outputs - 1)) --outputs;
  SmallVector<Value> operands, sizes;
  std::vector<std::string> argumentTypes, resultTypes;
  for (unsigned i = 0; i < inputs; ++i) {
    if (!op.has(i)) return op.fail("input " + Twine(i) + " is left out, which a plugin's call can not have");
    operands.push_back(op.in(i));
    argumentTypes.push_back(typeName(op.type(i)));
  }
  SmallVector<Type> results;
  SmallVector<Dims> resultDims;
  for (unsigned i = 0; i < outputs; ++i) {
    if (!op.wants(i)) return op.fail("output " + Twine(i) + " is left out, which a plugin's call can not have");
    const ValueInfo *info = op.declared(i);
    if (!info || info->type == kUndefined || !info->hasRank)
      return op.fail("a call of a plugin, and the model does not state the type and shape of its output '" +
                     op.node.outputs[i] + "' (value_info)");
    Dims dims;
    int64_t elements = 1;
    for (int64_t dim : info->dims)
      if (dim > 0) {
        if (elements > kMostElements / dim)
          return op.fail("its output '" + op.node.outputs[i] + "' is larger than memory");
        elements *= dim;
      }
    for (size_t d = 0; d < info->dims.size(); ++d) {
      OpFoldResult dim =
          info->dims[d] >= 0 ? OpFoldResult(e.attr(info->dims[d])) : dimensionNamed(op, info->symbols[d]);
      if (!dim)
        return op.fail("a call of a plugin, and dimension " + Twine(d) + " of its output '" + op.node.outputs[i] +
                       "' is neither a number nor the name of a dimension of its inputs or the graph's");
      if (!constantOf(dim)) sizes.push_back(cast<Value>(dim));
      dims.push_back(dim);
    }
    results.push_back(e.tensorType(dims, e.elementType(info->type)));
    resultTypes.push_back(typeName(info->type));
    resultDims.push_back(std::move(dims));
  }
  SmallVector<NamedAttribute> attributes;
  for (const auto &[name, attribute] : op.node.attributes) {
    Attribute value = convert(op, attribute);
    if (!value) return op.fail("attribute '" + name + "' is of a kind that plugins are not given");
    attributes.emplace_back(e.b.getStringAttr(name), value);
  }
  operands.append(sizes);
  auto type = e.b.getFunctionType(ValueRange(operands).getTypes(), results);
  func::FuncOp plugin = declare(e, op.node.domain + "." + op.node.op, type, argumentTypes, resultTypes);
  auto call = func::CallOp::create(e.b, e.loc, plugin, operands);
  if (!attributes.empty()) call->setAttr("xcut.attributes", e.b.getDictionaryAttr(attributes));
  for (unsigned i = 0; i < outputs; ++i) {
    e.setDims(call.getResult(i), resultDims[i]);
    op.result(i, call.getResult(i), op.declaredType(i));
  }
  return success();
}

}  // namespace crosscut::onnxir
