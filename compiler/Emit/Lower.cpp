// Lowers everything that code generation may use in one conversion with one type converter. Separate upstream passes
// (convert-vector-to-llvm and friends) each choose the width of `index` for themselves, and 64-bit index arithmetic
// costs 40 % on 32-bit targets.
#include "compiler/Emit/Lower.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace crosscut {

namespace {
// Vector operations that have no direct counterpart in LLVM, in terms of those that have.
struct SimplifyVectors : PassWrapper<SimplifyVectors, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SimplifyVectors)
  StringRef getArgument() const override { return "simplify-vectors"; }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    vector::populateVectorBroadcastLoweringPatterns(patterns);
    vector::populateVectorShapeCastLoweringPatterns(patterns);
    vector::populateVectorInterleaveLoweringPatterns(patterns);
    vector::populateVectorStepLoweringPatterns(patterns);
    vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
    vector::populateVectorRankReducingFMAPattern(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) signalPassFailure();
  }
};

struct ConvertAllToLLVM : PassWrapper<ConvertAllToLLVM, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ConvertAllToLLVM)
  unsigned indexBits;
  explicit ConvertAllToLLVM(unsigned indexBits) : indexBits(indexBits) {}
  ConvertAllToLLVM(const ConvertAllToLLVM &) = default;

  StringRef getArgument() const override { return "convert-all-to-llvm"; }
  void getDependentDialects(DialectRegistry &registry) const override { registry.insert<LLVM::LLVMDialect>(); }
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(indexBits);
    options.useBarePtrCallConv = true;
    LLVMTypeConverter converter(context, options);
    RewritePatternSet patterns(context);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns, /*reassociateFPReductions=*/false,
                                           /*force32BitVectorIndices=*/false);
    populateMathToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget target(*context);
    target.addLegalOp<ModuleOp>();
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns)))) signalPassFailure();
  }
};
}  // namespace

// MLIR reports through diagnostics; the first error's text becomes the Error.
static llvm::Error withDiagnostics(MLIRContext *context, StringRef phase, llvm::function_ref<LogicalResult()> action) {
  std::string first;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && first.empty()) {
      llvm::raw_string_ostream stream(first);
      stream << diagnostic.getLocation() << ": " << diagnostic;
    }
    return success();
  });
  if (succeeded(action())) return llvm::Error::success();
  return llvm::createStringError("internal error while " + phase + ": " + (first.empty() ? "no reason given" : first));
}

llvm::Error lowerToLLVMDialect(Program &program, const TargetSpec &spec, const llvm::DataLayout &layout,
                               unsigned optLevel) {
  ModuleOp module = *program.code;
  MLIRContext *context = module.getContext();
  DialectRegistry registry;
  registry.insert<LLVM::LLVMDialect, cf::ControlFlowDialect>();
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
  module->setAttr(LLVM::LLVMDialect::getDataLayoutAttrName(),
                  StringAttr::get(context, layout.getStringRepresentation()));
  module->setAttr(LLVM::LLVMDialect::getTargetTripleAttrName(), StringAttr::get(context, spec.codeTriple.str()));
  return withDiagnostics(context, "lowering to LLVM", [&] {
    PassManager passes(context);
    // What comes in was verified, and what goes out will be, as LLVM IR.
    passes.enableVerifier(false);
    if (optLevel > 0) {
      passes.addPass(createCanonicalizerPass());
      passes.addPass(createCSEPass());
    }
    passes.addPass(createSCFToControlFlowPass());
    passes.addPass(std::make_unique<SimplifyVectors>());
    passes.addPass(std::make_unique<ConvertAllToLLVM>(spec.pointerBits));
    passes.addPass(createReconcileUnrealizedCastsPass());
    return passes.run(module);
  });
}

static void finishFunction(llvm::Function &function, bool isRoot, unsigned vectorBits) {
  if (function.isIntrinsic()) return;
  function.setDoesNotThrow();
  function.setUWTableKind(llvm::UWTableKind::None);
  if (function.isDeclaration()) {
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
    return;
  }
  // Callers may interrupt a module at any instruction, on a stack of which nothing beyond the pointer is kept.
  function.addFnAttr(llvm::Attribute::NoRedZone);
  // Some CPUs with 512-bit registers are tuned for narrower ones in LLVM; kernels are made for the whole register.
  if (vectorBits) function.addFnAttr("prefer-vector-width", llvm::utostr(vectorBits));
  if (isRoot) {
    function.setLinkage(llvm::GlobalValue::ExternalLinkage);
    function.setVisibility(llvm::GlobalValue::HiddenVisibility);
  } else {
    function.setVisibility(llvm::GlobalValue::DefaultVisibility);
    function.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
}

// Stack slots outside the entry block are allocated by moving the stack pointer at run time, and no bound of the stack
// is known then. One that is reached at most once may as well lie in the frame.
static void moveSlotsToFrame(llvm::Function &function) {
  llvm::SmallVector<llvm::AllocaInst *> slots;
  for (llvm::BasicBlock &block : llvm::drop_begin(function))
    for (llvm::Instruction &instruction : block)
      if (auto *slot = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
          slot && isa<llvm::ConstantInt>(slot->getArraySize()))
        slots.push_back(slot);
  if (slots.empty()) return;
  llvm::DominatorTree dominators(function);
  llvm::LoopInfo loops(dominators);
  for (llvm::AllocaInst *slot : slots)
    if (!loops.getLoopFor(slot->getParent())) slot->moveBefore(function.getEntryBlock().getFirstInsertionPt());
}

llvm::Expected<std::unique_ptr<llvm::Module>> translateToLLVM(Program &program, const TargetSpec &spec,
                                                              const llvm::DataLayout &layout,
                                                              llvm::LLVMContext &llvmContext) {
  MLIRContext *context = program.code->getContext();
  registerBuiltinDialectTranslation(*context);
  registerLLVMDialectTranslation(*context);
  std::unique_ptr<llvm::Module> module;
  llvm::Error error = withDiagnostics(context, "translating to LLVM IR", [&] {
    module = translateModuleToLLVMIR(*program.code, llvmContext, program.sourceName);
    return success(module != nullptr);
  });
  if (error) return std::move(error);
  module->setTargetTriple(spec.codeTriple);
  module->setDataLayout(layout);
  module->setPICLevel(llvm::PICLevel::SmallPIC);

  llvm::StringSet<> roots;
  for (const KernelInfo &kernel : program.kernels) roots.insert(kernel.symbol);
  for (const FunctionInfo &function : program.functions) {
    roots.insert(function.runSymbol);
    if (!function.planSymbol.empty()) roots.insert(function.planSymbol);
  }
  for (llvm::StringRef name : roots.keys()) {
    llvm::Function *function = module->getFunction(name);
    if (!function || function->isDeclaration())
      return llvm::createStringError("internal error: code generation names function '" + name +
                                     "' and does not define it");
  }
  unsigned vectorBits = describeTarget(spec).vectorBits;
  for (llvm::Function &function : *module) finishFunction(function, roots.contains(function.getName()), vectorBits);
  for (llvm::Function &function : *module)
    if (!function.isDeclaration()) moveSlotsToFrame(function);
  for (llvm::GlobalVariable &global : module->globals()) {
    if (global.isDeclaration()) continue;
    if (!global.isConstant())
      return llvm::createStringError("internal error: code generation made writable global '" + global.getName() + "'");
    global.setVisibility(llvm::GlobalValue::DefaultVisibility);
    global.setLinkage(llvm::GlobalValue::InternalLinkage);
  }
  return module;
}

}  // namespace crosscut
