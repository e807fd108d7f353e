// Program → module file, step by step.
#include "compiler/Emit/Emit.h"

#include "compiler/Emit/DebugInfo.h"
#include "compiler/Emit/Finish.h"
#include "compiler/Emit/Link.h"
#include "compiler/Emit/Lower.h"
#include "compiler/Emit/Objects.h"
#include "compiler/Emit/StackSizes.h"
#include "compiler/Emit/Table.h"
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
  auto machine = createTargetMachine(spec, options.optLevel);
  if (!machine) return machine.takeError();
  DataLayout layout = (*machine)->createDataLayout();

  if (Error error = lowerToLLVMDialect(program, spec, layout, options.optLevel)) return error;
  if (options.debugSymbols) addDebugInfo(program);
  if (Error error = dumpPhase(options.dumpDir, "6-llvm.mlir", *program.code)) return error;
  watch.lap("lower to LLVM");

  LLVMContext context;
  Expected<std::unique_ptr<Module>> module = translateToLLVM(program, spec, layout, context);
  if (!module) return module.takeError();
  watch.lap("translate");

  Expected<std::vector<Object>> objects = compileCode(std::move(*module), spec, options);
  if (!objects) return objects.takeError();
  watch.lap("optimise and compile");

  if (Error error = addBuiltins(*objects, spec)) return error;
  watch.lap("builtins");

  Expected<std::vector<uint32_t>> stackBytes = stackBounds(*objects, program);
  if (!stackBytes) return stackBytes.takeError();
  TableImage table = buildTable(program, spec);
  std::unique_ptr<Module> tableModule = buildTableModule(table, program, spec, layout, context);
  Expected<Object> tableObject = compileData(*tableModule, spec);
  if (!tableObject) return tableObject.takeError();
  objects->insert(objects->begin(), std::move(*tableObject));
  Expected<Object> image = linkModule(*objects, spec, options.debugSymbols);
  if (!image) return image.takeError();
  watch.lap("link");

  if (Error error = finishModule(*image, table, *stackBytes, program, spec, path)) return error;
  watch.lap("write");
  return Error::success();
}

}  // namespace crosscut
