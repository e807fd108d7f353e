// Tensors in memory: allocation, element access, printing.
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/half.h"
#include "tools/common/tools.h"

bool tool_fail(xcut_error *error, const char *format, ...) {
  if (!error) return false;
  va_list list;
  va_start(list, format);
  vsnprintf(error->message, sizeof error->message, format, list);
  va_end(list);
  for (char *p = error->message; *p; ++p) {
    unsigned char c = (unsigned char)*p;
    if (c < 0x20 || c == 0x7f) *p = '?';
  }
  return false;
}

static void *allocate(void *self, size_t bytes, size_t alignment) {
  (void)self;
  void *memory = NULL;
  if (alignment < sizeof(void *)) alignment = sizeof(void *);
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void release(void *self, void *memory) {
  (void)self;
  free(memory);
}

xcut_allocator tool_allocator(void) { return (xcut_allocator){NULL, allocate, release}; }

#define MAX_VALUE_BYTES (UINT64_C(4) << 30)

bool tool_value_allocate(xcut_value *value, xcut_error *error) {
  size_t bytes = xcut_value_bytes(value);
  const uint64_t wide = bytes;  // size_t may be too narrow for the limit
  if (bytes == SIZE_MAX || wide > MAX_VALUE_BYTES) return tool_fail(error, "a tensor is larger than 4 GiB");
  value->data = allocate(NULL, bytes ? bytes : 1, XCUT_ALIGNMENT);
  value->bytes = bytes;
  if (!value->data) return tool_fail(error, "no memory for a tensor of %zu bytes", bytes);
  return true;
}

void tool_value_free(xcut_value *value) {
  free(value->data);
  value->data = NULL;
  value->bytes = 0;
}

size_t tool_element_count(const xcut_value *value) {
  size_t count = 1;
  for (unsigned i = 0; i < value->rank; ++i) {
    if (value->dims[i] == 0) return 0;
    count *= (size_t)value->dims[i];
  }
  return count;
}

double tool_element(const xcut_value *value, size_t index) {
  const void *data = value->data;
  switch (value->type) {
    case XCUT_TYPE_F32: return ((const float *)data)[index];
    case XCUT_TYPE_F64: return ((const double *)data)[index];
    case XCUT_TYPE_F16: return half_to_float(((const uint16_t *)data)[index]);
    case XCUT_TYPE_BF16: return bf16_to_float(((const uint16_t *)data)[index]);
    case XCUT_TYPE_I8: return ((const int8_t *)data)[index];
    case XCUT_TYPE_I16: return ((const int16_t *)data)[index];
    case XCUT_TYPE_I32: return ((const int32_t *)data)[index];
    case XCUT_TYPE_I64: return (double)((const int64_t *)data)[index];
    case XCUT_TYPE_U8:
    case XCUT_TYPE_BOOL: return ((const uint8_t *)data)[index];
    case XCUT_TYPE_U16: return ((const uint16_t *)data)[index];
    case XCUT_TYPE_U32: return ((const uint32_t *)data)[index];
    case XCUT_TYPE_U64: return (double)((const uint64_t *)data)[index];
    default: return 0;
  }
}

void tool_element_text(const xcut_value *value, size_t index, char *text, size_t bytes) {
  switch (value->type) {
    case XCUT_TYPE_I64: snprintf(text, bytes, "%" PRId64, ((const int64_t *)value->data)[index]); return;
    case XCUT_TYPE_U64: snprintf(text, bytes, "%" PRIu64, ((const uint64_t *)value->data)[index]); return;
    case XCUT_TYPE_F64: break;
    case XCUT_TYPE_F32:
    case XCUT_TYPE_F16:
    case XCUT_TYPE_BF16: {
      double element = tool_element(value, index);
      snprintf(text, bytes, isnan(element) ? "nan" : "%.9g", element);
      // The shortest of the two usual precisions that reads back as the same float.
      char shorter[32];
      snprintf(shorter, sizeof shorter, "%.6g", element);
      if (!isnan(element) && strtof(shorter, NULL) == (float)element) snprintf(text, bytes, "%s", shorter);
      return;
    }
    default: snprintf(text, bytes, "%.0f", tool_element(value, index)); return;
  }
  double element = tool_element(value, index);
  snprintf(text, bytes, isnan(element) ? "nan" : "%.17g", element);
}

void tool_shape_text(const xcut_value *value, char *text, size_t bytes) {
  size_t used = 0;
  for (unsigned i = 0; i < value->rank && used < bytes; ++i) {
    int n = value->dims[i] < 0 ? snprintf(text + used, bytes - used, "?x")
                               : snprintf(text + used, bytes - used, "%" PRId64 "x", value->dims[i]);
    used += n > 0 ? (size_t)n : 0;
  }
  if (used < bytes) snprintf(text + used, bytes - used, "%s", xcut_type_name(value->type));
}

typedef struct printer {
  FILE *file;
  const xcut_value *value;
  size_t edge;  // elements printed at either end of a dimension; 0: all
} printer;

// Prints the elements from `first` on that dimension `dim` spans.
static void print_dim(const printer *p, unsigned dim, size_t first, size_t span) {
  if (dim == p->value->rank) {
    char text[40];
    tool_element_text(p->value, first, text, sizeof text);
    fputs(text, p->file);
    return;
  }
  size_t size = (size_t)p->value->dims[dim];
  span /= size ? size : 1;
  bool innermost = dim + 1u == p->value->rank;
  fputc('[', p->file);
  for (size_t i = 0; i < size; ++i) {
    if (i && innermost) fputc(' ', p->file);
    if (p->edge && size > 2 * p->edge && i == p->edge) {
      fputs("...", p->file);
      if (innermost) fputc(' ', p->file);
      i = size - p->edge;
    }
    print_dim(p, dim + 1, first + i * span, span);
  }
  fputc(']', p->file);
}

void tool_print_value(FILE *file, const char *name, const xcut_value *value, size_t limit) {
  char shape[200];
  tool_shape_text(value, shape, sizeof shape);
  fprintf(file, "%s: %s=", name, shape);
  size_t count = tool_element_count(value);
  if (count == 0) {
    fputs("[]\n", file);
    return;
  }
  printer p = {file, value, limit && count > limit ? 3 : 0};
  print_dim(&p, 0, 0, count);
  fputc('\n', file);
}

bool tool_allocate_outputs(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                           uint32_t output_count, xcut_error *error) {
  for (uint32_t i = 0; i < output_count; ++i) outputs[i] = (xcut_value){0};
  if (xcut_plan(session, inputs, input_count, outputs, output_count, NULL, error)) return false;
  for (uint32_t i = 0; i < output_count; ++i) {
    bool open = false;
    for (unsigned d = 0; d < outputs[i].rank; ++d) open |= outputs[i].dims[d] < 0;
    if (!open && !tool_value_allocate(&outputs[i], error)) return false;
  }
  return true;
}
