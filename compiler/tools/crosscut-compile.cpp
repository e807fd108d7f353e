// crosscut-compile: the command line of the compiler. Everything else is in Driver/.
#include "compiler/Driver/Driver.h"
#include "compiler/Target/Target.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <signal.h>
#include <unistd.h>

using namespace llvm;

static cl::OptionCategory general("General");
static cl::OptionCategory targeting("Target");
static cl::OptionCategory optimising("Optimisation");
static cl::OptionCategory looking("Looking inside");
static const cl::OptionCategory *const categories[] = {&general, &targeting, &optimising, &looking};

static cl::opt<std::string> input(cl::Positional, cl::desc("<model.onnx | model.mlir>"), cl::cat(general));
static cl::opt<std::string> output("o", cl::value_desc("file"), cl::cat(general),
                                   cl::desc("What to write; default: the model's name with .xcm or .o, here"));
static cl::opt<std::string> outputFormat(
    "format", cl::value_desc("elf|static"), cl::init("elf"), cl::cat(general),
    cl::desc("elf: a module to load; static: an object (-o x.o, or x.a) to link, and its "
             "C header x.h beside it; default: elf"));
static cl::opt<std::string> modelName("name", cl::value_desc("name"), cl::cat(general),
                                      cl::desc("static: what the C functions begin with; default: the output's name"));
static cl::opt<std::string> weightsSection("weights-section", cl::value_desc("section"), cl::cat(general),
                                           cl::desc("static: where the weights go; default: .rodata.<name>_weights"));
static cl::list<std::string> inputShapes("input-shape", cl::value_desc("name=1x3x48x320"), cl::cat(general),
                                         cl::desc("Fixes the dimensions of an input; may be repeated"));
static cl::opt<bool> check("check", cl::cat(general),
                           cl::desc("Only list the model's operators that are not supported, all of them"));

static cl::opt<std::string> target("target", cl::value_desc("triple or platform"), cl::cat(targeting),
                                   cl::desc("What to compile for; default: this machine"));
static cl::opt<std::string> cpu("cpu", cl::value_desc("name|host|generic"), cl::cat(targeting),
                                cl::desc("Default: natively this machine's CPU, else the platform's; of RISC-V also a "
                                         "profile (rva22u64) or an architecture (rv32imafc_zba)"));
static cl::opt<std::string> features("features", cl::value_desc("+a,-b"), cl::cat(targeting),
                                     cl::desc("Features to add to the CPU's or to take away"));
static cl::opt<std::string> abi("abi", cl::value_desc("name"), cl::cat(targeting),
                                cl::desc("static: how the program that links it passes floats: soft, softfp, hard; "
                                         "ilp32d and the like on RISC-V; default: as the triple says"));
static cl::opt<bool> listTargets("list-targets", cl::cat(targeting), cl::desc("List the platforms and triples"));
static cl::opt<bool> listCpus("list-cpus", cl::cat(targeting), cl::desc("List the CPUs of --target"));

static cl::opt<std::string> optLevel("opt", cl::value_desc("0..3"), cl::init("2"), cl::cat(optimising),
                                     cl::desc("Optimisation level; default: 2"));
static cl::opt<std::string> favor("favor", cl::value_desc("latency|min-peak-memory"), cl::init("latency"),
                                  cl::cat(optimising), cl::desc("What to give up the other for; default: latency"));
static cl::opt<std::string> maxArena("max-arena", cl::value_desc("size"), cl::cat(optimising),
                                     cl::desc("Refuse models that need more working memory, as in 64K or 1.5M"));
static cl::opt<std::string> winograd("winograd", cl::value_desc("auto|off|always"), cl::init("auto"),
                                     cl::cat(optimising),
                                     cl::desc("Compute 3x3 convolutions by Winograd's algorithm where it is faster, "
                                              "nowhere, or wherever it can be; its rounding error is about twice that "
                                              "of the plain sum; default: auto"));

static cl::list<std::string> assumed("assume", cl::value_desc("fact=number"), cl::cat(looking),
                                     cl::desc("Compile as if this were so of the CPU, to try it (scripts/tune): "
                                              "streamed-bytes (a cycle, from memory), instruction-weight (cycles), "
                                              "max-tile-rows, spare-registers; may be repeated"));
static cl::opt<std::string> explain("explain", cl::ValueOptional, cl::value_desc("file.json"), cl::cat(looking),
                                    cl::desc("Print how each kernel is computed, its work and the predicted share of "
                                             "the target's peak; with a file, write that there as JSON instead"));
static cl::opt<bool> debugSymbols("debug-symbols", cl::cat(looking),
                                  cl::desc("Keep symbols, so that instructions map to nodes of the model"));
static cl::opt<std::string> dumpPhases("dump-phases", cl::value_desc("folder"), cl::cat(looking),
                                       cl::desc("Write what each phase leaves behind into files there"));
static cl::opt<bool> timePhases("time-phases", cl::cat(looking), cl::desc("Print how long each phase took"));
static cl::opt<std::string> printArena("print-arena", cl::ValueOptional, cl::value_desc("file.svg"), cl::cat(looking),
                                       cl::desc("Draw which tensors lie in the arena from which step to which, and "
                                                "the most that is alive at once; with a file also as a picture"));
static cl::opt<bool> exposeIntermediates("expose-intermediates", cl::cat(looking),
                                         cl::desc("Make the result of every node an output, to compare them"));

static int fail(const Twine &message) {
  outs().flush();
  errs() << "crosscut-compile: error: " << message << "\n";
  return 1;
}

// One line, whatever the message holds.
static int fail(Error error) {
  std::string text = toString(std::move(error));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fail(text);
}

// LLVM's own hundreds of options are for LLVM's developers; here they are unknown.
static void keepOwnOptionsOnly() {
  std::vector<cl::Option *> foreign;
  for (auto &entry : cl::getRegisteredOptions()) {
    cl::Option *option = entry.second;
    bool own = entry.first == "help" || entry.first == "version";
    for (const cl::OptionCategory *category : categories) own |= is_contained(option->Categories, category);
    if (!own) foreign.push_back(option);
  }
  llvm::sort(foreign);
  foreign.erase(llvm::unique(foreign), foreign.end());
  for (cl::Option *option : foreign) option->removeArgument();
}

static bool parseSize(StringRef text, uint64_t &bytes) {
  uint64_t unit = 1;
  if (text.consume_back_insensitive("B")) {
  }
  if (text.consume_back_insensitive("K")) unit = 1 << 10;
  else if (text.consume_back_insensitive("M")) unit = 1 << 20;
  else if (text.consume_back_insensitive("G")) unit = 1 << 30;
  double number;
  if (text.empty() || text.getAsDouble(number) || !(number > 0) || number * unit >= 9.2e18) return false;
  bytes = number * unit;
  return bytes > 0;
}

static Error parseInputShape(StringRef text, std::map<std::string, std::vector<int64_t>> &shapes) {
  auto [name, dims] = text.rsplit('=');
  auto bad = [&] { return createStringError("--input-shape=" + text + ": expected name=1x3x48x320"); };
  if (name.empty() || name.size() == text.size()) return bad();
  std::vector<int64_t> shape;
  SmallVector<StringRef> parts;
  if (!dims.empty()) dims.split(parts, 'x');
  for (StringRef part : parts) {
    int64_t size;
    if (part.getAsInteger(10, size) || size < 0) return bad();
    shape.push_back(size);
  }
  if (!shapes.insert({name.str(), shape}).second)
    return createStringError("--input-shape: input '" + name + "' is given twice");
  return Error::success();
}

// --format, and what comes with it.
static Error readFormat(crosscut::DriverOptions &options) {
  options.output = output;
  if (outputFormat == "elf") {
    for (const cl::opt<std::string> *option : {&modelName, &weightsSection, &abi})
      if (!option->empty()) return createStringError("--" + option->ArgStr + " is for --format=static");
    if (options.output.empty()) options.output = (sys::path::stem(options.input) + ".xcm").str();
    return Error::success();
  }
  if (outputFormat != "static") return createStringError("--format=" + outputFormat + ": expected elf or static");
  options.emit.format = crosscut::Format::Static;
  if (options.output.empty()) options.output = (sys::path::stem(options.input) + ".o").str();
  StringRef suffix = sys::path::extension(options.output), stem = sys::path::stem(options.output);
  if (suffix != ".o" && suffix != ".a")
    return createStringError("-o " + options.output + ": --format=static writes a file that ends in .o or .a");
  if (suffix == ".a") stem.consume_front("lib");
  options.emit.name = modelName.empty() ? stem.str() : modelName;
  options.emit.weightsSection = weightsSection;
  bool plain = all_of(options.emit.weightsSection, [](char c) { return isAlnum(c) || c == '_' || c == '.'; });
  if (!plain)
    return createStringError("--weights-section=" + weightsSection + ": expected a section's name, as .flash");
  options.abi = abi;
  return Error::success();
}

static Error readOptions(crosscut::DriverOptions &options) {
  options.input = input;
  if (Error error = readFormat(options)) return error;
  options.target = target;
  options.cpu = cpu;
  options.features = features;
  options.emit.debugSymbols = debugSymbols;
  options.timePhases = timePhases;
  options.printArena = printArena.getNumOccurrences();
  options.arenaDrawing = printArena;
  if (options.arenaDrawing == options.output && !printArena.empty())
    return createStringError("--print-arena=" + printArena + ": that is the module's file");
  options.explain = explain.getNumOccurrences() && explain.empty();
  options.explanationFile = explain;
  if (options.explanationFile == options.output && !explain.empty())
    return createStringError("--explain=" + explain + ": that is the module's file");
  options.emit.dumpDir = dumpPhases;
  options.import.exposeIntermediates = exposeIntermediates;
  for (const std::string &shape : inputShapes)
    if (Error error = parseInputShape(shape, options.import.inputShapes)) return error;
  if (StringRef(optLevel).getAsInteger(10, options.emit.optLevel) || options.emit.optLevel > 3)
    return createStringError("--opt=" + optLevel + ": expected 0, 1, 2 or 3");
  if (favor != "latency" && favor != "min-peak-memory")
    return createStringError("--favor=" + favor + ": expected latency or min-peak-memory");
  options.favorMinPeakMemory = favor == "min-peak-memory";
  for (StringRef text : assumed) {
    Expected<crosscut::Fact> fact = crosscut::parseFact(text);
    if (!fact) return fact.takeError();
    options.assumed.push_back(*fact);
  }
  if (winograd == "off") options.winograd = crosscut::WinogradMode::Off;
  else if (winograd == "always") options.winograd = crosscut::WinogradMode::Always;
  else if (winograd != "auto") return createStringError("--winograd=" + winograd + ": expected auto, off or always");
  if (!maxArena.empty() && !parseSize(maxArena, options.maxArenaBytes))
    return createStringError("--max-arena=" + maxArena + ": expected a size such as 65536, 64K or 1.5M");
  return Error::success();
}

// LLVM calls this where it would abort: an internal error, but one line and status 1 as for any other.
static void onFatalError(void *, const char *reason, bool) {
  fail(Twine("internal error: ") + StringRef(reason).split('\n').first);
  sys::RunInterruptHandlers();  // removes temporary files
  _exit(1);
}

// No model may end the compiler with a signal. The handler does only what a handler may do; it has a stack of its own,
// so that it also runs when the other one is used up.
static const char *inputName = "";

static void onCrash(int) {
  auto say = [](const char *text) { (void)!::write(STDERR_FILENO, text, strlen(text)); };
  for (const char *part :
       {"crosscut-compile: error: ", inputName, ": internal error: crash in phase '", crosscut::currentPhase(), "'\n"})
    say(part);
  sys::RunInterruptHandlers();
  _exit(1);
}

static void catchCrashes() {
  static char stack[64 * 1024];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof stack;
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = onCrash;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) sigaction(number, &action, nullptr);
}

static int compile() {
  crosscut::DriverOptions options;
  if (Error error = readOptions(options)) return fail(std::move(error));
  if (listTargets) {
    crosscut::listTargets(outs());
    return 0;
  }
  if (listCpus) {
    if (Error error = crosscut::listCpus(outs(), options.target)) return fail(std::move(error));
    return 0;
  }
  if (options.input.empty()) return fail("no model is given (--help shows the options)");
  if (Error error = check ? crosscut::checkModel(options, outs()) : crosscut::compileModel(options, outs()))
    return fail(std::move(error));
  return 0;
}

int main(int argc, char **argv) {
  // A closed pipe and a file-size limit are errors of writing, to be reported as such.
  for (int number : {SIGPIPE, SIGXFSZ}) ::signal(number, SIG_IGN);
  keepOwnOptionsOnly();
  cl::SetVersionPrinter([](raw_ostream &out) {
    out << "crosscut-compile " CROSSCUT_VERSION " (crosscut " CROSSCUT_VERSION ", LLVM " LLVM_VERSION_STRING ")\n";
  });
  std::string problem;
  raw_string_ostream problems(problem);
  if (!cl::ParseCommandLineOptions(argc, argv,
                                   "Compiles a machine-learning model ahead of time into code for one CPU.\n\n"
                                   "  crosscut-compile model.onnx -o model.xcm --target=aarch64-linux\n"
                                   "  crosscut-compile model.onnx --format=static -o model.o --target=cortex-m4\n",
                                   &problems)) {
    StringRef line = StringRef(problem).split('\n').first;
    line.consume_front(StringRef(argv[0]));
    line.consume_front(sys::path::filename(argv[0]));
    line.consume_front(":");
    return fail(line.trim());
  }

  install_fatal_error_handler(onFatalError);
  inputName = input.c_str();
  // CROSSCUT_CRASH is for finding out where a crash happens.
  if (!getenv("CROSSCUT_CRASH")) catchCrashes();
  int status = compile();
  outs().flush();
  if (outs().has_error()) outs().clear_error();
  return status;
}
