// Prints the tensor IR of a model: crosscut-import-test MODEL [--check] [--expose] [--shape=NAME=1x3x4]...
#include "compiler/Import/Import.h"

#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

#include <cstring>

int main(int argc, char **argv) {
  crosscut::ImportOptions options;
  std::string path;
  bool check = false, locations = false;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef arg = argv[i];
    if (arg == "--check") check = true;
    else if (arg == "--expose") options.exposeIntermediates = true;
    else if (arg == "--locations") locations = true;
    else if (arg.consume_front("--shape=")) {
      auto [name, dims] = arg.rsplit('=');
      auto &shape = options.inputShapes[name.str()];
      while (!dims.empty()) {
        auto [first, rest] = dims.split('x');
        int64_t size = 0;
        if (first.getAsInteger(10, size)) return 2;
        shape.push_back(size);
        dims = rest;
      }
    } else path = arg.str();
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  std::vector<crosscut::UnsupportedNode> unsupported;
  auto model = crosscut::importModel(context, path, options, check ? &unsupported : nullptr);
  if (!model) {
    llvm::errs() << llvm::toString(model.takeError()) << "\n";
    return 1;
  }
  for (const auto &node : unsupported)
    llvm::outs() << node.op << " opset " << node.opset << " '" << node.node << "': " << node.reason << "\n";
  if (!unsupported.empty()) return 1;
  mlir::OpPrintingFlags flags;
  if (locations) flags.enableDebugInfo(true, true);
  model->module->print(llvm::outs(), flags);
  llvm::outs() << "\n";
  return 0;
}
