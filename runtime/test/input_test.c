// Tests of what people type and of .npy files: what is understood, and that hostile text is refused by name.
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test/call.h"
#include "tools/common/half.h"
#include "tools/common/tools.h"

static char folder[] = "/tmp/crosscut-input-XXXXXX";
static xcut_error error;

static const char *in_folder(const char *name) {
  static char paths[4][300];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, 300, "%s/%s", folder, name);
  return path;
}

static void write_bytes(const char *path, const void *data, size_t bytes) {
  FILE *file = fopen(path, "wb");
  REQUIRE(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
}

// Parses `text` and compares with `expected` as crosscut-run would print it.
static void check_prints(const char *text, const char *expected) {
  xcut_value value;
  error.message[0] = 0;
  if (!tool_parse_value(text, NULL, &value, &error)) {
    fprintf(stderr, "'%s' was refused: %s\n", text, error.message);
    ++test_failures;
    return;
  }
  char *printed = NULL;
  size_t size;
  FILE *stream = open_memstream(&printed, &size);
  tool_print_value(stream, "v", &value, 12);
  fclose(stream);
  if (strcmp(printed, expected) != 0) {
    fprintf(stderr, "'%s' gave %s", text, printed);
    ++test_failures;
  }
  free(printed);
  tool_value_free(&value);
}

static void check_refused(const char *text, const char *message) {
  xcut_value value;
  if (tool_parse_value(text, NULL, &value, &error)) {
    fprintf(stderr, "'%s' was not refused\n", text);
    ++test_failures;
    tool_value_free(&value);
    return;
  }
  CHECK(value.data == NULL);
  if (!strstr(error.message, message)) {
    fprintf(stderr, "'%s': message '%s' does not contain '%s'\n", text, error.message, message);
    ++test_failures;
  }
}

static void literals_are_understood(void) {
  check_prints("f32=1.5", "v: f32=1.5\n");
  check_prints("2x2xf32=[[1 2][3 4]]", "v: 2x2xf32=[[1 2][3 4]]\n");
  check_prints("2x2xf32=[[1, 2], [3, 4]]", "v: 2x2xf32=[[1 2][3 4]]\n");
  check_prints("2x2xi32=1 2 3 4", "v: 2x2xi32=[[1 2][3 4]]\n");
  check_prints("2x2xi32=[1,2,3,-4]", "v: 2x2xi32=[[1 2][3 -4]]\n");
  check_prints("2x3xf64=0.1",
               "v: 2x3xf64=[[0.10000000000000001 0.10000000000000001 0.10000000000000001]"
               "[0.10000000000000001 0.10000000000000001 0.10000000000000001]]\n");
  check_prints("3xf32=nan inf -inf", "v: 3xf32=[nan inf -inf]\n");
  check_prints("2xf16=[0.5 65504]", "v: 2xf16=[0.5 65504]\n");
  check_prints("2xbf16=[1 -2.5]", "v: 2xbf16=[1 -2.5]\n");
  check_prints("4xbool=[true false 1 0]", "v: 4xbool=[1 0 1 0]\n");
  check_prints("2xi64=[-9223372036854775808 9223372036854775807]",
               "v: 2xi64=[-9223372036854775808 9223372036854775807]\n");
  check_prints("1xu64=18446744073709551615", "v: 1xu64=[18446744073709551615]\n");
  check_prints("2xu8=[0xff 0]", "v: 2xu8=[255 0]\n");
  check_prints("0x3xf32=[]", "v: 0x3xf32=[]\n");
  check_prints("20xi8=1", "v: 20xi8=[1 1 1 ... 1 1 1]\n");
  check_prints("1x2x1xi16=[[[1][2]]]", "v: 1x2x1xi16=[[[1][2]]]\n");
}

static void hostile_literals_are_refused_by_name(void) {
  check_refused("", "neither");
  check_refused("hello", "neither");
  check_refused("=", "unknown element type ''");
  check_refused("f33=1", "unknown element type 'f33'");
  check_refused("2x=1", "unknown element type ''");
  check_refused("2=1", "no element type");
  check_refused("-1xf32=1", "unknown element type '-1xf32'");
  check_refused("1x1x1x1x1x1x1x1x1xf32=0", "more than 8 dimensions");
  check_refused("99999999999999999999xf32=0", "dimension is too large");
  check_refused("9223372036854775xf64=0", "larger");
  check_refused("4294967296x4294967296xf32=0", "larger");
  check_refused("1000000x1000000xi8=1", "larger than");
  check_refused("2xf32=", "0 elements, the shape needs 2");
  check_refused("2xf32=1 2 3", "more elements than the shape's 2");
  check_refused("3xf32=1 2", "2 elements, the shape needs 3");
  check_refused("2xf32=[1 2", "not closed");
  check_refused("2xf32=1 2]", "was not opened");
  check_refused("2xf32=[[1 2]]", "deeper than the dimensions");
  check_refused("2x2xf32=[[1][2 3 4]]", "dimension 1 is 2, but brackets hold 1");
  check_refused("2x2xf32=[[1 2][3 4][5 6]]", "more elements");
  check_refused("1x2x2xf32=[[1 2][3 4]]", "do not fit");
  check_refused("2x2xf32=[[1 2] 3 4]", "do not fit");
  check_refused("1xf32=abc", "'abc' is no number");
  check_refused("1xf32=1.5garbage", "is no number");
  check_refused("1xi8=128", "value 128 does not fit i8");
  check_refused("1xi8=-129", "does not fit i8");
  check_refused("1xu8=-1", "does not fit u8");
  check_refused("1xi64=99999999999999999999", "does not fit i64");
  check_refused("1xu64=99999999999999999999", "does not fit u64");
  check_refused("1xi32=1.5", "is no i32");
  check_refused("1xbool=2", "does not fit bool");
  check_refused("1xf32=11111111111111111111111111111111111111111111111111111111111", "is no number");
  check_refused("f32=[[[[[[[[[[[[[[[[[[[[1", "deeper");
  check_refused("1xf32=@/nonexistent", "No such file");
  check_refused("@/nonexistent.npy", "No such file");
  check_refused("@/tmp", "not a regular file");
  check_refused("@", "No such file");
}

static void every_prefix_of_a_literal_is_safe(void) {
  static const char text[] = "2x3xf32=[[1 2e3 -0x4][nan,inf 6]]";
  for (size_t length = 0; length < sizeof text; ++length) {
    char *cut = malloc(length + 1);
    REQUIRE(cut);
    memcpy(cut, text, length);
    cut[length] = 0;
    xcut_value value;
    bool ok = tool_parse_value(cut, NULL, &value, &error);
    CHECK(ok == (length == sizeof text - 1));
    if (ok) tool_value_free(&value);
    free(cut);
  }
}

static void halves_round_to_nearest_even(void) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float f = half_to_float((uint16_t)bits), b = bf16_to_float((uint16_t)bits);
    if (!isnan(f)) CHECK_INT(half_from_double(f), bits);
    if (!isnan(b)) CHECK_INT(bf16_from_double(b), bits);
  }
  CHECK(isnan(half_to_float(half_from_double(NAN))) && isnan(bf16_to_float(bf16_from_double(NAN))));
  CHECK_INT(half_from_double(65519), 0x7bff);
  CHECK_INT(half_from_double(65520), 0x7c00);
  CHECK_INT(half_from_double(1 + 0x1p-11), 0x3c00);
  CHECK_INT(half_from_double(1 + 0x1.8p-10), 0x3c02);
  CHECK_INT(half_from_double(0x1p-25), 0);
  CHECK_INT(half_from_double(0x1.1p-25), 1);
  CHECK_INT(bf16_from_double(1 + 0x1p-8), 0x3f80);
  CHECK_INT(bf16_from_double(1 + 0x1.1p-8), 0x3f81);
  CHECK_INT(bf16_from_double(1e39), 0x7f80);
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

static bool parse_inputs(const char *function_name, const char *const *texts, uint32_t count) {
  xcut_function function;
  REQUIRE(xcut_module_find_function(module, function_name, &function, &error) == XCUT_OK);
  xcut_value values[4];
  error.message[0] = 0;
  bool ok = tool_parse_inputs(&function, texts, count, values, &error);
  for (uint32_t i = 0; i < function.info->input_count; ++i) tool_value_free(&values[i]);
  return ok;
}

static void inputs_are_bound_by_order_and_by_name(void) {
  CHECK(parse_inputs("main", (const char *[]){"2x3xf32=0"}, 1));
  CHECK(parse_inputs("main", (const char *[]){"x=2x3xf32=0"}, 1));
  CHECK(parse_inputs("counter", NULL, 0));
  CHECK(parse_inputs("dynamic", (const char *[]){"7x4xf32=1"}, 1));
  CHECK(!parse_inputs("main", NULL, 0));
  CHECK_CONTAINS(error.message, "input 'x' (2x3xf32) is missing: 0 of 1 inputs given");
  CHECK(!parse_inputs("main", (const char *[]){"2x3xf32=0", "2x3xf32=0"}, 2));
  CHECK_CONTAINS(error.message, "more inputs given than the 1 of function 'main'");
  CHECK(!parse_inputs("main", (const char *[]){"x=2x3xf32=0", "x=2x3xf32=0"}, 2));
  CHECK_CONTAINS(error.message, "input 'x' is given twice");
  CHECK(!parse_inputs("main", (const char *[]){"z=2x3xf32=0"}, 1));
  CHECK_CONTAINS(error.message, "there is no input 'z'");
  CHECK(!parse_inputs("main", (const char *[]){"z=@a.npy"}, 1));
  CHECK_CONTAINS(error.message, "there is no input 'z'");
  CHECK(!parse_inputs("main", (const char *[]){"2x5xf32=0"}, 1));
  CHECK_CONTAINS(error.message, "input 'x': dimension 1 is 5, must be 3");
  CHECK(!parse_inputs("main", (const char *[]){"2x3xi32=0"}, 1));
  CHECK_CONTAINS(error.message, "input 'x': type is i32, must be f32");
  CHECK(!parse_inputs("main", (const char *[]){"6xf32=0"}, 1));
  CHECK_CONTAINS(error.message, "input 'x': rank is 1, must be 2");
}

static tool_comparison compare(const char *a, const char *b, double atol, double rtol) {
  xcut_value x, y;
  REQUIRE(tool_parse_value(a, NULL, &x, &error) && tool_parse_value(b, NULL, &y, &error));
  tool_comparison c = tool_compare(&x, &y, atol, rtol);
  tool_value_free(&x);
  tool_value_free(&y);
  return c;
}

static void comparison_knows_tolerance_nan_and_infinity(void) {
  CHECK(compare("3xf32=[1 nan -inf]", "3xf32=[1 nan -inf]", 0, 0).matches);
  tool_comparison c = compare("4xf32=[1 2 3.5 4]", "4xf32=[1 2 3 5]", 0.1, 0);
  CHECK(!c.matches && c.mismatches == 2 && c.first_mismatch == 2 && c.max_absolute == 1);
  CHECK(fabs(c.max_relative - 0.2) < 1e-9);
  CHECK(compare("1xf32=101", "1xf32=100", 0, 0.01).matches);
  CHECK(!compare("1xf32=101.5", "1xf32=100", 0, 0.01).matches);
  CHECK(!compare("1xf32=inf", "1xf32=-inf", 1e30, 1e30).matches);
  CHECK(!compare("1xf32=inf", "1xf32=1", 1e30, 1e30).matches);
  CHECK(!compare("1xf32=nan", "1xf32=1", 1e30, 1e30).matches);
  CHECK(!compare("1xf32=1", "1xf32=nan", 1e30, 1e30).matches);
  CHECK(!compare("1xi64=9007199254740993", "1xi64=9007199254740992", 0, 0).matches);
  CHECK(compare("2xu8=[1 2]", "2xu8=[1 3]", 1, 0).matches);
  CHECK(!compare("2xf32=0", "3xf32=0", 1, 1).same_shape);
  CHECK(!compare("2xf32=0", "2xi32=0", 1, 1).same_shape);
  CHECK(compare("0xf32=", "0xf32=", 0, 0).matches);
}

static void raw_files_must_have_the_right_size(void) {
  static const float data[4] = {1, 2, 3, 4};
  const char *path = in_folder("raw.bin");
  write_bytes(path, data, sizeof data);
  char text[320];
  snprintf(text, sizeof text, "4xf32=@%s", path);
  check_prints(text, "v: 4xf32=[1 2 3 4]\n");
  snprintf(text, sizeof text, "5xf32=@%s", path);
  check_refused(text, "16 bytes, the shape needs 20");
  snprintf(text, sizeof text, "16xbool=@%s", path);
  check_refused(text, "neither 0 nor 1");
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

static void flags_and_numbers_are_parsed_whole(void) {
  const char *value = NULL;
  CHECK(tool_flag("--input=a=b", "input", &value) && strcmp(value, "a=b") == 0);
  CHECK(!tool_flag("--inputs=a", "input", &value));
  CHECK(!tool_flag("--input", "input", &value));
  CHECK(tool_flag("--json", "json", NULL) && !tool_flag("--jsonx", "json", NULL) && !tool_flag("-json", "json", NULL));
  uint64_t n;
  double d;
  CHECK(tool_parse_u64("12", 12, &n) && n == 12);
  CHECK(!tool_parse_u64("13", 12, &n) && !tool_parse_u64("-1", 12, &n) && !tool_parse_u64("", 12, &n));
  CHECK(!tool_parse_u64("1x", 12, &n) && !tool_parse_u64("99999999999999999999", UINT64_MAX, &n));
  CHECK(tool_parse_double("1e-3", &d) && d == 1e-3);
  CHECK(!tool_parse_double("", &d) && !tool_parse_double("1e-3x", &d) && !tool_parse_double("nan", &d));
}

int main(int argc, char **argv) {
  open_fixture(argc, argv);
  REQUIRE(mkdtemp(folder));
  static const test_case tests[] = {
      TEST(literals_are_understood),
      TEST(hostile_literals_are_refused_by_name),
      TEST(every_prefix_of_a_literal_is_safe),
      TEST(halves_round_to_nearest_even),
      TEST(npy_files_survive_a_round_trip),
      TEST(npy_versions_orders_and_layouts_are_read),
      TEST(hostile_npy_files_are_refused_by_name),
      TEST(every_truncated_or_flipped_npy_is_safe),
      TEST(inputs_are_bound_by_order_and_by_name),
      TEST(comparison_knows_tolerance_nan_and_infinity),
      TEST(raw_files_must_have_the_right_size),
      TEST(failed_writes_leave_no_file),
      TEST(a_full_disk_is_reported_and_leaves_no_file),
      TEST(flags_and_numbers_are_parsed_whole),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  unlink(in_folder("round.npy"));
  unlink(in_folder("raw.bin"));
  rmdir(folder);
  close_fixture();
  return result;
}
