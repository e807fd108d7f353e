// Lays out the module table. All of it, strings included, is one block: offsets inside it are plain numbers, and only
// references to code are left to the linker. So no relocation can survive into the module.
#include "compiler/Emit/Table.h"

#include "crosscut/abi.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace crosscut {

namespace {
class TableBuilder {
 public:
  explicit TableBuilder(bool littleEndian) : endianness(littleEndian ? endianness::little : endianness::big) {}

  uint32_t reserve(uint64_t size, uint64_t alignment = 8) {
    image.bytes.resize(alignTo(image.bytes.size(), alignment));
    uint32_t at = image.bytes.size();
    image.bytes.resize(at + size);
    return at;
  }
  template <typename T>
  void put(uint32_t at, T value) {
    support::endian::write<T>(&image.bytes[at], value, endianness);
  }
  void offset(uint32_t at, uint32_t target) { put<int32_t>(at, int32_t(target) - int32_t(at)); }
  void text(uint32_t at, StringRef value) {
    auto [entry, isNew] = strings.try_emplace(value, 0);
    if (isNew) {
      entry->second = reserve(value.size() + 1, 1);
      memcpy(&image.bytes[entry->second], value.data(), value.size());
    }
    offset(at, entry->second);
  }
  void code(uint32_t at, const std::string &symbol, bool isKernel) { image.code.push_back({at, symbol, isKernel}); }

  TableImage image;

 private:
  llvm::endianness endianness;
  StringMap<uint32_t> strings;
};
}  // namespace

#define AT(base, type, field) ((base) + uint32_t(offsetof(type, field)))

static void putTensor(TableBuilder &table, uint32_t at, const TensorInfo &tensor) {
  table.text(AT(at, xcut_tensor_info, name), tensor.name);
  table.put<uint8_t>(AT(at, xcut_tensor_info, type), tensor.type);
  table.put<uint8_t>(AT(at, xcut_tensor_info, rank), tensor.dims.size());
  uint32_t dims = table.reserve(8 * tensor.dims.size());
  for (size_t i = 0; i < tensor.dims.size(); ++i) table.put<int64_t>(dims + 8 * i, tensor.dims[i]);
  table.offset(AT(at, xcut_tensor_info, dims), dims);
}

static void putFunction(TableBuilder &table, uint32_t at, const FunctionInfo &function) {
  size_t count = function.inputs.size() + function.outputs.size();
  uint32_t tensors = table.reserve(count * sizeof(xcut_tensor_info));
  table.text(AT(at, xcut_function_info, name), function.name);
  table.offset(AT(at, xcut_function_info, tensors), tensors);
  table.put<uint32_t>(AT(at, xcut_function_info, input_count), function.inputs.size());
  table.put<uint32_t>(AT(at, xcut_function_info, output_count), function.outputs.size());
  table.put<uint64_t>(AT(at, xcut_function_info, arena_bytes), function.arenaBytes);
  for (const std::vector<TensorInfo> *list : {&function.inputs, &function.outputs})
    for (const TensorInfo &tensor : *list) {
      putTensor(table, tensors, tensor);
      tensors += sizeof(xcut_tensor_info);
    }
}

static void putVariant(TableBuilder &table, uint32_t at, const Program &program, const TargetSpec &spec) {
  table.put<uint64_t>(AT(at, xcut_variant, required_features), spec.requiredFeatures);
  table.put<uint32_t>(AT(at, xcut_variant, min_vlen_bits), spec.minVlenBits);
  table.put<uint32_t>(AT(at, xcut_variant, max_vlen_bits), spec.maxVlenBits);
  table.text(AT(at, xcut_variant, cpu), spec.cpu);
  table.text(AT(at, xcut_variant, features), spec.features);
  table.put<uint32_t>(AT(at, xcut_variant, kernel_count), program.kernels.size());

  uint32_t kernels = table.reserve(program.kernels.size() * sizeof(xcut_kernel_info));
  table.offset(AT(at, xcut_variant, kernels), kernels);
  for (const KernelInfo &kernel : program.kernels) {
    table.text(AT(kernels, xcut_kernel_info, name), kernel.name);
    table.code(AT(kernels, xcut_kernel_info, function), kernel.symbol, true);
    table.put<uint64_t>(AT(kernels, xcut_kernel_info, flops), kernel.flops);
    table.put<uint64_t>(AT(kernels, xcut_kernel_info, bytes), kernel.bytes);
    kernels += sizeof(xcut_kernel_info);
  }

  uint32_t entries = table.reserve(program.functions.size() * sizeof(xcut_entry));
  table.offset(AT(at, xcut_variant, entries), entries);
  for (const FunctionInfo &function : program.functions) {
    table.code(AT(entries, xcut_entry, run), function.runSymbol, false);
    if (!function.planSymbol.empty()) table.code(AT(entries, xcut_entry, plan), function.planSymbol, false);
    entries += sizeof(xcut_entry);
  }
}

TableImage buildTable(const Program &program, const TargetSpec &spec) {
  TableBuilder table(spec.littleEndian);
  uint32_t head = table.reserve(sizeof(xcut_module_table));
  uint32_t functions = table.reserve(program.functions.size() * sizeof(xcut_function_info));
  uint32_t variant = table.reserve(sizeof(xcut_variant));

  table.put<uint32_t>(AT(head, xcut_module_table, magic), XCUT_ABI_MAGIC);
  table.put<uint16_t>(AT(head, xcut_module_table, abi_version), XCUT_ABI_VERSION);
  table.put<uint16_t>(AT(head, xcut_module_table, table_bytes), sizeof(xcut_module_table));
  table.put<uint32_t>(AT(head, xcut_module_table, arch), spec.arch);
  table.put<uint64_t>(AT(head, xcut_module_table, weights_bytes), program.weights.size());
  table.put<uint32_t>(AT(head, xcut_module_table, function_count), program.functions.size());
  table.put<uint32_t>(AT(head, xcut_module_table, variant_count), 1);
  table.offset(AT(head, xcut_module_table, functions), functions);
  table.offset(AT(head, xcut_module_table, variants), variant);
  table.text(AT(head, xcut_module_table, triple), spec.triple.str());
  table.text(AT(head, xcut_module_table, source_name), program.sourceName);
  table.text(AT(head, xcut_module_table, compiler), "crosscut " CROSSCUT_VERSION " (LLVM " LLVM_VERSION_STRING ")");
  memcpy(&table.image.bytes[AT(head, xcut_module_table, source_sha256)], program.sourceSha256.data(), 32);
  if (!program.plugins.empty()) {
    uint32_t plugins = table.reserve(program.plugins.size() * sizeof(xcut_plugin_info));
    table.put<uint32_t>(AT(head, xcut_module_table, flags), XCUT_MODULE_PLUGINS);
    table.put<uint32_t>(AT(head, xcut_module_table, plugin_count), program.plugins.size());
    table.offset(AT(head, xcut_module_table, plugins), plugins);
    for (const PluginInfo &plugin : program.plugins) {
      table.text(AT(plugins, xcut_plugin_info, name), plugin.name);
      plugins += sizeof(xcut_plugin_info);
    }
  }

  for (const FunctionInfo &function : program.functions) {
    table.image.functionsAt.push_back(functions);
    putFunction(table, functions, function);
    functions += sizeof(xcut_function_info);
  }
  table.image.variantAt = variant;
  putVariant(table, variant, program, spec);
  return std::move(table.image);
}

// What the field at `at` holds for `function`: on ELF the distance from the field, on WebAssembly the table index.
static Constant *codeReference(Function *function, GlobalVariable *table, uint32_t at, const TargetSpec &spec) {
  LLVMContext &context = function->getContext();
  Type *i32 = Type::getInt32Ty(context), *address = Type::getIntNTy(context, spec.pointerBits);
  if (spec.triple.isWasm()) return ConstantExpr::getPtrToInt(function, i32);
  Constant *field = ConstantExpr::getGetElementPtr(Type::getInt8Ty(context), table, ConstantInt::get(address, at));
  Constant *distance =
      ConstantExpr::getSub(ConstantExpr::getPtrToInt(function, address), ConstantExpr::getPtrToInt(field, address));
  return spec.pointerBits == 32 ? distance : ConstantExpr::getTrunc(distance, i32);
}

std::unique_ptr<Module> buildTableModule(const TableImage &table, const Program &program, const TargetSpec &spec,
                                         const DataLayout &layout, LLVMContext &context) {
  auto module = std::make_unique<Module>("xcut-table", context);
  module->setTargetTriple(spec.codeTriple);
  module->setDataLayout(layout);
  module->setPICLevel(PICLevel::SmallPIC);
  Type *i32 = Type::getInt32Ty(context), *pointer = PointerType::get(context, 0);
  FunctionType *kernelType = FunctionType::get(Type::getVoidTy(context), {pointer, i32, i32}, false);
  FunctionType *runType = FunctionType::get(i32, {pointer}, false);

  // The bytes with a hole at each code reference: the type first, since the constants name the global.
  std::vector<Type *> types;
  uint32_t from = 0;
  auto bytesUpTo = [&](uint32_t to) {
    if (to > from) types.push_back(ArrayType::get(Type::getInt8Ty(context), to - from));
    from = to;
  };
  std::vector<TableImage::CodeReference> code = table.code;
  llvm::sort(code, [](const auto &a, const auto &b) { return a.at < b.at; });
  for (const auto &reference : code) {
    bytesUpTo(reference.at);
    types.push_back(i32);
    from = reference.at + 4;
  }
  bytesUpTo(table.bytes.size());
  StructType *type = StructType::get(context, types, /*isPacked=*/true);
  auto *global = new GlobalVariable(*module, type, true, GlobalValue::ExternalLinkage, nullptr, tableSymbol);
  global->setVisibility(GlobalValue::HiddenVisibility);
  global->setAlignment(Align(XCUT_ALIGNMENT));
  if (!spec.triple.isWasm()) global->setSection(".rodata.xcut_table");

  std::vector<Constant *> values;
  from = 0;
  auto valuesUpTo = [&](uint32_t to) {
    if (to > from) values.push_back(ConstantDataArray::get(context, ArrayRef(table.bytes).slice(from, to - from)));
    from = to;
  };
  for (const auto &reference : code) {
    valuesUpTo(reference.at);
    auto callee = module->getOrInsertFunction(reference.symbol, reference.isKernel ? kernelType : runType);
    Function *function = cast<Function>(callee.getCallee());
    function->setVisibility(GlobalValue::HiddenVisibility);
    values.push_back(codeReference(function, global, reference.at, spec));
    from = reference.at + 4;
  }
  valuesUpTo(table.bytes.size());
  global->setInitializer(ConstantStruct::get(type, values));

  if (!spec.triple.isWasm()) {
    module->setModuleInlineAsm((Twine("\t.section ") + weightsSection + ",\"\",%progbits\n\t.byte 0\n").str());
  } else if (!program.weights.empty()) {
    auto *weights = new GlobalVariable(*module, ArrayType::get(Type::getInt8Ty(context), program.weights.size()), true,
                                       GlobalValue::ExternalLinkage,
                                       ConstantDataArray::get(context, ArrayRef(program.weights)), weightsSymbol);
    weights->setVisibility(GlobalValue::HiddenVisibility);
    weights->setAlignment(Align(XCUT_ALIGNMENT));
  }
  return module;
}

}  // namespace crosscut
