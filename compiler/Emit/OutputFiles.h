// The files of a compilation: all of them appear whole, or what was at their paths stays.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>
#include <string>

namespace crosscut {

struct OutputFile {
  std::string path;
  std::function<void(llvm::raw_ostream &)> write;
};

// Writes every file beside its path and renames when all are complete. A device or pipe is written to in place. Errors
// name the path and the reason.
llvm::Error writeFiles(llvm::ArrayRef<OutputFile> files);

}  // namespace crosscut
