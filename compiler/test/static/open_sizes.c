// A model whose sizes the program chooses: reads x's dimensions and values from standard input, plans, runs twice
// between guards, and writes y's dimensions and values. Sizes that do not fit are refused by the functions themselves.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m.h"

enum { GUARD = 64 };

static unsigned char *guarded(size_t bytes) {
  unsigned char *memory = aligned_alloc(M_ALIGNMENT, (bytes + GUARD + M_ALIGNMENT - 1) / M_ALIGNMENT * M_ALIGNMENT);
  if (memory) memset(memory, 0xa5, bytes + GUARD);
  return memory;
}

static int is_guarded(const unsigned char *memory, size_t bytes) {
  for (size_t i = 0; i < GUARD; ++i)
    if (memory[bytes + i] != 0xa5) return 0;
  return 1;
}

static size_t count(const int64_t *dims, int rank) {
  size_t product = 1;
  for (int d = 0; d < rank; ++d) product *= (size_t)dims[d];
  return product;
}

int main(void) {
  static const int64_t shape[M_X_RANK] = M_X_SHAPE;
  int64_t x_dims[M_X_RANK], y_dims[M_Y_RANK], other[M_X_RANK], ignored[M_Y_RANK];
  if (fread(x_dims, sizeof x_dims, 1, stdin) != 1) return 1;
  const size_t x_count = count(x_dims, M_X_RANK);
  float *x = malloc(x_count * sizeof *x);
  if (!x || fread(x, sizeof *x, x_count, stdin) != x_count) return 2;
  const int64_t bytes = m_plan(x_dims, y_dims);
  if (bytes < 0) return 3;
  const size_t y_bytes = count(y_dims, M_Y_RANK) * sizeof(float);
  unsigned char *arena = guarded((size_t)bytes), *y = guarded(y_bytes);
  if (!arena || !y) return 4;
  for (int call = 0; call < 2; ++call)
    if (m_run(x, x_dims, (float *)(void *)y, y_dims, arena, bytes)) return 5;
  if (!is_guarded(arena, (size_t)bytes) || !is_guarded(y, y_bytes)) return 6;

  if (bytes > 0 && !m_run(x, x_dims, (float *)(void *)y, y_dims, arena, bytes - 1)) return 7;
  for (int d = 0; d < M_X_RANK; ++d) {
    memcpy(other, x_dims, sizeof other);
    other[d] = shape[d] < 0 ? -1 : shape[d] + 1;
    if (m_plan(other, ignored) >= 0 || !m_run(x, other, (float *)(void *)y, y_dims, arena, bytes)) return 8;
  }
  for (int d = 0; d < M_Y_RANK; ++d) {
    memcpy(ignored, y_dims, sizeof ignored);
    ignored[d] += 1;
    if (!m_run(x, x_dims, (float *)(void *)y, ignored, arena, bytes)) return 9;
  }
  fwrite(y_dims, sizeof y_dims, 1, stdout);
  fwrite(y, 1, y_bytes, stdout);
  free(x), free(arena), free(y);
  return fflush(stdout) ? 10 : 0;
}
