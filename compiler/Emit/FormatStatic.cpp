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

// int symbol(inputs..., outputs..., arena): fills an xcut_call without environment and hands it to `run`.
static void addCFunction(Module &module, const StaticFunction &function, const FunctionInfo &info, Function &run,
                         Constant *weights) {
  LLVMContext &context = module.getContext();
  IRBuilder<> b(context);
  Type *pointer = b.getPtrTy(), *bytes = b.getInt8Ty();
  size_t count = function.inputs.size() + function.outputs.size();
  auto *type = FunctionType::get(b.getInt32Ty(), std::vector<Type *>(count + 1, pointer), false);
  Function *c = Function::Create(type, GlobalValue::ExternalLinkage, function.symbol, module);
  c->copyAttributesFrom(&run);
  c->removeFnAttr(Attribute::AlwaysInline);
  c->addRetAttr(Attribute::SExt);  // as the ABI of most 64-bit targets has it for int
  b.SetInsertPoint(BasicBlock::Create(context, "", c));

  AllocaInst *call = b.CreateAlloca(ArrayType::get(bytes, sizeof(xcut_call)));
  AllocaInst *tensors = b.CreateAlloca(ArrayType::get(bytes, std::max<size_t>(1, count) * sizeof(xcut_tensor)));
  call->setAlignment(Align(8));
  tensors->setAlignment(Align(8));
  auto store = [&](Value *base, uint64_t offset, Value *value) {
    b.CreateAlignedStore(value, b.CreateConstInBoundsGEP1_32(bytes, base, offset), MaybeAlign(8));
  };
  Constant *null = ConstantPointerNull::get(b.getPtrTy());
  store(call, offsetof(xcut_call, env), null);
  store(call, offsetof(xcut_call, weights), weights ? weights : null);
  store(call, offsetof(xcut_call, arena), c->getArg(count));
  store(call, offsetof(xcut_call, tensors), tensors);
  store(call, offsetof(xcut_call, arena_bytes), b.getInt64(info.arenaBytes));
  for (size_t i = 0; i < count; ++i) {
    store(tensors, i * sizeof(xcut_tensor) + offsetof(xcut_tensor, data), c->getArg(i));
    store(tensors, i * sizeof(xcut_tensor) + offsetof(xcut_tensor, dims), null);
  }
  b.CreateRet(b.CreateCall(&run, {call}));
}

void addCFunctions(Module &module, Program &program, const StaticInterface &interface) {
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
    Function &run = *module.getFunction(localName(interface, info.runSymbol));
    // Inside the C function the call record is known, and what is between it and the kernels goes away.
    run.setVisibility(GlobalValue::DefaultVisibility);
    run.setLinkage(GlobalValue::InternalLinkage);
    run.addFnAttr(Attribute::AlwaysInline);
    addCFunction(module, interface.functions[i], info, run, weights);
    info.runSymbol = interface.functions[i].symbol;
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
    if (Error error = match(config.Common.SymbolsToKeepGlobal, function.symbol, objcopy::MatchStyle::Literal))
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
