// MLIR text → tensor IR: parses func, linalg, tosa, tensor, arith and math, and lowers tosa with upstream's own passes.
#include "compiler/Import/ImportParts.h"

#include "llvm/Support/SourceMgr.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Dialect/Tosa/Transforms/Passes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace crosscut {

using namespace mlir;

namespace {

std::string oneLine(StringRef text) {
  std::string line;
  for (char c : text.trim()) line += c == '\n' ? ' ' : c;
  return line;
}

// Empty for element types that the ABI does not know.
StringRef typeName(Type type) {
  if (type.isF32()) return "f32";
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer) return "";
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
    case 1: return "bool";
    case 8: return isUnsigned ? "u8" : "i8";
    case 16: return isUnsigned ? "u16" : "i16";
    case 32: return isUnsigned ? "u32" : "i32";
    case 64: return isUnsigned ? "u64" : "i64";
    default: return "";
  }
}

}  // namespace

llvm::Expected<OwningOpRef<ModuleOp>> importMlir(MLIRContext &context, StringRef path, StringRef text,
                                                 const ImportOptions &options) {
  context.loadDialect<tosa::TosaDialect>();
  auto fail = [&](const Twine &reason) { return llvm::createStringError(path + ": " + reason); };
  std::string diagnostic;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &d) {
    if (!diagnostic.empty() || d.getSeverity() != DiagnosticSeverity::Error) return success();
    llvm::raw_string_ostream out(diagnostic);
    if (auto at = dyn_cast<FileLineColLoc>(d.getLocation())) out << "line " << at.getLine() << ": ";
    out << oneLine(d.str());
    return success();
  });
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(text, path), llvm::SMLoc());
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
  if (!module) return fail(diagnostic.empty() ? "can not be parsed" : diagnostic);
  if (!options.inputShapes.empty()) return fail("--input-shape needs an ONNX model");
  if (options.exposeIntermediates) return fail("intermediate tensors need an ONNX model");

  PassManager passes(&context);
  OpPassManager &functions = passes.nest<func::FuncOp>();
  TosaToLinalgNamedOptions named;
  named.preferConv2DKernelLayoutHWCF = false;
  functions.addPass(tosa::createTosaInferShapesPass());
  functions.addPass(tosa::createTosaToLinalgNamed(named));
  functions.addPass(tosa::createTosaToLinalg());
  functions.addPass(createTosaToArithPass());
  functions.addPass(createTosaToTensorPass());
  functions.addPass(createConvertElementwiseToLinalgPass());  // arith and math on whole tensors
  functions.addPass(createCanonicalizerPass());
  if (failed(passes.run(*module))) return fail(diagnostic.empty() ? "tosa can not be lowered" : diagnostic);

  int64_t publicFunctions = 0;
  Builder b(&context);
  for (Operation &op : module->getBody()->getOperations()) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function) return fail("operation '" + op.getName().getStringRef() + "' at the top is not supported");
    if (function.isPrivate() && !function.isExternal()) continue;
    bool isPlugin = function.isExternal();
    publicFunctions += !isPlugin;
    auto name = [&](bool isArgument, unsigned i, Type type) -> bool {
      auto tensor = dyn_cast<RankedTensorType>(type);
      StringRef element = tensor ? typeName(tensor.getElementType()) : "";
      if (element.empty()) return false;
      std::string fallback = (isArgument ? "arg" : "result") + std::to_string(i);
      auto set = [&](StringRef key, StringRef value) {
        if (isArgument) {
          if (!function.getArgAttr(i, key)) function.setArgAttr(i, key, b.getStringAttr(value));
        } else if (!function.getResultAttr(i, key)) {
          function.setResultAttr(i, key, b.getStringAttr(value));
        }
      };
      set("xcut.name", fallback);
      set("xcut.type", element);
      return true;
    };
    int64_t sizes = 0;  // of a plugin's results
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      if (isPlugin && type.isIndex()) ++sizes;
      else if (sizes) return fail("@" + function.getName() + ": a plugin takes tensors first, then sizes");
      else if (!name(true, i, type))
        return fail("argument " + Twine(i) + " of @" + function.getName() + " is not a tensor of a supported type");
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      if (!name(false, i, type))
        return fail("result " + Twine(i) + " of @" + function.getName() + " is not a tensor of a supported type");
      else if (isPlugin) sizes -= cast<RankedTensorType>(type).getNumDynamicDims();
    if (isPlugin && sizes)
      return fail("@" + function.getName() + ": a plugin takes an index for each open dimension of its results");
  }
  if (!publicFunctions) return fail("there is no public function");
  // What is left has to be in the form that code generation reads.
  std::string stranger;
  module->walk([&](Operation *op) {
    StringRef dialect = op->getName().getDialectNamespace();
    if (!stranger.empty() || llvm::is_contained({"builtin", "func", "linalg", "tensor", "arith", "math"}, dialect))
      return;
    stranger = op->getName().getStringRef().str();
    if (auto at = dyn_cast<FileLineColLoc>(op->getLoc())) stranger += " (line " + std::to_string(at.getLine()) + ")";
  });
  if (!stranger.empty()) return fail("operation " + stranger + " is not supported");
  // Kernels and errors quote the location: the operation, and where it came from.
  module->walk([&](Operation *op) {
    std::string name = op->getName().getStringRef().str();
    if (auto at = op->getLoc()->findInstanceOf<FileLineColLoc>()) name += ":line " + std::to_string(at.getLine());
    if (!isa<ModuleOp, func::FuncOp>(op)) op->setLoc(NameLoc::get(b.getStringAttr(name)));
  });
  return module;
}

}  // namespace crosscut
