// Emits a hand-made program for every platform, looks at the files with llvm-readelf, and runs the native one.
#include "compiler/Emit/Emit.h"
#include "compiler/Emit/test/Sample.h"
#include "compiler/Target/Platforms.h"
#include "compiler/Target/test/Check.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Memory.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace crosscut;
using namespace crosscut::test;
using namespace llvm;

static std::string readelf, dwarfdump, directory;

static bool emitted(StringRef target, StringRef cpu, const std::string &path, unsigned optLevel = 2,
                    bool debugSymbols = false) {
  Expected<TargetSpec> spec = resolveTarget(target, cpu, "");
  if (!spec) {
    expect(false, target + " resolves: " + toString(spec.takeError()));
    return false;
  }
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  Program program = sampleProgram(context);
  if (!program.code) {
    expect(false, "the sample parses");
    return false;
  }
  std::vector<PhaseTime> times;
  EmitOptions options;
  options.optLevel = optLevel;
  options.debugSymbols = debugSymbols;
  std::string message = messageOf(emitModule(program, *spec, options, path, times));
  expectEqual(target + " " + cpu + " is emitted", message, "(no error)");
  return message == "(no error)";
}

static std::string outputOf(const std::string &program, const std::string &path, std::vector<StringRef> flags) {
  std::string output = directory + "/output.txt";
  std::vector<StringRef> arguments = {program};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back(path);
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(output), StringRef(output)};
  expect(sys::ExecuteAndWait(program, arguments, std::nullopt, redirects) == 0, program + " reads " + path);
  auto text = MemoryBuffer::getFile(output);
  return text ? (*text)->getBuffer().str() : "";
}

static std::string readelfOf(const std::string &path, std::vector<StringRef> flags) {
  return outputOf(readelf, path, flags);
}

static void elfModuleIsOneReadExecuteSegment(StringRef target, const std::string &path) {
  std::string segments = readelfOf(path, {"-lW"});
  expect(StringRef(segments).count("LOAD ") == 1, target + " has one LOAD segment: " + segments);
  expectContains(target + " segment flags", segments, "R E");
  expect(!StringRef(segments).contains("RW"), target + " has nothing writable");
  std::string relocations = readelfOf(path, {"-r", "-d"});
  expectContains(target, relocations, "There are no relocations in this file");
  for (const char *tag : {"NEEDED", "TEXTREL", "JMPREL", "(REL", "RELA"})
    expect(!StringRef(relocations).contains(tag), target + " has no " + tag);
  std::string symbols = readelfOf(path, {"--dyn-syms"});
  expectContains(target + " dynamic symbols", symbols, "contains 1 entries");
  expectContains(target + " sections", readelfOf(path, {"-SW"}), ".xcut.weights");
}

// Reads the table as a loader would: through e_entry, in the byte order of the file.
static void tableSaysWhatTheProgramIs(StringRef target, const std::string &path, const TargetSpec &spec) {
  auto file = MemoryBuffer::getFile(path, false, false);
  if (!file) return expect(false, path + " exists");
  StringRef bytes = (*file)->getBuffer();
  auto order = spec.littleEndian ? endianness::little : endianness::big;
  auto at32 = [&](uint64_t at) { return support::endian::read32(bytes.data() + at, order); };
  auto at64 = [&](uint64_t at) { return support::endian::read64(bytes.data() + at, order); };
  uint64_t table = spec.pointerBits == 64 ? at64(24) : at32(24);
  if (table % 8 != 0 || table + sizeof(xcut_module_table) > bytes.size())
    return expect(false, target + ": e_entry is inside the file");
  expect(at32(table) == XCUT_ABI_MAGIC, target + ": e_entry names the table");
  expect(at32(table + offsetof(xcut_module_table, arch)) == spec.arch, target + ": architecture");
  uint64_t checked = at64(table + offsetof(xcut_module_table, checked_bytes));
  uint64_t weights = at64(table + offsetof(xcut_module_table, weights_offset));
  expect(checked <= weights && weights % XCUT_ALIGNMENT == 0 && weights + 300 == bytes.size(),
         target + ": weights follow the image, aligned");
  expect(uint8_t(bytes[weights + 5]) == 38, target + ": weights are the program's");
  expect(at32(table + offsetof(xcut_module_table, checksum)) ==
             xcut_checksum(bytes.data(), checked, table + offsetof(xcut_module_table, checksum)),
         target + ": checksum");
  uint64_t functions = table + offsetof(xcut_module_table, functions);
  functions += int32_t(at32(functions));
  expect(at32(functions + offsetof(xcut_function_info, input_count)) == 2, target + ": two inputs");
  uint32_t stack = at32(functions + offsetof(xcut_function_info, stack_bytes));
  expect(stack > 32 && stack < 4096, target + ": stack bytes are known: " + Twine(stack));
  uint64_t name = functions + int32_t(at32(functions));
  expectEqual(target + " function", bytes.substr(name, 5), StringRef("main\0", 5));
  uint64_t variant = table + offsetof(xcut_module_table, variants);
  variant += int32_t(at32(variant));
  expect(at64(variant) == spec.requiredFeatures, target + ": required features");
  uint32_t code = at32(variant + offsetof(xcut_variant, code_bytes));
  expect(code > 64 && code < checked, target + ": code bytes");
  uint64_t entries = variant + offsetof(xcut_variant, entries);
  entries += int32_t(at32(entries));
  uint64_t run = entries + int32_t(at32(entries));
  expect(run > 0 && run < checked, target + ": the entry point is in the image");
  if (spec.triple.isThumb()) expect(run & 1, target + ": the entry point is Thumb code");
}

static void everyPlatformGetsAWholeModule() {
  for (const Platform &platform : platforms()) {
    std::string path = directory + "/" + platform.name + ".xcm";
    if (!emitted(platform.name, "", path)) continue;
    Expected<TargetSpec> spec = resolveTarget(platform.name, "", "");
    if (!spec || spec->triple.isWasm()) continue;
    elfModuleIsOneReadExecuteSegment(platform.name, path);
    tableSaysWhatTheProgramIs(platform.name, path, *spec);
  }
}

// CPUs that lack instructions which the sample needs: the builtins fill in.
static void smallCpusNeedNothingFromOutside() {
  const char *cases[][2] = {{"thumbv6m-none-eabi", ""},
                            {"thumbv7m-none-eabi", ""},
                            {"riscv32-unknown-elf", ""},
                            {"x86_64-linux-gnu", "x86-64"},
                            {"armv7-linux-gnueabihf", "cortex-a9"},
                            {"wasm32", "mvp"}};
  for (auto &[target, cpu] : cases) emitted(target, cpu, directory + "/small.xcm");
  Expected<TargetSpec> bare = resolveTarget("riscv32-linux", "generic-rv32", "-m,-f,-d,-a,-c");
  expect(bool(bare), "rv32i resolves");
  consumeError(bare.takeError());
}

static void nativeModuleComputes(StringRef cpu, unsigned optLevel) {
  std::string path = directory + "/native.xcm";
  if (!emitted("", cpu, path, optLevel)) return;
  auto file = MemoryBuffer::getFile(path, false, false);
  if (!file) return expect(false, "native module opens");
  std::error_code code;
  sys::MemoryBlock block =
      sys::Memory::allocateMappedMemory((*file)->getBufferSize(), nullptr, sys::Memory::MF_RWE_MASK, code);
  memcpy(block.base(), (*file)->getBufferStart(), (*file)->getBufferSize());
  char *image = static_cast<char *>(block.base());
  auto *table = reinterpret_cast<xcut_module_table *>(image + support::endian::read64le(image + 24));
  auto follow = [](auto *field) { return reinterpret_cast<char *>(field) + *field; };
  auto *variant = reinterpret_cast<xcut_variant *>(follow(&table->variants));
  auto *entry = reinterpret_cast<xcut_entry *>(follow(&variant->entries));
  auto run = reinterpret_cast<xcut_run_fn>(follow(&entry->run));

  float a[64], b[64], sum[64], quotient[64];
  uint8_t copy[256];
  for (int i = 0; i < 64; ++i) a[i] = i * 1000.0f + 37.0f, b[i] = i - 31.5f;
  xcut_tensor tensors[5] = {};
  void *data[5] = {a, b, sum, quotient, copy};
  for (int i = 0; i < 5; ++i) tensors[i].data = data[i];
  xcut_call call = {};
  call.weights = image + table->weights_offset;
  call.tensors = tensors;
  for (int i = 0; i < 64; ++i)
    if (int64_t(b[i]) == 0) b[i] = 2;
  expect(run(&call) == XCUT_RUN_OK, "run returns XCUT_RUN_OK");
  std::string what = ("CPU '" + cpu + "' O" + Twine(optLevel) + " element ").str();
  for (int i = 0; i < 64; ++i) {
    expect(sum[i] == a[i] + b[i], what + Twine(i) + ": sum");
    expect(quotient[i] == float(int64_t(a[i]) / int64_t(b[i])), what + Twine(i) + ": quotient");
  }
  for (int i = 0; i < 256; ++i) expect(copy[i] == (i < 37 ? uint8_t(i * 7 + 3) : 0), what + Twine(i) + ": copy");
  sys::Memory::releaseMappedMemory(block);
}

static void debugSymbolsNameTheNodes() {
  for (const Platform &platform : platforms()) {
    std::string path = directory + "/" + platform.name + ".debug.xcm";
    if (!emitted(platform.name, "", path, 2, true)) continue;
    std::string dump = outputOf(dwarfdump, path, {"--debug-info"});
    for (const char *node : {"Add:sum", "Div:quotient"})
      expectContains(Twine(platform.name) + " debug information", dump, node);
    Expected<TargetSpec> spec = resolveTarget(platform.name, "", "");
    if (!spec || spec->triple.isWasm()) continue;
    elfModuleIsOneReadExecuteSegment(platform.name, path);
    tableSaysWhatTheProgramIs(platform.name, path, *spec);
  }
}

static void nothingIsLeftWhenWritingFails() {
  Expected<TargetSpec> spec = resolveTarget("", "", "");
  if (!spec) return consumeError(spec.takeError());
  mlir::MLIRContext context;
  Program program = sampleProgram(context);
  std::vector<PhaseTime> times;
  std::string message = messageOf(emitModule(program, *spec, {}, directory + "/missing/m.xcm", times));
  expectContains("a missing folder", message, "missing/m.xcm: No such file or directory");

  Program again = sampleProgram(context);
  if (sys::fs::exists("/dev/full")) {
    message = messageOf(emitModule(again, *spec, {}, "/dev/full", times));
    expectContains("a full disk", message, "/dev/full: No space left on device");
    expect(!sys::fs::is_regular_file("/dev/full"), "a device is not replaced by a file");
  }
  Program third = sampleProgram(context);
  message = messageOf(emitModule(third, *spec, {}, directory, times));
  expectContains("a folder as output", message, "Is a directory");
  std::error_code code;
  for (sys::fs::directory_iterator it(directory, code), end; it != end && !code; it.increment(code))
    expect(!StringRef(it->path()).ends_with(".tmp"), "no temporary file is left: " + Twine(it->path()));
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  readelf = argv[1];
  dwarfdump = argv[2];
  directory = argv[3];
  if (sys::fs::create_directories(directory)) return 2;
  everyPlatformGetsAWholeModule();
  smallCpusNeedNothingFromOutside();
  for (unsigned level = 0; level <= 3; ++level) nativeModuleComputes("", level);
  nativeModuleComputes("x86-64", 2);
  debugSymbolsNameTheNodes();
  nothingIsLeftWhenWritingFails();
  return result("emit-test");
}
