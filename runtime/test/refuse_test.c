// Tests of refusals: damaged, truncated and forged modules are refused by name, and never crash.
#include <unistd.h>

#include "test/image.h"
#include "test/test.h"

static image fixture;

static int32_t plugin(xcut_plugin_call *call) { return (int32_t)call->input_count; }

// What the second test module calls; the first has none.
static const xcut_plugin kPlugins[] = {{"test.Scale", plugin, NULL}, {"test.Reverse", plugin, NULL}};

static xcut_status load(const image *i, xcut_error *error) {
  xcut_load_options options = {.allocator = xcut_allocator_system(), .plugins = kPlugins, .plugin_count = 2};
  xcut_module *module;
  error->message[0] = 0;
  xcut_status status = xcut_module_load(i->data, i->bytes, &options, &module, error);
  CHECK((module != NULL) == (status == XCUT_OK));
  if (status) CHECK(error->message[0] && !strchr(error->message, '\n'));
  xcut_module_unload(module);
  return status;
}

// Walks all that a module says of itself; a sanitizer sees what lies outside.
static void inspect(const xcut_module *module) {
  xcut_module_description d;
  xcut_module_describe(module, &d);
  size_t letters = strlen(d.triple) + strlen(d.source_name) + strlen(d.compiler);
  for (uint32_t f = 0; f < d.function_count; ++f) {
    xcut_function function;
    REQUIRE(xcut_module_function(module, f, &function) == XCUT_OK);
    letters += strlen(xcut_function_name(&function));
    xcut_tensor_description t;
    for (uint32_t i = 0; xcut_function_tensor(&function, i, &t) == XCUT_OK; ++i) {
      letters += strlen(t.name);
      CHECK(xcut_type_bytes(t.type) > 0 && t.rank <= XCUT_MAX_RANK);
    }
  }
  for (uint32_t p = 0; p < d.plugin_count; ++p) letters += strlen(xcut_module_plugin(module, p));
  CHECK(!xcut_module_plugin(module, d.plugin_count));
  for (uint32_t v = 0; v < d.variant_count; ++v) {
    xcut_variant_description variant;
    REQUIRE(xcut_module_variant(module, v, &variant) == XCUT_OK);
    letters += strlen(variant.cpu) + strlen(variant.features);
    xcut_kernel_description k;
    for (uint32_t i = 0; xcut_module_kernel(module, v, i, &k) == XCUT_OK; ++i) letters += strlen(k.name);
  }
  CHECK(letters < 1000000);
}

static void every_truncation_is_refused(void) {
  for (size_t bytes = 0; bytes < fixture.bytes; ++bytes) {
    image cut = image_copy(&fixture, bytes);
    xcut_error error;
    CHECK_INT(load(&cut, &error), XCUT_E_IMAGE);
    image_free(&cut);
  }
}

static void every_truncated_file_is_refused(void) {
  char path[] = "/tmp/crosscut-test-XXXXXX";
  int fd = mkstemp(path);
  REQUIRE(fd >= 0 && write(fd, fixture.data, fixture.bytes) == (ssize_t)fixture.bytes);
  xcut_load_options options = {.allocator = xcut_allocator_system()};
  for (size_t bytes = fixture.bytes; bytes-- > 0;) {
    REQUIRE(ftruncate(fd, (off_t)bytes) == 0);
    xcut_module *module;
    xcut_error error;
    CHECK_INT(xcut_module_load_file(path, &options, &module, &error), XCUT_E_IMAGE);
  }
  close(fd);
  unlink(path);
}

static void every_flipped_bit_of_the_checked_bytes_is_refused(void) {
  image i = image_copy(&fixture, fixture.bytes);
  size_t checked = (size_t)image_table(&fixture)->checked_bytes;
  for (size_t at = 0; at < checked; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      i.data[at] ^= (uint8_t)(1u << bit);
      xcut_error error;
      CHECK(load(&i, &error) != XCUT_OK);
      i.data[at] ^= (uint8_t)(1u << bit);
    }
  }
  for (size_t at = checked; at < i.bytes; ++at) {  // weights and padding are data: any value loads
    i.data[at] ^= 0xff;
    xcut_error error;
    CHECK_INT(load(&i, &error), XCUT_OK);
    i.data[at] ^= 0xff;
  }
  image_free(&i);
}

// With a right checksum only the range checks are left; whatever they let through must be safe to look at.
static void every_forged_byte_is_refused_or_safe_to_inspect(void) {
  static const uint8_t patterns[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  image i = image_copy(&fixture, fixture.bytes);
  xcut_load_options options = {.allocator = xcut_allocator_system(), .flags = XCUT_LOAD_INSPECT};
  size_t checked = (size_t)image_table(&fixture)->checked_bytes;
  unsigned refused = 0;
  for (size_t at = 0; at < checked; ++at) {
    for (size_t p = 0; p < sizeof patterns; ++p) {
      i.data[at] ^= patterns[p];
      uint8_t whole[sizeof(xcut_module_table)];
      memcpy(whole, image_table(&i), sizeof whole);
      image_seal(&i);
      xcut_module *module;
      xcut_error error;
      if (xcut_module_load(i.data, i.bytes, &options, &module, &error) == XCUT_OK) {
        inspect(module);
        xcut_module_unload(module);
      } else {
        ++refused;
      }
      memcpy(image_table(&i), whole, sizeof whole);
      i.data[at] ^= patterns[p];
    }
  }
  CHECK(refused > 500);
  image_free(&i);
}

static void expect_refusal(image *i, bool seal, xcut_status status, const char *message) {
  if (seal) image_seal(i);
  xcut_error error;
  CHECK_INT(load(i, &error), status);
  CHECK_CONTAINS(error.message, message);
  memcpy(i->data, fixture.data, fixture.bytes);
}

static void wrong_files_are_refused_by_name(void) {
  image i = image_copy(&fixture, fixture.bytes);
  i.data[0] = 'M';
  expect_refusal(&i, false, XCUT_E_IMAGE, "no ELF header");
  i.data[4] = 3;
  expect_refusal(&i, false, XCUT_E_IMAGE, "ELF class");
  i.data[5] = i.data[5] == 1 ? 2 : 1;
  expect_refusal(&i, false, XCUT_E_TARGET, "-endian, this machine is not");
  i.data[16] = i.data[17] = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "not a shared object");
  i.data[24] ^= 8;
  expect_refusal(&i, false, XCUT_E_IMAGE, "no module table at the entry address");
  image_table(&i)->magic = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "no module table");
  image_table(&i)->abi_version = 2;
  expect_refusal(&i, true, XCUT_E_VERSION, "ABI version 2");
  image_table(&i)->checked_bytes -= 4;
  expect_refusal(&i, true, XCUT_E_IMAGE, "does not cover the code");
  image_table(&i)->checked_bytes = UINT64_MAX;
  expect_refusal(&i, false, XCUT_E_IMAGE, "covers more than the file");
  image_table(&i)->flags ^= 0x80;
  expect_refusal(&i, false, XCUT_E_IMAGE, "changed or damaged");
  image_free(&i);
}

static void another_architecture_is_refused_by_name(void) {
  image i = image_copy(&fixture, fixture.bytes);
  // The same class and byte order, another machine: AArch64 on RISC-V and x86-64 and so on.
  uint32_t own = image_table(&fixture)->arch;
  bool wide = sizeof(void *) == 8;
  uint16_t machine = wide ? (own == XCUT_ARCH_AARCH64 ? 243 : 183) : (own == XCUT_ARCH_ARM ? 3 : 40);
  const char *name = wide ? (own == XCUT_ARCH_AARCH64 ? "module is for riscv64" : "module is for aarch64")
                          : (own == XCUT_ARCH_ARM ? "module is for x86," : "module is for arm");
  uint32_t arch = wide ? (own == XCUT_ARCH_AARCH64 ? XCUT_ARCH_RISCV64 : XCUT_ARCH_AARCH64)
                       : (own == XCUT_ARCH_ARM ? XCUT_ARCH_X86 : XCUT_ARCH_ARM);
  memcpy(i.data + 18, &machine, 2);
  image_table(&i)->arch = arch;
  expect_refusal(&i, true, XCUT_E_TARGET, name);
  memcpy(i.data + 18, &machine, 2);
  expect_refusal(&i, true, XCUT_E_IMAGE, "differ in machine");
  machine = 8;  // MIPS
  memcpy(i.data + 18, &machine, 2);
  expect_refusal(&i, true, XCUT_E_TARGET, "unknown machine");
  image_free(&i);
}

static void forbidden_segments_are_refused_by_name(void) {
  image i = image_copy(&fixture, fixture.bytes);
  image_segment load_segment = image_program_header(&i, 0), dynamic = image_program_header(&i, 1);
  image_put(load_segment.header + load_segment.flags_at, 7, 4);
  expect_refusal(&i, true, XCUT_E_IMAGE, "is writable");
  image_put(load_segment.header + load_segment.flags_at, 4, 4);
  expect_refusal(&i, true, XCUT_E_IMAGE, "not read-execute");
  image_put(dynamic.header + dynamic.type_at, 3, 4);
  expect_refusal(&i, true, XCUT_E_IMAGE, "PT_INTERP");
  image_put(dynamic.header + dynamic.type_at, 7, 4);
  expect_refusal(&i, true, XCUT_E_IMAGE, "thread-local");
  image_put(load_segment.header + load_segment.memory_bytes_at, 1 << 20, load_segment.word);
  expect_refusal(&i, true, XCUT_E_IMAGE, "zero-filled");
  image_put(load_segment.header + load_segment.file_bytes_at, 1 << 20, load_segment.word);
  expect_refusal(&i, true, XCUT_E_IMAGE, "outside the file");
  image_put(load_segment.header + load_segment.type_at, 0, 4);
  expect_refusal(&i, true, XCUT_E_IMAGE, "no segment to load");
  image_free(&i);
}

static void dynamic_sections_that_ask_for_something_are_refused(void) {
  static const struct {
    uint64_t tag;
    const char *message;
  } table[] = {{1, "shared library"}, {2, "relocations"},     {8, "relocations"},
               {18, "relocations"},   {12, "dynamic linker"}, {27, "dynamic linker"}};
  image i = image_copy(&fixture, fixture.bytes);
  for (size_t t = 0; t < sizeof table / sizeof *table; ++t) {
    image_segment dynamic = image_program_header(&i, 1);
    size_t word = dynamic.word;
    uint64_t offset = 0;
    memcpy(&offset, dynamic.header + dynamic.offset_at, word);
    uint8_t *first = i.data + (size_t)offset;
    image_put(first, table[t].tag, word);
    image_put(first + word, 24, word);
    expect_refusal(&i, true, XCUT_E_IMAGE, table[t].message);
  }
  image_segment dynamic = image_program_header(&i, 1);
  image_put(dynamic.header + dynamic.file_bytes_at, dynamic.word * 2, dynamic.word);
  expect_refusal(&i, true, XCUT_E_IMAGE, "does not end");
  image_free(&i);
}

static void forged_tables_are_refused_by_name(void) {
  image i = image_copy(&fixture, fixture.bytes);
  xcut_function_info *functions = image_at(&image_table(&i)->functions);
  xcut_variant *variants = image_at(&image_table(&i)->variants);
  xcut_tensor_info *tensors = image_at(&functions[0].tensors);
  xcut_entry *entries = image_at(&variants[1].entries);
  image_table(&i)->function_count = 100000;
  expect_refusal(&i, true, XCUT_E_IMAGE, "outside the image");
  image_table(&i)->function_count = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "no functions");
  image_table(&i)->variant_count = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "no code");
  functions[0].input_count = UINT32_MAX;
  functions[0].output_count = UINT32_MAX;
  expect_refusal(&i, true, XCUT_E_IMAGE, "tensors lie outside");
  functions[0].name = INT32_MIN;
  expect_refusal(&i, true, XCUT_E_IMAGE, "function names lie outside");
  tensors[0].type = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "unknown type 0");
  tensors[0].rank = 9;
  expect_refusal(&i, true, XCUT_E_IMAGE, "rank 9");
  tensors[0].dims = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "tensor dimensions are missing");
  tensors[0].dims += 1;
  expect_refusal(&i, true, XCUT_E_IMAGE, "aligned");
  *(int64_t *)image_at(&tensors[0].dims) = -2;
  expect_refusal(&i, true, XCUT_E_IMAGE, "dimension -2");
  *(int64_t *)image_at(&tensors[0].dims) = INT64_MAX;
  expect_refusal(&i, true, XCUT_E_IMAGE, "larger than memory");
  entries[0].run = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "has no code");
  entries[0].run = 1 << 20;
  expect_refusal(&i, true, XCUT_E_IMAGE, "outside the code");
  entries[1].plan = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "no plan");
  image_table(&i)->weights_bytes = UINT64_MAX;
  expect_refusal(&i, true, XCUT_E_IMAGE, "weights lie outside");
  image_table(&i)->weights_offset = 1;
  expect_refusal(&i, true, XCUT_E_IMAGE, "not 64-byte aligned");
  image_table(&i)->weights_offset = 0;
  expect_refusal(&i, true, XCUT_E_IMAGE, "weights lie outside");
  image_free(&i);
}

int main(int argc, char **argv) {
  REQUIRE(argc == 3);
  fixture = image_load(argv[1]);
  static const test_case tests[] = {
      TEST(every_truncation_is_refused),
      TEST(every_truncated_file_is_refused),
      TEST(every_flipped_bit_of_the_checked_bytes_is_refused),
      TEST(every_forged_byte_is_refused_or_safe_to_inspect),
      TEST(wrong_files_are_refused_by_name),
      TEST(another_architecture_is_refused_by_name),
      TEST(forbidden_segments_are_refused_by_name),
      TEST(dynamic_sections_that_ask_for_something_are_refused),
      TEST(forged_tables_are_refused_by_name),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  image_free(&fixture);
  return result;
}
