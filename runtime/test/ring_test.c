// Tests of the ring of dispatches on its own: tokens that wrap around, room, and who takes which items.
#include "devices/ring.h"

#include <pthread.h>
#include <stdlib.h>

#include "test/test.h"

enum { kThreads = 4, kSteps = 3000, kItems = 37 };

typedef struct bench {
  xcut_ring ring;
  _Alignas(XCUT_LINE) uint8_t arrays[];
} bench;

static bench *open_ring(uint32_t threads, xcut_token last) {
  size_t bytes = (sizeof(bench) + xcut_ring_bytes(threads) + 63) / 64 * 64;
  bench *b = aligned_alloc(64, bytes);
  REQUIRE(b != NULL);
  memset(b, 0, bytes);
  xcut_ring_init(&b->ring, threads, b->arrays);
  xcut_ring_open(&b->ring, last);
  return b;
}

// ---- One thread plays all ----

static uint32_t order[64], order_count;

static void note_items(const void *args, uint32_t begin, uint32_t end) {
  (void)args;
  for (uint32_t i = begin; i < end; ++i) order[order_count++ % 64] = i;
}

static void a_thread_begins_with_the_range_of_its_number(void) {
  bench *b = open_ring(2, 0);
  xcut_ring_sit(&b->ring, 1);
  xcut_ring_add(&b->ring, note_items, NULL, 8, NULL, 0);
  order_count = 0;
  CHECK_INT(xcut_ring_look(&b->ring, 1, XCUT_AS_A_RULE), XCUT_LOOK_WORKED);
  CHECK_INT(order_count, 4);  // the other half is the owner's
  for (uint32_t i = 0; i < 4; ++i) CHECK_INT(order[i], 4 + i);
  CHECK_INT(xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE), XCUT_LOOK_COMPLETED);
  CHECK_INT(order_count, 8);
  CHECK(xcut_ring_is_empty(&b->ring));
  free(b);
}

static void items_of_a_busy_thread_are_taken_after_some_looks(void) {
  bench *b = open_ring(2, 0);
  xcut_ring_sit(&b->ring, 1);
  xcut_ring_add(&b->ring, note_items, NULL, 8, NULL, 0);
  order_count = 0;
  for (int look = 0; look < 100; ++look) (void)xcut_ring_look(&b->ring, 1, XCUT_AS_A_RULE);
  CHECK_INT(order_count, 8);
  free(b);
}

static void items_of_a_thread_that_is_not_there_are_taken_at_once(void) {
  bench *b = open_ring(4, 0);
  xcut_ring_sit(&b->ring, 1);
  xcut_ring_add(&b->ring, note_items, NULL, 8, NULL, 0);
  order_count = 0;
  (void)xcut_ring_look(&b->ring, 1, XCUT_AS_A_RULE);
  CHECK_INT(order_count, 6);  // all but the owner's
  (void)xcut_ring_look(&b->ring, 1, XCUT_EAGER);
  CHECK_INT(order_count, 8);
  free(b);
}

static void a_brief_look_runs_a_few_items(void) {
  bench *b = open_ring(2, 0);
  xcut_ring_add(&b->ring, note_items, NULL, 64, NULL, 0);
  order_count = 0;
  CHECK_INT(xcut_ring_look(&b->ring, 0, XCUT_BRIEF), XCUT_LOOK_WORKED);
  CHECK_INT(order_count, 4);
  while (!xcut_ring_is_empty(&b->ring)) (void)xcut_ring_look(&b->ring, 0, XCUT_BRIEF);
  CHECK_INT(order_count, 64);
  free(b);
}

static void nothing_starts_before_all_that_it_is_ordered_after(void) {
  bench *b = open_ring(2, 0);
  xcut_token first[2];
  first[0] = xcut_ring_add(&b->ring, note_items, NULL, 1, NULL, 0);
  first[1] = xcut_ring_add(&b->ring, note_items, NULL, 1, NULL, 0);
  xcut_token joined = xcut_ring_add(&b->ring, note_items, NULL, 1, first, 2);
  order_count = 0;
  for (uint32_t i = 1; i <= 3; ++i) {
    CHECK(!xcut_ring_is_done(&b->ring, 0, joined));
    CHECK_INT(xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE), XCUT_LOOK_COMPLETED);
    CHECK_INT(order_count, i);
  }
  CHECK(xcut_ring_is_done(&b->ring, 0, joined));
  CHECK_INT(xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE), XCUT_LOOK_VAIN);
  free(b);
}

static void a_place_is_used_again_only_when_no_thread_looks_at_it(void) {
  bench *b = open_ring(2, 0);
  xcut_ring_sit(&b->ring, 1);
  for (uint32_t i = 0; i < XCUT_RING; ++i) {
    REQUIRE(xcut_ring_has_room(&b->ring));
    xcut_ring_add(&b->ring, note_items, NULL, 1, NULL, 0);
  }
  CHECK(!xcut_ring_has_room(&b->ring));
  while (!xcut_ring_is_empty(&b->ring)) (void)xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE);
  CHECK(!xcut_ring_has_room(&b->ring));  // seat 1 has not moved
  (void)xcut_ring_look(&b->ring, 1, XCUT_AS_A_RULE);
  CHECK(xcut_ring_has_room(&b->ring));
  xcut_ring_rise(&b->ring, 1);
  CHECK(!xcut_ring_others_sit(&b->ring));
  free(b);
}

// ---- Several threads ----

typedef struct step {
  const uint32_t *from;
  uint32_t *to, add;
} step;

static uint32_t values[2][kItems];

static void mix(const void *args, uint32_t begin, uint32_t end) {
  const step *s = args;
  for (uint32_t i = begin; i < end; ++i) s->to[i] = s->from[(i * 5 + 1) % kItems] * 3 + s->add + i;
}

typedef struct helper {
  bench *bench;
  uint32_t seat;
  atomic_uint *over;
} helper;

static void *help_along(void *argument) {
  helper *h = argument;
  while (!atomic_load(h->over)) {
    xcut_ring_sit(&h->bench->ring, h->seat);
    for (int look = 0; look < 50; ++look)
      (void)xcut_ring_look(&h->bench->ring, h->seat, look == 49 ? XCUT_EAGER : XCUT_AS_A_RULE);
    xcut_ring_rise(&h->bench->ring, h->seat);
  }
  return NULL;
}

static void threads_come_and_go_while_tokens_wrap_around(void) {
  static step steps[kSteps];
  bench *b = open_ring(kThreads, UINT32_MAX - kSteps / 2);
  atomic_uint over = 0;
  pthread_t ids[kThreads];
  helper helpers[kThreads];
  for (uint32_t i = 1; i < kThreads; ++i) {
    helpers[i] = (helper){b, i, &over};
    REQUIRE(pthread_create(&ids[i], NULL, help_along, &helpers[i]) == 0);
  }
  uint32_t expected[2][kItems];
  for (uint32_t i = 0; i < kItems; ++i) values[0][i] = expected[0][i] = i;
  xcut_token token = 0;
  for (uint32_t s = 0; s < kSteps; ++s) {
    steps[s] = (step){values[s % 2], values[(s + 1) % 2], s};
    while (!xcut_ring_has_room(&b->ring)) (void)xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE);
    token = xcut_ring_add(&b->ring, mix, &steps[s], kItems, &token, 1);
    CHECK(token != 0);
    for (uint32_t i = 0; i < kItems; ++i) {
      expected[(s + 1) % 2][i] = expected[s % 2][(i * 5 + 1) % kItems] * 3 + s + i;
    }
  }
  while (!xcut_ring_is_empty(&b->ring)) (void)xcut_ring_look(&b->ring, 0, XCUT_AS_A_RULE);
  CHECK(xcut_ring_is_done(&b->ring, 0, token));
  CHECK(memcmp(values[kSteps % 2], expected[kSteps % 2], sizeof values[0]) == 0);
  atomic_store(&over, 1);
  for (uint32_t i = 1; i < kThreads; ++i) pthread_join(ids[i], NULL);
  CHECK(!xcut_ring_others_sit(&b->ring));
  free(b);
}

int main(void) {
  static const test_case tests[] = {
      TEST(a_thread_begins_with_the_range_of_its_number),
      TEST(items_of_a_busy_thread_are_taken_after_some_looks),
      TEST(items_of_a_thread_that_is_not_there_are_taken_at_once),
      TEST(a_brief_look_runs_a_few_items),
      TEST(nothing_starts_before_all_that_it_is_ordered_after),
      TEST(a_place_is_used_again_only_when_no_thread_looks_at_it),
      TEST(threads_come_and_go_while_tokens_wrap_around),
  };
  return test_main(tests, sizeof tests / sizeof *tests);
}
