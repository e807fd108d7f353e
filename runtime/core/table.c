// The check of a module table: nothing it refers to may lie outside the image, and what it says must be consistent.
// After it, the rest of the runtime follows offsets without looking.
#include "core/internal.h"

// The image under check. Honest tables refer to each byte about once; `budget` ends the work that overlapping arrays
// of a hostile one would cause.
typedef struct region {
  const uint8_t *base;
  size_t bytes;  // at most SIZE_MAX / 2, so that no sum below wraps around into the image
  size_t budget;
  bool thumb;  // function offsets carry the Thumb bit
  xcut_error *error;
} region;

static xcut_status spend(region *r, size_t work) {
  if (work > r->budget) return xcut_fail(r->error, XCUT_E_IMAGE, "module table: its arrays overlap");
  r->budget -= work;
  return XCUT_OK;
}

// Where `field` points to, from the image's first byte; beyond its end when that is not in the image.
static size_t target_of(const region *r, const xcut_offset *field) {
  return (size_t)((const uint8_t *)field - r->base) + (size_t)(ptrdiff_t)*field;
}

// Resolves `field` to `count` elements (fewer than 2^34) of `element` bytes. Alignments are powers of two.
static xcut_status follow(region *r, const xcut_offset *field, uint64_t count, size_t element, size_t alignment,
                          const char *what, const void **out) {
  *out = NULL;
  if (*field == 0) {
    if (count == 0) return XCUT_OK;
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s are missing", what);
  }
  size_t at = target_of(r, field);
  if (at > r->bytes || count * element > r->bytes - at) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s lie outside the image", what);
  }
  if ((at & (alignment - 1)) != 0) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s at 0x%llx are not %zu-byte aligned", what,
                     (unsigned long long)at, alignment);
  }
  *out = r->base + at;
  return spend(r, (size_t)count * element + 1);
}

static xcut_status check_string(region *r, const xcut_offset *field, const char *what) {
  if (*field == 0) return XCUT_OK;
  const void *start;
  xcut_status status = follow(r, field, 1, 1, 1, what, &start);
  if (status) return status;
  const uint8_t *end = r->base + r->bytes;
  const uint8_t *p = start;
  while (p < end && *p) ++p;
  if (p == end) return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s do not end inside the image", what);
  return spend(r, (size_t)(p - (const uint8_t *)start));
}

static xcut_status check_code(region *r, const xcut_offset *field, const char *what) {
  size_t at = target_of(r, field);
  if (r->thumb) at &= ~(size_t)1;
  if (at >= r->bytes) return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s lies outside the code", what);
  return XCUT_OK;
}

static const char *role(const xcut_function_info *f, uint64_t index) {
  return index < f->input_count ? "input" : index < (uint64_t)f->input_count + f->output_count ? "output" : "state";
}

static xcut_status check_tensor(region *r, const xcut_function_info *f, uint64_t index, const xcut_tensor_info *t,
                                bool *dynamic) {
  xcut_status status = check_string(r, &t->name, "tensor names");
  if (status) return status;
  xcut_value value = {.type = t->type, .rank = t->rank};
  if (xcut_type_bytes(t->type) == 0) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s %llu is of unknown type %u", role(f, index),
                     (unsigned long long)index, t->type);
  }
  if (t->rank > XCUT_MAX_RANK) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s %llu has rank %u, more than %d", role(f, index),
                     (unsigned long long)index, t->rank, XCUT_MAX_RANK);
  }
  const void *dims;
  status = follow(r, &t->dims, t->rank, sizeof(int64_t), 8, "tensor dimensions", &dims);
  if (status) return status;
  bool open = false;
  for (unsigned i = 0; i < t->rank; ++i) {
    int64_t dim = ((const int64_t *)dims)[i];
    if (dim < -1) {
      return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s %llu has dimension %lld", role(f, index),
                       (unsigned long long)index, (long long)dim);
    }
    if (dim == -1) open = true;
    value.dims[i] = dim == -1 ? 1 : dim;
  }
  if (xcut_value_bytes(&value) == SIZE_MAX) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: %s %llu is larger than memory", role(f, index),
                     (unsigned long long)index);
  }
  if (open && index >= (uint64_t)f->input_count + f->output_count) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table: a state tensor has an open dimension");
  }
  if (open) *dynamic = true;
  return XCUT_OK;
}

static xcut_status check_function(region *r, const xcut_function_info *f, bool *dynamic) {
  xcut_status status = check_string(r, &f->name, "function names");
  if (status) return status;
  uint64_t count = (uint64_t)f->input_count + f->output_count + f->state_count;
  const void *tensors;
  status = follow(r, &f->tensors, count, sizeof(xcut_tensor_info), 4, "tensors", &tensors);
  if (status) return status;
  *dynamic = f->arena_bytes == XCUT_ARENA_DYNAMIC;
  for (uint64_t i = 0; i < count; ++i) {
    status = check_tensor(r, f, i, (const xcut_tensor_info *)tensors + i, dynamic);
    if (status) return status;
  }
  return XCUT_OK;
}

static xcut_status check_entries(region *r, const xcut_module_table *table, const xcut_variant *variant) {
  const void *entries, *functions;
  xcut_status status = follow(r, &variant->entries, table->function_count, sizeof(xcut_entry), 4, "entries", &entries);
  if (status) return status;
  status = follow(r, &table->functions, table->function_count, sizeof(xcut_function_info), 8, "functions", &functions);
  if (status) return status;
  for (uint32_t i = 0; i < table->function_count; ++i) {
    const xcut_entry *entry = (const xcut_entry *)entries + i;
    bool dynamic = false;
    status = check_function(r, (const xcut_function_info *)functions + i, &dynamic);
    if (status) return status;
    if (entry->run == 0) return xcut_fail(r->error, XCUT_E_IMAGE, "module table: function %u has no code", i);
    if (entry->plan == 0 && dynamic) {
      return xcut_fail(r->error, XCUT_E_IMAGE, "module table: function %u has open shapes and no plan", i);
    }
    status = check_code(r, &entry->run, "a function");
    if (status == XCUT_OK && entry->plan) status = check_code(r, &entry->plan, "a plan");
    if (status) return status;
  }
  return XCUT_OK;
}

static xcut_status check_variant(region *r, const xcut_module_table *table, const xcut_variant *variant) {
  xcut_status status = check_string(r, &variant->cpu, "CPU names");
  if (status == XCUT_OK) status = check_string(r, &variant->features, "feature lists");
  if (status) return status;
  const void *kernels;
  status = follow(r, &variant->kernels, variant->kernel_count, sizeof(xcut_kernel_info), 8, "kernels", &kernels);
  if (status) return status;
  for (uint32_t i = 0; i < variant->kernel_count; ++i) {
    const xcut_kernel_info *kernel = (const xcut_kernel_info *)kernels + i;
    status = check_string(r, &kernel->name, "kernel names");
    if (status == XCUT_OK && kernel->function) status = check_code(r, &kernel->function, "a kernel");
    if (status) return status;
  }
  return check_entries(r, table, variant);
}

#if XCUT_WITH_PLUGINS
static xcut_status check_plugins(region *r, const xcut_module_table *table) {
  if (!(table->flags & XCUT_MODULE_PLUGINS)) return XCUT_OK;
  if (table->table_bytes < sizeof(xcut_module_table)) {
    return xcut_fail(r->error, XCUT_E_IMAGE, "module table has %u bytes, too few for plugins", table->table_bytes);
  }
  const void *plugins;
  xcut_status status =
      follow(r, &table->plugins, table->plugin_count, sizeof(xcut_plugin_info), 4, "plugins", &plugins);
  for (uint32_t i = 0; status == XCUT_OK && i < table->plugin_count; ++i) {
    const xcut_plugin_info *plugin = (const xcut_plugin_info *)plugins + i;
    status = check_string(r, &plugin->name, "plugin names");
    if (status == XCUT_OK && !*xcut_text_at(&plugin->name)) {
      return xcut_fail(r->error, XCUT_E_IMAGE, "module table: plugin %u has no name", i);
    }
  }
  return status;
}
#endif

xcut_status xcut_table_check(const uint8_t *base, size_t bytes, size_t table_at, xcut_error *error) {
  if (table_at > bytes || bytes - table_at < XCUT_MODULE_TABLE_LEAST_BYTES) {
    return xcut_fail(error, XCUT_E_IMAGE, "module table lies outside the image");
  }
  if (table_at % 8 != 0) return xcut_fail(error, XCUT_E_IMAGE, "module table is not 8-byte aligned");
  const xcut_module_table *table = (const xcut_module_table *)(const void *)(base + table_at);
  if (table->magic != XCUT_ABI_MAGIC) return xcut_fail(error, XCUT_E_IMAGE, "not a Crosscut module");
  if (table->abi_version != XCUT_ABI_VERSION) {
    return xcut_fail(error, XCUT_E_VERSION, "module has ABI version %u, this runtime reads %d", table->abi_version,
                     XCUT_ABI_VERSION);
  }
  if (table->table_bytes < XCUT_MODULE_TABLE_LEAST_BYTES || table->table_bytes > bytes - table_at) {
    return xcut_fail(error, XCUT_E_IMAGE, "module table has %u bytes", table->table_bytes);
  }
  region r = {base, bytes, bytes > SIZE_MAX / 64 ? SIZE_MAX : 64 * bytes, table->arch == XCUT_ARCH_ARM, error};
  xcut_status status = check_string(&r, &table->triple, "triple");
  if (status == XCUT_OK) status = check_string(&r, &table->source_name, "source name");
  if (status == XCUT_OK) status = check_string(&r, &table->compiler, "compiler name");
  if (status) return status;
  if (table->function_count == 0) return xcut_fail(error, XCUT_E_IMAGE, "module has no functions");
  if (table->variant_count == 0) return xcut_fail(error, XCUT_E_IMAGE, "module has no code");
  const void *variants;
  status = follow(&r, &table->variants, table->variant_count, sizeof(xcut_variant), 8, "variants", &variants);
  for (uint32_t i = 0; status == XCUT_OK && i < table->variant_count; ++i) {
    status = check_variant(&r, table, (const xcut_variant *)variants + i);
  }
#if XCUT_WITH_PLUGINS
  if (status == XCUT_OK) status = check_plugins(&r, table);
#endif
  return status;
}
