// See image.h.
#include "test/image.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const float kFixtureWeights[6] = {1, 2, 3, 0.5f, -1, 10};

static const bool kWide = sizeof(void *) == 8;

static uint64_t get(const uint8_t *at, size_t bytes) {
  uint64_t v64;
  uint32_t v32;
  memcpy(&v64, at, bytes == 8 ? 8 : 0);
  memcpy(&v32, at, 4);
  return bytes == 8 ? v64 : v32;
}

void image_put(uint8_t *at, uint64_t value, size_t bytes) {
  uint32_t v32 = (uint32_t)value;
  memcpy(at, bytes == 8 ? (const void *)&value : (const void *)&v32, bytes);
}

static void *allocate(size_t bytes) {
  void *p = NULL;
  if (posix_memalign(&p, 64, bytes ? bytes : 1) != 0) exit(1);
  return p;
}

image_segment image_program_header(const image *i, unsigned index) {
  uint64_t at = kWide ? get(i->data + 32, 8) : get(i->data + 28, 4);
  uint8_t *h = i->data + at + index * (kWide ? 56u : 32u);
  return kWide ? (image_segment){h, 0, 4, 8, 16, 32, 40, 8} : (image_segment){h, 0, 24, 4, 8, 16, 20, 4};
}

image image_load(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    fprintf(stderr, "%s cannot be opened\n", path);
    exit(1);
  }
  image i = {.data = allocate(1 << 20)};
  memset(i.data, 0, 1 << 20);
  size_t linked = fread(i.data, 1, 1 << 19, file);
  fclose(file);
  i.table_at = (size_t)(kWide ? get(i.data + 24, 8) : get(i.data + 24, 4));
  size_t weights_at = (linked + 63) / 64 * 64;
  memcpy(i.data + weights_at, kFixtureWeights, sizeof kFixtureWeights);
  i.bytes = weights_at + sizeof kFixtureWeights;
  image_segment load = image_program_header(&i, 0);
  xcut_module_table *table = image_table(&i);
  table->checked_bytes = get(load.header + load.file_bytes_at, load.word);
  table->weights_offset = weights_at;
  table->weights_bytes = sizeof kFixtureWeights;
  image_seal(&i);
  return i;
}

image image_copy(const image *from, size_t bytes) {
  image copy = {allocate(bytes), bytes, from->table_at};
  memcpy(copy.data, from->data, bytes);
  return copy;
}

void image_free(image *i) { free(i->data); }

xcut_module_table *image_table(const image *i) { return (xcut_module_table *)(void *)(i->data + i->table_at); }

void image_seal(image *i) {
  xcut_module_table *table = image_table(i);
  if (table->checked_bytes > i->bytes) return;
  uint32_t sum = xcut_checksum(i->data, table->checked_bytes, i->table_at + offsetof(xcut_module_table, checksum));
  table->checksum = sum;
}

void *image_at(const xcut_offset *field) { return (uint8_t *)(uintptr_t)field + *field; }

static void *counting_allocate(void *self, size_t bytes, size_t alignment) {
  counting_allocator *c = self;
  if (alignment < sizeof(void *)) alignment = sizeof(void *);
  if (++c->calls >= c->fail_at && c->fail_at) return NULL;
  void *p = NULL;
  if (posix_memalign(&p, alignment, bytes) != 0) return NULL;
  memset(p, 0xcd, bytes);  // nobody may rely on zeros
  ++c->live;
  return p;
}

static void counting_release(void *self, void *memory) {
  --((counting_allocator *)self)->live;
  free(memory);
}

xcut_allocator counting(counting_allocator *c) { return (xcut_allocator){c, counting_allocate, counting_release}; }
