// Calls of plugins: a func.call of a function without body becomes a step over row-major tensors. What lies otherwise
// is copied before; what reads the results afterwards has to take them as they are.
#include "compiler/Plan/Planner.h"

#include "crosscut/abi.h"

using namespace mlir;

namespace crosscut {
namespace {

// The ABI's number of an element type that may be signless or not; 0 for none.
uint8_t typeOf(Type type) {
  if (type.isF32()) return XCUT_TYPE_F32;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer) return 0;
  if (integer.getWidth() == 1) return XCUT_TYPE_BOOL;
  return abiType(((integer.isUnsigned() ? "u" : "i") + llvm::Twine(integer.getWidth())).str());
}

llvm::Expected<PluginCall::Attribute> readAttribute(StringRef name, Attribute value) {
  PluginCall::Attribute result;
  result.name = name.str();
  auto append = [&](const void *bytes, size_t count) {
    auto *from = static_cast<const char *>(bytes);
    result.data.insert(result.data.end(), from, from + count);
  };
  if (auto text = dyn_cast<StringAttr>(value)) {
    result.type = XCUT_TYPE_U8;
    result.dims.push_back(text.size());
    append(text.data(), text.size());
    result.data.push_back(0);
    return result;
  }
  auto elements = dyn_cast<DenseElementsAttr>(value);
  if (auto scalar = dyn_cast<TypedAttr>(value); !elements && scalar && isa<FloatAttr, IntegerAttr>(value))
    elements = DenseElementsAttr::get(RankedTensorType::get({}, scalar.getType()), value);
  Type type = elements ? elements.getElementType() : Type();
  result.type = type ? typeOf(type) : 0;
  if (!result.type || elements.getType().getRank() > XCUT_MAX_RANK)
    return llvm::createStringError("attribute '" + name + "' has a form that plugins are not given");
  result.elementBytes = elementBytes(type);
  result.dims.assign(elements.getType().getShape().begin(), elements.getType().getShape().end());
  if (type.isF32()) {
    for (float v : elements.getValues<float>()) append(&v, sizeof v);
    return result;
  }
  for (const APInt &v : elements.getValues<APInt>()) {
    uint64_t bits = v.getZExtValue();
    uint8_t byte = bits;
    uint16_t two = bits;
    uint32_t four = bits;
    switch (result.elementBytes) {
      case 1: append(&byte, 1); break;
      case 2: append(&two, 2); break;
      case 4: append(&four, 4); break;
      default: append(&bits, 8); break;
    }
  }
  return result;
}

bool isPrintable(StringRef name) {
  return !name.empty() && llvm::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

llvm::Error Planner::visitCall(func::CallOp op) {
  auto fail = [&](const llvm::Twine &reason) { return llvm::createStringError(nameOf(op) + ": " + reason); };
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, op.getCalleeAttr());
  if (!callee.isExternal()) return fail("a call of a function that has a body is not supported");
  Step step;
  step.kind = StepKind::Plugin;
  step.name = nameOf(op);
  step.plugin = std::make_shared<PluginCall>();
  auto name = callee->getAttrOfType<StringAttr>("xcut.plugin");
  step.plugin->name = name ? name.str() : callee.getSymName().str();
  if (!isPrintable(step.plugin->name)) return fail("the plugin's name is empty or has control characters");

  auto check = [&](Value value, StringAttr type, std::vector<uint8_t> &types) -> llvm::Error {
    types.push_back(type ? abiType(type) : 0);
    if (!types.back()) return fail("a plugin's tensor has a type that modules can not have");
    if (cast<RankedTensorType>(value.getType()).getRank() > XCUT_MAX_RANK)
      return fail("a plugin's tensor has more than " + llvm::Twine(XCUT_MAX_RANK) + " dimensions");
    return llvm::Error::success();
  };
  for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
    if (operand.getType().isIndex()) continue;  // the size of a result
    if (!isa<RankedTensorType>(operand.getType())) return fail("a plugin takes tensors, and sizes of its results");
    if (llvm::Error error =
            check(operand, callee.getArgAttrOfType<StringAttr>(i, "xcut.type"), step.plugin->inputTypes))
      return error;
    TensorRef ref = refOf(operand);
    if (!isRowMajor(ref)) ref = materialize(ref, naturalOrder(ref.dims.size()), step.name + ".layout");
    step.nest.inputs.push_back({ref, ref.strides, ref.offset});
  }
  int64_t openDims = 0;
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type) return fail("a plugin returns tensors");
    openDims += type.getNumDynamicDims();
  }
  if (openDims != llvm::count_if(op.getOperandTypes(), [](Type type) { return type.isIndex(); }))
    return fail("a plugin's call has to give every open dimension of its results as an index");
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    if (llvm::Error error =
            check(result, callee.getResultAttrOfType<StringAttr>(i, "xcut.type"), step.plugin->outputTypes))
      return error;
    TensorRef ref = destinationOf(result);
    step.outputs.push_back({ref, ref.strides, ref.offset});
    refs[result] = ref;
  }
  if (auto attributes = op->getAttrOfType<DictionaryAttr>("xcut.attributes"))
    for (NamedAttribute attribute : attributes) {
      auto read = readAttribute(attribute.getName(), attribute.getValue());
      if (!read) return fail(llvm::toString(read.takeError()));
      step.plugin->attributes.push_back(std::move(*read));
    }
  emit(std::move(step));
  return llvm::Error::success();
}

}  // namespace crosscut
