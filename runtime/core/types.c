// Names and sizes of element types, names of architectures.
#include "core/internal.h"

// Two tables, as programs that only run models need no names.
static const char *const kNames[] = {
    [XCUT_TYPE_F32] = "f32",   [XCUT_TYPE_F64] = "f64", [XCUT_TYPE_F16] = "f16", [XCUT_TYPE_BF16] = "bf16",
    [XCUT_TYPE_I8] = "i8",     [XCUT_TYPE_I16] = "i16", [XCUT_TYPE_I32] = "i32", [XCUT_TYPE_I64] = "i64",
    [XCUT_TYPE_U8] = "u8",     [XCUT_TYPE_U16] = "u16", [XCUT_TYPE_U32] = "u32", [XCUT_TYPE_U64] = "u64",
    [XCUT_TYPE_BOOL] = "bool",
};
static const uint8_t kBytes[] = {
    [XCUT_TYPE_F32] = 4, [XCUT_TYPE_F64] = 8, [XCUT_TYPE_F16] = 2,  [XCUT_TYPE_BF16] = 2, [XCUT_TYPE_I8] = 1,
    [XCUT_TYPE_I16] = 2, [XCUT_TYPE_I32] = 4, [XCUT_TYPE_I64] = 8,  [XCUT_TYPE_U8] = 1,   [XCUT_TYPE_U16] = 2,
    [XCUT_TYPE_U32] = 4, [XCUT_TYPE_U64] = 8, [XCUT_TYPE_BOOL] = 1,
};

const char *xcut_type_name(uint32_t type) { return type < XCUT_COUNT_OF(kNames) && kNames[type] ? kNames[type] : "?"; }

size_t xcut_type_bytes(uint32_t type) { return type < XCUT_COUNT_OF(kBytes) ? kBytes[type] : 0; }

const char *xcut_arch_name(uint32_t arch) {
  switch (arch) {
    case XCUT_ARCH_X86_64: return "x86_64";
    case XCUT_ARCH_X86: return "x86";
    case XCUT_ARCH_ARM: return "arm";
    case XCUT_ARCH_AARCH64: return "aarch64";
    case XCUT_ARCH_RISCV32: return "riscv32";
    case XCUT_ARCH_RISCV64: return "riscv64";
    case XCUT_ARCH_WASM32: return "wasm32";
    case XCUT_ARCH_WASM64: return "wasm64";
    default: return "unknown";
  }
}

size_t xcut_value_bytes(const xcut_value *value) {
  size_t bytes = xcut_type_bytes(value->type);
  if (bytes == 0 || value->rank > XCUT_MAX_RANK) return SIZE_MAX;
  bool empty = false;
  for (unsigned i = 0; i < value->rank; ++i) {
    if (value->dims[i] < 0) return SIZE_MAX;
    if (value->dims[i] == 0) empty = true;
  }
  if (empty) return 0;
  for (unsigned i = 0; i < value->rank; ++i) {
    uint64_t dim = (uint64_t)value->dims[i];
    if (dim > (SIZE_MAX / 2) / bytes) return SIZE_MAX;
    bytes *= (size_t)dim;
  }
  return bytes;
}
