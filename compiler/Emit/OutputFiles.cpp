// See OutputFiles.h.
#include "compiler/Emit/OutputFiles.h"

#include "llvm/Support/FileSystem.h"

#include <optional>
#include <vector>

using namespace llvm;

namespace crosscut {

static Error failed(const OutputFile &file, std::error_code code) {
  return createStringError(code, file.path + ": " + code.message());
}

static std::error_code writeTo(raw_fd_ostream &out, const OutputFile &file) {
  file.write(out);
  out.flush();
  std::error_code code = out.error();
  out.clear_error();
  return code;
}

static bool isInPlace(const OutputFile &file) {
  return sys::fs::exists(file.path) && !sys::fs::is_regular_file(file.path);
}

static Error writeInPlace(const OutputFile &file) {
  std::error_code code;
  raw_fd_ostream out(file.path, code, sys::fs::CD_OpenExisting, sys::fs::FA_Write, sys::fs::OF_None);
  if (!code) code = writeTo(out, file);
  return code ? failed(file, code) : Error::success();
}

static Error writeTemporary(const OutputFile &file, std::optional<sys::fs::TempFile> &temporary) {
  Expected<sys::fs::TempFile> created = sys::fs::TempFile::create(file.path + ".%%%%%%%%.tmp");
  if (!created) return failed(file, errorToErrorCode(created.takeError()));
  temporary = std::move(*created);
  raw_fd_ostream out(temporary->FD, /*shouldClose=*/false);
  std::error_code code = writeTo(out, file);
  return code ? failed(file, code) : Error::success();
}

Error writeFiles(ArrayRef<OutputFile> files) {
  std::vector<std::optional<sys::fs::TempFile>> temporaries(files.size());
  auto giveUp = [&](Error error) {
    for (auto &temporary : temporaries)
      if (temporary) consumeError(temporary->discard());
    return error;
  };
  for (auto [file, temporary] : zip(files, temporaries)) {
    if (sys::fs::is_directory(file.path)) return giveUp(failed(file, std::make_error_code(std::errc::is_a_directory)));
    if (isInPlace(file)) continue;
    if (Error error = writeTemporary(file, temporary)) return giveUp(std::move(error));
  }
  for (auto [file, temporary] : zip(files, temporaries)) {
    if (!temporary) {
      if (Error error = writeInPlace(file)) return giveUp(std::move(error));
      continue;
    }
    Error error = temporary->keep(file.path);
    temporary.reset();
    if (error) return giveUp(failed(file, errorToErrorCode(std::move(error))));
  }
  return Error::success();
}

}  // namespace crosscut
