// --format=static: one relocatable object, bare or in an archive, that a user's program links, and its header. No table
// and no loader: each entry point is wrapped into a plain C function, whose call record the optimiser takes apart
// again. What the object needs of itself (kernels, builtins, weights) is local to it, so that many models link into one
// program.
#include "compiler/Emit/Formats.h"
#include "compiler/Emit/Link.h"
#include "compiler/Emit/StaticHeader.h"

#include "crosscut/abi.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace crosscut {

constexpr char weightsName[] = "weights";

static std::string localName(const StaticInterface &interface, StringRef name) {
  return interface.name + "_" + name.str();
}

// ---- The C functions -----------------------------------------------------------------------------------------------

// Builds a C function around an entry point: an xcut_call without environment, filled in from parameters.
class CFunction {
 public:
  CFunction(Module &module, const StaticFunction &function, Function &entry) : b(module.getContext()), entry(entry) {
    for (const auto *side : {&function.inputs, &function.outputs})
      for (const StaticTensor &tensor : *side) tensors.push_back(&tensor);
    inputs = function.inputs.size();
    // Inside the C function the call record is known, and what is between it and the kernels goes away.
    entry.setVisibility(GlobalValue::DefaultVisibility);
    entry.setLinkage(GlobalValue::InternalLinkage);
    entry.addFnAttr(Attribute::AlwaysInline);
  }

  // int symbol(inputs..., outputs..., arena), or where sizes are open, each tensor's dimensions behind it and
  // arena_bytes behind arena.
  void makeRun(const StaticFunction &function, const FunctionInfo &info, Constant *weights) {
    std::vector<Type *> parameters;
    for (const StaticTensor *tensor : tensors)
      parameters.insert(parameters.end(), tensor->dims.empty() ? 1 : 2, b.getPtrTy());
    parameters.push_back(b.getPtrTy());
    if (!function.plan.empty()) parameters.push_back(b.getInt64Ty());
    begin(function.symbol, b.getInt32Ty(), parameters);
    c->addRetAttr(Attribute::SExt);  // as the ABI of most 64-bit targets has it for int
    for (auto [i, tensor] : enumerate(tensors)) {
      setTensor(i, offsetof(xcut_tensor, data), nextParameter());
      if (!tensor->dims.empty()) setDims(i, nextParameter(), b.getInt32(XCUT_RUN_SHAPE));
    }
    store(call, offsetof(xcut_call, weights), weights ? weights : null());
    store(call, offsetof(xcut_call, arena), nextParameter());
    store(call, offsetof(xcut_call, arena_bytes),
          function.plan.empty() ? b.getInt64(info.arenaBytes) : nextParameter());
    b.CreateRet(b.CreateCall(&entry, {call}));
  }

  // int64_t plan(inputs' values where they matter and dimensions..., outputs' dimensions...)
  void makePlan(const StaticFunction &function, const FunctionInfo &info) {
    std::vector<Type *> parameters;
    for (auto [i, tensor] : enumerate(tensors))
      parameters.insert(parameters.end(), is_contained(info.planReads, i) + !tensor->dims.empty(), b.getPtrTy());
    begin(function.plan, b.getInt64Ty(), parameters);
    for (auto [i, tensor] : enumerate(tensors)) {
      if (is_contained(info.planReads, i)) setTensor(i, offsetof(xcut_tensor, data), nextParameter());
      if (!tensor->dims.empty()) {
        Value *dims = nextParameter();
        if (i < inputs) setDims(i, dims, b.getInt64(-XCUT_RUN_SHAPE));
        else setTensor(i, offsetof(xcut_tensor, dims), dims);
      } else if (i >= inputs && !tensor->info->dims.empty()) {
        // plan writes the sizes that everybody knows, too.
        setTensor(i, offsetof(xcut_tensor, dims), allocate(8 * tensor->info->dims.size()));
      }
    }
    Value *status = b.CreateCall(&entry, {call});
    Value *bytes = b.CreateAlignedLoad(b.getInt64Ty(), at(call, offsetof(xcut_call, arena_bytes)), Align(8));
    Value *failed = b.CreateIsNotNull(status);
    b.CreateRet(b.CreateSelect(failed, b.CreateNeg(b.CreateSExt(status, b.getInt64Ty())), bytes));
  }

 private:
  Constant *null() { return ConstantPointerNull::get(b.getPtrTy()); }
  Value *nextParameter() { return c->getArg(used++); }
  Value *at(Value *base, uint64_t offset) { return b.CreateConstInBoundsGEP1_32(b.getInt8Ty(), base, offset); }
  void store(Value *base, uint64_t offset, Value *value) { b.CreateAlignedStore(value, at(base, offset), Align(8)); }
  AllocaInst *allocate(uint64_t bytes) {
    BasicBlock &first = c->getEntryBlock();  // elsewhere it would grow the frame as the function runs
    AllocaInst *memory = IRBuilder<>(&first, first.begin()).CreateAlloca(ArrayType::get(b.getInt8Ty(), bytes));
    memory->setAlignment(Align(8));
    return memory;
  }
  void setTensor(size_t index, uint64_t field, Value *value) {
    store(records, index * sizeof(xcut_tensor) + field, value);
  }

  void begin(StringRef symbol, Type *result, ArrayRef<Type *> parameters) {
    auto *type = FunctionType::get(result, parameters, false);
    c = Function::Create(type, GlobalValue::ExternalLinkage, symbol, *entry.getParent());
    c->copyAttributesFrom(&entry);
    c->removeFnAttr(Attribute::AlwaysInline);
    b.SetInsertPoint(BasicBlock::Create(b.getContext(), "", c));
    call = allocate(sizeof(xcut_call));
    records = allocate(std::max<size_t>(1, tensors.size()) * sizeof(xcut_tensor));
    store(call, offsetof(xcut_call, env), null());
    store(call, offsetof(xcut_call, weights), null());
    store(call, offsetof(xcut_call, arena), null());
    store(call, offsetof(xcut_call, tensors), records);
    for (size_t i = 0; i < tensors.size(); ++i)
      for (uint64_t field : {offsetof(xcut_tensor, data), offsetof(xcut_tensor, dims)}) setTensor(i, field, null());
  }

  // Takes the dimensions of tensor `index` from the caller, or returns `error` where one is not what the model says.
  void setDims(size_t index, Value *dims, Constant *error) {
    Value *bad = b.getFalse();
    for (auto [d, expected] : enumerate(tensors[index]->info->dims)) {
      Value *dim = b.CreateAlignedLoad(b.getInt64Ty(), at(dims, 8 * d), Align(4));
      Value *differs =
          expected < 0 ? b.CreateICmpUGT(dim, b.getInt64(INT32_MAX)) : b.CreateICmpNE(dim, b.getInt64(expected));
      bad = b.CreateOr(bad, differs);
    }
    BasicBlock *refused = BasicBlock::Create(b.getContext(), "", c), *next = BasicBlock::Create(b.getContext(), "", c);
    b.CreateCondBr(bad, refused, next);
    b.SetInsertPoint(refused);
    b.CreateRet(error);
    b.SetInsertPoint(next);
    setTensor(index, offsetof(xcut_tensor, dims), dims);
  }

  IRBuilder<> b;
  Function &entry, *c = nullptr;
  std::vector<const StaticTensor *> tensors;  // inputs, then outputs
  size_t inputs;
  unsigned used = 0;
  AllocaInst *call = nullptr, *records = nullptr;
};

// The helper that asks the environment for a plugin calls the program's function instead.
static void callDirectly(Function &helper, StringRef symbol) {
  Module &module = *helper.getParent();
  LLVMContext &context = module.getContext();
  IRBuilder<> b(context);
  auto *type = FunctionType::get(b.getInt32Ty(), {b.getPtrTy()}, false);
  Function *plugin = Function::Create(type, GlobalValue::ExternalLinkage, symbol, module);
  plugin->setDoesNotThrow();
  helper.deleteBody();
  helper.setLinkage(GlobalValue::InternalLinkage);
  b.SetInsertPoint(BasicBlock::Create(context, "", &helper));
  b.CreateRet(b.CreateCall(plugin, {helper.getArg(1)}));
}

void addCFunctions(Module &module, Program &program, const StaticInterface &interface) {
  for (const StaticPlugin &plugin : interface.plugins)
    callDirectly(*module.getFunction(plugin.info->symbol), plugin.symbol);
  for (Function &function : module)
    if (!function.isDeclaration()) function.setName(localName(interface, function.getName()));
  for (KernelInfo &kernel : program.kernels) kernel.symbol = localName(interface, kernel.symbol);
  GlobalVariable *weights = nullptr;
  if (!program.weights.empty()) {
    auto *type = ArrayType::get(Type::getInt8Ty(module.getContext()), program.weights.size());
    weights = new GlobalVariable(module, type, true, GlobalValue::ExternalLinkage, nullptr,
                                 localName(interface, weightsName));
    weights->setVisibility(GlobalValue::HiddenVisibility);
    weights->setAlignment(Align(XCUT_ALIGNMENT));
  }
  for (auto [i, info] : enumerate(program.functions)) {
    const StaticFunction &function = interface.functions[i];
    CFunction run(module, function, *module.getFunction(localName(interface, info.runSymbol)));
    run.makeRun(function, info, weights);
    info.runSymbol = function.symbol;
    if (function.plan.empty()) continue;
    CFunction plan(module, function, *module.getFunction(localName(interface, info.planSymbol)));
    plan.makePlan(function, info);
    info.planSymbol = function.plan;
  }
}

// ---- The object ----------------------------------------------------------------------------------------------------

static std::unique_ptr<Module> weightsModule(const CompiledProgram &compiled, const StaticInterface &interface) {
  const Program &program = compiled.program;
  auto module = std::make_unique<Module>("weights", compiled.context);
  module->setTargetTriple(compiled.spec.codeTriple);
  module->setDataLayout(compiled.layout);
  module->setPICLevel(PICLevel::SmallPIC);
  Constant *bytes = ConstantDataArray::get(compiled.context, ArrayRef(program.weights));
  auto *weights = new GlobalVariable(*module, bytes->getType(), true, GlobalValue::ExternalLinkage, bytes,
                                     localName(interface, weightsName));
  weights->setVisibility(GlobalValue::HiddenVisibility);
  weights->setAlignment(Align(XCUT_ALIGNMENT));
  const std::string &section = compiled.options.weightsSection;
  weights->setSection(section.empty() ? ".rodata." + weights->getName().str() : section);
  return module;
}

// Makes everything but the C functions local, and drops what only the compiler reads.
static Expected<Object> localise(const Object &object, const StaticInterface &interface, const Triple &triple) {
  auto file = object::ObjectFile::createObjectFile(MemoryBufferRef(StringRef(object.data(), object.size()), "object"));
  if (!file) return file.takeError();
  objcopy::ConfigManager config;
  auto match = [](objcopy::NameMatcher &matcher, StringRef name, objcopy::MatchStyle style) {
    return matcher.addMatcher(objcopy::NameOrPattern::create(name, style, [](Error error) { return error; }));
  };
  for (const StaticFunction &function : interface.functions)
    for (StringRef symbol : {StringRef(function.symbol), StringRef(function.plan)})
      if (!symbol.empty())
        if (Error error = match(config.Common.SymbolsToKeepGlobal, symbol, objcopy::MatchStyle::Literal))
          return std::move(error);
  if (Error error = match(config.Common.ToRemove, ".stack_sizes*", objcopy::MatchStyle::Wildcard))
    return std::move(error);
  // The note that no code is on the stack is Linux's; bare-metal linkers warn of all other objects when they see it.
  if (!triple.isOSLinux())
    if (Error error = match(config.Common.ToRemove, ".note.GNU-stack", objcopy::MatchStyle::Literal))
      return std::move(error);
  config.Common.DiscardMode = objcopy::DiscardType::Locals;  // labels of the assembler
  Object result;
  raw_svector_ostream out(result);
  if (Error error = objcopy::executeObjcopyOnBinary(config, **file, out))
    return createStringError("internal error: " + toString(std::move(error)));
  return result;
}

static Expected<Object> archive(const Object &object, StringRef member) {
  NewArchiveMember only(MemoryBufferRef(StringRef(object.data(), object.size()), member));
  auto buffer = writeArchiveToBuffer(only, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                                     /*Deterministic=*/true, /*Thin=*/false);
  if (!buffer) return buffer.takeError();
  return Object((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
}

// A header of the same name may be the user's own: it is not replaced.
static Error checkReplaceable(StringRef headerPath) {
  if (!sys::fs::is_regular_file(headerPath)) return Error::success();
  auto old = MemoryBuffer::getFile(headerPath);
  if (!old || (*old)->getBuffer().take_front(4096).contains(headerMark)) return Error::success();
  return createStringError(headerPath + ": exists and was not written by crosscut; -o names the header too");
}

Expected<std::vector<OutputFile>> staticFiles(CompiledProgram &compiled, const StaticInterface &interface,
                                              StringRef path) {
  if (!compiled.program.weights.empty()) {
    Expected<Object> weights = compileData(*weightsModule(compiled, interface), compiled.spec);
    if (!weights) return weights.takeError();
    compiled.objects.push_back(std::move(*weights));
  }
  Expected<Object> merged = linkObject(compiled.objects);
  if (!merged) return merged.takeError();
  Expected<Object> object = localise(*merged, interface, compiled.spec.triple);
  if (object && sys::path::extension(path) == ".a") object = archive(*object, interface.name + ".o");
  if (!object) return object.takeError();

  SmallString<128> headerPath(path);
  sys::path::replace_extension(headerPath, "h");
  if (Error error = checkReplaceable(headerPath)) return std::move(error);
  std::string header =
      staticHeader(interface, compiled.program, compiled.spec, compiled.stackBytes, sys::path::filename(path));
  auto writeObject = [object = std::move(*object)](raw_ostream &out) { out.write(object.data(), object.size()); };
  auto writeHeader = [header = std::move(header)](raw_ostream &out) { out << header; };
  return std::vector<OutputFile>{{path.str(), writeObject}, {headerPath.str().str(), writeHeader}};
}

}  // namespace crosscut
