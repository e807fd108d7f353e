// The two readers behind importModel().
#pragma once

#include "compiler/Import/Import.h"

namespace crosscut {

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importOnnx(mlir::MLIRContext &context, llvm::StringRef path,
                                                             llvm::StringRef bytes, const ImportOptions &options,
                                                             std::vector<UnsupportedNode> *unsupported);

llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importMlir(mlir::MLIRContext &context, llvm::StringRef path,
                                                             llvm::StringRef text, const ImportOptions &options);

}  // namespace crosscut
