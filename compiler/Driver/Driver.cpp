// The compiler as a list of phases. Read compileModel() first: each step is one folder of compiler/, and what it leaves
// behind is what the next one needs.
#include "compiler/Driver/Driver.h"

#include "compiler/Codegen/Codegen.h"
#include "compiler/Driver/Explain.h"
#include "compiler/Emit/OutputFiles.h"
#include "compiler/Support/Dump.h"
#include "compiler/Target/Features.h"
#include "compiler/Target/Target.h"

#include "crosscut/abi.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Index/IR/IndexDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"

#include <chrono>

using namespace llvm;

namespace crosscut {

static const char *phase = "starting";
const char *currentPhase() { return phase; }

namespace {
// Measures phases one after the other.
class Clock {
 public:
  void start(const char *name) {
    phase = name;
    from = std::chrono::steady_clock::now();
  }
  void stop() {
    times.push_back({phase, std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count()});
  }
  std::vector<PhaseTime> times;

 private:
  std::chrono::steady_clock::time_point from;
};
}  // namespace

static void loadDialects(mlir::MLIRContext &context) {
  context.loadDialect<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect, mlir::func::FuncDialect,
                      mlir::index::IndexDialect, mlir::linalg::LinalgDialect, mlir::LLVM::LLVMDialect,
                      mlir::math::MathDialect, mlir::scf::SCFDialect, mlir::tensor::TensorDialect, mlir::ub::UBDialect,
                      mlir::vector::VectorDialect>();
}

static std::string bytesText(uint64_t bytes) {
  if (bytes == XCUT_ARENA_DYNAMIC) return "as the input needs";
  if (bytes < 10 * 1024) return (Twine(bytes) + " B").str();
  if (bytes < 10 * 1024 * 1024) return (Twine(bytes / 1024) + " KB").str();
  return (Twine(bytes / 1024 / 1024) + " MB").str();
}

static void printTimes(ArrayRef<PhaseTime> times, raw_ostream &out) {
  double total = 0;
  for (const PhaseTime &phase : times) total += phase.seconds;
  for (const PhaseTime &phase : times)
    out << format("  %-22s %8.1f ms %5.1f %%\n", phase.name.c_str(), phase.seconds * 1e3, phase.seconds / total * 100);
  out << format("  %-22s %8.1f ms\n", "total", total * 1e3);
}

// What COLUMNS says, else the terminal, else a usual width.
static unsigned outputColumns() {
  unsigned columns = 0;
  const char *wanted = getenv("COLUMNS");
  if (!wanted || StringRef(wanted).getAsInteger(10, columns) || !columns) columns = sys::Process::StandardOutColumns();
  return columns ? columns : 100;
}

// --print-arena and --max-arena.
static Error lookAtArenas(const DriverOptions &options, const Program &program, raw_ostream &out) {
  for (const ArenaReport &report : program.arenas) {
    if (options.printArena) printArena(report, outputColumns(), out);
    if (!options.maxArenaBytes) continue;
    if (report.isDynamic)
      return createStringError(options.input + ": --max-arena needs static shapes: fix the inputs with --input-shape");
    if (report.arenaBytes > options.maxArenaBytes)
      return createStringError(options.input + ": the arena takes " + Twine(report.arenaBytes) +
                               " bytes, more than --max-arena=" + Twine(options.maxArenaBytes) + "; " +
                               describePeak(report));
  }
  return Error::success();
}

Error compileModel(const DriverOptions &options, raw_ostream &out) {
  Clock clock;
  // 1. Target: what the user asked for, as one triple, CPU and feature set; the facts that kernels are chosen by.
  clock.start("target");
  bool isStatic = options.emit.format == Format::Static;
  Expected<TargetSpec> spec = isStatic ? resolveObjectTarget(options.target, options.cpu, options.features, options.abi)
                                       : resolveTarget(options.target, options.cpu, options.features);
  if (!spec) return spec.takeError();
  TargetDescription target = describeTarget(*spec);
  for (const Fact &fact : options.assumed) assume(target, fact);
  out << "target " << spec->triple.str() << ", cpu " << spec->cpu << ", features " << featuresBeyondCpu(*spec)
      << (spec->objectAbi.empty() ? "" : ", ABI " + spec->objectAbi) << ", O" << options.emit.optLevel << "\n";
  out.flush();
  if (!options.emit.dumpDir.empty())
    if (std::error_code code = sys::fs::create_directories(options.emit.dumpDir))
      return createStringError(code, options.emit.dumpDir + ": " + code.message());
  clock.stop();

  // 2. Import: the model file as tensor IR, upstream dialects on whole tensors (Import.h says which).
  clock.start("import");
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  loadDialects(context);
  Expected<ImportedModel> model = importModel(context, options.input, options.import);
  if (!model) return model.takeError();
  if (Error error = dumpPhase(options.emit.dumpDir, "1-import.mlir", *model->module)) return error;
  clock.stop();

  // 3. Code generation: layouts, fusion into kernels, loops on registers, packed weights, the arena. The result is a
  //    Program: code that only needs lowering, and the description of the module's functions.
  clock.start("generate code");
  CodegenOptions codegenOptions;
  codegenOptions.favorMinPeakMemory = options.favorMinPeakMemory;
  codegenOptions.winograd = options.winograd;
  codegenOptions.dumpDir = options.emit.dumpDir;
  Expected<Program> program = generateProgram(*model, *spec, target, codegenOptions);
  if (!program) return program.takeError();
  if (program->sourceName.empty()) program->sourceName = sys::path::filename(options.input).str();
  if (Error error = lookAtArenas(options, *program, out)) return error;
  EmitOptions emit = options.emit;
  if (!options.arenaDrawing.empty())
    emit.besides.push_back({options.arenaDrawing, [&](raw_ostream &file) { drawArena(program->arenas, file); }});
  if (!options.explanationFile.empty())
    emit.besides.push_back(
        {options.explanationFile, [&](raw_ostream &file) { writeExplanation(*program, *spec, target, file); }});
  clock.stop();

  // 4. Emission: the Program through LLVM and lld into a module with its table, weights and checksum, or into an object
  //    and its C header.
  phase = "emit";
  if (Error error = emitModule(*program, *spec, emit, options.output, clock.times)) return error;

  double total = 0;
  for (const PhaseTime &phase : clock.times) total += phase.seconds;
  uint64_t fileBytes = 0;
  sys::fs::file_size(options.output, fileBytes);
  out << options.output;
  if (isStatic) out << ", " << sys::path::stem(options.output) << ".h";
  out << ": " << bytesText(fileBytes) << ", weights " << bytesText(program->weights.size());
  for (const FunctionInfo &function : program->functions)
    out << ", arena " << (program->functions.size() > 1 ? function.name + " " : "") << bytesText(function.arenaBytes);
  for (auto [i, plugin] : enumerate(program->plugins)) out << (i ? " " : ", calls plugins ") << plugin.name;
  out << ", " << program->kernels.size() << " kernels, " << format("%.2f s\n", total);
  if (options.timePhases) printTimes(clock.times, out);
  if (options.explain) printExplanation(*program, target, out);
  return Error::success();
}

Error checkModel(const DriverOptions &options, raw_ostream &out) {
  phase = "import";
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  loadDialects(context);
  std::vector<UnsupportedNode> unsupported;
  Expected<ImportedModel> model = importModel(context, options.input, options.import, &unsupported);
  if (!model) return model.takeError();
  for (const UnsupportedNode &node : unsupported)
    out << options.input << ": node '" << node.node << "': operator " << node.op << " (opset " << node.opset
        << "): " << node.reason << "\n";
  if (!unsupported.empty())
    return createStringError(options.input + ": " + Twine(unsupported.size()) + " nodes are not supported");
  out << options.input << ": every operator is supported";
  for (auto [i, plugin] : enumerate(pluginsOf(*model->module))) out << (i ? ", " : "; calls the plugins ") << plugin;
  out << "\n";
  return Error::success();
}

}  // namespace crosscut
