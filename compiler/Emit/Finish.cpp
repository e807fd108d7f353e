// Completes a linked image. Loaders refuse a module with relocations, imports or writable segments, so such an image is
// an internal error here: it must not be found out on the device.
#include "compiler/Emit/Finish.h"

#include "crosscut/abi.h"

#include "llvm/Object/ELF.h"
#include "llvm/Object/Wasm.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;
using namespace llvm::object;

namespace crosscut {

namespace {
// Where things are in the linked image, as offsets in the file.
struct ImageLayout {
  uint64_t tableAt = 0;
  uint32_t codeBytes = 0;
  uint64_t weightsAt = 0;  // what the table says: for WebAssembly an address in its memory
  uint64_t sectionAt = 0;  // of the weights' section header, 0: none
  size_t offsetField = 0, sizeField = 0, alignmentField = 0;  // in it
  unsigned wordBytes = 0;                                     // of those fields
};
}  // namespace

static Error broken(const Twine &why) { return createStringError("internal error: the linked module " + why); }

static uint64_t weightsOffset(uint64_t imageBytes, const Program &program) {
  return program.weights.empty() ? 0 : alignTo(imageBytes, XCUT_ALIGNMENT);
}

template <typename ELFT>
static Error inspectSegments(const ELFFile<ELFT> &file) {
  unsigned loads = 0;
  auto headers = file.program_headers();
  if (!headers) return headers.takeError();
  for (const auto &header : *headers) {
    if (header.p_type != ELF::PT_LOAD) continue;
    ++loads;
    if (header.p_flags != (ELF::PF_R | ELF::PF_X)) return broken("has a segment that is not read-execute");
    if (header.p_offset != 0 || header.p_vaddr != 0) return broken("does not start at address 0");
    if (header.p_filesz != header.p_memsz) return broken("has uninitialised data");
  }
  if (loads != 1) return broken("has " + Twine(loads) + " loadable segments");
  auto dynamic = file.dynamicEntries();
  if (!dynamic) return dynamic.takeError();
  for (const auto &entry : *dynamic) switch (entry.getTag()) {
      case ELF::DT_REL:
      case ELF::DT_RELA:
      case ELF::DT_RELR:
      case ELF::DT_JMPREL:
      case ELF::DT_TEXTREL: return broken("has dynamic relocations");
      case ELF::DT_NEEDED: return broken("needs another library");
      default: break;
    }
  return Error::success();
}

template <typename ELFT>
static Expected<ImageLayout> inspectElf(StringRef bytes) {
  using Header = typename ELFT::Shdr;
  auto file = ELFFile<ELFT>::create(bytes);
  if (!file) return file.takeError();
  if (Error error = inspectSegments(*file)) return std::move(error);
  auto sections = file->sections();
  if (!sections) return sections.takeError();
  ImageLayout layout;
  for (const Header &section : *sections) {
    auto name = file->getSectionName(section);
    if (!name) return name.takeError();
    if (section.sh_type == ELF::SHT_REL || section.sh_type == ELF::SHT_RELA) return broken("has section " + *name);
    if (section.sh_type == ELF::SHT_DYNSYM && section.sh_size != sizeof(typename ELFT::Sym))
      return broken("has dynamic symbols");
    if (*name == ".text") layout.codeBytes = section.sh_size;
    if (*name != weightsSection) continue;
    layout.sectionAt = reinterpret_cast<const char *>(&section) - bytes.data();
    layout.offsetField = offsetof(Header, sh_offset);
    layout.sizeField = offsetof(Header, sh_size);
    layout.alignmentField = offsetof(Header, sh_addralign);
    layout.wordBytes = sizeof(section.sh_offset);
  }
  if (!layout.sectionAt) return broken("lost the section header of its weights");
  layout.tableAt = file->getHeader().e_entry;
  return layout;
}

static Expected<ImageLayout> inspectWasm(StringRef bytes) {
  auto file = ObjectFile::createWasmObjectFile(MemoryBufferRef(bytes, "module"));
  if (!file) return file.takeError();
  // An exported address is the constant value of the global of that index.
  auto exported = [&](StringRef name) -> std::optional<uint64_t> {
    for (const wasm::WasmExport &item : (*file)->exports()) {
      if (item.Name != name || item.Kind != wasm::WASM_EXTERNAL_GLOBAL) continue;
      uint32_t index = item.Index - (*file)->getNumImportedGlobals();
      if (index >= (*file)->globals().size()) return std::nullopt;
      const wasm::WasmInitExpr &value = (*file)->globals()[index].InitExpr;
      return value.Inst.Opcode == wasm::WASM_OPCODE_I64_CONST ? uint64_t(value.Inst.Value.Int64)
                                                              : uint32_t(value.Inst.Value.Int32);
    }
    return std::nullopt;
  };
  std::optional<uint64_t> table = exported(tableSymbol);
  if (!table) return broken("does not export its table");
  ImageLayout layout;
  layout.weightsAt = exported(weightsSymbol).value_or(0);
  for (const WasmSegment &segment : (*file)->dataSegments()) {
    const wasm::WasmInitExpr &start = segment.Data.Offset;
    uint64_t address = start.Inst.Opcode == wasm::WASM_OPCODE_I64_CONST ? uint64_t(start.Inst.Value.Int64)
                                                                        : uint32_t(start.Inst.Value.Int32);
    if (*table < address || *table >= address + segment.Data.Content.size()) continue;
    layout.tableAt = reinterpret_cast<const char *>(segment.Data.Content.data()) - bytes.data() + (*table - address);
  }
  for (const SectionRef &section : (*file)->sections())
    if ((*file)->getWasmSection(section).Type == wasm::WASM_SEC_CODE) layout.codeBytes = section.getSize();
  return layout;
}

static Expected<ImageLayout> inspect(StringRef bytes, const TargetSpec &spec) {
  if (spec.triple.isWasm()) return inspectWasm(bytes);
  if (spec.pointerBits == 64) return spec.littleEndian ? inspectElf<ELF64LE>(bytes) : inspectElf<ELF64BE>(bytes);
  return spec.littleEndian ? inspectElf<ELF32LE>(bytes) : inspectElf<ELF32BE>(bytes);
}

Expected<uint64_t> finishModule(Object &image, const TableImage &table, const std::vector<uint32_t> &stackBytes,
                                const Program &program, const TargetSpec &spec) {
  Expected<ImageLayout> layout = inspect(StringRef(image.data(), image.size()), spec);
  if (!layout) return layout.takeError();
  auto order = spec.littleEndian ? endianness::little : endianness::big;
  uint64_t tableAt = layout->tableAt;
  if (tableAt % 4 != 0 && !spec.triple.isWasm()) return broken("has a misaligned table");
  if (tableAt == 0 || tableAt > image.size() || table.bytes.size() > image.size() - tableAt ||
      support::endian::read32(&image[tableAt], order) != XCUT_ABI_MAGIC)
    return broken("has no table");
  auto put32 = [&](uint64_t at, uint32_t value) { support::endian::write32(&image[tableAt + at], value, order); };
  auto put64 = [&](uint64_t at, uint64_t value) { support::endian::write64(&image[tableAt + at], value, order); };

  uint64_t weightsInFile = spec.triple.isWasm() ? 0 : weightsOffset(image.size(), program);
  put64(offsetof(xcut_module_table, checked_bytes), image.size());
  put64(offsetof(xcut_module_table, weights_offset), spec.triple.isWasm() ? layout->weightsAt : weightsInFile);
  put32(table.variantAt + offsetof(xcut_variant, code_bytes), layout->codeBytes);
  for (size_t i = 0; i < table.functionsAt.size() && i < stackBytes.size(); ++i)
    put32(table.functionsAt[i] + offsetof(xcut_function_info, stack_bytes), stackBytes[i]);
  if (layout->sectionAt) {
    auto putWord = [&](size_t field, uint64_t value) {
      char *at = &image[layout->sectionAt + field];
      layout->wordBytes == 8 ? support::endian::write64(at, value, order) : support::endian::write32(at, value, order);
    };
    putWord(layout->offsetField, weightsInFile ? weightsInFile : image.size());
    putWord(layout->sizeField, program.weights.size());
    putWord(layout->alignmentField, XCUT_ALIGNMENT);
  }
  // The checksum is over words of the file. WebAssembly engines check a file as a whole, and may hold the table at any
  // byte of it: no checksum there.
  if (spec.triple.isWasm()) put64(offsetof(xcut_module_table, checked_bytes), 0);
  else
    put32(offsetof(xcut_module_table, checksum),
          xcut_checksum(image.data(), image.size(), tableAt + offsetof(xcut_module_table, checksum)));
  return weightsInFile;
}

}  // namespace crosscut
