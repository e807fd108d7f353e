// Program → files, step by step.
#include "compiler/Emit/Emit.h"

#include "compiler/Emit/DebugInfo.h"
#include "compiler/Emit/Formats.h"
#include "compiler/Emit/Lower.h"
#include "compiler/Emit/StackSizes.h"
#include "compiler/Support/Dump.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Target/TargetMachine.h"

#include <chrono>

using namespace llvm;

namespace crosscut {

namespace {
class Stopwatch {
 public:
  explicit Stopwatch(std::vector<PhaseTime> &times) : times(times) {}
  void lap(const char *name) {
    auto now = std::chrono::steady_clock::now();
    times.push_back({name, std::chrono::duration<double>(now - last).count()});
    last = now;
  }

 private:
  std::vector<PhaseTime> &times;
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};
}  // namespace

Error emitModule(Program &program, const TargetSpec &spec, const EmitOptions &options, StringRef path,
                 std::vector<PhaseTime> &times) {
  Stopwatch watch(times);
  setCodegenOptions(spec);
  auto machine = createTargetMachine(spec, options.optLevel);
  if (!machine) return machine.takeError();
  DataLayout layout = (*machine)->createDataLayout();
  bool isStatic = options.format == Format::Static;
  StaticInterface interface;
  if (isStatic) {
    Expected<StaticInterface> named = staticInterface(program, options.name);
    if (!named) return named.takeError();
    interface = std::move(*named);
  }

  if (Error error = lowerToLLVMDialect(program, spec, layout, options.optLevel)) return error;
  if (options.debugSymbols) addDebugInfo(program);
  if (Error error = dumpPhase(options.dumpDir, "6-llvm.mlir", *program.code)) return error;
  watch.lap("lower to LLVM");

  LLVMContext context;
  Expected<std::unique_ptr<Module>> module = translateToLLVM(program, spec, layout, context);
  if (!module) return module.takeError();
  if (isStatic) addCFunctions(**module, program, interface);
  watch.lap("translate");

  Expected<std::vector<Object>> objects = compileCode(std::move(*module), spec, options);
  if (!objects) return objects.takeError();
  watch.lap("optimise and compile");

  // Whoever links an object has these two, often better ones than the builtins.
  if (Error error =
          addBuiltins(*objects, spec, isStatic ? ArrayRef<StringRef>{"memcpy", "memset"} : ArrayRef<StringRef>()))
    return error;
  watch.lap("builtins");

  Expected<std::vector<uint32_t>> stackBytes = stackBounds(*objects, program);
  if (!stackBytes) return stackBytes.takeError();
  CompiledProgram compiled{program, spec, options, layout, context, std::move(*objects), std::move(*stackBytes)};
  Expected<std::vector<OutputFile>> files =
      isStatic ? staticFiles(compiled, interface, path) : elfFiles(compiled, path);
  if (!files) return files.takeError();
  watch.lap("link");

  files->insert(files->end(), options.besides.begin(), options.besides.end());
  if (Error error = writeFiles(*files)) return error;
  watch.lap("write");
  return Error::success();
}

}  // namespace crosscut
