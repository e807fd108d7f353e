// Writes what a phase left behind, for --dump-phases. The one place where dumps become files.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/BuiltinOps.h"

namespace crosscut {

// Lets `write` fill the file `name` in the folder `dir`; does nothing when `dir` is empty. A file that can not be
// opened or written, on a full disk too, is an error that names it.
llvm::Error dumpPhase(llvm::StringRef dir, const llvm::Twine &name,
                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write);

// The same for a module of MLIR. Large constants are left out: they would bury the code.
llvm::Error dumpPhase(llvm::StringRef dir, const llvm::Twine &name, mlir::ModuleOp module);

}  // namespace crosscut
