// open_sizes ROWS: the model "rows", statically linked. Reads ROWS x 5 floats, writes ROWS floats. The exit status
// tells which step went wrong.
#include <crosscut/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m.h"

enum { GUARD = 64 };

static unsigned char *guarded(size_t bytes) {
  unsigned char *memory = aligned_alloc(M_ALIGNMENT, (bytes + GUARD + M_ALIGNMENT - 1) / M_ALIGNMENT * M_ALIGNMENT);
  if (!memory) exit(1);
  return memset(memory, 0xa5, bytes + GUARD);
}

static int is_guarded(const unsigned char *memory, size_t bytes) {
  for (size_t i = 0; i < GUARD; ++i)
    if (memory[bytes + i] != 0xa5) return 0;
  return 1;
}

int main(int argc, char **argv) {
  const int64_t rows = argc == 2 ? atoi(argv[1]) : -1;
  if (rows < 0) return 1;
  int64_t x_dims[M_X_RANK] = {rows, 5}, y_dims[M_Y_RANK];
  const int64_t bytes = m_plan(x_dims, y_dims);
  if (bytes < 0 || y_dims[0] != rows) return 2;
  const size_t x_bytes = (size_t)rows * 5 * sizeof(float), y_bytes = (size_t)rows * sizeof(float);
  unsigned char *x = guarded(x_bytes), *y = guarded(y_bytes), *arena = guarded((size_t)bytes);
  if (fread(x, 1, x_bytes, stdin) != x_bytes) return 3;
  float *to = (float *)(void *)y;
  const float *from = (const float *)(const void *)x;
  for (int call = 0; call < 2; ++call)
    if (m_run(from, x_dims, to, y_dims, arena, bytes)) return 4;
  if (!is_guarded(x, x_bytes) || !is_guarded(y, y_bytes) || !is_guarded(arena, (size_t)bytes)) return 5;
  fwrite(y, 1, y_bytes, stdout);

  if (bytes > 0 && m_run(from, x_dims, to, y_dims, arena, bytes - 1) != XCUT_RUN_ARENA) return 6;
  y_dims[0] += 1;
  if (m_run(from, x_dims, to, y_dims, arena, bytes) != XCUT_RUN_SHAPE) return 7;
  y_dims[0] -= 1;
  x_dims[1] = 6;
  if (m_run(from, x_dims, to, y_dims, arena, bytes) == 0 || m_plan(x_dims, y_dims) >= 0) return 8;
  free(x), free(y), free(arena);
  return fflush(stdout) ? 9 : 0;
}
