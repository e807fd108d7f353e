// Compiles the functions of functions.h, at every width, to an object file for a target: `void NAME_WIDTH(x, z, y, n)`
// on arrays of 4-byte elements, n a multiple of the width. Fails when the object calls a function of a math library.
#include "compiler/Codegen/MathExpansion.h"
#include "compiler/test/math/functions.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"

using namespace mlir;

static llvm::cl::opt<std::string> target("target", llvm::cl::desc("triple or platform")), cpu("cpu"),
    features("features"), output("o", llvm::cl::Required), assembly("S", llvm::cl::desc("assembly goes here too"));
static llvm::cl::opt<bool> contract("contract", llvm::cl::desc("let LLVM fuse multiplications and additions"));
static llvm::cl::opt<bool> softFloat("soft-float", llvm::cl::desc("calls to float builtins are expected"));

static const char *const functions[][2] = {
#define FUNCTION(name, operations, ...) {#name, operations},
    MATH_UNARY_FUNCTIONS(FUNCTION) MATH_BINARY_FUNCTIONS(FUNCTION) MATH_TO_INT_FUNCTIONS(FUNCTION)
#undef FUNCTION
};
#define WIDTH(n) n,
static const unsigned widths[] = {MATH_WIDTHS(WIDTH)};
#undef WIDTH

static std::string shaped(unsigned width, const char *element) {
  return width ? llvm::formatv("vector<{0}x{1}>", width, element).str() : element;
}

static std::string constant(unsigned width, const char *value) {
  return width ? llvm::formatv("dense<{0}>", value).str() : value;
}

// Replaces the words of functions.h.
static std::string instantiate(llvm::StringRef text, unsigned width) {
  std::string result;
  while (!text.empty()) {
    size_t length = text.find_if_not([](char c) { return llvm::isAlnum(c) || c == '%' || c == '.'; });
    length = std::max<size_t>(1, std::min(length, text.size()));
    llvm::StringRef word = text.take_front(length);
    text = text.drop_front(length);
    if (word == "T") result += shaped(width, "f32");
    else if (word == "I") result += shaped(width, "i32");
    else if (word == "B") result += shaped(width, "i8");
    else if (word == "C") result += shaped(width, "i1");
    else if (word == "TWO") result += constant(width, "2.0");
    else if (word == "THREE") result += constant(width, "3.0");
    else if (word == "HALF") result += constant(width, "0.5");
    else if (word == "ZERO") result += constant(width, "0.0");
    else if (word == "ROOT") result += constant(width, "1.41421354");
    else if (word == "TENTH") result += constant(width, "-0.1");
    else if (word == "THIRD") result += constant(width, "0.3125");
    else result += word;
    if (word == "T" || word == "I" || word == "B" || word == "C") result += "\n";
  }
  // A type ends an operation, except before "to" and ",".
  size_t at;
  while ((at = result.find("\n to ")) != std::string::npos) result.replace(at, 5, " to ");
  while ((at = result.find("\n,")) != std::string::npos) result.replace(at, 2, ",");
  return result;
}

static std::string moduleText() {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (auto [name, operations] : functions) {
    for (unsigned width : widths) {
      std::string body = instantiate(operations, width);
      std::string result = shaped(
          width, body.find("%y = arith.fpto") != std::string::npos || body.find("%y = arith.ext") != std::string::npos
                     ? "i32"
                     : "f32");
      out << "func.func @" << name << "_" << width << "(%px: !llvm.ptr, %pz: !llvm.ptr, %py: !llvm.ptr, %n: i32) {\n"
          << "%c0 = arith.constant 0 : i32\n%step = arith.constant " << std::max(width, 1u) << " : i32\n"
          << "scf.for %i = %c0 to %n step %step : i32 {\n";
      for (const char *array : {"x", "z", "y"})
        out << "%a" << array << " = llvm.getelementptr %p" << array << "[%i] : (!llvm.ptr, i32) -> !llvm.ptr, f32\n";
      for (const char *array : {"x", "z"})
        out << "%" << array << " = llvm.load %a" << array << " {alignment = 4} : !llvm.ptr -> " << shaped(width, "f32")
            << "\n";
      out << body << "\nllvm.store %y, %ay {alignment = 4} : " << result << ", !llvm.ptr\n}\nreturn\n}\n";
    }
  }
  return text;
}

namespace {
struct LowerToLLVM : PassWrapper<LowerToLLVM, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerToLLVM)
  void runOnOperation() override {
    LLVMTypeConverter converter(&getContext());
    RewritePatternSet patterns(&getContext());
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns, false, false);
    populateMathToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget legal(getContext());
    legal.addLegalOp<ModuleOp>();
    if (failed(applyFullConversion(getOperation(), legal, std::move(patterns)))) signalPassFailure();
  }
};
}  // namespace

static int fail(const llvm::Twine &text) {
  llvm::errs() << "math-compile: " << text << "\n";
  return 1;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functionsOf;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functionsOf);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functionsOf, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

static bool writeCode(llvm::Module &module, llvm::TargetMachine &machine, const std::string &path,
                      llvm::CodeGenFileType type) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  llvm::legacy::PassManager passes;
  if (error || machine.addPassesToEmitFile(passes, stream, nullptr, type)) return false;
  passes.run(module);
  return true;
}

// Undefined symbols that are not compiler builtins.
static int checkSymbols(const std::string &path) {
  auto object = llvm::object::ObjectFile::createObjectFile(path);
  if (!object) return fail(toString(object.takeError()));
  llvm::StringSet<> calls;
  for (const llvm::object::SymbolRef &symbol : object->getBinary()->symbols()) {
    auto flags = symbol.getFlags();
    auto name = symbol.getName();
    if (!flags || !name) return fail("unreadable symbol table");
    if (!(*flags & llvm::object::SymbolRef::SF_Undefined) || name->empty()) continue;
    bool builtin = softFloat && (name->starts_with("__") || *name == "sqrtf");
    if (builtin || name->starts_with("_GLOBAL_OFFSET_TABLE_") || *name == "__linear_memory" ||
        *name == "__stack_pointer" || *name == ".TOC.")
      continue;
    calls.insert(*name);
  }
  for (const auto &entry : calls) fail("the object calls " + entry.getKey());
  return calls.empty() ? 0 : 1;
}

int main(int argc, char **argv) {
  llvm::cl::ParseCommandLineOptions(argc, argv);
  auto spec = crosscut::resolveTarget(target, cpu, features);
  if (!spec) return fail(toString(spec.takeError()));
  crosscut::TargetDescription description = crosscut::describeTarget(*spec);
  crosscut::setCodegenOptions(*spec);
  auto machine = crosscut::createTargetMachine(*spec, 2);
  if (!machine) return fail(toString(machine.takeError()));
  if (contract) (*machine)->Options.AllowFPOpFusion = llvm::FPOpFusion::Fast;

  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect, scf::SCFDialect,
                  vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(moduleText(), &context);
  if (!module) return fail("the functions do not parse");
  if (llvm::Error error = crosscut::expandMath(*module, description)) return fail(toString(std::move(error)));
  PassManager passes(&context);
  passes.addPass(createSCFToControlFlowPass());
  passes.addPass(std::make_unique<LowerToLLVM>());
  if (failed(passes.run(*module))) return fail("lowering failed");

  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code = translateModuleToLLVMIR(*module, llvmContext);
  if (!code) return fail("translation failed");
  code->setTargetTriple((*machine)->getTargetTriple());
  code->setDataLayout((*machine)->createDataLayout());
  optimize(*code, **machine);
  if (!assembly.empty()) {
    std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*code);
    if (!writeCode(*copy, **machine, assembly, llvm::CodeGenFileType::AssemblyFile)) return fail("no assembly");
  }
  if (!writeCode(*code, **machine, output, llvm::CodeGenFileType::ObjectFile)) return fail("cannot write " + output);
  return checkSymbols(output);
}
