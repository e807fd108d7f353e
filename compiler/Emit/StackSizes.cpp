// The back end notes each function's frame in sections named .stack_sizes (an address, then a ULEB128), which the
// linker drops. Nothing in a module calls itself, so no function is on the stack twice: an entry point, the largest
// kernel, and all other functions once each are together more than any chain of calls.
#include "compiler/Emit/StackSizes.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/LEB128.h"

using namespace llvm;
using namespace llvm::object;

namespace crosscut {

// What a call itself puts on the stack, beside the frames, and alignment.
constexpr uint32_t bytesOfCall = 16;

// The function that an entry of .stack_sizes is about: named by its symbol, or by its section when it is internal.
static Expected<StringRef> functionOf(const RelocationRef &relocation, const ObjectFile &file) {
  symbol_iterator symbol = relocation.getSymbol();
  if (symbol == file.symbol_end()) return StringRef();
  auto type = symbol->getType();
  if (!type) return type.takeError();
  Expected<StringRef> name = symbol->getName();
  if (!name) return name.takeError();
  if (!name->empty() && !name->starts_with(".")) return name;
  auto section = symbol->getSection();
  if (!section) return section.takeError();
  if (*section == file.section_end()) return StringRef();
  name = (*section)->getName();
  if (name) name->consume_front(".text.");
  return name;
}

static Error readFrames(const ObjectFile &file, StringMap<uint32_t> &frames) {
  for (const SectionRef &relocations : file.sections()) {
    auto target = relocations.getRelocatedSection();
    if (!target) return target.takeError();
    if (*target == file.section_end()) continue;
    Expected<StringRef> name = (*target)->getName();
    if (!name) return name.takeError();
    if (*name != ".stack_sizes") continue;
    Expected<StringRef> content = (*target)->getContents();
    if (!content) return content.takeError();
    for (const RelocationRef &relocation : relocations.relocations()) {
      uint64_t at = relocation.getOffset() + file.getBytesInAddress();
      Expected<StringRef> function = functionOf(relocation, file);
      if (!function) return function.takeError();
      if (function->empty() || at >= content->size()) continue;
      auto *bytes = reinterpret_cast<const uint8_t *>(content->data());
      // Parts have copies of the internal functions that they share.
      uint32_t &frame = frames[*function];
      frame = std::max<uint32_t>(frame, decodeULEB128(bytes + at, nullptr, bytes + content->size()));
    }
  }
  return Error::success();
}

Expected<std::vector<uint32_t>> stackBounds(ArrayRef<Object> objects, const Program &program) {
  StringMap<uint32_t> frames;
  StringSet<> functions;
  for (const Object &object : objects) {
    auto file = ObjectFile::createObjectFile(MemoryBufferRef(StringRef(object.data(), object.size()), "code"));
    if (!file) return file.takeError();
    if (!(*file)->isELF()) return std::vector<uint32_t>(program.functions.size());
    for (const SymbolRef &symbol : (*file)->symbols()) {
      auto type = symbol.getType();
      if (!type) return type.takeError();
      auto section = symbol.getSection();
      if (!section) return section.takeError();
      if (*type != SymbolRef::ST_Function || *section == (*file)->section_end()) continue;
      Expected<StringRef> name = symbol.getName();
      if (!name) return name.takeError();
      functions.insert(*name);
    }
    if (Error error = readFrames(**file, frames)) return std::move(error);
  }
  // A function without a note grows its frame as it runs.
  if (frames.size() < functions.size()) return std::vector<uint32_t>(program.functions.size());

  StringSet<> roots;
  uint32_t kernel = 0, others = 0;
  for (const KernelInfo &info : program.kernels) {
    roots.insert(info.symbol);
    kernel = std::max(kernel, frames.lookup(info.symbol));
  }
  for (const FunctionInfo &function : program.functions) {
    roots.insert(function.runSymbol);
    roots.insert(function.planSymbol);
  }
  for (const auto &frame : frames)
    if (!roots.contains(frame.first())) others += frame.second + bytesOfCall;
  std::vector<uint32_t> bounds;
  for (const FunctionInfo &function : program.functions) {
    uint32_t entry = std::max(frames.lookup(function.runSymbol), frames.lookup(function.planSymbol));
    bounds.push_back(entry + kernel + others + 2 * bytesOfCall);
  }
  return bounds;
}

}  // namespace crosscut
