// Links with lld, inside this process. lld reads and writes files, so the objects pass through temporary ones.
#include "compiler/Emit/Link.h"

#include "compiler/Emit/Table.h"

#include "lld/Common/Driver.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Signals.h"

using namespace llvm;

LLD_HAS_DRIVER(elf)
LLD_HAS_DRIVER(wasm)

namespace crosscut {

// One segment, readable and executable, that starts with the file. The GOT that i386 code names is never written to,
// since nothing is resolved at run time; data that would have to be writable is refused. Everything up to .text comes
// first, so that the headers, the table and the constants share pages.
static const char elfScript[] = R"(
PHDRS {
  image PT_LOAD FILEHDR PHDRS FLAGS(5);
  dynamic PT_DYNAMIC FLAGS(4);
}
SECTIONS {
  . = SIZEOF_HEADERS;
  .hash : { *(.hash) *(.gnu.hash) } :image
  .dynsym : { *(.dynsym) } :image
  .dynstr : { *(.dynstr) } :image
  .dynamic : { *(.dynamic) } :image :dynamic
  .got : { *(.got .got.plt .toc) } :image
  .rodata : { *(.rodata.xcut_table) *(.rodata .rodata.*) *(.data.rel.ro .data.rel.ro.*) } :image
  .text : ALIGN(64) { *(.text .text.*) } :image
  .data : { *(.data .data.* .sdata .sdata.* .bss .bss.* .sbss .sbss.* .tdata .tbss) }
  ASSERT(SIZEOF(.data) == 0, "the code has writable data")
  /DISCARD/ : {
    *(.eh_frame .eh_frame_hdr .ARM.exidx .ARM.exidx.* .ARM.extab .ARM.extab.*)
    *(.comment .note .note.* .stack_sizes .llvm_addrsig .gnu.version .gnu.version_r)
  }
}
)";

namespace {
// A temporary file that goes away with the object, also when the process is killed by a signal it can catch.
class ScratchFile {
 public:
  static Expected<ScratchFile> create(StringRef suffix, StringRef content) {
    ScratchFile file;
    int descriptor;
    if (std::error_code code = sys::fs::createTemporaryFile("crosscut", suffix, descriptor, file.path))
      return createStringError(code, "can not create a temporary file: " + code.message());
    sys::RemoveFileOnSignal(file.path);
    raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
    stream << content;
    stream.flush();
    if (std::error_code code = stream.error()) {
      stream.clear_error();
      return createStringError(code, "can not write " + file.path.str() + ": " + code.message());
    }
    return file;
  }
  ScratchFile(ScratchFile &&other) : path(std::move(other.path)) { other.path.clear(); }
  ScratchFile &operator=(ScratchFile &&) = delete;
  ~ScratchFile() {
    if (path.empty()) return;
    sys::fs::remove(path);
    sys::DontRemoveFileOnSignal(path);
  }
  const char *name() { return path.c_str(); }

 private:
  ScratchFile() = default;
  SmallString<128> path;
};
}  // namespace

static std::vector<const char *> elfArguments(const TargetSpec &spec, bool debugSymbols) {
  std::vector<const char *> arguments = {"ld.lld",
                                         "-shared",
                                         "-nostdlib",
                                         "--no-undefined",
                                         "-Bsymbolic",
                                         "--gc-sections",
                                         "--build-id=none",
                                         "--hash-style=sysv",
                                         "--threads=1",
                                         "-z",
                                         "norelro",
                                         "-z",
                                         "nognustack",
                                         "-z",
                                         "rodynamic",
                                         "-z",
                                         "text",
                                         "-z",
                                         "max-page-size=65536",
                                         "-e",
                                         tableSymbol};
  if (!debugSymbols) arguments.push_back("--strip-all");
  // The byte order that every big-endian ARM since v6 runs.
  if (spec.triple.getArch() == Triple::armeb || spec.triple.getArch() == Triple::thumbeb) arguments.push_back("--be8");
  return arguments;
}

static std::vector<const char *> wasmArguments(const TargetSpec &spec, bool debugSymbols) {
  std::vector<const char *> arguments = {"wasm-ld",
                                         "--no-entry",
                                         "--gc-sections",
                                         "--stack-first",
                                         "--threads=1",
                                         "-z",
                                         "stack-size=65536",
                                         "--export-table",
                                         "--export=xcut_table",
                                         "--export=__heap_base",
                                         "--export-if-defined=xcut_weights"};
  if (!debugSymbols) arguments.push_back("--strip-all");
  if (spec.pointerBits == 64) arguments.push_back("-mwasm64");
  return arguments;
}

// lld's text as one line: the first error, without the program's name and the names of temporary files.
static Error linkError(StringRef text) {
  StringRef line = text.split('\n').first;
  size_t at = line.find("error: ");
  if (at != StringRef::npos) line = line.drop_front(at + strlen("error: "));
  if (line.starts_with("undefined symbol")) return createStringError("internal error: the module needs " + line);
  return createStringError("internal error while linking: " + (line.empty() ? "lld failed" : line));
}

// Runs lld with `arguments`, the output's and the objects' names behind them.
static Expected<Object> runLld(std::vector<const char *> arguments, ArrayRef<Object> objects) {
  std::vector<ScratchFile> files;
  for (const Object &object : objects) {
    Expected<ScratchFile> file = ScratchFile::create("o", StringRef(object.data(), object.size()));
    if (!file) return file.takeError();
    files.push_back(std::move(*file));
  }
  Expected<ScratchFile> output = ScratchFile::create("xcm", "");
  if (!output) return output.takeError();
  arguments.insert(arguments.end(), {"-o", output->name()});
  for (ScratchFile &file : files) arguments.push_back(file.name());

  std::string errors;
  raw_string_ostream errorStream(errors);
  lld::Result result =
      lld::lldMain(arguments, nulls(), errorStream, {{lld::Gnu, &lld::elf::link}, {lld::Wasm, &lld::wasm::link}});
  if (result.retCode != 0) return linkError(errors);
  auto image = MemoryBuffer::getFile(output->name(), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!image) return createStringError(image.getError(), "can not read the linked module");
  return Object((*image)->getBufferStart(), (*image)->getBufferEnd());
}

Expected<Object> linkModule(ArrayRef<Object> objects, const TargetSpec &spec, bool debugSymbols) {
  if (spec.triple.isWasm()) return runLld(wasmArguments(spec, debugSymbols), objects);
  Expected<ScratchFile> script = ScratchFile::create("ld", elfScript);
  if (!script) return script.takeError();
  std::vector<const char *> arguments = elfArguments(spec, debugSymbols);
  arguments.insert(arguments.end(), {"-T", script->name()});
  return runLld(std::move(arguments), objects);
}

Expected<Object> linkObject(ArrayRef<Object> objects) { return runLld({"ld.lld", "-r", "--threads=1"}, objects); }

}  // namespace crosscut
