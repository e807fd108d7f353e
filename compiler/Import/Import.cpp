// Reads the file, hashes it, and hands it to the reader for its kind.
#include "compiler/Import/Import.h"

#include "compiler/Import/ImportParts.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"

#include <set>

namespace crosscut {

std::vector<std::string> pluginsOf(mlir::ModuleOp module) {
  std::set<std::string> names;
  module.walk([&](mlir::func::CallOp call) {
    auto callee = mlir::SymbolTable::lookupNearestSymbolFrom<mlir::func::FuncOp>(call, call.getCalleeAttr());
    auto name = callee->getAttrOfType<mlir::StringAttr>("xcut.plugin");
    if (callee.isExternal()) names.insert(name ? name.str() : callee.getSymName().str());
  });
  return {names.begin(), names.end()};
}

llvm::Expected<ImportedModel> importModel(mlir::MLIRContext &context, llvm::StringRef path,
                                          const ImportOptions &options, std::vector<UnsupportedNode> *unsupported) {
  auto fail = [&](const llvm::Twine &reason) { return llvm::createStringError(path + ": " + reason); };
  llvm::StringRef extension = llvm::sys::path::extension(path);
  bool isMlir = extension == ".mlir";
  if (!isMlir && extension != ".onnx") return fail("unknown kind of model: expected .onnx or .mlir");
  if (llvm::sys::fs::is_directory(path)) return fail("is a folder");
  auto buffer = llvm::MemoryBuffer::getFile(path, isMlir, /*RequiresNullTerminator=*/isMlir);
  if (!buffer) return fail("can not be read: " + buffer.getError().message());
  llvm::StringRef bytes = (*buffer)->getBuffer();

  context.loadDialect<mlir::func::FuncDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                      mlir::tensor::TensorDialect, mlir::linalg::LinalgDialect, mlir::cf::ControlFlowDialect>();
  auto module =
      isMlir ? importMlir(context, path, bytes, options) : importOnnx(context, path, bytes, options, unsupported);
  if (!module) return module.takeError();
  ImportedModel model;
  model.module = std::move(*module);
  model.sha256 = llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes));
  return model;
}

}  // namespace crosscut
