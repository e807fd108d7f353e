// A harness of a few lines: tests are functions named as statements, listed in a table, run in order.
#ifndef CROSSCUT_TEST_H
#define CROSSCUT_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_case {
  const char *name;
  void (*run)(void);
} test_case;

static int test_failures;

#define TEST(function) {#function, function}

// Evaluates once; reports and goes on when false.
#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      ++test_failures;                                                          \
    }                                                                           \
  } while (0)

#define CHECK_INT(actual, expected)                                                               \
  do {                                                                                            \
    long long a_ = (long long)(actual), e_ = (long long)(expected);                               \
    if (a_ != e_) {                                                                               \
      fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, a_, e_); \
      ++test_failures;                                                                            \
    }                                                                                             \
  } while (0)

#define CHECK_CONTAINS(text, part)                                                                \
  do {                                                                                            \
    if (!strstr((text), (part))) {                                                                \
      fprintf(stderr, "%s:%d: '%s' does not contain '%s'\n", __FILE__, __LINE__, (text), (part)); \
      ++test_failures;                                                                            \
    }                                                                                             \
  } while (0)

// For what later lines rely on.
#define REQUIRE(condition)                                                      \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: required: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

static inline int test_main(const test_case *tests, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    int before = test_failures;
    tests[i].run();
    printf("%s %s\n", test_failures == before ? "ok  " : "FAIL", tests[i].name);
    fflush(stdout);
  }
  printf("%zu tests, %d failures\n", count, test_failures);
  return test_failures != 0;
}

#define TEST_MAIN(tests) return test_main(tests, sizeof(tests) / sizeof *(tests))

#endif  // CROSSCUT_TEST_H
