// The middle of the compiler, step by step.
#include "compiler/Codegen/Codegen.h"
#include "compiler/Codegen/Entry.h"
#include "compiler/Codegen/Kernels.h"
#include "compiler/Codegen/MathExpansion.h"
#include "compiler/Codegen/Report.h"
#include "compiler/Plan/Dependences.h"
#include "compiler/Plan/Structure.h"
#include "compiler/Plan/Work.h"
#include "compiler/Support/Dump.h"

#include "mlir/IR/OperationSupport.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace crosscut {
namespace {

// Kernels that differ in nothing but their arguments are kept once.
class KernelPool {
 public:
  // Returns the wrapper's symbol for this implementation, which may be dropped for an earlier equal one.
  std::string intern(ModuleOp module, GeneratedKernel &kernel) {
    func::FuncOp function = kernel.function;
    auto &bucket = byShape[{std::distance(function.getBody().front().begin(), function.getBody().front().end()),
                            function.getNumArguments()}];
    for (auto &[known, symbol] : bucket)
      if (known.getFunctionType() == function.getFunctionType() &&
          OperationEquivalence::isRegionEquivalentTo(&known.getBody(), &function.getBody(),
                                                     OperationEquivalence::IgnoreLocations)) {
        function.erase();
        kernel.function = known;
        return symbol;
      }
    std::string symbol = "kernel" + std::to_string(count++);
    generateKernelWrapper(module, symbol, function);
    bucket.push_back({function, symbol});
    return symbol;
  }

 private:
  std::map<std::pair<int64_t, unsigned>, std::vector<std::pair<func::FuncOp, std::string>>> byShape;
  unsigned count = 0;
};

GeneratedKernel generateKernel(ModuleOp module, const Step &step, const FunctionPlan &plan,
                               const TargetDescription &target, WeightBlob &weights, unsigned number) {
  KernelBuilder k(module, "kernel_body" + std::to_string(number), plan, target);
  if (step.kind == StepKind::FillBorder) return generateBorder(k, step);
  if (step.kind == StepKind::Chain) return generateChain(k, step, plan, weights);
  return k.finish(emitNest(k, step, weights));
}

// The constant part of a plugin's call goes into the weights: names as one run of text, and each attribute's elements.
PluginRecord makeRecord(const Step &step, unsigned number, WeightBlob &weights) {
  const PluginCall &call = *step.plugin;
  PluginRecord record;
  record.number = number;
  auto locate = [&](const Access &access, uint8_t type) {
    PluginRecord::Tensor tensor;
    tensor.type = type;
    tensor.dims = access.ref.dims;
    tensor.pointer.buffer = access.ref.buffer;
    tensor.pointer.byteOffset = access.ref.offset * elementBytes(access.ref.elementType);
    if (access.ref.buffer->kind == BufferKind::Constant)
      tensor.pointer.weightsOffset = weights.add(access.ref.buffer->data, elementBytes(access.ref.buffer->elementType));
    return tensor;
  };
  for (auto [access, type] : llvm::zip_equal(step.nest.inputs, call.inputTypes))
    record.inputs.push_back(locate(access, type));
  for (auto [access, type] : llvm::zip_equal(step.outputs, call.outputTypes))
    record.outputs.push_back(locate(access, type));
  std::string names = step.name + '\0';
  for (const PluginCall::Attribute &attribute : call.attributes) names += attribute.name + '\0';
  uint64_t nameAt = record.nodeAt = weights.add(llvm::ArrayRef(names.data(), names.size()), 1);
  nameAt += step.name.size() + 1;
  for (const PluginCall::Attribute &attribute : call.attributes) {
    record.attributes.push_back(
        {nameAt, weights.add(attribute.data, attribute.elementBytes), attribute.type, attribute.dims});
    nameAt += attribute.name.size() + 1;
  }
  return record;
}

// A kernel writes nothing that it reads through another pointer: LLVM may keep loaded values.
void markNoAlias(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (isa<LLVM::LLVMPointerType>(function.getArgument(i).getType()))
      function.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), UnitAttr::get(function.getContext()));
}

}  // namespace

Size emitNest(KernelBuilder &k, const Step &step, WeightBlob &weights) {
  if (step.kind == StepKind::WinogradInput) return emitWinogradInput(k, step, weights);
  if (step.winograd) return emitWinograd(k, step, weights);
  if (step.nest.op) {
    if (auto contraction = matchContraction(cast<linalg::GenericOp>(step.nest.op))) {
      SmallVector<unsigned char> roles;
      for (LoopRole role : contraction->roles) roles.push_back(static_cast<unsigned char>(role));
      return emitContraction(k, step, roles, weights);
    }
  }
  return emitGeneric(k, step, weights);
}

llvm::Expected<Program> generateProgram(ImportedModel &model, const TargetSpec &spec, const TargetDescription &target,
                                        const CodegenOptions &options) {
  ModuleOp source = *model.module;
  MLIRContext *context = source.getContext();
  context->loadDialect<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect, LLVM::LLVMDialect,
                       math::MathDialect, scf::SCFDialect, tensor::TensorDialect, vector::VectorDialect>();
  if (llvm::Error error = normalizeTensorIR(source, options.dumpDir)) return std::move(error);

  Program program;
  program.code = ModuleOp::create(UnknownLoc::get(context));
  program.sourceSha256 = model.sha256;
  ModuleOp code = *program.code;
  generateDispatchHelpers(code, target);
  WeightBlob weights(spec.littleEndian);
  KernelPool pool;
  unsigned number = 0;
  PlanOptions planOptions;
  planOptions.favorMinPeakMemory = options.favorMinPeakMemory;
  planOptions.winograd = options.winograd;
  planOptions.target = target;
  std::map<std::string, size_t> kernelIndex;
  std::map<std::string, unsigned> pluginNumber;
  std::string planText;
  for (func::FuncOp function : source.getOps<func::FuncOp>()) {
    if (function.isPrivate() || function.isDeclaration()) continue;
    llvm::Expected<FunctionPlan> plan = planFunction(function, planOptions);
    if (!plan) return plan.takeError();
    llvm::raw_string_ostream planOut(planText);
    printPlan(*plan, planOut);
    program.arenas.push_back(reportArena(*plan));
    std::vector<KernelCall> calls;
    auto dependences = dependencesOf(*plan, SameMemory::Place);
    for (const Step &step : plan->steps) {
      if (step.kind == StepKind::Plugin) {
        auto [known, isNew] = pluginNumber.try_emplace(step.plugin->name, program.plugins.size());
        if (isNew) {
          generatePluginHelper(code, target, known->second);
          program.plugins.push_back({step.plugin->name, pluginHelper(known->second)});
        }
        KernelCall call;
        call.after = dependences[calls.size()];
        call.plugin = makeRecord(step, known->second, weights);
        calls.push_back(std::move(call));
        continue;
      }
      GeneratedKernel kernel = generateKernel(code, step, *plan, target, weights, number++);
      markNoAlias(kernel.function);
      for (KernelArg &arg : kernel.args)
        if (arg.buffer && arg.buffer->kind == BufferKind::Constant)
          arg.weightsOffset = weights.add(arg.buffer->data, elementBytes(arg.buffer->elementType));
      std::string symbol = pool.intern(code, kernel);
      if (kernelIndex.try_emplace(symbol, program.kernels.size()).second) {
        KernelInfo info;
        info.symbol = symbol;
        info.name = step.name;
        Work work = workOf(step);
        info.flops = work.flops;
        info.bytes = work.bytes();
        program.kernels.push_back(info);
      }
      program.steps.push_back(reportStep(step, kernel, target));
      program.steps.back().function = function.getName();
      program.steps.back().kernel = kernelIndex[symbol];
      calls.push_back({symbol, kernel.args, kernel.items, dependences[calls.size()], std::nullopt});
    }
    if (llvm::Error error = generateEntryPoints(code, *plan, calls, target, function.getName()))
      return std::move(error);
    program.functions.push_back(plan->info);
  }
  if (program.functions.empty()) return llvm::createStringError("the model has no public function");
  auto writePlan = [&](llvm::raw_pwrite_stream &out) {
    out << planText;
    return llvm::Error::success();
  };
  if (llvm::Error error = dumpPhase(options.dumpDir, "4-plan.txt", writePlan)) return std::move(error);
  if (llvm::Error error = dumpPhase(options.dumpDir, "5-kernels.mlir", code)) return std::move(error);
  if (failed(verify(code))) return llvm::createStringError("internal: the generated code is not valid");
  if (llvm::Error error = expandMath(code, target)) return std::move(error);
  program.weights = weights.take();
  return std::move(program);
}

}  // namespace crosscut
