// Tests of .npy files: what is read and written, and that hostile files are refused by name.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test/test.h"
#include "tools/common/tools.h"

static char folder[] = "/tmp/crosscut-npy-XXXXXX";
static xcut_error error;

static const char *in_folder(const char *name) {
  static char paths[4][300];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, 300, "%s/%s", folder, name);
  return path;
}

static void npy_files_survive_a_round_trip(void) {
  for (uint8_t type = XCUT_TYPE_F32; type <= XCUT_TYPE_BOOL; ++type) {
    for (uint8_t rank = 0; rank <= 3; ++rank) {
      xcut_value value = {.type = type, .rank = rank, .dims = {2, 3, rank == 3 ? 0 : 1}};
      REQUIRE(tool_value_allocate(&value, &error));
      for (size_t i = 0; i < value.bytes; ++i) ((uint8_t *)value.data)[i] = type == XCUT_TYPE_BOOL ? i % 2 : (uint8_t)i;
      const char *path = in_folder("round.npy");
      CHECK(tool_write_npy(path, &value, &error));
      char text[310];
      snprintf(text, sizeof text, "@%s", path);
      xcut_value back;
      if (tool_parse_value(text, NULL, &back, &error)) {
        CHECK(back.type == type && back.rank == rank && back.bytes == value.bytes);
        CHECK(memcmp(back.dims, value.dims, rank * sizeof(int64_t)) == 0);
        CHECK(memcmp(back.data, value.data, value.bytes) == 0);
        tool_value_free(&back);
      } else {
        fprintf(stderr, "%s\n", error.message);
        ++test_failures;
      }
      tool_value_free(&value);
    }
  }
}

// Builds a .npy file of version `major` by hand.
static size_t npy(uint8_t *out, unsigned major, const char *header, const void *data, size_t bytes) {
  size_t length = strlen(header), begin = major == 1 ? 10 : 12;
  memcpy(out, "\x93NUMPY", 6);
  out[6] = (uint8_t)major;
  out[7] = 0;
  for (size_t i = 8; i < begin; ++i) out[i] = (uint8_t)(length >> (8 * (i - 8)));
  memcpy(out + begin, header, length);
  if (bytes) memcpy(out + begin + length, data, bytes);
  return begin + length + bytes;
}

static bool parse_npy(const char *header, unsigned major, const void *data, size_t bytes,
                      const xcut_tensor_description *wanted, xcut_value *out) {
  uint8_t buffer[1000];
  size_t total = npy(buffer, major, header, data, bytes);
  uint8_t *exact = malloc(total);  // so that the address sanitizer sees reads past the end
  REQUIRE(exact);
  memcpy(exact, buffer, total);
  error.message[0] = 0;
  bool ok = tool_parse_npy(exact, total, wanted, out, &error);
  free(exact);
  return ok;
}

static void npy_versions_orders_and_layouts_are_read(void) {
  static const uint8_t big[] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
  static const uint8_t little[] = {1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0};
  xcut_value v;
  for (unsigned major = 1; major <= 3; ++major) {
    REQUIRE(parse_npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3), }\n", major, big, 12, NULL, &v));
    for (int i = 0; i < 6; ++i) CHECK_INT(((int16_t *)v.data)[i], i + 1);
    tool_value_free(&v);
  }
  REQUIRE(parse_npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", 1, little, 12, NULL, &v));
  for (int i = 0; i < 6; ++i) CHECK_INT(((int16_t *)v.data)[i], i + 1);
  tool_value_free(&v);
  REQUIRE(parse_npy("{\"shape\":(),\"fortran_order\":False,\"descr\":\"|u1\"}", 1, "\x05", 1, NULL, &v));
  CHECK(v.rank == 0 && *(uint8_t *)v.data == 5);
  tool_value_free(&v);
  xcut_tensor_description wanted = {"x", XCUT_TYPE_BF16, 1, {1}};
  REQUIRE(parse_npy("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }\n", 1, "\x80\x3f", 2, &wanted, &v));
  CHECK_INT(v.type, XCUT_TYPE_BF16);
  tool_value_free(&v);
}

static void hostile_npy_files_are_refused_by_name(void) {
  static const struct {
    const char *header, *message;
  } table[] = {
      {"", "malformed"},
      {"{}", "a key is missing"},
      {"{'descr': '<f4', 'fortran_order': False}", "a key is missing"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "malformed"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "dtype '<c8'"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "dtype"},
      {"{'descr': '', 'fortran_order': False, 'shape': (1,)}", "dtype ''"},
      {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}", "malformed"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "bad shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 4}", "no shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "bad shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,4)}", "larger than memory"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "truncated"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "malformed"},
      {"{'evil': '<f4'}", "unknown key 'evil'"},
      {"{'descr", "malformed"},
  };
  xcut_value v;
  for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
    CHECK(!parse_npy(table[i].header, 1, "1234", 4, NULL, &v));
    CHECK_CONTAINS(error.message, table[i].message);
  }
  CHECK(!parse_npy("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", 1, "\x01\x02", 2, NULL, &v));
  CHECK_CONTAINS(error.message, "neither 0 nor 1");
  CHECK(!parse_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, "1234", 4, NULL, &v));
  CHECK_CONTAINS(error.message, "version 4");
}

static void every_truncated_or_flipped_npy_is_safe(void) {
  uint8_t whole[200];
  static const float data[2] = {1, 2};
  size_t total = npy(whole, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n", data, sizeof data);
  xcut_value v;
  for (size_t length = 0; length < total; ++length) {
    uint8_t *cut = malloc(length + !length);
    REQUIRE(cut);
    memcpy(cut, whole, length);
    CHECK(!tool_parse_npy(cut, length, NULL, &v, &error));
    free(cut);
  }
  for (size_t at = 0; at < total; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      whole[at] ^= (uint8_t)(1u << bit);
      if (tool_parse_npy(whole, total, NULL, &v, &error)) tool_value_free(&v);
      whole[at] ^= (uint8_t)(1u << bit);
    }
  }
}

static void failed_writes_leave_no_file(void) {
  float data[2] = {1, 2};
  xcut_value value = {data, sizeof data, XCUT_TYPE_F32, 1, {2}};
  CHECK(!tool_write_npy("/nonexistent/out.npy", &value, &error));
  CHECK_CONTAINS(error.message, "/nonexistent/out.npy: No such file");
  char path[300];
  snprintf(path, sizeof path, "%s", folder);  // a directory: the rename fails after the write
  CHECK(!tool_write_npy(path, &value, &error));
  char temporary[330];
  snprintf(temporary, sizeof temporary, "%s.tmp%ld", path, (long)getpid());
  CHECK(access(temporary, F_OK) != 0);
}

static void a_full_disk_is_reported_and_leaves_no_file(void) {
  const char *path = in_folder("full.npy");
  xcut_value value = {.type = XCUT_TYPE_U8, .rank = 1, .dims = {100000}};
  REQUIRE(tool_value_allocate(&value, &error));
  memset(value.data, 0, value.bytes);
  struct rlimit before, small;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  small = before;
  small.rlim_cur = 5000;
  signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  bool ok = tool_write_npy(path, &value, &error);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  if (!ok) {  // emulators may not know the limit
    CHECK_CONTAINS(error.message, "full.npy: File too large");
    CHECK(access(path, F_OK) != 0);
  }
  unlink(path);
  tool_value_free(&value);
}

int main(void) {
  REQUIRE(mkdtemp(folder));
  static const test_case tests[] = {
      TEST(npy_files_survive_a_round_trip),        TEST(npy_versions_orders_and_layouts_are_read),
      TEST(hostile_npy_files_are_refused_by_name), TEST(every_truncated_or_flipped_npy_is_safe),
      TEST(failed_writes_leave_no_file),           TEST(a_full_disk_is_reported_and_leaves_no_file),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  unlink(in_folder("round.npy"));
  rmdir(folder);
  return result;
}
