// Inspection of loaded modules, and the choice of the variant that this machine runs.
#include "core/internal.h"

const void *xcut_at(const xcut_offset *field) { return *field ? (const uint8_t *)field + *field : NULL; }

const char *xcut_text_at(const xcut_offset *field) { return *field ? (const char *)xcut_at(field) : ""; }

static const xcut_variant *variants_of(const xcut_module_table *table) { return xcut_at(&table->variants); }

// ---- The variant -----------------------------------------------------------------------------------------------------

static bool vlen_fits(const xcut_variant *variant, uint32_t vlen_bits) {
  if (variant->min_vlen_bits && vlen_bits < variant->min_vlen_bits) return false;
  return !(variant->max_vlen_bits && vlen_bits > variant->max_vlen_bits);
}

static xcut_status refuse(const xcut_module_table *table, const xcut_variant *variant, const xcut_cpu *cpu,
                          xcut_error *error) {
  uint64_t missing = variant->required_features & ~cpu->features;
  if (!missing) {
    if (variant->max_vlen_bits && variant->max_vlen_bits != variant->min_vlen_bits) {
      return xcut_fail(error, XCUT_E_TARGET, "module needs vector registers of %u to %u bits, this machine's have %u",
                       variant->min_vlen_bits, variant->max_vlen_bits, cpu->vlen_bits);
    }
    return xcut_fail(error, XCUT_E_TARGET, "module needs vector registers of %u bits%s, this machine's have %u",
                     variant->min_vlen_bits, variant->max_vlen_bits ? "" : " or more", cpu->vlen_bits);
  }
  char names[160] = "";
  xcut_text text = xcut_text_begin(names, sizeof names);
  for (uint32_t bit = 0; XCUT_WITH_MESSAGES && bit < 64; ++bit) {
    if (!(missing >> bit & 1)) continue;
    const char *separator = text.used ? ", " : "";
    const char *name = xcut_feature_name(table->arch, bit);
    if (name) {
      xcut_text_add(&text, "%s%s", separator, name);
    } else {
      xcut_text_add(&text, "%sfeature %u", separator, bit);
    }
  }
  return xcut_fail(error, XCUT_E_TARGET, "module needs CPU features that this machine lacks: %s", names);
}

xcut_status xcut_variant_choose(const xcut_module_table *table, const xcut_cpu *cpu, const xcut_variant **out,
                                xcut_error *error) {
  const xcut_variant *variants = variants_of(table);
  for (uint32_t i = 0; i < table->variant_count; ++i) {
    if (variants[i].required_features & ~cpu->features) continue;
    if (!vlen_fits(&variants[i], cpu->vlen_bits)) continue;
    *out = &variants[i];
    return XCUT_OK;
  }
  return refuse(table, &variants[table->variant_count - 1], cpu, error);
}

// ---- Inspection ------------------------------------------------------------------------------------------------------

static uint32_t plugin_count(const xcut_module_table *table) {
  return XCUT_WITH_PLUGINS && (table->flags & XCUT_MODULE_PLUGINS) ? table->plugin_count : 0;
}

void xcut_module_describe(const xcut_module *module, xcut_module_description *out) {
  const xcut_module_table *table = module->table;
  *out = (xcut_module_description){
      .abi_version = table->abi_version,
      .arch = table->arch,
      .function_count = table->function_count,
      .variant_count = table->variant_count,
      .chosen_variant = module->variant ? (uint32_t)(module->variant - variants_of(table)) : table->variant_count,
      .flags = table->flags,
      .plugin_count = plugin_count(table),
      .image_bytes = module->image_bytes,
      .checked_bytes = table->checked_bytes,
      .weights_bytes = table->weights_bytes,
      .triple = xcut_text_at(&table->triple),
      .source_name = xcut_text_at(&table->source_name),
      .compiler = xcut_text_at(&table->compiler),
      .source_sha256 = table->source_sha256,
  };
}

xcut_status xcut_module_variant(const xcut_module *module, uint32_t index, xcut_variant_description *out) {
  if (index >= module->table->variant_count) return XCUT_E_NOT_FOUND;
  const xcut_variant *variant = variants_of(module->table) + index;
  *out = (xcut_variant_description){
      .required_features = variant->required_features,
      .min_vlen_bits = variant->min_vlen_bits,
      .max_vlen_bits = variant->max_vlen_bits,
      .kernel_count = variant->kernel_count,
      .code_bytes = variant->code_bytes,
      .cpu = xcut_text_at(&variant->cpu),
      .features = xcut_text_at(&variant->features),
  };
  return XCUT_OK;
}

const char *xcut_module_plugin(const xcut_module *module, uint32_t index) {
  if (index >= plugin_count(module->table)) return NULL;
  const xcut_plugin_info *plugins = xcut_at(&module->table->plugins);
  return xcut_text_at(&plugins[index].name);
}

xcut_status xcut_module_kernel(const xcut_module *module, uint32_t variant, uint32_t index,
                               xcut_kernel_description *out) {
  if (variant >= module->table->variant_count) return XCUT_E_NOT_FOUND;
  const xcut_variant *v = variants_of(module->table) + variant;
  if (index >= v->kernel_count) return XCUT_E_NOT_FOUND;
  const xcut_kernel_info *kernel = (const xcut_kernel_info *)xcut_at(&v->kernels) + index;
  *out = (xcut_kernel_description){
      .name = xcut_text_at(&kernel->name),
      .flops = kernel->flops,
      .bytes = kernel->bytes,
      .code_offset = (const char *)xcut_at(&kernel->function) - (const char *)module->table,
  };
  return XCUT_OK;
}

xcut_status xcut_module_function(const xcut_module *module, uint32_t index, xcut_function *out) {
  if (index >= module->table->function_count) return XCUT_E_NOT_FOUND;
  const xcut_function_info *functions = xcut_at(&module->table->functions);
  *out = (xcut_function){module, &functions[index], index};
  return XCUT_OK;
}

xcut_status xcut_module_find_function(const xcut_module *module, const char *name, xcut_function *out,
                                      xcut_error *error) {
  uint32_t count = module->table->function_count;
  const xcut_function_info *functions = xcut_at(&module->table->functions);
  const char *wanted = name ? name : "main";
  for (uint32_t i = 0; i < count; ++i) {
    if (xcut_same_text(xcut_text_at(&functions[i].name), wanted)) return xcut_module_function(module, i, out);
  }
  if (!name && count == 1) return xcut_module_function(module, 0, out);
  char names[160] = "";
  xcut_text text = xcut_text_begin(names, sizeof names);
  for (uint32_t i = 0; XCUT_WITH_MESSAGES && i < count; ++i) {
    xcut_text_add(&text, "%s'%s'", i ? ", " : "", xcut_text_at(&functions[i].name));
  }
  return xcut_fail(error, XCUT_E_NOT_FOUND, "no function '%s'; there is %s", wanted, names);
}

const char *xcut_function_name(const xcut_function *function) { return xcut_text_at(&function->info->name); }

xcut_status xcut_function_tensor(const xcut_function *function, uint32_t index, xcut_tensor_description *out) {
  const xcut_function_info *info = function->info;
  if (index >= (uint64_t)info->input_count + info->output_count + info->state_count) return XCUT_E_NOT_FOUND;
  const xcut_tensor_info *tensor = (const xcut_tensor_info *)xcut_at(&info->tensors) + index;
  *out = (xcut_tensor_description){.name = xcut_text_at(&tensor->name), .type = tensor->type, .rank = tensor->rank};
  const int64_t *dims = xcut_at(&tensor->dims);
  for (unsigned i = 0; i < tensor->rank; ++i) out->dims[i] = dims[i];
  return XCUT_OK;
}

void xcut_module_unload(xcut_module *module) {
  if (!module) return;
  xcut_allocator allocator = module->allocator;
  const xcut_platform *platform = module->platform;
  if (module->code) platform->unmap(platform->self, module->code, module->code_bytes);
  if (module->file) platform->unmap(platform->self, module->file, module->file_bytes);
#if XCUT_WITH_PLUGINS
  if (module->plugins) allocator.release(allocator.self, module->plugins);
#endif
  if (module->weights_copy) allocator.release(allocator.self, module->weights_copy);
  allocator.release(allocator.self, module);
}
