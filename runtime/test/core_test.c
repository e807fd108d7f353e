// Tests of what needs no module: names, messages, the fixed-block allocator, the machine.
#include "core/internal.h"

#include "test/test.h"

static void every_status_has_a_name_and_a_phrase(void) {
  static const int statuses[] = {0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23, 40, 41, 42, 43, 44};
  size_t named = 0;
  for (int value = -1; value < 100; ++value) {
    bool listed = false;
    for (size_t i = 0; i < XCUT_COUNT_OF(statuses); ++i) listed |= statuses[i] == value;
    bool has_name = strcmp(xcut_status_name((xcut_status)value), "XCUT_E_?") != 0;
    bool has_phrase = strcmp(xcut_status_phrase((xcut_status)value), "unknown status") != 0;
    CHECK(has_name == listed);
    CHECK(has_phrase == listed);
    named += has_name;
  }
  CHECK_INT(named, XCUT_COUNT_OF(statuses));
}

static void every_type_has_a_name_and_a_size(void) {
  for (uint32_t type = 1; type <= XCUT_TYPE_BOOL; ++type) {
    CHECK(strcmp(xcut_type_name(type), "?") != 0);
    CHECK(xcut_type_bytes(type) > 0);
  }
  CHECK(strcmp(xcut_type_name(0), "?") == 0);
  CHECK(strcmp(xcut_type_name(14), "?") == 0);
  CHECK_INT(xcut_type_bytes(0), 0);
  CHECK_INT(xcut_type_bytes(300), 0);
}

static void every_feature_has_a_name(void) {
  static const struct {
    uint32_t arch, last;
  } table[] = {{XCUT_ARCH_X86_64, XCUT_X86_CMOV},   {XCUT_ARCH_X86, XCUT_X86_CMOV},
               {XCUT_ARCH_ARM, XCUT_ARM_THUMB2},    {XCUT_ARCH_AARCH64, XCUT_AARCH64_RCPC},
               {XCUT_ARCH_RISCV64, XCUT_RISCV_ZBS}, {XCUT_ARCH_RISCV32, XCUT_RISCV_ZBS}};
  for (size_t i = 0; i < XCUT_COUNT_OF(table); ++i) {
    for (uint32_t bit = 0; bit < 200; ++bit) {
      CHECK((xcut_feature_name(table[i].arch, bit) != NULL) == (bit <= table[i].last));
    }
  }
  CHECK(xcut_feature_name(XCUT_ARCH_WASM32, 0) == NULL);
}

static void messages_are_cut_at_the_end_of_the_buffer(void) {
  xcut_error error;
  char longer[400];
  memset(longer, 'a', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  CHECK_INT(xcut_fail(&error, XCUT_E_DATA, "<%s>", longer), XCUT_E_DATA);
  CHECK_INT(strlen(error.message), sizeof error.message - 1);
  CHECK_INT(xcut_fail(NULL, XCUT_E_DATA, "%s", longer), XCUT_E_DATA);
}

static void messages_format_numbers_and_hide_control_characters(void) {
  xcut_error error;
  (void)xcut_fail(&error, XCUT_E_DATA, "%d %u %lld %llu %zu %x %c %s%% %llx", -7, 7u, (long long)INT64_MIN,
                  (unsigned long long)UINT64_MAX, (size_t)12, 0xabcu, 'z', "a\x1b[31m\n", 0x123456789abcull);
  CHECK(strcmp(error.message, "-7 7 -9223372036854775808 18446744073709551615 12 abc z a?[31m?% 123456789abc") == 0);
}

static void value_bytes_refuses_what_does_not_fit(void) {
  xcut_value v = {.type = XCUT_TYPE_F32, .rank = 3, .dims = {2, 3, 4}};
  CHECK_INT(xcut_value_bytes(&v), 96);
  v.dims[1] = 0;
  CHECK_INT(xcut_value_bytes(&v), 0);
  v.dims[1] = -1;
  CHECK(xcut_value_bytes(&v) == SIZE_MAX);
  v.dims[0] = v.dims[1] = v.dims[2] = INT64_C(1) << 30;
  CHECK(xcut_value_bytes(&v) == SIZE_MAX);
  v.dims[0] = 0;
  CHECK(xcut_value_bytes(&v) == 0);
  v.rank = XCUT_MAX_RANK + 1;
  CHECK(xcut_value_bytes(&v) == SIZE_MAX);
  v = (xcut_value){.type = 99};
  CHECK(xcut_value_bytes(&v) == SIZE_MAX);
}

static void block_allocator_aligns_refuses_and_frees_the_newest(void) {
  static uint8_t memory[1000];
  xcut_block block;
  xcut_allocator a = xcut_allocator_from_block(&block, memory, sizeof memory);
  uint8_t *first = a.allocate(a.self, 10, 64);
  uint8_t *second = a.allocate(a.self, 100, 32);
  CHECK((uintptr_t)first % 64 == 0 && (uintptr_t)second % 32 == 0 && second >= first + 10);
  CHECK(a.allocate(a.self, 2000, 1) == NULL);
  CHECK(a.allocate(a.self, SIZE_MAX, 64) == NULL);
  a.release(a.self, second);
  CHECK(a.allocate(a.self, 100, 32) == second);
  a.release(a.self, first);  // not the newest: stays
  CHECK((uint8_t *)a.allocate(a.self, 1, 1) >= second + 100);
  CHECK(block.peak >= 110 && block.peak <= sizeof memory);
}

static void cpu_is_detected_with_its_baseline(void) {
  xcut_cpu cpu = xcut_cpu_detect(NULL);
  CHECK(strcmp(xcut_arch_name(cpu.arch), "unknown") != 0);
#if defined(__x86_64__) || defined(__i386__)
  CHECK(cpu.features >> XCUT_X86_SSE2 & 1);
#elif defined(__aarch64__)
  CHECK(cpu.features >> XCUT_AARCH64_FP_ASIMD & 1);
#elif defined(__arm__)
  CHECK(cpu.features >> XCUT_ARM_VFP3 & 1);
#elif defined(__riscv)
  CHECK(cpu.features >> XCUT_RISCV_M & 1);
  bool vector = cpu.features >> XCUT_RISCV_V & 1;
  CHECK(vector ? cpu.vlen_bits >= 64 : cpu.vlen_bits == 0);
#endif
  printf("     %s, features %llx, vector registers of %u bits\n", xcut_arch_name(cpu.arch),
         (unsigned long long)cpu.features, cpu.vlen_bits);
}

static void unknown_device_is_refused_with_the_list(void) {
  xcut_device_options options = {.allocator = xcut_allocator_system()};
  xcut_device *device;
  xcut_error error;
  CHECK_INT(xcut_device_create("gpu", &options, &device, &error), XCUT_E_NOT_FOUND);
  CHECK(device == NULL);
  CHECK_CONTAINS(error.message, "no device 'gpu'; there is local-sync");
  CHECK_INT(xcut_device_create("local-task", &(xcut_device_options){.allocator = options.allocator, .threads = 1000},
                               &device, &error),
            XCUT_E_ARGUMENT);
  CHECK_INT(xcut_device_create("local-sync", &(xcut_device_options){0}, &device, &error), XCUT_E_ARGUMENT);
}

static void local_task_needs_threads(void) {
  xcut_platform bare;
  xcut_platform_generic(&bare, NULL);
  xcut_device_options options = {.allocator = xcut_allocator_system(), .platform = &bare};
  xcut_device *device;
  xcut_error error;
  CHECK_INT(xcut_device_create("local-task", &options, &device, &error), XCUT_E_UNSUPPORTED);
  CHECK_INT(xcut_device_create("local-sync", &options, &device, &error), XCUT_OK);
  xcut_device_destroy(device);
  xcut_device_destroy(NULL);
}

int main(void) {
  static const test_case tests[] = {
      TEST(every_status_has_a_name_and_a_phrase),
      TEST(every_type_has_a_name_and_a_size),
      TEST(every_feature_has_a_name),
      TEST(messages_are_cut_at_the_end_of_the_buffer),
      TEST(messages_format_numbers_and_hide_control_characters),
      TEST(value_bytes_refuses_what_does_not_fit),
      TEST(block_allocator_aligns_refuses_and_frees_the_newest),
      TEST(cpu_is_detected_with_its_baseline),
      TEST(unknown_device_is_refused_with_the_list),
      TEST(local_task_needs_threads),
  };
  TEST_MAIN(tests);
}
