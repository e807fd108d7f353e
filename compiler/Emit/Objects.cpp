// Runs LLVM's optimiser and back end. Most of a compilation's time goes here, so the module is cut into parts of whole
// functions, each compiled by a thread of its own: a part reads the module's bitcode lazily, keeps its own functions
// and compiles as if the others were in another file.
#include "compiler/Emit/Objects.h"

#include "compiler/Builtins/Builtins.h"
#include "compiler/Support/Dump.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace llvm;

namespace crosscut {

// IR instructions of one part. MobileNetV2 has about ten times as many.
constexpr unsigned partInstructions = 4000;
constexpr unsigned maxParts = 16;

static TargetLibraryInfoImpl noLibrary(const Triple &triple) {
  // Modules have no C library: LLVM must neither recognise nor introduce its functions.
  TargetLibraryInfoImpl library(triple);
  library.disableAllFunctions();
  return library;
}

static void optimise(Module &module, TargetMachine &machine, unsigned optLevel) {
  PipelineTuningOptions tuning;
  // Kernels come vectorised and unrolled; doing it again costs time and code size, and spills.
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopInterleaving = false;
  tuning.LoopUnrolling = false;
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager components;
  ModuleAnalysisManager modules;
  functions.registerPass([&] { return TargetLibraryAnalysis(noLibrary(machine.getTargetTriple())); });
  PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  static const OptimizationLevel levels[] = {OptimizationLevel::O0, OptimizationLevel::O1, OptimizationLevel::O2,
                                             OptimizationLevel::O3};
  OptimizationLevel level = levels[std::min(optLevel, 3u)];
  ModulePassManager passes =
      optLevel == 0 ? builder.buildO0DefaultPipeline(level) : builder.buildPerModuleDefaultPipeline(level);
  passes.run(module, modules);
}

static Error emit(Module &module, TargetMachine &machine, CodeGenFileType type, raw_pwrite_stream &out) {
  legacy::PassManager passes;
  passes.add(new TargetLibraryInfoWrapperPass(noLibrary(machine.getTargetTriple())));
  if (machine.addPassesToEmitFile(passes, out, nullptr, type, /*DisableVerify=*/true))
    return createStringError("LLVM can not emit code for " + machine.getTargetTriple().str());
  passes.run(module);
  return Error::success();
}

static Expected<Object> emitObject(Module &module, TargetMachine &machine) {
  Object object;
  raw_svector_ostream stream(object);
  if (Error error = emit(module, machine, CodeGenFileType::ObjectFile, stream)) return std::move(error);
  return object;
}

Expected<Object> compileData(Module &module, const TargetSpec &spec) {
  auto machine = createTargetMachine(spec, 0);
  if (!machine) return machine.takeError();
  return emitObject(module, **machine);
}

// ---- --dump-phases -------------------------------------------------------------------------------------------------

static Error dumpModule(const EmitOptions &options, const Twine &name, const Module &module) {
  return dumpPhase(options.dumpDir, name, [&](raw_pwrite_stream &out) {
    module.print(out, nullptr);
    return Error::success();
  });
}

static Error dumpCode(const EmitOptions &options, const Twine &part, const Module &module, TargetMachine &machine,
                      const Object &object) {
  if (Error error = dumpPhase(options.dumpDir, "9-code" + part + ".o", [&](raw_pwrite_stream &out) {
        out.write(object.data(), object.size());
        return Error::success();
      }))
    return error;
  return dumpPhase(options.dumpDir, "9-code" + part + ".s", [&](raw_pwrite_stream &out) {
    std::unique_ptr<Module> copy = CloneModule(module);
    return emit(*copy, machine, CodeGenFileType::AssemblyFile, out);
  });
}

// ---- Parts ---------------------------------------------------------------------------------------------------------

namespace {
// The functions of one part, by name: some visible ones, and the internal ones that they need.
struct Part {
  StringSet<> functions;
  unsigned instructions = 0;
};
}  // namespace

// `function` and every internal function that it calls or names, directly or not.
static SmallVector<const Function *, 0> closureOf(const Function &function) {
  SetVector<const Function *> closure;
  closure.insert(&function);
  for (size_t next = 0; next < closure.size(); ++next)
    for (const Instruction &instruction : instructions(*closure[next]))
      for (const Value *operand : instruction.operands())
        if (auto *callee = dyn_cast<Function>(operand->stripPointerCasts()))
          if (callee->hasLocalLinkage()) closure.insert(callee);
  return closure.takeVector();
}

// Largest first, each to the part with the least so far.
static std::vector<Part> splitIntoParts(const Module &module) {
  struct Root {
    unsigned instructions = 0;
    SmallVector<const Function *, 0> functions;
  };
  std::vector<Root> roots;
  unsigned total = 0;
  for (const Function &function : module) {
    if (function.isDeclaration() || function.hasLocalLinkage()) continue;
    Root root;
    root.functions = closureOf(function);
    for (const Function *member : root.functions) root.instructions += member->getInstructionCount();
    total += root.instructions;
    roots.push_back(std::move(root));
  }
  llvm::sort(roots, [](const Root &a, const Root &b) {
    return a.instructions != b.instructions ? a.instructions > b.instructions
                                            : a.functions[0]->getName() < b.functions[0]->getName();
  });
  unsigned count = std::clamp<unsigned>(total / partInstructions, 1, maxParts);
  std::vector<Part> parts(std::max<size_t>(1, std::min<size_t>(count, roots.size())));
  for (const Root &root : roots) {
    Part &part = *std::min_element(parts.begin(), parts.end(),
                                   [](const Part &a, const Part &b) { return a.instructions < b.instructions; });
    part.instructions += root.instructions;
    for (const Function *member : root.functions) part.functions.insert(member->getName());
  }
  return parts;
}

static Expected<std::unique_ptr<Module>> readPart(MemoryBufferRef bitcode, const Part &part, LLVMContext &context) {
  Expected<std::unique_ptr<Module>> module = getLazyBitcodeModule(bitcode, context);
  if (!module) return module.takeError();
  for (Function &function : **module) {
    if (function.isIntrinsic() || part.functions.contains(function.getName())) continue;
    function.deleteBody();
    function.setVisibility(GlobalValue::HiddenVisibility);
  }
  if (Error error = (*module)->materializeAll()) return std::move(error);
  for (Function &function : make_early_inc_range(**module))
    if (function.isDeclaration() && function.use_empty()) function.eraseFromParent();
  return module;
}

static Expected<Object> compilePart(Module &module, const TargetSpec &spec, const EmitOptions &options,
                                    const Twine &name) {
  auto machine = createTargetMachine(spec, options.optLevel);
  if (!machine) return machine.takeError();
  optimise(module, **machine, options.optLevel);
  if (Error error = dumpModule(options, "8-llvm.opt" + name + ".ll", module)) return std::move(error);
  // Emission changes the module, so what the dump needs is kept beforehand.
  std::unique_ptr<Module> copy = options.dumpDir.empty() ? nullptr : CloneModule(module);
  Expected<Object> object = emitObject(module, **machine);
  if (object && copy)
    if (Error error = dumpCode(options, name, *copy, **machine, *object)) return std::move(error);
  return object;
}

Expected<std::vector<Object>> compileCode(std::unique_ptr<Module> module, const TargetSpec &spec,
                                          const EmitOptions &options) {
  if (Error error = dumpModule(options, "7-llvm.ll", *module)) return std::move(error);
  std::vector<Part> parts = splitIntoParts(*module);
  std::vector<Object> objects(parts.size());
  if (parts.size() == 1) {
    Expected<Object> object = compilePart(*module, spec, options, "");
    if (!object) return object.takeError();
    objects[0] = std::move(*object);
    return objects;
  }

  SmallVector<char, 0> bitcode;
  raw_svector_ostream stream(bitcode);
  WriteBitcodeToFile(*module, stream);
  module.reset();
  MemoryBufferRef buffer(StringRef(bitcode.data(), bitcode.size()), "code");
  std::vector<std::string> errors(parts.size());
  DefaultThreadPool pool(hardware_concurrency(parts.size()));
  for (size_t part = 0; part < parts.size(); ++part)
    pool.async([&, part] {
      LLVMContext context;
      auto compile = [&]() -> Error {
        auto own = readPart(buffer, parts[part], context);
        if (!own) return own.takeError();
        Expected<Object> object = compilePart(**own, spec, options, "." + Twine(part));
        if (!object) return object.takeError();
        objects[part] = std::move(*object);
        return Error::success();
      };
      if (Error error = compile()) errors[part] = toString(std::move(error));
    });
  pool.wait();
  for (const std::string &error : errors)
    if (!error.empty()) return createStringError(error);
  return objects;
}

// ---- Builtins ------------------------------------------------------------------------------------------------------

// Symbols that `objects` use and none defines.
static Expected<StringSet<>> undefinedSymbols(ArrayRef<Object> objects) {
  StringSet<> defined, undefined;
  for (const Object &object : objects) {
    auto file = object::ObjectFile::createObjectFile(MemoryBufferRef(StringRef(object.data(), object.size()), "code"));
    if (!file) return file.takeError();
    for (const object::SymbolRef &symbol : (*file)->symbols()) {
      Expected<uint32_t> flags = symbol.getFlags();
      Expected<StringRef> name = symbol.getName();
      if (!flags) return flags.takeError();
      if (!name) return name.takeError();
      if (name->empty()) continue;
      (*flags & object::SymbolRef::SF_Undefined ? undefined : defined).insert(*name);
    }
  }
  for (StringRef name : defined.keys()) undefined.erase(name);
  return undefined;
}

static Expected<Object> compileBuiltins(const StringSet<> &wanted, ArrayRef<StringRef> elsewhere, StringRef bitcode,
                                        const TargetSpec &spec) {
  LLVMContext context;
  Expected<std::unique_ptr<Module>> module = parseBitcodeFile(MemoryBufferRef(bitcode, "builtins"), context);
  if (!module) return module.takeError();
  auto machine = createTargetMachine(spec, 2);
  if (!machine) return machine.takeError();
  prepareBuiltins(**module, spec.codeTriple, (*machine)->createDataLayout());
  // What nobody asked for becomes internal and goes away, unless something wanted calls it.
  for (Function &function : **module) {
    if (function.isDeclaration()) continue;
    if (is_contained(elsewhere, function.getName())) function.deleteBody();
    else if (wanted.contains(function.getName())) function.setVisibility(GlobalValue::HiddenVisibility);
    else function.setLinkage(GlobalValue::InternalLinkage);
  }
  ModuleAnalysisManager modules;
  PassBuilder builder(machine->get());
  builder.registerModuleAnalyses(modules);
  ModulePassManager passes;
  passes.addPass(GlobalDCEPass());
  passes.run(**module, modules);
  return emitObject(**module, **machine);
}

Error addBuiltins(std::vector<Object> &objects, const TargetSpec &spec, ArrayRef<StringRef> elsewhere) {
  StringRef bitcode = builtinsBitcode(spec.codeTriple);
  if (bitcode.empty()) return Error::success();
  LLVMContext context;
  auto builtins = getLazyBitcodeModule(MemoryBufferRef(bitcode, "builtins"), context);
  if (!builtins) return builtins.takeError();
  StringSet<> wanted;
  size_t own = objects.size();
  // The back end introduces calls after the IR is final, so those of the builtins themselves show in their object.
  for (int round = 0; round < 8; ++round) {
    Expected<StringSet<>> undefined = undefinedSymbols(objects);
    if (!undefined) return undefined.takeError();
    size_t before = wanted.size();
    for (StringRef name : undefined->keys())
      if (Function *function = (*builtins)->getFunction(name);
          function && !function->isDeclaration() && !is_contained(elsewhere, name))
        wanted.insert(name);
    if (wanted.size() == before) break;
    Expected<Object> object = compileBuiltins(wanted, elsewhere, bitcode, spec);
    if (!object) return object.takeError();
    objects.resize(own);
    objects.push_back(std::move(*object));
  }
  return Error::success();
}

}  // namespace crosscut
