// crosscut-run: runs a function of a module once, with inputs from the command line or files, and shows, stores or
// checks its outputs.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/tools.h"

static const char kHelp[] =
    "Usage: crosscut-run --module=FILE [options]\n"
    "\n"
    "Runs a function of a compiled model once.\n"
    "\n"
    "  --module=FILE        the module\n"
    "  --function=NAME      default: main, or the module's only function\n"
    "  --device=NAME        local-sync (default) or local-task\n"
    "  --threads=N          of local-task; default: one a CPU\n"
    "  --input=VALUE        once an input, in order, or --input=NAME=VALUE; VALUE is one of\n"
    "                         1x3x224x224xf32=0        every element 0\n"
    "                         2x2xf32=[[1 2][3 4]]     nested, or flat: 2x2xf32=1,2,3,4\n"
    "                         4xf32=@raw.bin           the bytes of a file\n"
    "                         @file.npy\n"
    "                       types: f32 f64 f16 bf16 i8 i16 i32 i64 u8 u16 u32 u64 bool\n"
    "  --plugin=LIB.so      a shared library with functions that the module calls (XCUT_EXPORT_PLUGINS in\n"
    "                       crosscut/plugin.h); may be given several times, the first of a name counts\n"
    "  --output=@FILE.npy   once an output, in order: written there. --output=- prints it. Without: all are printed\n"
    "  --expected=VALUE     once an output, in order, or --expected=NAME=VALUE: compared with what the model computes\n"
    "  --atol=X --rtol=X    allowed difference: atol + rtol * |expected|; default 1e-5 and 1e-5\n"
    "  --print-statistics   sizes, memory, times and, on local-sync, the time of each kernel; to standard error\n"
    "  --print-limit=N      elements of an output to print before its middle is left out (default 100, 0: all)\n"
    "  --list-drivers       names of the devices that this program knows\n"
    "  --list-devices       the same with threads and this machine's CPU features\n"
    "  --help               this text\n"
    "\n"
    "Exit status: 0 when the model ran and every expected value matched, 1 otherwise.\n";

#define MAX_TENSORS 256
#define MAX_PLUGINS 64  // libraries

typedef struct settings {
  const char *module, *function, *device;
  uint64_t threads, print_limit;
  double atol, rtol;
  bool statistics;
  const char *inputs[MAX_TENSORS], *outputs[MAX_TENSORS], *expected[MAX_TENSORS], *plugins[MAX_PLUGINS];
  uint32_t input_count, output_count, expected_count, plugin_count;
} settings;

static int complain(const char *what, const char *why) {
  fprintf(stderr, "crosscut-run: %s%s%s\n", what, *what ? ": " : "", why);
  return 1;
}

static bool add(const char **list, uint32_t *count, const char *value, xcut_error *error) {
  if (*count == MAX_TENSORS) return tool_fail(error, "more than %d tensors given", MAX_TENSORS);
  list[(*count)++] = value;
  return true;
}

static bool parse_argument(settings *s, const char *argument, xcut_error *error) {
  const char *value;
  if (tool_flag(argument, "module", &s->module) || tool_flag(argument, "function", &s->function)) return true;
  if (tool_flag(argument, "device", &s->device)) return true;
  if (tool_flag(argument, "input", &value)) return add(s->inputs, &s->input_count, value, error);
  if (tool_flag(argument, "expected", &value)) return add(s->expected, &s->expected_count, value, error);
  if (tool_flag(argument, "plugin", &value)) {
    if (s->plugin_count == MAX_PLUGINS) return tool_fail(error, "more than %d plugin libraries given", MAX_PLUGINS);
    s->plugins[s->plugin_count++] = value;
    return true;
  }
  if (tool_flag(argument, "output", &value)) {
    if (strcmp(value, "-") != 0 && (value[0] != '@' || !value[1])) {
      return tool_fail(error, "--output=%s: must be @FILE.npy or -", value);
    }
    return add(s->outputs, &s->output_count, value, error);
  }
  if (tool_flag(argument, "print-statistics", NULL)) return s->statistics = true;
  if (tool_flag(argument, "threads", &value)) {
    if (tool_parse_u64(value, XCUT_MAX_THREADS, &s->threads) && s->threads > 0) return true;
    return tool_fail(error, "--threads=%s: must be 1 ... %d", value, XCUT_MAX_THREADS);
  }
  if (tool_flag(argument, "print-limit", &value)) {
    return tool_parse_u64(value, UINT32_MAX, &s->print_limit) ||
           tool_fail(error, "--print-limit=%s: must be a number", value);
  }
  bool atol = tool_flag(argument, "atol", &value);
  if (atol || tool_flag(argument, "rtol", &value)) {
    double parsed;
    if (!tool_parse_double(value, &parsed) || parsed < 0) {
      return tool_fail(error, "%s: must be a number of at least 0", argument);
    }
    *(atol ? &s->atol : &s->rtol) = parsed;
    return true;
  }
  return tool_fail(error, "unknown argument '%s'; --help lists what there is", argument);
}

static void list_devices(bool with_details) {
  const xcut_platform *platform = xcut_platform_default();
  for (uint32_t i = 0; xcut_device_available(i); ++i) {
    const char *name = xcut_device_available(i);
    if (!with_details) {
      puts(name);
      continue;
    }
    uint32_t threads = strcmp(name, "local-sync") == 0 ? 1 : platform->cpu_count(platform->self);
    printf("%s: %" PRIu32 " thread%s\n", name, threads, threads == 1 ? "" : "s");
  }
  if (!with_details) return;
  xcut_cpu cpu = xcut_cpu_detect(NULL);
  printf("CPU: %s", xcut_arch_name(cpu.arch));
  for (uint32_t bit = 0; bit < 64; ++bit) {
    const char *name = xcut_feature_name(cpu.arch, bit);
    if (name && (cpu.features >> bit & 1)) printf(" %s", name);
  }
  if (cpu.vlen_bits) printf(", vector registers of %" PRIu32 " bits", cpu.vlen_bits);
  putchar('\n');
}

// ---- One run ---------------------------------------------------------------------------------------------------------

// Everything that a run holds; released at one place whatever happened.
typedef struct run {
  const settings *s;
  xcut_module *module;
  xcut_device *device;
  xcut_session *session;
  xcut_function function;
  uint32_t input_count, output_count, kernel_count;
  xcut_value *inputs, *outputs, *expected;
  bool *has_expected;
  xcut_kernel_time *times;
  xcut_plugin *plugins;
  uint64_t load_ns, invoke_ns;
} run;

static uint64_t clock_ns(void) {
  const xcut_platform *platform = xcut_platform_default();
  return platform->clock_ns(platform->self);
}

static void release(run *r) {
  xcut_session_destroy(r->session);
  xcut_device_destroy(r->device);
  xcut_module_unload(r->module);
  for (uint32_t i = 0; r->inputs && i < r->input_count; ++i) tool_value_free(&r->inputs[i]);
  for (uint32_t i = 0; r->outputs && i < r->output_count; ++i) tool_value_free(&r->outputs[i]);
  for (uint32_t i = 0; r->expected && i < r->output_count; ++i) tool_value_free(&r->expected[i]);
  free(r->inputs);
  free(r->outputs);
  free(r->expected);
  free(r->has_expected);
  free(r->times);
  free(r->plugins);
}

static bool load(run *r, xcut_error *error) {
  xcut_load_options options = {.allocator = tool_allocator()};
  if (!tool_load_plugins(r->s->plugins, r->s->plugin_count, &r->plugins, &options.plugin_count, error)) return false;
  options.plugins = r->plugins;
  uint64_t start = clock_ns();
  xcut_error inner = {{0}};
  if (xcut_module_load_file(r->s->module, &options, &r->module, &inner) ||
      xcut_module_find_function(r->module, r->s->function, &r->function, &inner)) {
    return tool_fail(error, "%s: %s", r->s->module, inner.message);
  }
  r->load_ns = clock_ns() - start;
  r->input_count = r->function.info->input_count;
  r->output_count = r->function.info->output_count;
  r->inputs = calloc(r->input_count + 1u, sizeof *r->inputs);
  r->outputs = calloc(r->output_count + 1u, sizeof *r->outputs);
  r->expected = calloc(r->output_count + 1u, sizeof *r->expected);
  r->has_expected = calloc(r->output_count + 1u, sizeof *r->has_expected);
  if (!r->inputs || !r->outputs || !r->expected || !r->has_expected) return tool_fail(error, "out of memory");
  if (r->s->output_count > r->output_count) {
    return tool_fail(error, "--output given %" PRIu32 " times, function '%s' has %" PRIu32 " outputs",
                     r->s->output_count, xcut_function_name(&r->function), r->output_count);
  }
  return true;
}

static bool prepare(run *r, xcut_error *error) {
  const settings *s = r->s;
  if (!tool_parse_inputs(&r->function, s->inputs, s->input_count, r->inputs, error)) return false;
  if (!tool_parse_expected(&r->function, s->expected, s->expected_count, r->expected, r->has_expected, error))
    return false;
  xcut_device_options options = {.allocator = tool_allocator(), .threads = (uint32_t)s->threads};
  if (xcut_device_create(s->device, &options, &r->device, error)) return false;
  xcut_allocator allocator = tool_allocator();
  if (xcut_session_create(&r->function, r->device, &allocator, &r->session, error)) return false;
  if (s->statistics && strcmp(s->device, "local-sync") == 0) {
    xcut_module_description module;
    xcut_variant_description variant;
    xcut_module_describe(r->module, &module);
    if (xcut_module_variant(r->module, module.chosen_variant, &variant)) return tool_fail(error, "no variant");
    r->kernel_count = variant.kernel_count;
    r->times = calloc(r->kernel_count + 1u, sizeof *r->times);
    if (!r->times) return tool_fail(error, "out of memory");
    if (xcut_session_measure(r->session, r->times, r->kernel_count, error)) return false;
  }
  return tool_allocate_outputs(r->session, r->inputs, r->input_count, r->outputs, r->output_count, error);
}

static const char *output_name(const run *r, uint32_t index, xcut_tensor_description *t) {
  return xcut_function_tensor(&r->function, r->input_count + index, t) == XCUT_OK ? t->name : "?";
}

static bool show_outputs(const run *r, xcut_error *error) {
  for (uint32_t i = 0; i < r->output_count; ++i) {
    xcut_tensor_description t;
    const char *to = i < r->s->output_count ? r->s->outputs[i] : r->s->output_count ? NULL : "-";
    if (!to) continue;
    if (*to == '@') {
      if (!tool_write_npy(to + 1, &r->outputs[i], error)) return false;
    } else {
      tool_print_value(stdout, output_name(r, i, &t), &r->outputs[i], (size_t)r->s->print_limit);
    }
  }
  return true;
}

// Compares one output; says what differs.
static bool check_output(const run *r, uint32_t index) {
  const xcut_value *actual = &r->outputs[index], *expected = &r->expected[index];
  xcut_tensor_description t;
  const char *name = output_name(r, index, &t);
  tool_comparison c = tool_compare(actual, expected, r->s->atol, r->s->rtol);
  char have[200], want[200];
  tool_shape_text(actual, have, sizeof have);
  tool_shape_text(expected, want, sizeof want);
  if (!c.same_shape) {
    fprintf(stderr, "crosscut-run: output '%s' is %s, expected %s\n", name, have, want);
    return false;
  }
  if (c.matches) {
    fprintf(stderr, "output '%s' matches: max absolute error %.3g, max relative error %.3g\n", name, c.max_absolute,
            c.max_relative);
    return true;
  }
  tool_element_text(actual, c.first_mismatch, have, sizeof have);
  tool_element_text(expected, c.first_mismatch, want, sizeof want);
  fprintf(stderr,
          "crosscut-run: output '%s' differs in %zu of %zu elements, first at index %zu: is %s, expected %s; "
          "max absolute error %.3g, max relative error %.3g\n",
          name, c.mismatches, tool_element_count(actual), c.first_mismatch, have, want, c.max_absolute, c.max_relative);
  return false;
}

// The largest resident memory that this program has had, in bytes; 0 where the system does not say. Linux' getrusage()
// would count what the process that started this one had, too.
static uint64_t peak_resident_bytes(void) {
  uint64_t kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  if (!file) return 0;
  char line[256];
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, "VmHWM:", 6) == 0) kilobytes = strtoull(line + 6, NULL, 10);
  }
  fclose(file);
  return kilobytes * 1024;
}

static void print_statistics(const run *r) {
  xcut_module_description module;
  xcut_variant_description variant = {0};
  xcut_module_describe(r->module, &module);
  xcut_status status = xcut_module_variant(r->module, module.chosen_variant, &variant);
  uint64_t arena = 0;
  xcut_value *planned = calloc(r->output_count + 1u, sizeof *planned);
  if (planned && status == XCUT_OK) {
    status = xcut_plan(r->session, r->inputs, r->input_count, planned, r->output_count, &arena, NULL);
  }
  free(planned);
  fprintf(stderr, "device: %s, %" PRIu32 " threads\n", xcut_device_name(r->device), xcut_device_threads(r->device));
  fprintf(stderr, "variant: %" PRIu32 " of %" PRIu32 " (%s)\n", module.chosen_variant, module.variant_count,
          variant.cpu ? variant.cpu : "?");
  fprintf(stderr, "module_bytes: %" PRIu64 "\ncode_bytes: %" PRIu32 "\nweight_bytes: %" PRIu64 "\n", module.image_bytes,
          variant.code_bytes, module.weights_bytes);
  if (status == XCUT_OK) fprintf(stderr, "arena_bytes: %" PRIu64 "\n", arena);
  uint64_t peak = peak_resident_bytes();
  if (peak) fprintf(stderr, "peak_rss_bytes: %" PRIu64 "\n", peak);
  fprintf(stderr, "load_ms: %.3f\ninvoke_ms: %.3f\n", (double)r->load_ns / 1e6, (double)r->invoke_ns / 1e6);
  for (uint32_t i = 0; r->times && i < r->kernel_count; ++i) {
    xcut_kernel_description kernel;
    if (r->times[i].calls == 0 || xcut_module_kernel(r->module, module.chosen_variant, i, &kernel)) continue;
    double us = (double)r->times[i].nanoseconds / 1e3;
    fprintf(stderr, "kernel %" PRIu32 ": %.1f us, %" PRIu64 " calls", i, us, r->times[i].calls);
    if (kernel.flops && us > 0) {
      fprintf(stderr, ", %.1f GFLOP/s", (double)kernel.flops * (double)r->times[i].calls / us / 1e3);
    }
    fprintf(stderr, ", %s\n", kernel.name);
  }
}

static int run_module(const settings *s) {
  run r = {.s = s};
  xcut_error error = {{0}};
  bool ok = load(&r, &error) && prepare(&r, &error);
  if (ok) {
    uint64_t start = clock_ns();
    ok = xcut_invoke(r.session, r.inputs, r.input_count, r.outputs, r.output_count, &error) == XCUT_OK;
    r.invoke_ns = clock_ns() - start;
  }
  if (ok) ok = show_outputs(&r, &error);
  if (ok && (fflush(stdout) != 0 || ferror(stdout))) ok = tool_fail(&error, "cannot write to standard output");
  if (!ok) {
    complain("", error.message);
    release(&r);
    return 1;
  }
  for (uint32_t i = 0; i < r.output_count; ++i) {
    if (r.has_expected[i] && !check_output(&r, i)) ok = false;
  }
  if (s->statistics) print_statistics(&r);
  release(&r);
  return ok ? 0 : 1;
}

int main(int argc, char **argv) {
  static settings s = {.device = "local-sync", .atol = 1e-5, .rtol = 1e-5, .print_limit = 100};
  for (int i = 1; i < argc; ++i) {
    if (tool_flag(argv[i], "help", NULL)) return fputs(kHelp, stdout) < 0;
    if (tool_flag(argv[i], "list-drivers", NULL) || tool_flag(argv[i], "list-devices", NULL)) {
      list_devices(tool_flag(argv[i], "list-devices", NULL));
      return fflush(stdout) != 0 || ferror(stdout);
    }
    xcut_error error = {{0}};
    if (!parse_argument(&s, argv[i], &error)) return complain("", error.message);
  }
  if (!s.module) return complain("", "no --module=FILE given; --help explains");
  return run_module(&s);
}
