// Tests of what people type: what is understood, and that hostile text is refused by name.
#include <math.h>
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
      TEST(inputs_are_bound_by_order_and_by_name),
      TEST(comparison_knows_tolerance_nan_and_infinity),
      TEST(raw_files_must_have_the_right_size),
      TEST(flags_and_numbers_are_parsed_whole),
  };
  int result = test_main(tests, sizeof tests / sizeof *tests);
  unlink(in_folder("raw.bin"));
  rmdir(folder);
  close_fixture();
  return result;
}
