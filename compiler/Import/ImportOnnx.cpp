// An ONNX model → one func.func @main in the tensor IR: load, simplify, then lower node after node.
#include "compiler/Import/ImportParts.h"
#include "compiler/Import/Lowerings.h"
#include "compiler/Import/OpTable.h"
#include "compiler/Import/Simplify.h"

#include "crosscut/abi.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Transforms/RegionUtils.h"

namespace crosscut {

using namespace mlir;
using namespace onnxir;

namespace {

// The short type names of the ABI, for xcut.type.
StringRef abiTypeName(ElementType type) {
  switch (type) {
    case kF32: return "f32";
    case kI8: return "i8";
    case kI16: return "i16";
    case kI32: return "i32";
    case kI64: return "i64";
    case kU8: return "u8";
    case kU16: return "u16";
    case kU32: return "u32";
    case kU64: return "u64";
    default: return "bool";
  }
}

class OnnxImporter {
 public:
  OnnxImporter(MLIRContext &context, StringRef path, const ImportOptions &options,
               std::vector<UnsupportedNode> *unsupported)
      : context_(context), path_(path), options_(options), unsupported_(unsupported) {}

  llvm::Expected<OwningOpRef<ModuleOp>> run(StringRef bytes);

 private:
  llvm::Error fail(const Twine &reason) { return llvm::createStringError(path_ + ": " + reason); }
  llvm::Error checkSignature();
  llvm::Error addArguments(OpBuilder &builder, Emitter &e, Values &values, func::FuncOp function);
  void lowerNode(OpBuilder &builder, Emitter &e, Values &values, const Node &node);
  void reject(const Node &node, const Twine &reason);
  llvm::Error finish(OpBuilder &builder, Emitter &e, Values &values, func::FuncOp function);

  int64_t opset(const Node &node) const {
    auto it = model_.opsets.find(node.domain);
    return it == model_.opsets.end() ? 0 : it->second;
  }

  MLIRContext &context_;
  StringRef path_;
  const ImportOptions &options_;
  std::vector<UnsupportedNode> *unsupported_;
  Model model_;
  std::vector<UnsupportedNode> rejected_;
};

std::string nodeName(const Node &node) {
  if (!node.name.empty()) return node.name;
  for (const std::string &output : node.outputs)
    if (!output.empty()) return output;
  return "";
}

llvm::Error OnnxImporter::checkSignature() {
  auto check = [&](const ValueInfo &info, StringRef what) -> llvm::Error {
    auto refuse = [&](const Twine &reason) { return fail(what + " '" + info.name + "': " + reason); };
    if (!info.form.empty()) return refuse("type " + info.form + " is not supported");
    if (!isSupported(info.type)) return refuse(Twine("type ") + elementTypeName(info.type) + " is not supported");
    if (info.dims.size() > XCUT_MAX_RANK) return refuse("rank " + Twine(info.dims.size()) + " is not supported");
    return llvm::Error::success();
  };
  for (const ValueInfo &input : model_.inputs) {
    if (llvm::Error error = check(input, "input")) return error;
    if (!input.hasRank)
      return fail("input '" + input.name + "': its rank is not stated; give its shape with --input-shape");
  }
  if (model_.outputs.empty()) return fail("the model has no outputs");
  for (const ValueInfo &output : model_.outputs)
    if (!output.form.empty() || output.type != kUndefined)
      if (llvm::Error error = check(output, "output")) return error;
  return llvm::Error::success();
}

llvm::Error OnnxImporter::addArguments(OpBuilder &builder, Emitter &e, Values &values, func::FuncOp function) {
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  for (auto [i, input] : llvm::enumerate(model_.inputs)) {
    function.setArgAttr(i, "xcut.name", builder.getStringAttr(input.name));
    function.setArgAttr(i, "xcut.type", builder.getStringAttr(abiTypeName(input.type)));
    Tensor tensor;
    tensor.type = input.type;
    tensor.value = entry->getArgument(i);
    e.loc = NameLoc::get(builder.getStringAttr("Input:" + input.name));
    e.dims(tensor.value);
    if (values.shapeLike.contains(input.name) && isInteger(input.type)) values.scalars(e, tensor, true);
    values.define(input.name, std::move(tensor));
  }
  return llvm::Error::success();
}

void OnnxImporter::reject(const Node &node, const Twine &reason) {
  UnsupportedNode entry;
  entry.node = nodeName(node);
  entry.op = node.domain.empty() ? node.op : node.domain + "." + node.op;
  entry.reason = reason.str();
  entry.opset = opset(node);
  rejected_.push_back(std::move(entry));
}

void OnnxImporter::lowerNode(OpBuilder &builder, Emitter &e, Values &values, const Node &node) {
  e.loc = NameLoc::get(builder.getStringAttr(node.op + ":" + nodeName(node)));
  Op op(values, e, node, opset(node));
  Lowering lowering = findLowering(node.domain, node.op);
  // After a refused node, what follows is imported on placeholders so that --check sees all of the model.
  auto placeholders = [&] {
    for (unsigned i = 0; i < op.outputCount(); ++i)
      if (auto dims = op.declaredDims(i); dims && isSupported(op.declaredType(i)))
        op.result(i, e.empty(*dims, e.elementType(op.declaredType(i))), op.declaredType(i));
  };
  if (!lowering) {
    reject(node, "the operator is not supported");
    return placeholders();
  }
  for (unsigned i = 0; i < op.inputCount(); ++i) {
    if (!op.has(i)) continue;
    Tensor *tensor = values.find(node.inputs[i]);
    if (!tensor) {
      if (rejected_.empty()) reject(node, "its input '" + node.inputs[i] + "' is not defined");
      return placeholders();
    }
    if (!isSupported(tensor->type)) {
      reject(node,
             Twine("type ") + elementTypeName(tensor->type) + " of input '" + node.inputs[i] + "' is not supported");
      return placeholders();
    }
  }
  for (unsigned i = 0; i < op.outputCount(); ++i)
    if (const ValueInfo *info = op.declared(i))
      if (!info->form.empty() || (info->type != kUndefined && !isSupported(info->type))) {
        reject(node, "type " + (info->form.empty() ? std::string(elementTypeName(info->type)) : info->form) +
                         " of output '" + node.outputs[i] + "' is not supported");
        return placeholders();
      }
  if (lowerOnScalars(op)) return;
  op.reason.clear();
  // A builder that meets an impossible shape says so through a diagnostic; it becomes the node's reason.
  std::string diagnostic;
  ScopedDiagnosticHandler handler(&context_, [&](Diagnostic &d) {
    if (diagnostic.empty()) diagnostic = d.str();
    return success();
  });
  bool lowered = succeeded(lowering(op));
  std::string problem = std::exchange(e.problem, "");
  if (!lowered || !problem.empty()) {
    reject(node, !op.reason.empty() ? op.reason : !problem.empty() ? problem : diagnostic);
    return placeholders();
  }
  for (unsigned i = 0; i < op.outputCount(); ++i)
    if (op.wants(i) && !values.find(node.outputs[i])) {
      reject(node, "output '" + node.outputs[i] + "' is not supported");
      return placeholders();
    }
}

llvm::Error OnnxImporter::finish(OpBuilder &builder, Emitter &e, Values &values, func::FuncOp function) {
  std::vector<std::string> names;
  llvm::StringSet<> seen;
  for (const ValueInfo &output : model_.outputs) {
    names.push_back(output.name);
    seen.insert(output.name);
  }
  if (options_.exposeIntermediates)
    for (const Node &node : model_.nodes)
      for (const std::string &output : node.outputs)
        if (!output.empty() && values.find(output) && seen.insert(output).second) names.push_back(output);
  SmallVector<Value> results;
  for (const std::string &name : names) {
    Tensor *tensor = values.find(name);
    if (!tensor) return fail("output '" + name + "' is not computed by any node");
    if (!isSupported(tensor->type))
      return fail("output '" + name + "': type " + elementTypeName(tensor->type) + " is not supported");
    e.loc = NameLoc::get(builder.getStringAttr("Output:" + name));
    results.push_back(values.materialize(e, *tensor));
  }
  func::ReturnOp::create(builder, e.loc, results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  for (auto [i, name] : llvm::enumerate(names)) {
    function.setResultAttr(i, "xcut.name", builder.getStringAttr(name));
    function.setResultAttr(i, "xcut.type", builder.getStringAttr(abiTypeName(values.find(name)->type)));
  }
  return llvm::Error::success();
}

llvm::Expected<OwningOpRef<ModuleOp>> OnnxImporter::run(StringRef bytes) {
  LoadOptions load;
  load.inputShapes = options_.inputShapes;
  load.isLowered = [](const std::string &domain, const std::string &op) { return findLowering(domain, op) != nullptr; };
  load.isPlugin = [](const std::string &domain) { return !isStandardDomain(domain); };
  std::string error;
  if (!loadOnnx(bytes.data(), bytes.size(), load, model_, error)) return fail(error);
  propagateShapesBack(model_);
  gatherConstants(model_);
  dropDeadNodes(model_);
  if (!options_.exposeIntermediates) {
    foldIntoConvolutions(model_);
    splitTransposedConvolutions(model_);
  }
  if (llvm::Error signature = checkSignature()) return std::move(signature);

  OpBuilder builder(&context_);
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToStart(module->getBody());
  Emitter e(builder, NameLoc::get(builder.getStringAttr("main")));
  SmallVector<Type> argumentTypes;
  for (const ValueInfo &input : model_.inputs) {
    SmallVector<int64_t> shape(input.dims.begin(), input.dims.end());
    for (int64_t &d : shape)
      if (d < 0) d = ShapedType::kDynamic;
    argumentTypes.push_back(RankedTensorType::get(shape, e.elementType(input.type)));
  }
  auto function = func::FuncOp::create(builder, e.loc, "main", builder.getFunctionType(argumentTypes, {}));
  Values values(model_);
  findShapeLike(values);
  if (llvm::Error arguments = addArguments(builder, e, values, function)) return std::move(arguments);
  for (const Node &node : model_.nodes) {
    lowerNode(builder, e, values, node);
    if (!rejected_.empty() && !unsupported_) break;
  }
  if (!rejected_.empty()) {
    if (unsupported_) {
      *unsupported_ = std::move(rejected_);
      return OwningOpRef<ModuleOp>();
    }
    const UnsupportedNode &first = rejected_.front();
    return fail("node '" + first.node + "' (" + first.op + ", opset " + Twine(first.opset) + "): " + first.reason);
  }
  if (llvm::Error output = finish(builder, e, values, function)) return std::move(output);

  IRRewriter rewriter(&context_);
  (void)runRegionDCE(rewriter, module->getOperation()->getRegions());
  std::string diagnostic;
  ScopedDiagnosticHandler handler(&context_, [&](Diagnostic &d) {
    if (diagnostic.empty())
      diagnostic = (Twine(cast<NameLoc>(isa<NameLoc>(d.getLocation()) ? d.getLocation() : e.loc).getName().getValue()) +
                    ": " + d.str())
                       .str();
    return success();
  });
  if (failed(verify(*module))) return fail("the shapes of the model do not fit: " + diagnostic);
  return module;
}

}  // namespace

llvm::Expected<OwningOpRef<ModuleOp>> importOnnx(MLIRContext &context, StringRef path, StringRef bytes,
                                                 const ImportOptions &options,
                                                 std::vector<UnsupportedNode> *unsupported) {
  return OnnxImporter(context, path, options, unsupported).run(bytes);
}

}  // namespace crosscut
