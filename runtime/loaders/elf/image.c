// Checks of a module file, before any of it is mapped executable.
//
// A module is a shared object with one read-execute segment that begins at the file's first byte, and nothing that a
// dynamic linker would have to do. Section headers are for tools and never read here.
#include "loaders/elf/image.h"

enum {
  kClass32 = 1,
  kClass64 = 2,
  kLittle = 1,
  kBig = 2,
  kTypeShared = 3,
  kMachine386 = 3,
  kMachineArm = 40,
  kMachineX86_64 = 62,
  kMachineAArch64 = 183,
  kMachineRiscv = 243,
  kSegmentLoad = 1,
  kSegmentDynamic = 2,
  kSegmentInterp = 3,
  kSegmentTls = 7,
  kExecute = 1,
  kWrite = 2,
  kRead = 4,
};

// What headers say of places and sizes: 64 bits, where modules of either class are read.
#if XCUT_WITH_FOREIGN
typedef uint64_t word;
#else
typedef uintptr_t word;
#endif

// The fields of the file and program headers, of either class.
typedef struct header {
  uint16_t type, machine, header_bytes, entry_bytes, segments;
  uint32_t version;
  word entry, segments_at;
} header;

typedef struct segment {
  uint32_t type, flags;
  word offset, address, file_bytes, memory_bytes;
} segment;

static bool machine_is_little(void) {
  const uint16_t one = 1;
  uint8_t first;
  memcpy(&first, &one, 1);
  return first == 1;
}

// Fields are read bytewise: headers of a foreign class need not be aligned for this machine.
static uint16_t get16(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static uint32_t get32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static uint64_t get64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static word get_word(const uint8_t *p, bool wide) { return wide ? (word)get64(p) : get32(p); }

// Constant where modules of another word size are not read.
static bool is_wide(const uint8_t *image) { return XCUT_WITH_FOREIGN ? image[4] == kClass64 : sizeof(void *) == 8; }

static void read_header(const uint8_t *p, bool wide, header *h) {
  *h = (header){.type = get16(p + 16), .machine = get16(p + 18), .version = get32(p + 20)};
  h->entry = get_word(p + 24, wide);
  h->segments_at = get_word(p + (wide ? 32 : 28), wide);
  const uint8_t *counts = p + (wide ? 52 : 40);
  h->header_bytes = get16(counts);
  h->entry_bytes = get16(counts + 2);
  h->segments = get16(counts + 4);
}

static void read_segment(const uint8_t *p, bool wide, segment *s) {
  unsigned size = wide ? 8 : 4;
  const uint8_t *words = p + size;  // offset, address, another address, bytes in the file, in memory
  *s = (segment){get32(p),
                 get32(p + (wide ? 4 : 24)),
                 get_word(words, wide),
                 get_word(words + size, wide),
                 get_word(words + 3 * size, wide),
                 get_word(words + 4 * size, wide)};
}

static uint32_t arch_of(uint16_t machine, bool wide) {
  switch (machine) {
    case kMachine386: return wide ? XCUT_ARCH_OTHER : XCUT_ARCH_X86;
    case kMachineArm: return wide ? XCUT_ARCH_OTHER : XCUT_ARCH_ARM;
    case kMachineX86_64: return wide ? XCUT_ARCH_X86_64 : XCUT_ARCH_OTHER;
    case kMachineAArch64: return wide ? XCUT_ARCH_AARCH64 : XCUT_ARCH_OTHER;
    case kMachineRiscv: return wide ? XCUT_ARCH_RISCV64 : XCUT_ARCH_RISCV32;
    default: return XCUT_ARCH_OTHER;
  }
}

static xcut_status check_header(const uint8_t *image, size_t bytes, header *h, xcut_error *error) {
  if (bytes < 52) return xcut_fail(error, XCUT_E_IMAGE, "truncated: %llu bytes", (unsigned long long)bytes);
  if (image[0] != 0x7f || image[1] != 'E' || image[2] != 'L' || image[3] != 'F')
    return xcut_fail(error, XCUT_E_IMAGE, "not a module: no ELF header");
  if (image[4] != kClass32 && image[4] != kClass64) return xcut_fail(error, XCUT_E_IMAGE, "unknown ELF class");
  if (image[5] != kLittle && image[5] != kBig) return xcut_fail(error, XCUT_E_IMAGE, "unknown ELF byte order");
  if (!XCUT_WITH_FOREIGN && (image[4] == kClass64) != (sizeof(void *) == 8)) {
    return xcut_fail(error, XCUT_E_TARGET, "module is for a machine of another word size");
  }
  if (image[6] != 1) return xcut_fail(error, XCUT_E_IMAGE, "unknown ELF version");
  if ((image[5] == kLittle) != machine_is_little()) {
    return xcut_fail(error, XCUT_E_TARGET, "module is %s-endian, this machine is not",
                     image[5] == kLittle ? "little" : "big");
  }
  bool wide = is_wide(image);
  if (wide && bytes < 64) return xcut_fail(error, XCUT_E_IMAGE, "truncated: %llu bytes", (unsigned long long)bytes);
  read_header(image, wide, h);
  if (h->type != kTypeShared) return xcut_fail(error, XCUT_E_IMAGE, "not a shared object (ELF type %u)", h->type);
  if (h->version != 1) return xcut_fail(error, XCUT_E_IMAGE, "unknown ELF version");
  unsigned size = wide ? 56 : 32;
  if (h->header_bytes != (wide ? 64 : 52) || h->entry_bytes != size) {
    return xcut_fail(error, XCUT_E_IMAGE, "ELF headers of unknown size");
  }
  if (h->segments == 0 || h->segments_at > bytes || bytes - h->segments_at < (size_t)h->segments * size) {
    return xcut_fail(error, XCUT_E_IMAGE, "truncated: program headers lie outside the file");
  }
  return XCUT_OK;
}

// A dynamic section may be there (every linker writes one) but must not ask for anything.
static xcut_status check_dynamic(const uint8_t *image, const segment *s, xcut_error *error) {
  bool wide = is_wide(image);
  unsigned size = wide ? 8 : 4;
  const uint8_t *p = image + s->offset, *end = p + s->file_bytes;
  for (; (size_t)(end - p) >= 2 * size; p += 2 * size) {
    word tag = get_word(p, wide), value = get_word(p + size, wide);
    switch (tag) {
      case 0: return XCUT_OK;
      case 1:  // DT_NEEDED
        return xcut_fail(error, XCUT_E_IMAGE, "module needs a shared library");
      case 2:   // DT_PLTRELSZ
      case 8:   // DT_RELASZ
      case 18:  // DT_RELSZ
      case 35:  // DT_RELRSZ
        if (value != 0) return xcut_fail(error, XCUT_E_IMAGE, "module has relocations");
        break;
      case 12:  // DT_INIT
      case 13:  // DT_FINI
      case 22:  // DT_TEXTREL
      case 27:  // DT_INIT_ARRAYSZ
      case 28:  // DT_FINI_ARRAYSZ
      case 33:  // DT_PREINIT_ARRAYSZ
        if (value != 0 || tag == 22) return xcut_fail(error, XCUT_E_IMAGE, "module needs a dynamic linker");
        break;
      default: break;
    }
  }
  return xcut_fail(error, XCUT_E_IMAGE, "the dynamic section does not end");
}

static xcut_status check_segments(const uint8_t *image, size_t bytes, const header *h, segment *load,
                                  xcut_error *error) {
  bool found = false, wide = is_wide(image);
  for (unsigned i = 0; i < h->segments; ++i) {
    segment s;
    read_segment(image + h->segments_at + (size_t)i * h->entry_bytes, wide, &s);
    if (s.type == kSegmentInterp) return xcut_fail(error, XCUT_E_IMAGE, "module is a program (it has PT_INTERP)");
    if (s.type == kSegmentTls) return xcut_fail(error, XCUT_E_IMAGE, "module has thread-local storage");
    if (s.type != kSegmentLoad && s.type != kSegmentDynamic) continue;
    if (s.offset > bytes || s.file_bytes > bytes - s.offset) {
      return xcut_fail(error, XCUT_E_IMAGE, "truncated: segment %u lies outside the file", i);
    }
    if (s.type == kSegmentDynamic) {
      xcut_status status = check_dynamic(image, &s, error);
      if (status) return status;
      continue;
    }
    if (s.flags & kWrite) return xcut_fail(error, XCUT_E_IMAGE, "segment %u is writable", i);
    if (found) return xcut_fail(error, XCUT_E_IMAGE, "more than one segment to load");
    found = true;
    if (s.flags != (kRead | kExecute)) return xcut_fail(error, XCUT_E_IMAGE, "segment %u is not read-execute", i);
    if (s.offset != 0) return xcut_fail(error, XCUT_E_IMAGE, "segment %u does not begin at the file's start", i);
    if (s.file_bytes != s.memory_bytes) return xcut_fail(error, XCUT_E_IMAGE, "segment %u has zero-filled memory", i);
    *load = s;
  }
  if (!found) return xcut_fail(error, XCUT_E_IMAGE, "no segment to load");
  return XCUT_OK;
}

static xcut_status check_table(const uint8_t *image, size_t bytes, const xcut_elf_image *elf, xcut_error *error) {
  xcut_status status = xcut_table_check(image, elf->segment_bytes, elf->table_at, error);
  if (status) return status;
  const xcut_module_table *table = (const xcut_module_table *)(const void *)(image + elf->table_at);
  if (table->arch != elf->arch) return xcut_fail(error, XCUT_E_IMAGE, "module table and ELF header differ in machine");
  if (table->weights_bytes == 0 || (table->flags & XCUT_MODULE_EXTERNAL_WEIGHTS)) return XCUT_OK;
  if (table->weights_offset % XCUT_ALIGNMENT != 0) {
    return xcut_fail(error, XCUT_E_IMAGE, "weights are not %d-byte aligned", XCUT_ALIGNMENT);
  }
  if (table->weights_offset < table->checked_bytes || table->weights_offset > bytes ||
      table->weights_bytes > bytes - table->weights_offset) {
    return xcut_fail(error, XCUT_E_IMAGE, "truncated: weights lie outside the file");
  }
  return XCUT_OK;
}

// The checksum comes first, so that damage is called damage; only its own fields are read before.
static xcut_status check_checksum(const uint8_t *image, size_t bytes, const xcut_elf_image *elf, xcut_error *error) {
  if (elf->table_at % 8 != 0 || elf->table_at > elf->segment_bytes ||
      elf->segment_bytes - elf->table_at < XCUT_MODULE_TABLE_LEAST_BYTES) {
    return xcut_fail(error, XCUT_E_IMAGE, "not a Crosscut module: no module table at the entry address");
  }
  const uint8_t *table = image + elf->table_at;
  if (get32(table) != XCUT_ABI_MAGIC) {
    return xcut_fail(error, XCUT_E_IMAGE, "not a Crosscut module: no module table at the entry address");
  }
  uint16_t version = get16(table + offsetof(xcut_module_table, abi_version));
  if (version != XCUT_ABI_VERSION) {
    return xcut_fail(error, XCUT_E_VERSION, "module has ABI version %u, this runtime reads %d", version,
                     XCUT_ABI_VERSION);
  }
  uint64_t checked = get64(table + offsetof(xcut_module_table, checked_bytes));
  if (checked < elf->segment_bytes) return xcut_fail(error, XCUT_E_IMAGE, "the checksum does not cover the code");
  if (checked > bytes) return xcut_fail(error, XCUT_E_IMAGE, "truncated: the checksum covers more than the file");
  size_t at = elf->table_at + offsetof(xcut_module_table, checksum);
  if (xcut_checksum(image, (size_t)checked, at) != get32(image + at)) {
    return xcut_fail(error, XCUT_E_IMAGE, "checksum differs: the module was changed or damaged");
  }
  return XCUT_OK;
}

xcut_status xcut_elf_check(const uint8_t *image, size_t bytes, xcut_elf_image *out, xcut_error *error) {
  header h = {0};
  segment load = {0};
  xcut_status status = check_header(image, bytes, &h, error);
  if (status == XCUT_OK) status = check_segments(image, bytes, &h, &load, error);
  if (status) return status;
  *out = (xcut_elf_image){arch_of(h.machine, is_wide(image)), (size_t)load.file_bytes, 0};
  if (h.entry < load.address || h.entry - load.address >= load.file_bytes) {
    return xcut_fail(error, XCUT_E_IMAGE, "not a Crosscut module: no module table at the entry address");
  }
  out->table_at = (size_t)(h.entry - load.address);
  if (out->arch == XCUT_ARCH_OTHER) {
    return xcut_fail(error, XCUT_E_TARGET, "module is for an unknown machine (ELF machine %u)", h.machine);
  }
  status = check_checksum(image, bytes, out, error);
  return status ? status : check_table(image, bytes, out, error);
}
