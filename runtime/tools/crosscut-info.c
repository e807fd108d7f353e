// crosscut-info: what a module holds. Works for modules of every architecture with this machine's byte order.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/common/tools.h"

static const char kHelp[] =
    "Usage: crosscut-info FILE [--json]\n"
    "\n"
    "Shows what a compiled model holds: functions with the names, types and shapes of their tensors, the plugins that\n"
    "it calls, variants with the CPU features they need, sizes, source and compiler.\n"
    "\n"
    "  --json   as one JSON object\n"
    "  --help   this text\n";

static void print_json_text(const char *text) {
  putchar('"');
  for (const unsigned char *p = (const unsigned char *)text; *p; ++p) {
    if (*p == '"' || *p == '\\') {
      printf("\\%c", *p);
    } else if (*p < 0x20 || *p == 0x7f) {
      printf("\\u%04x", *p);
    } else {
      putchar(*p);
    }
  }
  putchar('"');
}

// Names come from the file: control characters must not reach the terminal.
static void print_text(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; ++p) putchar(*p < 0x20 || *p == 0x7f ? '?' : *p);
}

static void print_sha256(const uint8_t *hash) {
  for (unsigned i = 0; i < 32; ++i) printf("%02x", hash[i]);
}

static const char *tensor_role(const xcut_function_info *info, uint32_t index) {
  return index < info->input_count ? "input" : index < info->input_count + info->output_count ? "output" : "state";
}

static uint32_t tensor_total(const xcut_function_info *info) {
  return info->input_count + info->output_count + info->state_count;
}

// ---- Text ------------------------------------------------------------------------------------------------------------

static void print_features(uint32_t arch, const xcut_variant_description *variant, const char *separator) {
  const char *before = "";
  for (uint32_t bit = 0; bit < 64; ++bit) {
    if (!(variant->required_features >> bit & 1)) continue;
    const char *name = xcut_feature_name(arch, bit);
    if (name) {
      printf("%s%s", before, name);
    } else {
      printf("%sfeature-%" PRIu32, before, bit);
    }
    before = separator;
  }
}

static void print_function(const xcut_function *function) {
  printf("function ");
  print_text(xcut_function_name(function));
  if (function->info->arena_bytes == XCUT_ARENA_DYNAMIC) {
    printf(": arena depends on the input shapes");
  } else {
    printf(": arena %" PRIu64 " bytes", function->info->arena_bytes);
  }
  if (function->info->stack_bytes) printf(", stack %" PRIu32 " bytes", function->info->stack_bytes);
  putchar('\n');
  for (uint32_t i = 0; i < tensor_total(function->info); ++i) {
    xcut_tensor_description t;
    if (xcut_function_tensor(function, i, &t)) return;
    xcut_value shape = {.type = t.type, .rank = t.rank};
    memcpy(shape.dims, t.dims, sizeof shape.dims);
    char text[200];
    tool_shape_text(&shape, text, sizeof text);
    printf("  %-6s ", tensor_role(function->info, i));
    print_text(t.name);
    printf(": %s\n", text);
  }
}

static void print_variant(uint32_t arch, uint32_t index, const xcut_variant_description *variant) {
  printf("variant %" PRIu32 ": %" PRIu32 " bytes of code, %" PRIu32 " kernels, tuned for ", index, variant->code_bytes,
         variant->kernel_count);
  print_text(*variant->cpu ? variant->cpu : "?");
  printf("\n  needs ");
  print_features(arch, variant, " ");
  if (!variant->required_features) printf("nothing");
  if (variant->min_vlen_bits || variant->max_vlen_bits) {
    printf(", vector registers of %" PRIu32 " bits", variant->min_vlen_bits);
    if (!variant->max_vlen_bits) printf(" or more");
    if (variant->max_vlen_bits > variant->min_vlen_bits) printf(" to %" PRIu32, variant->max_vlen_bits);
  }
  if (*variant->features) {
    printf("\n  features ");
    print_text(variant->features);
  }
  putchar('\n');
}

static void print_module(const xcut_module *module) {
  xcut_module_description d;
  xcut_module_describe(module, &d);
  printf("module   ABI %" PRIu32 ", %s, ", d.abi_version, xcut_arch_name(d.arch));
  print_text(d.triple);
  printf("\nsource   ");
  print_text(d.source_name);
  printf("\n         sha256 ");
  print_sha256(d.source_sha256);
  printf("\ncompiler ");
  print_text(d.compiler);
  printf("\nsizes    %" PRIu64 " bytes: %" PRIu64 " headers, tables and code; %" PRIu64 " weights%s\n", d.image_bytes,
         d.checked_bytes, d.weights_bytes, d.flags & XCUT_MODULE_EXTERNAL_WEIGHTS ? " (in a file beside it)" : "");
  for (uint32_t i = 0; i < d.plugin_count; ++i) {
    printf("%s", i ? ", " : "plugins  ");
    print_text(xcut_module_plugin(module, i));
  }
  if (d.plugin_count) putchar('\n');
  for (uint32_t i = 0; i < d.function_count; ++i) {
    xcut_function function;
    if (xcut_module_function(module, i, &function) == XCUT_OK) print_function(&function);
  }
  for (uint32_t i = 0; i < d.variant_count; ++i) {
    xcut_variant_description variant;
    if (xcut_module_variant(module, i, &variant) == XCUT_OK) print_variant(d.arch, i, &variant);
  }
}

// ---- JSON ------------------------------------------------------------------------------------------------------------

static void json_tensors(const xcut_function *function, const char *key, uint32_t first, uint32_t count) {
  printf("\"%s\": [", key);
  for (uint32_t i = 0; i < count; ++i) {
    xcut_tensor_description t;
    if (xcut_function_tensor(function, first + i, &t)) break;
    printf("%s{\"name\": ", i ? ", " : "");
    print_json_text(t.name);
    printf(", \"type\": \"%s\", \"dims\": [", xcut_type_name(t.type));
    for (unsigned d = 0; d < t.rank; ++d) printf("%s%" PRId64, d ? ", " : "", t.dims[d]);
    printf("]}");
  }
  printf("]");
}

static void json_function(const xcut_function *function) {
  const xcut_function_info *info = function->info;
  printf("{\"name\": ");
  print_json_text(xcut_function_name(function));
  printf(", ");
  json_tensors(function, "inputs", 0, info->input_count);
  printf(", ");
  json_tensors(function, "outputs", info->input_count, info->output_count);
  printf(", ");
  json_tensors(function, "state", info->input_count + info->output_count, info->state_count);
  if (info->arena_bytes == XCUT_ARENA_DYNAMIC) {
    printf(", \"arena_bytes\": null");
  } else {
    printf(", \"arena_bytes\": %" PRIu64, info->arena_bytes);
  }
  printf(", \"stack_bytes\": %" PRIu32 "}", info->stack_bytes);
}

static void json_variant(const xcut_module *module, uint32_t arch, uint32_t index) {
  xcut_variant_description v;
  if (xcut_module_variant(module, index, &v)) return;
  printf("{\"cpu\": ");
  print_json_text(v.cpu);
  printf(", \"features\": ");
  print_json_text(v.features);
  printf(", \"required_features\": [");
  if (v.required_features) {
    printf("\"");
    print_features(arch, &v, "\", \"");
    printf("\"");
  }
  printf("], \"min_vlen_bits\": %" PRIu32 ", \"max_vlen_bits\": %" PRIu32 ", \"code_bytes\": %" PRIu32
         ", \"kernels\": [",
         v.min_vlen_bits, v.max_vlen_bits, v.code_bytes);
  for (uint32_t i = 0; i < v.kernel_count; ++i) {
    xcut_kernel_description k;
    if (xcut_module_kernel(module, index, i, &k)) break;
    printf("%s\n      {\"name\": ", i ? "," : "");
    print_json_text(k.name);
    printf(", \"flops\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"code_offset\": %" PRId64 "}", k.flops, k.bytes,
           k.code_offset);
  }
  printf("]}");
}

static void print_json(const xcut_module *module) {
  xcut_module_description d;
  xcut_module_describe(module, &d);
  printf("{\n  \"abi_version\": %" PRIu32 ",\n  \"arch\": \"%s\",\n  \"triple\": ", d.abi_version,
         xcut_arch_name(d.arch));
  print_json_text(d.triple);
  printf(",\n  \"source\": ");
  print_json_text(d.source_name);
  printf(",\n  \"source_sha256\": \"");
  print_sha256(d.source_sha256);
  printf("\",\n  \"compiler\": ");
  print_json_text(d.compiler);
  printf(",\n  \"image_bytes\": %" PRIu64 ",\n  \"checked_bytes\": %" PRIu64 ",\n  \"weights_bytes\": %" PRIu64
         ",\n  \"external_weights\": %s,\n  \"plugins\": [",
         d.image_bytes, d.checked_bytes, d.weights_bytes, d.flags & XCUT_MODULE_EXTERNAL_WEIGHTS ? "true" : "false");
  for (uint32_t i = 0; i < d.plugin_count; ++i) {
    printf("%s", i ? ", " : "");
    print_json_text(xcut_module_plugin(module, i));
  }
  printf("],\n  \"functions\": [");
  for (uint32_t i = 0; i < d.function_count; ++i) {
    xcut_function function;
    if (xcut_module_function(module, i, &function)) break;
    printf("%s\n    ", i ? "," : "");
    json_function(&function);
  }
  printf("\n  ],\n  \"variants\": [");
  for (uint32_t i = 0; i < d.variant_count; ++i) {
    printf("%s\n    ", i ? "," : "");
    json_variant(module, d.arch, i);
  }
  printf("\n  ]\n}\n");
}

int main(int argc, char **argv) {
  const char *path = NULL;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    if (tool_flag(argv[i], "help", NULL)) return fputs(kHelp, stdout) < 0;
    if (tool_flag(argv[i], "json", NULL)) {
      json = true;
    } else if (argv[i][0] == '-' || path) {
      fprintf(stderr, "crosscut-info: unknown argument '%s'; --help lists what there is\n", argv[i]);
      return 1;
    } else {
      path = argv[i];
    }
  }
  if (!path) {
    fprintf(stderr, "crosscut-info: no module given; --help explains\n");
    return 1;
  }
  xcut_load_options options = {.allocator = tool_allocator(), .flags = XCUT_LOAD_INSPECT};
  xcut_module *module;
  xcut_error error = {{0}};
  if (xcut_module_load_file(path, &options, &module, &error)) {
    fprintf(stderr, "crosscut-info: %s: %s\n", path, error.message);
    return 1;
  }
  if (json) {
    print_json(module);
  } else {
    print_module(module);
  }
  xcut_module_unload(module);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fprintf(stderr, "crosscut-info: cannot write the output\n");
    return 1;
  }
  return 0;
}
