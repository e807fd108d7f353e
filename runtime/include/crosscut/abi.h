// The binary contract between a compiled module and whatever runs it, version 1.
//
// This is the only file that the compiler and the runtime share. The compiler writes these structures into a module,
// in the byte order of the target; the runtime, a firmware image or a WebAssembly host reads them. Everything here is
// laid out alike on 32 and 64 bit: fields are explicit, padded by hand and checked below.
//
// Nothing but pointers and integers crosses the boundary, so that callers with hard and soft float share a module.
#ifndef CROSSCUT_ABI_H
#define CROSSCUT_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define XCUT_STATIC_ASSERT static_assert
#else
#define XCUT_STATIC_ASSERT _Static_assert
#endif

#define XCUT_ABI_MAGIC UINT32_C(0x314d4358)  // "XCM1" when read as little-endian bytes
#define XCUT_ABI_VERSION 1
#define XCUT_MAX_RANK 8
#define XCUT_ALIGNMENT 64  // bytes: weights, arena and every tensor inside the arena

// ---- The module table: read-only, found through e_entry of an ELF module -------------------------------------------

// An offset in bytes from the address of the field itself; 0 means absent. Never absolute: a module has no relocations.
// WebAssembly has no addresses of code: there, an offset that names code is an index into the exported function table
// (__indirect_function_table), the module table is found through the exported global xcut_table, weights_offset is the
// address of the weights in the module's memory, and checked_bytes is 0, since engines check files themselves.
typedef int32_t xcut_offset;

// Element types. Values are part of the ABI.
enum {
  XCUT_TYPE_F32 = 1,
  XCUT_TYPE_F64 = 2,
  XCUT_TYPE_F16 = 3,
  XCUT_TYPE_BF16 = 4,
  XCUT_TYPE_I8 = 5,
  XCUT_TYPE_I16 = 6,
  XCUT_TYPE_I32 = 7,
  XCUT_TYPE_I64 = 8,
  XCUT_TYPE_U8 = 9,
  XCUT_TYPE_U16 = 10,
  XCUT_TYPE_U32 = 11,
  XCUT_TYPE_U64 = 12,
  XCUT_TYPE_BOOL = 13,  // one byte, 0 or 1
};

enum {
  XCUT_ARCH_X86_64 = 1,
  XCUT_ARCH_X86 = 2,
  XCUT_ARCH_ARM = 3,  // A32 or T32
  XCUT_ARCH_AARCH64 = 4,
  XCUT_ARCH_RISCV32 = 5,
  XCUT_ARCH_RISCV64 = 6,
  XCUT_ARCH_WASM32 = 7,
  XCUT_ARCH_WASM64 = 8,
  XCUT_ARCH_OTHER = 255,
};

// CPU features, one bit each, numbered per architecture; required by a variant, offered by a machine.
enum {
  XCUT_X86_SSE2 = 0,
  XCUT_X86_SSE3 = 1,
  XCUT_X86_SSSE3 = 2,
  XCUT_X86_SSE41 = 3,
  XCUT_X86_SSE42 = 4,
  XCUT_X86_POPCNT = 5,
  XCUT_X86_AVX = 6,
  XCUT_X86_F16C = 7,
  XCUT_X86_FMA = 8,
  XCUT_X86_AVX2 = 9,
  XCUT_X86_BMI = 10,
  XCUT_X86_BMI2 = 11,
  XCUT_X86_LZCNT = 12,
  XCUT_X86_MOVBE = 13,
  XCUT_X86_AVX512F = 14,
  XCUT_X86_AVX512BW = 15,
  XCUT_X86_AVX512CD = 16,
  XCUT_X86_AVX512DQ = 17,
  XCUT_X86_AVX512VL = 18,
  XCUT_X86_AVX512VNNI = 19,
  XCUT_X86_AVX512BF16 = 20,
  XCUT_X86_AVX512FP16 = 21,
  XCUT_X86_AVXVNNI = 22,
  XCUT_X86_AMX_TILE = 23,
  XCUT_X86_AMX_INT8 = 24,
  XCUT_X86_AMX_BF16 = 25,
  XCUT_X86_AVX512VBMI = 26,
  XCUT_X86_AVX512VBMI2 = 27,
  XCUT_X86_AVX512IFMA = 28,
  XCUT_X86_AVX512BITALG = 29,
  XCUT_X86_AVX512VPOPCNTDQ = 30,
  XCUT_X86_GFNI = 31,
  XCUT_X86_VAES = 32,
  XCUT_X86_VPCLMULQDQ = 33,
  XCUT_X86_ADX = 34,
  XCUT_X86_CMOV = 35,
};
enum {
  XCUT_ARM_VFP2 = 0,
  XCUT_ARM_VFP3 = 1,
  XCUT_ARM_VFP4 = 2,
  XCUT_ARM_NEON = 3,
  XCUT_ARM_IDIV = 4,
  XCUT_ARM_FP16 = 5,
  XCUT_ARM_DOTPROD = 6,
  XCUT_ARM_MVE = 7,
  XCUT_ARM_MVE_FP = 8,
  XCUT_ARM_FULLFP16 = 9,
  XCUT_ARM_DSP = 10,
  XCUT_ARM_THUMB2 = 11,
};
enum {
  XCUT_AARCH64_FP_ASIMD = 0,
  XCUT_AARCH64_FULLFP16 = 1,
  XCUT_AARCH64_DOTPROD = 2,
  XCUT_AARCH64_I8MM = 3,
  XCUT_AARCH64_BF16 = 4,
  XCUT_AARCH64_SVE = 5,
  XCUT_AARCH64_SVE2 = 6,
  XCUT_AARCH64_LSE = 7,
  XCUT_AARCH64_CRC = 8,
  XCUT_AARCH64_RDM = 9,
  XCUT_AARCH64_RCPC = 10,
};
enum {
  XCUT_RISCV_M = 0,
  XCUT_RISCV_A = 1,
  XCUT_RISCV_F = 2,
  XCUT_RISCV_D = 3,
  XCUT_RISCV_C = 4,
  XCUT_RISCV_V = 5,
  XCUT_RISCV_ZFH = 6,
  XCUT_RISCV_ZVFH = 7,
  XCUT_RISCV_ZBA = 8,
  XCUT_RISCV_ZBB = 9,
  XCUT_RISCV_ZBS = 10,
};

// One tensor in a function's signature.
typedef struct xcut_tensor_info {
  xcut_offset name;  // UTF-8, zero-terminated
  xcut_offset dims;  // int64_t[rank]; -1 is a dimension that the caller chooses
  uint8_t type;      // XCUT_TYPE_*
  uint8_t rank;      // 0 ... XCUT_MAX_RANK
  uint16_t reserved0;
  uint32_t reserved1;
} xcut_tensor_info;

// Arena size of a function whose size depends on its input shapes: ask xcut_plan_fn.
#define XCUT_ARENA_DYNAMIC UINT64_MAX

typedef struct xcut_function_info {
  xcut_offset name;
  xcut_offset tensors;  // xcut_tensor_info[input_count + output_count + state_count]
  uint32_t input_count;
  uint32_t output_count;
  uint32_t state_count;  // tensors that live between calls; zero at first
  uint32_t stack_bytes;  // upper bound of what run and its kernels use of one stack, 0 when not known
  uint64_t arena_bytes;  // or XCUT_ARENA_DYNAMIC
} xcut_function_info;

// One kernel of a variant, for statistics and tools.
typedef struct xcut_kernel_info {
  xcut_offset name;      // of the model node it came from
  xcut_offset function;  // xcut_kernel_fn
  uint64_t flops;        // floating-point operations of one full dispatch, 0 when it depends on input shapes
  uint64_t bytes;        // bytes read and written at least, likewise
} xcut_kernel_info;

// The code of one function in one variant.
typedef struct xcut_entry {
  xcut_offset run;   // xcut_run_fn
  xcut_offset plan;  // xcut_run_fn; absent when every shape is static
} xcut_entry;

// The code of a module for one feature level. Variants are sorted best first; the last one asks least.
typedef struct xcut_variant {
  uint64_t required_features;  // bits XCUT_<ARCH>_*
  uint32_t min_vlen_bits;      // RISC-V V and SVE: shortest vector register that the code is right on; 0 = any
  uint32_t max_vlen_bits;      // longest; 0 = any
  xcut_offset cpu;             // LLVM's name of the CPU it was tuned for
  xcut_offset features;        // "+a,-b", LLVM's names
  xcut_offset kernels;         // xcut_kernel_info[kernel_count]
  xcut_offset entries;         // xcut_entry[function_count of the table]
  uint32_t kernel_count;
  uint32_t code_bytes;
} xcut_variant;

// A function of the program's that the module calls (crosscut/plugin.h).
typedef struct xcut_plugin_info {
  xcut_offset name;  // UTF-8, zero-terminated, not empty: "acme.Scale"
  uint32_t reserved;
} xcut_plugin_info;

typedef struct xcut_module_table {
  uint32_t magic;           // XCUT_ABI_MAGIC
  uint16_t abi_version;     // XCUT_ABI_VERSION
  uint16_t table_bytes;     // sizeof(xcut_module_table), so that later versions can grow
  uint32_t checksum;        // xcut_checksum() over the image's first checked_bytes, this field taken as zero
  uint32_t arch;            // XCUT_ARCH_*
  uint64_t checked_bytes;   // from the file's first byte: headers, table and code, not weights
  uint64_t weights_offset;  // from the file's first byte, a multiple of XCUT_ALIGNMENT; 0 with weights_bytes 0
  uint64_t weights_bytes;
  uint32_t function_count;
  uint32_t variant_count;
  xcut_offset functions;      // xcut_function_info[function_count]
  xcut_offset variants;       // xcut_variant[variant_count]
  xcut_offset triple;         // the target triple as the compiler resolved it
  xcut_offset source_name;    // file name of the model
  xcut_offset compiler;       // "crosscut 0.1.0 (LLVM 22.1.8)"
  uint32_t flags;             // XCUT_MODULE_*
  uint8_t source_sha256[32];  // of the model file
  // From here on only in tables of so many table_bytes: see the flags.
  xcut_offset plugins;  // xcut_plugin_info[plugin_count], with XCUT_MODULE_PLUGINS
  uint32_t plugin_count;
} xcut_module_table;

// table_bytes of the first modules.
#define XCUT_MODULE_TABLE_LEAST_BYTES offsetof(xcut_module_table, plugins)

// What a runtime has to know of to run the module: one that finds a flag unknown to it refuses.
#define XCUT_MODULE_EXTERNAL_WEIGHTS UINT32_C(1)  // weights lie beside the module, weights_offset is 0
#define XCUT_MODULE_PLUGINS UINT32_C(2)           // calls functions of the program's; the table names them

// Checksum of module images: detects every change of one 32-bit word. `image` may have any alignment; a last partial
// word is padded with zero bytes. Words are read in little-endian order on every machine. `table_checksum_at` is the
// offset of xcut_module_table.checksum, a multiple of 4, whose word counts as zero.
static inline uint32_t xcut_checksum(const void *image, size_t bytes, size_t table_checksum_at) {
  const uint8_t *p = (const uint8_t *)image;
  uint32_t hash = UINT32_C(0x811c9dc5);
  for (size_t at = 0; at < bytes; at += 4) {
    uint32_t word = 0;
    for (unsigned i = 0; i < 4 && at + i < bytes; ++i) word |= (uint32_t)p[at + i] << (8 * i);
    if (at == table_checksum_at) word = 0;
    hash = (hash ^ word) * UINT32_C(0x01000193);
  }
  return hash;
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

// A pointer in an eight-byte slot: the same layout on 32 and 64 bit, pointer first in either byte order.
#define XCUT_SLOT(type, name) \
  union {                     \
    type name;                \
    uint64_t name##_slot;     \
  }

typedef struct xcut_env xcut_env;
typedef struct xcut_plugin_call xcut_plugin_call;

// A kernel runs its work items begin ... end-1. Items are independent of each other.
typedef void (*xcut_kernel_fn)(const void *args, uint32_t begin, uint32_t end);

// Result of xcut_env.dispatch: names work that may still run. 0 is "done".
typedef uint32_t xcut_token;

typedef xcut_token (*xcut_dispatch_fn)(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count,
                                       const xcut_token *after, uint32_t after_count);
typedef void (*xcut_wait_fn)(xcut_env *env, xcut_token token);
typedef void *(*xcut_allocate_output_fn)(xcut_env *env, uint32_t output, uint64_t bytes);
typedef int32_t (*xcut_call_plugin_fn)(xcut_env *env, uint32_t plugin, xcut_plugin_call *call);

// What a module may ask of its caller while it runs. Provided by a device; a caller with neither threads nor plugins
// passes a null xcut_call.env, and the module runs its kernels by itself, in order.
struct xcut_env {
  // Starts `kernel` over `count` items, after the work of the tokens after[after_count] is done; zeros among them mean
  // nothing. `args` stays valid until the token was waited for; `after` is not used after the return. Work of two
  // tokens may overlap unless one is ordered after the other.
  XCUT_SLOT(xcut_dispatch_fn, dispatch);
  // Returns when the work of `token`, and so all work that it was ordered after, is done.
  XCUT_SLOT(xcut_wait_fn, wait);
  // Memory for an output whose size only the data tells: at least `bytes`, XCUT_ALIGNMENT-aligned; null when refused.
  XCUT_SLOT(xcut_allocate_output_fn, allocate_output);
  // Calls plugin number `plugin` of the module's table in this thread, and returns its result: 0, or why it failed.
  // May be null; asked for by modules with XCUT_MODULE_PLUGINS alone.
  XCUT_SLOT(xcut_call_plugin_fn, call_plugin);
  uint64_t reserved[4];
};

// One tensor of a plugin's call: row-major, no padding.
typedef struct xcut_plugin_tensor {
  XCUT_SLOT(void *, data);           // aligned to its elements; any address when there are none
  XCUT_SLOT(const int64_t *, dims);  // [rank]; any address when rank is 0
  uint64_t elements;                 // product of dims
  uint8_t type;                      // XCUT_TYPE_*
  uint8_t rank;                      // 0 ... XCUT_MAX_RANK
  uint16_t reserved0;
  uint32_t reserved1;
} xcut_plugin_tensor;

typedef struct xcut_plugin_attribute {
  XCUT_SLOT(const char *, name);  // UTF-8, zero-terminated
  xcut_plugin_tensor value;
} xcut_plugin_attribute;

// What a plugin is given; crosscut/plugin.h explains it. Valid until the plugin returns.
struct xcut_plugin_call {
  XCUT_SLOT(const xcut_plugin_tensor *, inputs);
  XCUT_SLOT(const xcut_plugin_tensor *, outputs);
  XCUT_SLOT(const xcut_plugin_attribute *, attributes);  // sorted by name
  uint32_t input_count;
  uint32_t output_count;
  uint32_t attribute_count;
  uint32_t reserved0;
  XCUT_SLOT(const char *, node);     // the model's node: "Scale:name"
  XCUT_SLOT(void *, user);           // null from the module; whoever calls the plugin may set it before
  XCUT_SLOT(const char *, message);  // null from the module; the plugin may set it when it fails
};

// One tensor of a call: row-major, no padding.
typedef struct xcut_tensor {
  XCUT_SLOT(void *, data);  // may be null when the tensor has no elements
  // [rank]; the caller's for inputs, written by plan for outputs. run checks the dimensions that the table leaves open;
  // the caller makes sure of the others, as the runtime does.
  XCUT_SLOT(int64_t *, dims);
} xcut_tensor;

// Arguments of run and plan.
typedef struct xcut_call {
  XCUT_SLOT(xcut_env *, env);         // may be null
  XCUT_SLOT(const void *, weights);   // XCUT_ALIGNMENT-aligned
  XCUT_SLOT(void *, arena);           // XCUT_ALIGNMENT-aligned
  XCUT_SLOT(xcut_tensor *, tensors);  // inputs, outputs, state, in the order of xcut_function_info.tensors
  uint64_t arena_bytes;               // given to run; written by plan
  uint32_t error_tensor;              // index into tensors, when run or plan fails
  uint32_t error_dim;
  int64_t error_expected;
  int64_t error_actual;
} xcut_call;

// Results of xcut_run_fn.
enum {
  XCUT_RUN_OK = 0,
  XCUT_RUN_SHAPE = 1,   // dimension error_dim of tensor error_tensor is error_actual, not error_expected
  XCUT_RUN_ARENA = 2,   // arena_bytes is error_actual, less than error_expected
  XCUT_RUN_DATA = 3,    // a value of tensor error_tensor (an index, a shape) is out of range: error_actual
  XCUT_RUN_MEMORY = 4,  // allocate_output returned null
  XCUT_RUN_PLUGIN = 5,  // plugin number error_tensor returned error_actual; nothing was started after it
};

// plan: from the dims of the inputs (and the data of inputs that hold shapes) computes the dims of the outputs and
// arena_bytes; touches neither arena nor weights. run: computes the outputs. Both re-entrant.
typedef int32_t (*xcut_run_fn)(xcut_call *call);

XCUT_STATIC_ASSERT(sizeof(xcut_tensor_info) == 16, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_function_info) == 32, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_function_info, arena_bytes) == 24, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_kernel_info) == 24, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_entry) == 8, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_variant) == 40, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_variant, cpu) == 16, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_variant, kernel_count) == 32, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_plugin_info) == 8, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_module_table) == 112, "ABI");
XCUT_STATIC_ASSERT(XCUT_MODULE_TABLE_LEAST_BYTES == 104, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_module_table, plugin_count) == 108, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_module_table, checksum) == 8, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_module_table, checked_bytes) == 16, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_module_table, function_count) == 40, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_module_table, source_sha256) == 72, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_env) == 64, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_env, wait) == 8, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_env, allocate_output) == 16, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_env, call_plugin) == 24, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_plugin_tensor) == 32, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_tensor, dims) == 8, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_tensor, elements) == 16, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_tensor, type) == 24, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_tensor, rank) == 25, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_plugin_attribute) == 40, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_attribute, value) == 8, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_plugin_call) == 64, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, outputs) == 8, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, attributes) == 16, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, input_count) == 24, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, output_count) == 28, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, attribute_count) == 32, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, node) == 40, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, user) == 48, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_plugin_call, message) == 56, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_tensor) == 16, "ABI");
XCUT_STATIC_ASSERT(sizeof(xcut_call) == 64, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_call, tensors) == 24, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_call, arena_bytes) == 32, "ABI");
XCUT_STATIC_ASSERT(offsetof(xcut_call, error_expected) == 48, "ABI");

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_ABI_H
