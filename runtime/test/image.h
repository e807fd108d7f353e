// The test module as bytes that a test may change: finished (weights, sizes, checksum) as the compiler would.
#ifndef CROSSCUT_TEST_IMAGE_H
#define CROSSCUT_TEST_IMAGE_H

#include "crosscut/runtime.h"

typedef struct image {
  uint8_t *data;  // 64-byte aligned
  size_t bytes;
  size_t table_at;
} image;

// Weights of the function "main".
extern const float kFixtureWeights[6];

// Reads the linked fixture and appends the weights. Ends the program when that fails.
image image_load(const char *path);

// A copy whose allocation ends with its last byte, so that the address sanitizer sees what reads past it.
image image_copy(const image *from, size_t bytes);

void image_free(image *i);

xcut_module_table *image_table(const image *i);

// Makes the checksum right again.
void image_seal(image *i);

// What the table's `field` points to, in the image.
void *image_at(const xcut_offset *field);

// Program header `index`, as offsets into the image of fields of the machine's own ELF class.
typedef struct image_segment {
  uint8_t *header;
  size_t type_at, flags_at, offset_at, address_at, file_bytes_at, memory_bytes_at, word;
} image_segment;

image_segment image_program_header(const image *i, unsigned index);
void image_put(uint8_t *at, uint64_t value, size_t bytes);

// Counts what is allocated, and refuses from allocation number `fail_at` on (0: never).
typedef struct counting_allocator {
  size_t calls, fail_at, live;
} counting_allocator;

xcut_allocator counting(counting_allocator *c);

#endif  // CROSSCUT_TEST_IMAGE_H
