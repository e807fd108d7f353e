// Tests of loading: where code and weights end up, which variant runs, and what a machine refuses.
#include <sys/mman.h>
#include <unistd.h>

#include "test/image.h"
#include "test/test.h"

static image fixture;
static const char *fixture_file;  // the finished module, as a file

// Runs "main" and compares; whether the module was loaded from there or not.
static void run_main(const xcut_module *module) {
  xcut_error error;
  xcut_function function;
  xcut_device *device;
  xcut_session *session;
  xcut_allocator allocator = xcut_allocator_system();
  REQUIRE(xcut_module_find_function(module, "main", &function, &error) == XCUT_OK);
  REQUIRE(xcut_device_create("local-sync", &(xcut_device_options){.allocator = allocator}, &device, &error) == XCUT_OK);
  REQUIRE(xcut_session_create(&function, device, &allocator, &session, &error) == XCUT_OK);
  float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {0};
  xcut_value in = {x, sizeof x, XCUT_TYPE_F32, 2, {2, 3}}, out = {.data = y, .bytes = sizeof y};
  CHECK_INT(xcut_invoke(session, &in, 1, &out, 1, &error), XCUT_OK);
  for (int i = 0; i < 6; ++i) CHECK(y[i] == x[i] * kFixtureWeights[i]);
  xcut_session_destroy(session);
  xcut_device_destroy(device);
}

static void load_from_memory_runs(void) {
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  xcut_module *module;
  xcut_error error = {{0}};
  xcut_status status = xcut_module_load(fixture.data, fixture.bytes, &options, &module, &error);
  if (status) printf("%s\n", error.message);
  REQUIRE(status == XCUT_OK);
  xcut_module_description d;
  xcut_module_describe(module, &d);
  CHECK_INT(d.chosen_variant, 1);  // the first one needs a feature that no machine has
  CHECK_INT(d.function_count, 9);
  CHECK(strcmp(d.source_name, "fixture.onnx") == 0);
  run_main(module);
  xcut_module_unload(module);
}

static void load_from_file_runs_in_place(void) {
  counting_allocator count = {0};
  xcut_load_options options = {.allocator = counting(&count)};
  xcut_module *module;
  xcut_error error;
  REQUIRE(xcut_module_load_file(fixture_file, &options, &module, &error) == XCUT_OK);
  CHECK_INT(count.calls, 1);  // the record; neither code nor weights were copied
  run_main(module);
  xcut_module_unload(module);
  CHECK_INT(count.live, 0);
}

static void load_runs_in_place_without_mappings(void) {
  size_t bytes = (fixture.bytes + 65535) / 65536 * 65536;
  void *flash = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(flash != MAP_FAILED);
  memcpy(flash, fixture.data, fixture.bytes);
  REQUIRE(mprotect(flash, bytes, PROT_READ | PROT_EXEC) == 0);
  __builtin___clear_cache(flash, (char *)flash + bytes);
  xcut_platform bare;
  xcut_platform_generic(&bare, NULL);
  xcut_cpu cpu = xcut_cpu_detect(NULL);
  counting_allocator count = {0};
  xcut_load_options options = {.allocator = counting(&count), .platform = &bare, .cpu = &cpu};
  xcut_module *module;
  xcut_error error;
  REQUIRE(xcut_module_load(flash, fixture.bytes, &options, &module, &error) == XCUT_OK);
  CHECK_INT(count.calls, 1);
  run_main(module);
  xcut_module_unload(module);
  CHECK_INT(xcut_module_load_file(fixture_file, &options, &module, &error), XCUT_E_UNSUPPORTED);
  munmap(flash, bytes);
}

static void weights_of_a_badly_aligned_image_are_copied(void) {
  image i = image_copy(&fixture, fixture.bytes + 16);
  memmove(i.data + 16, fixture.data, fixture.bytes);
  counting_allocator count = {0};
  xcut_load_options options = {.allocator = counting(&count)};
  xcut_module *module;
  xcut_error error;
  REQUIRE(xcut_module_load(i.data + 16, fixture.bytes, &options, &module, &error) == XCUT_OK);
  CHECK_INT(count.calls, 2);
  run_main(module);
  xcut_module_unload(module);
  CHECK_INT(count.live, 0);
  CHECK_INT(xcut_module_load(i.data + 8, fixture.bytes, &options, &module, &error), XCUT_E_ARGUMENT);
  image_free(&i);
}

static void missing_features_are_named(void) {
  image i = image_copy(&fixture, fixture.bytes);
  xcut_variant *variants = image_at(&image_table(&i)->variants);
  variants[1].required_features = UINT64_C(5);
  image_seal(&i);
  xcut_cpu bare = {.arch = image_table(&i)->arch};
  xcut_load_options options = {.allocator = xcut_allocator_system(), .cpu = &bare};
  xcut_module *module;
  xcut_error error;
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_E_TARGET);
  char names[80];
  snprintf(names, sizeof names, "lacks: %s, %s", xcut_feature_name(bare.arch, 0), xcut_feature_name(bare.arch, 2));
  CHECK_CONTAINS(error.message, names);
  bare.features = 7;
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_OK);
  xcut_module_unload(module);
  variants[1].required_features = UINT64_C(1) << 62;
  image_seal(&i);
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_E_TARGET);
  CHECK_CONTAINS(error.message, "feature 62");
  image_free(&i);
}

static void wrong_vector_length_is_refused(void) {
  image i = image_copy(&fixture, fixture.bytes);
  xcut_variant *variants = image_at(&image_table(&i)->variants);
  variants[1].min_vlen_bits = 256;
  variants[1].max_vlen_bits = 512;
  image_seal(&i);
  xcut_cpu cpu = xcut_cpu_detect(NULL);
  xcut_load_options options = {.allocator = xcut_allocator_system(), .cpu = &cpu};
  static const uint32_t lengths[] = {0, 128, 256, 512, 1024};
  for (size_t l = 0; l < 5; ++l) {
    cpu.vlen_bits = lengths[l];
    xcut_module *module;
    xcut_error error;
    bool fits = lengths[l] == 256 || lengths[l] == 512;
    CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), fits ? XCUT_OK : XCUT_E_TARGET);
    if (!fits) CHECK_CONTAINS(error.message, "vector registers of 256 to 512 bits");
    xcut_module_unload(module);
  }
  image_free(&i);
}

static void best_variant_that_runs_is_chosen(void) {
  xcut_cpu cpu = xcut_cpu_detect(NULL);
  cpu.features |= UINT64_C(1) << 63;  // what the first variant asks for; its code is the same
  xcut_load_options options = {.allocator = xcut_allocator_system(), .cpu = &cpu};
  xcut_module *module;
  xcut_error error;
  REQUIRE(xcut_module_load(fixture.data, fixture.bytes, &options, &module, &error) == XCUT_OK);
  xcut_module_description d;
  xcut_module_describe(module, &d);
  CHECK_INT(d.chosen_variant, 0);
  run_main(module);
  xcut_module_unload(module);
}

static void external_weights_are_used_and_checked(void) {
  image i = image_copy(&fixture, fixture.bytes);
  image_table(&i)->flags = XCUT_MODULE_EXTERNAL_WEIGHTS;
  image_table(&i)->weights_offset = 0;
  image_seal(&i);
  memset(i.data + i.bytes - sizeof kFixtureWeights, 0, sizeof kFixtureWeights);
  _Alignas(64) float weights[6];
  memcpy(weights, kFixtureWeights, sizeof weights);
  xcut_load_options options = {
      .allocator = xcut_allocator_system(), .weights = weights, .weights_bytes = sizeof weights};
  xcut_module *module;
  xcut_error error;
  REQUIRE(xcut_module_load(i.data, i.bytes, &options, &module, &error) == XCUT_OK);
  run_main(module);
  xcut_module_unload(module);
  options.weights_bytes = 20;
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_E_IMAGE);
  options.weights = NULL;
  CHECK_INT(xcut_module_load(i.data, i.bytes, &options, &module, &error), XCUT_E_ARGUMENT);
  CHECK_CONTAINS(error.message, "external weights");
  image_free(&i);
}

static void a_refusing_allocator_is_reported_and_nothing_leaks(void) {
  image i = image_copy(&fixture, fixture.bytes + 16);
  memmove(i.data + 16, fixture.data, fixture.bytes);  // so that the weights must be copied
  for (size_t fail_at = 1; fail_at <= 2; ++fail_at) {
    counting_allocator count = {.fail_at = fail_at};
    xcut_load_options options = {.allocator = counting(&count)};
    xcut_module *module;
    xcut_error error;
    CHECK_INT(xcut_module_load(i.data + 16, fixture.bytes, &options, &module, &error), XCUT_E_MEMORY);
    CHECK(module == NULL);
    CHECK_INT(count.live, 0);
  }
  image_free(&i);
}

static void files_that_are_none_are_refused_by_reason(void) {
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  xcut_module *module;
  xcut_error error;
  CHECK_INT(xcut_module_load_file("/nonexistent/m.xcm", &options, &module, &error), XCUT_E_FILE);
  CHECK_CONTAINS(error.message, "no such file");
  CHECK_INT(xcut_module_load_file("/tmp", &options, &module, &error), XCUT_E_FILE);
  CHECK_CONTAINS(error.message, "is a directory");
  CHECK_INT(xcut_module_load_file("/dev/null", &options, &module, &error), XCUT_E_FILE);
  CHECK_CONTAINS(error.message, "no regular file");
  CHECK_INT(xcut_module_load_file(NULL, &options, &module, &error), XCUT_E_ARGUMENT);
}

static void loaded_code_is_never_writable(void) {
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  xcut_module *modules[2];
  xcut_error error;
  REQUIRE(xcut_module_load(fixture.data, fixture.bytes, &options, &modules[0], &error) == XCUT_OK);
  REQUIRE(xcut_module_load_file(fixture_file, &options, &modules[1], &error) == XCUT_OK);
  FILE *maps = fopen("/proc/self/maps", "r");
  REQUIRE(maps);
  char line[600];
  unsigned writable = 0;
  while (fgets(line, sizeof line, maps)) {
    const char *space = strchr(line, ' ');
    if (space && space[2] == 'w' && space[3] == 'x') ++writable;
  }
  fclose(maps);
  CHECK_INT(writable, 0);
  xcut_module_unload(modules[0]);
  xcut_module_unload(modules[1]);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  fixture = image_load(argv[1]);
  fixture_file = argv[2];
  static const test_case tests[] = {
      TEST(load_from_memory_runs),
      TEST(load_from_file_runs_in_place),
      TEST(load_runs_in_place_without_mappings),
      TEST(weights_of_a_badly_aligned_image_are_copied),
      TEST(missing_features_are_named),
      TEST(wrong_vector_length_is_refused),
      TEST(best_variant_that_runs_is_chosen),
      TEST(external_weights_are_used_and_checked),
      TEST(a_refusing_allocator_is_reported_and_nothing_leaks),
      TEST(files_that_are_none_are_refused_by_reason),
      TEST(loaded_code_is_never_writable),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  image_free(&fixture);
  return result;
}
