// See Dump.h.
#include "compiler/Support/Dump.h"

namespace crosscut {

llvm::Error dumpPhase(llvm::StringRef dir, const llvm::Twine &name,
                      llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  if (dir.empty()) return llvm::Error::success();
  std::string path = (dir + "/" + name).str();
  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  if (code) return llvm::createStringError(code, path + ": " + code.message());
  if (llvm::Error error = write(file)) return error;
  file.flush();
  if (!file.has_error()) return llvm::Error::success();
  code = file.error();
  file.clear_error();
  return llvm::createStringError(code, path + ": " + code.message());
}

llvm::Error dumpPhase(llvm::StringRef dir, const llvm::Twine &name, mlir::ModuleOp module) {
  return dumpPhase(dir, name, [&](llvm::raw_pwrite_stream &out) {
    module.print(out,
                 mlir::OpPrintingFlags().elideLargeElementsAttrs(16).elideLargeResourceString(64).assumeVerified());
    return llvm::Error::success();
  });
}

}  // namespace crosscut
