// Tensors written on the command line: "2x2xf32=[[1 2][3 4]]".
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/half.h"
#include "tools/common/tools.h"
#include "tools/common/wanted.h"

bool tool_check_wanted(const xcut_value *value, const xcut_tensor_description *wanted, xcut_error *error) {
  if (!wanted) return true;
  if (value->type != wanted->type) {
    return tool_fail(error, "type is %s, must be %s", xcut_type_name(value->type), xcut_type_name(wanted->type));
  }
  if (value->rank != wanted->rank) return tool_fail(error, "rank is %u, must be %u", value->rank, wanted->rank);
  for (unsigned i = 0; i < value->rank; ++i) {
    if (wanted->dims[i] == -1 || value->dims[i] == wanted->dims[i]) continue;
    return tool_fail(error, "dimension %u is %" PRId64 ", must be %" PRId64, i, value->dims[i], wanted->dims[i]);
  }
  return true;
}

// Parses "1x3xf32" up to `end`.
bool tool_parse_shape(const char *text, const char *end, xcut_value *out, xcut_error *error) {
  *out = (xcut_value){0};
  const char *p = text;
  while (p < end && isdigit((unsigned char)*p)) {
    int64_t dim = 0;
    for (; p < end && isdigit((unsigned char)*p); ++p) {
      if (dim > (INT64_MAX - 9) / 10) return tool_fail(error, "a dimension is too large");
      dim = dim * 10 + (*p - '0');
    }
    if (p == end || *p != 'x') return tool_fail(error, "the shape has no element type, as in 2x3xf32");
    ++p;
    if (out->rank == XCUT_MAX_RANK) return tool_fail(error, "more than %d dimensions", XCUT_MAX_RANK);
    out->dims[out->rank++] = dim;
  }
  size_t length = (size_t)(end - p);
  for (uint8_t type = XCUT_TYPE_F32; type <= XCUT_TYPE_BOOL; ++type) {
    const char *name = xcut_type_name(type);
    if (strlen(name) == length && memcmp(name, p, length) == 0) out->type = type;
  }
  if (!out->type) return tool_fail(error, "unknown element type '%.*s'", length < 40 ? (int)length : 40, p);
  return true;
}

static bool integer_limits(uint8_t type, int64_t *low, uint64_t *high) {
  switch (type) {
    case XCUT_TYPE_I8: *low = INT8_MIN, *high = INT8_MAX; return true;
    case XCUT_TYPE_I16: *low = INT16_MIN, *high = INT16_MAX; return true;
    case XCUT_TYPE_I32: *low = INT32_MIN, *high = INT32_MAX; return true;
    case XCUT_TYPE_I64: *low = INT64_MIN, *high = INT64_MAX; return true;
    case XCUT_TYPE_U8: *low = 0, *high = UINT8_MAX; return true;
    case XCUT_TYPE_U16: *low = 0, *high = UINT16_MAX; return true;
    case XCUT_TYPE_U32: *low = 0, *high = UINT32_MAX; return true;
    case XCUT_TYPE_U64: *low = 0, *high = UINT64_MAX; return true;
    case XCUT_TYPE_BOOL: *low = 0, *high = 1; return true;
    default: return false;
  }
}

// Stores an integer in two's complement; the low bytes are the same for signed and unsigned.
static void store_integer(xcut_value *value, size_t index, uint64_t bits) {
  switch (xcut_type_bytes(value->type)) {
    case 1: ((uint8_t *)value->data)[index] = (uint8_t)bits; break;
    case 2: ((uint16_t *)value->data)[index] = (uint16_t)bits; break;
    case 4: ((uint32_t *)value->data)[index] = (uint32_t)bits; break;
    default: ((uint64_t *)value->data)[index] = bits; break;
  }
}

static bool parse_integer(xcut_value *value, size_t index, const char *token, int64_t low, uint64_t high,
                          xcut_error *error) {
  const char *name = xcut_type_name(value->type);
  if (value->type == XCUT_TYPE_BOOL && strcmp(token, "true") == 0) token = "1";
  if (value->type == XCUT_TYPE_BOOL && strcmp(token, "false") == 0) token = "0";
  char *end;
  errno = 0;
  uint64_t bits;
  bool negative = token[0] == '-';
  if (negative) {
    long long parsed = strtoll(token, &end, 0);
    if (parsed < low) errno = ERANGE;
    bits = (uint64_t)parsed;
  } else {
    bits = strtoull(token, &end, 0);
    if (bits > high) errno = ERANGE;
  }
  if (end == token || *end) return tool_fail(error, "'%s' is no %s", token, name);
  if (errno) return tool_fail(error, "value %s does not fit %s", token, name);
  store_integer(value, index, bits);
  return true;
}

static bool parse_element(xcut_value *value, size_t index, const char *token, xcut_error *error) {
  int64_t low;
  uint64_t high;
  if (integer_limits(value->type, &low, &high)) return parse_integer(value, index, token, low, high, error);
  char *end;
  if (value->type == XCUT_TYPE_F32) {
    ((float *)value->data)[index] = strtof(token, &end);
  } else {
    double parsed = strtod(token, &end);
    if (value->type == XCUT_TYPE_F64) ((double *)value->data)[index] = parsed;
    if (value->type == XCUT_TYPE_F16) ((uint16_t *)value->data)[index] = half_from_double(parsed);
    if (value->type == XCUT_TYPE_BF16) ((uint16_t *)value->data)[index] = bf16_from_double(parsed);
  }
  if (end == token || *end) return tool_fail(error, "'%s' is no number", token);
  return true;
}

static void splat(xcut_value *value, size_t count) {
  size_t size = xcut_type_bytes(value->type);
  uint8_t *data = value->data;
  for (size_t i = 1; i < count; ++i) memcpy(data + i * size, data, size);
}

// What the brackets of a literal have shown so far.
typedef struct nesting {
  int depth, number_depth;  // number_depth: of the first number, -1 before
  bool brackets;
  int64_t children[XCUT_MAX_RANK + 2];
} nesting;

static bool open_bracket(nesting *n, const xcut_value *value, xcut_error *error) {
  n->brackets = true;
  if (n->depth == (value->rank > 1 ? value->rank : 1))
    return tool_fail(error, "brackets nest deeper than the dimensions");
  n->children[++n->depth] = 0;
  return true;
}

static bool close_bracket(nesting *n, const xcut_value *value, xcut_error *error) {
  if (n->depth == 0) return tool_fail(error, "a bracket closes that was not opened");
  int64_t children = n->children[n->depth];
  if (n->number_depth == value->rank && children != value->dims[n->depth - 1]) {
    return tool_fail(error, "dimension %d is %" PRId64 ", but brackets hold %" PRId64 " elements", n->depth - 1,
                     value->dims[n->depth - 1], children);
  }
  ++n->children[--n->depth];
  return true;
}

static bool place_number(nesting *n, const xcut_value *value, xcut_error *error) {
  if (n->number_depth < 0) {
    n->number_depth = n->depth;
    if (n->depth > 1 && n->depth != value->rank) return tool_fail(error, "brackets do not fit the dimensions");
  }
  if (n->number_depth != n->depth) return tool_fail(error, "brackets do not fit the dimensions");
  ++n->children[n->depth];
  return true;
}

static bool parse_elements(const char *text, xcut_value *value, xcut_error *error) {
  size_t count = tool_element_count(value), found = 0;
  nesting n = {.number_depth = -1};
  for (const char *p = text; *p;) {
    if (*p == ' ' || *p == ',' || *p == '\n' || *p == '\t') {
      ++p;
    } else if (*p == '[') {
      if (!open_bracket(&n, value, error)) return false;
      ++p;
    } else if (*p == ']') {
      if (!close_bracket(&n, value, error)) return false;
      ++p;
    } else {
      char token[48];
      size_t length = strcspn(p, " ,[]\n\t");
      if (length >= sizeof token) return tool_fail(error, "'%.40s...' is no number", p);
      memcpy(token, p, length);
      token[length] = 0;
      p += length;
      if (!place_number(&n, value, error)) return false;
      if (found == count) return tool_fail(error, "more elements than the shape's %zu", count);
      if (!parse_element(value, found++, token, error)) return false;
    }
  }
  if (n.depth != 0) return tool_fail(error, "a bracket is not closed");
  if (found == 1 && !n.brackets) {
    splat(value, count);
  } else if (found != count) {
    return tool_fail(error, "%zu elements, the shape needs %zu", found, count);
  }
  return true;
}

static bool fill_from_file(const char *path, xcut_value *value, xcut_error *error) {
  uint8_t *data;
  size_t bytes;
  if (!tool_read_file(path, &data, &bytes, error)) return false;
  size_t needed = xcut_value_bytes(value);
  bool ok = bytes == needed;
  if (ok) {
    value->data = data;
    value->bytes = bytes;
    if (value->type == XCUT_TYPE_BOOL) {
      for (size_t i = 0; i < bytes; ++i) ok &= data[i] <= 1;
      if (!ok) tool_fail(error, "%s: a bool is neither 0 nor 1", path);
    }
  } else {
    tool_fail(error, "%s: %zu bytes, the shape needs %zu", path, bytes, needed);
  }
  if (!ok) {
    free(data);
    value->data = NULL;
  }
  return ok;
}

static bool parse_npy_file(const char *path, const xcut_tensor_description *wanted, xcut_value *out,
                           xcut_error *error) {
  uint8_t *data;
  size_t bytes;
  if (!tool_read_file(path, &data, &bytes, error)) return false;
  xcut_error inner = {{0}};
  bool ok = tool_parse_npy(data, bytes, wanted, out, &inner);
  free(data);
  return ok || tool_fail(error, "%s: %s", path, inner.message);
}

bool tool_parse_value(const char *text, const xcut_tensor_description *wanted, xcut_value *out, xcut_error *error) {
  *out = (xcut_value){0};
  if (*text == '@') return parse_npy_file(text + 1, wanted, out, error);
  const char *equals = strchr(text, '=');
  if (!equals) return tool_fail(error, "'%.60s' is neither SHAPExTYPE=VALUES nor @FILE", text);
  xcut_value value;
  if (!tool_parse_shape(text, equals, &value, error)) return false;
  if (!tool_check_wanted(&value, wanted, error)) return false;
  if (xcut_value_bytes(&value) == SIZE_MAX) return tool_fail(error, "the shape is larger than memory");
  if (equals[1] == '@') {
    if (!fill_from_file(equals + 2, &value, error)) return false;
  } else {
    if (!tool_value_allocate(&value, error)) return false;
    if (!parse_elements(equals + 1, &value, error)) {
      tool_value_free(&value);
      return false;
    }
  }
  *out = value;
  return true;
}
