// Puts a checked module where its code can run.
//
// From a file: code and weights are mapped and used in place. From memory: the code is copied to pages of its own,
// written first and executable afterwards, never both. Without mappings (flash, bare metal): used where it lies.
#include "loaders/elf/arch/arch.h"
#include "loaders/elf/image.h"

static xcut_status check_options(const xcut_load_options *options, xcut_module **out, xcut_error *error) {
  if (!out) return xcut_fail(error, XCUT_E_ARGUMENT, "load: out is null");
  *out = NULL;
  if (!options || !options->allocator.allocate || !options->allocator.release) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "load: no allocator given");
  }
  return XCUT_OK;
}

static xcut_status check_machine(const xcut_elf_image *elf, const xcut_cpu *cpu, xcut_error *error) {
  if (elf->arch == cpu->arch) return XCUT_OK;
  return xcut_fail(error, XCUT_E_TARGET, "module is for %s, this machine is %s", xcut_arch_name(elf->arch),
                   xcut_arch_name(cpu->arch));
}

// Every flag says something that a runtime has to know of.
static xcut_status check_flags(const xcut_module_table *table, xcut_error *error) {
  uint32_t known = XCUT_MODULE_EXTERNAL_WEIGHTS | (XCUT_WITH_PLUGINS ? XCUT_MODULE_PLUGINS : 0);
  if (!(table->flags & ~known)) return XCUT_OK;
  return xcut_fail(error, XCUT_E_UNSUPPORTED, "module needs %s, which this runtime was built without",
                   table->flags & ~known & XCUT_MODULE_PLUGINS ? "CROSSCUT_PLUGINS" : "a newer runtime's feature");
}

static xcut_status find_weights(xcut_module *module, const uint8_t *image, const xcut_load_options *options,
                                xcut_error *error) {
  const xcut_module_table *table = module->table;
  if (table->weights_bytes == 0) return XCUT_OK;
  if (table->flags & XCUT_MODULE_EXTERNAL_WEIGHTS) {
    if (!options->weights) {
      if (options->flags & XCUT_LOAD_INSPECT) return XCUT_OK;
      return xcut_fail(error, XCUT_E_ARGUMENT, "module has external weights and none are given");
    }
    if (options->weights_bytes != table->weights_bytes) {
      return xcut_fail(error, XCUT_E_IMAGE, "the external weights have %llu bytes, the module's %llu",
                       (unsigned long long)options->weights_bytes, (unsigned long long)table->weights_bytes);
    }
    module->weights = options->weights;
  } else {
    module->weights = image + table->weights_offset;
  }
  if ((uintptr_t)module->weights % XCUT_ALIGNMENT == 0 || (options->flags & XCUT_LOAD_INSPECT)) return XCUT_OK;
  void *copy = module->allocator.allocate(module->allocator.self, (size_t)table->weights_bytes, XCUT_ALIGNMENT);
  if (!copy) {
    return xcut_fail(error, XCUT_E_MEMORY, "no memory for %llu bytes of weights",
                     (unsigned long long)table->weights_bytes);
  }
  memcpy(copy, module->weights, (size_t)table->weights_bytes);
  module->weights = module->weights_copy = copy;
  return XCUT_OK;
}

void xcut_flush_code(const xcut_platform *platform, void *memory, size_t bytes) {
  if (platform->flush_code) platform->flush_code(platform->self, memory, bytes);
  else xcut_arch_flush_code(memory, bytes);
}

// Gives the code a place where it may run; returns its base, or null. `file` is negative for an image in memory.
static const uint8_t *place_code(xcut_module *module, const uint8_t *image, size_t bytes, intptr_t file) {
  const xcut_platform *platform = module->platform;
  if (!platform->map || !platform->protect_code) {
    return image;  // it runs where it lies; whoever put it there made the instruction cache see it
  }
  size_t page = platform->page_bytes;
  size_t rounded = (bytes + page - 1) / page * page;
  if (file >= 0 && platform->file_map) {
    void *mapped = platform->file_map(platform->self, file, bytes, true);
    if (mapped) {
      module->code = mapped;
      module->code_bytes = bytes;
      return mapped;
    }
  }
  void *copy = platform->map(platform->self, rounded);
  if (!copy) return NULL;
  module->code = copy;
  module->code_bytes = rounded;
  memcpy(copy, image, bytes);
  if (!platform->protect_code(platform->self, copy, rounded)) return NULL;
  xcut_flush_code(platform, copy, bytes);
  return copy;
}

// Everything after the checks that need no machine. On failure the caller unloads `module`.
static xcut_status bind(xcut_module *module, const uint8_t *image, const xcut_elf_image *elf, intptr_t file,
                        const xcut_load_options *options, xcut_error *error) {
  module->table = (const xcut_module_table *)(const void *)(image + elf->table_at);
  if (!(options->flags & XCUT_LOAD_INSPECT)) {
    xcut_cpu cpu = options->cpu ? *options->cpu : xcut_cpu_detect(module->platform);
    xcut_status status = check_machine(elf, &cpu, error);
    if (status == XCUT_OK) status = check_flags(module->table, error);
    if (status == XCUT_OK) status = xcut_variant_choose(module->table, &cpu, &module->variant, error);
    if (status) return status;
    const uint8_t *code = place_code(module, image, (size_t)elf->segment_bytes, file);
    if (!code) {
      return xcut_fail(error, XCUT_E_MEMORY, "no executable memory for %llu bytes of code",
                       (unsigned long long)elf->segment_bytes);
    }
    uint64_t variant_at = (uint64_t)((const uint8_t *)module->variant - image);
    module->table = (const xcut_module_table *)(const void *)(code + elf->table_at);
    module->variant = (const xcut_variant *)(const void *)(code + variant_at);
#if XCUT_WITH_PLUGINS
    status = xcut_plugins_bind(module, options->plugins, options->plugin_count, error);
    if (status) return status;
#endif
  }
  return find_weights(module, image, options, error);
}

static xcut_module *new_module(const xcut_load_options *options, uint64_t image_bytes) {
  xcut_module *module = options->allocator.allocate(options->allocator.self, sizeof *module, _Alignof(xcut_module));
  if (!module) return NULL;
  *module = (xcut_module){.allocator = options->allocator,
                          .platform = options->platform ? options->platform : xcut_platform_default(),
                          .image_bytes = image_bytes};
  return module;
}

xcut_status xcut_module_load(const void *image, size_t image_bytes, const xcut_load_options *options, xcut_module **out,
                             xcut_error *error) {
  xcut_status status = check_options(options, out, error);
  if (status) return status;
  if (!image || (uintptr_t)image % 16 != 0 || image_bytes > SIZE_MAX / 2) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "the image is null, not 16-byte aligned or larger than memory");
  }
  xcut_elf_image elf;
  status = xcut_elf_check(image, image_bytes, &elf, error);
  if (status) return status;
  xcut_module *module = new_module(options, image_bytes);
  if (!module) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a module");
  status = bind(module, image, &elf, -1, options, error);
  if (status) {
    xcut_module_unload(module);
    return status;
  }
  *out = module;
  return XCUT_OK;
}

#if XCUT_WITH_FILES
// Loads an open file; the module owns the mapping, not the file.
static xcut_status load_open(intptr_t file, uint64_t bytes, const xcut_load_options *options, xcut_module **out,
                             xcut_error *error) {
  if (bytes == 0) return xcut_fail(error, XCUT_E_IMAGE, "the file is empty");
  if (bytes > SIZE_MAX / 2) return xcut_fail(error, XCUT_E_MEMORY, "the file is larger than memory");
  xcut_module *module = new_module(options, bytes);
  if (!module) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a module");
  const xcut_platform *platform = module->platform;
  const uint8_t *image = platform->file_map(platform->self, file, (size_t)bytes, false);
  if (!image) {
    xcut_module_unload(module);
    return xcut_fail(error, XCUT_E_FILE, "the file cannot be mapped");
  }
  module->file = (void *)(uintptr_t)image;
  module->file_bytes = (size_t)bytes;
  xcut_elf_image elf;
  xcut_status status = xcut_elf_check(image, bytes, &elf, error);
  if (status == XCUT_OK) status = bind(module, image, &elf, file, options, error);
  if (status) {
    xcut_module_unload(module);
    return status;
  }
  *out = module;
  return XCUT_OK;
}

xcut_status xcut_module_load_file(const char *path, const xcut_load_options *options, xcut_module **out,
                                  xcut_error *error) {
  xcut_status status = check_options(options, out, error);
  if (status) return status;
  const xcut_platform *platform = options->platform ? options->platform : xcut_platform_default();
  if (!platform->file_open || !platform->file_map || !platform->file_close || !platform->unmap) {
    return xcut_fail(error, XCUT_E_UNSUPPORTED, "this platform has no files");
  }
  if (!path) return xcut_fail(error, XCUT_E_ARGUMENT, "load: path is null");
  intptr_t file;
  uint64_t bytes;
  const char *reason = "";
  if (!platform->file_open(platform->self, path, &file, &bytes, &reason)) {
    return xcut_fail(error, XCUT_E_FILE, "cannot open: %s", reason);
  }
  status = load_open(file, bytes, options, out, error);
  platform->file_close(platform->self, file);
  return status;
}
#else
xcut_status xcut_module_load_file(const char *path, const xcut_load_options *options, xcut_module **out,
                                  xcut_error *error) {
  (void)path;
  xcut_status status = check_options(options, out, error);
  return status ? status : xcut_fail(error, XCUT_E_UNSUPPORTED, "this runtime was built without files");
}
#endif  // XCUT_WITH_FILES
