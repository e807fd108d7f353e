// NumPy's .npy files. The header is a Python literal; only the three keys that the format knows are accepted.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/tools.h"
#include "tools/common/wanted.h"

typedef struct cursor {
  const char *p, *end;
} cursor;

static void skip_space(cursor *c) {
  while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t')) ++c->p;
}

static bool take(cursor *c, char wanted) {
  skip_space(c);
  if (c->p == c->end || *c->p != wanted) return false;
  ++c->p;
  return true;
}

static bool take_string(cursor *c, char *out, size_t bytes) {
  skip_space(c);
  if (c->p == c->end || (*c->p != '\'' && *c->p != '"')) return false;
  char quote = *c->p++;
  size_t n = 0;
  while (c->p < c->end && *c->p != quote) {
    if (n + 1 == bytes) return false;
    out[n++] = *c->p++;
  }
  out[n] = 0;
  return take(c, quote);
}

static bool take_word(cursor *c, const char *word) {
  skip_space(c);
  size_t length = strlen(word);
  if ((size_t)(c->end - c->p) < length || memcmp(c->p, word, length) != 0) return false;
  c->p += length;
  return true;
}

static bool take_number(cursor *c, int64_t *out) {
  skip_space(c);
  int64_t value = 0;
  if (c->p == c->end || *c->p < '0' || *c->p > '9') return false;
  for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; ++c->p) {
    if (value > (INT64_MAX - 9) / 10) return false;
    value = value * 10 + (*c->p - '0');
  }
  *out = value;
  return true;
}

typedef struct npy_header {
  char descr[16];
  bool fortran;
  xcut_value value;  // shape only
  unsigned seen;
} npy_header;

static bool parse_shape(cursor *c, npy_header *h, xcut_error *error) {
  if (!take(c, '(')) return tool_fail(error, "malformed .npy header: no shape");
  while (!take(c, ')')) {
    int64_t dim;
    if (!take_number(c, &dim)) return tool_fail(error, "malformed .npy header: bad shape");
    if (h->value.rank == XCUT_MAX_RANK) return tool_fail(error, ".npy has more than %d dimensions", XCUT_MAX_RANK);
    h->value.dims[h->value.rank++] = dim;
    if (!take(c, ',')) {
      if (!take(c, ')')) return tool_fail(error, "malformed .npy header: bad shape");
      break;
    }
  }
  return true;
}

static bool parse_header(cursor c, npy_header *h, xcut_error *error) {
  if (!take(&c, '{')) return tool_fail(error, "malformed .npy header");
  while (!take(&c, '}')) {
    char key[20];
    if (!take_string(&c, key, sizeof key) || !take(&c, ':')) return tool_fail(error, "malformed .npy header");
    unsigned bit;
    if (strcmp(key, "descr") == 0) {
      bit = 1;
      if (!take_string(&c, h->descr, sizeof h->descr)) return tool_fail(error, ".npy of an unsupported dtype");
    } else if (strcmp(key, "fortran_order") == 0) {
      bit = 2;
      h->fortran = take_word(&c, "True");
      if (!h->fortran && !take_word(&c, "False")) return tool_fail(error, "malformed .npy header");
    } else if (strcmp(key, "shape") == 0) {
      bit = 4;
      h->value.rank = 0;
      if (!parse_shape(&c, h, error)) return false;
    } else {
      return tool_fail(error, "malformed .npy header: unknown key '%s'", key);
    }
    h->seen |= bit;
    if (!take(&c, ',')) {
      if (!take(&c, '}')) return tool_fail(error, "malformed .npy header");
      break;
    }
  }
  if (h->seen != 7) return tool_fail(error, "malformed .npy header: a key is missing");
  return true;
}

static const struct {
  const char *descr;  // without byte order
  uint8_t type;
} kDtypes[] = {
    {"f4", XCUT_TYPE_F32}, {"f8", XCUT_TYPE_F64}, {"f2", XCUT_TYPE_F16},  {"V2", XCUT_TYPE_BF16}, {"i1", XCUT_TYPE_I8},
    {"i2", XCUT_TYPE_I16}, {"i4", XCUT_TYPE_I32}, {"i8", XCUT_TYPE_I64},  {"u1", XCUT_TYPE_U8},   {"u2", XCUT_TYPE_U16},
    {"u4", XCUT_TYPE_U32}, {"u8", XCUT_TYPE_U64}, {"b1", XCUT_TYPE_BOOL},
};

static char native_order(void) {
  const uint16_t one = 1;
  return *(const uint8_t *)&one ? '<' : '>';
}

static void reverse_bytes(uint8_t *data, size_t count, size_t size) {
  for (size_t i = 0; i < count; ++i, data += size) {
    for (size_t a = 0, b = size - 1; a < b; ++a, --b) {
      uint8_t t = data[a];
      data[a] = data[b];
      data[b] = t;
    }
  }
}

// Copies elements from column-major to row-major order.
static void copy_fortran(const xcut_value *value, const uint8_t *from) {
  size_t size = xcut_type_bytes(value->type);
  size_t count = tool_element_count(value);
  size_t index[XCUT_MAX_RANK] = {0};
  for (size_t i = 0; i < count; ++i) {
    size_t at = 0;
    for (unsigned d = value->rank; d-- > 0;) at = at * (size_t)value->dims[d] + index[d];
    memcpy((uint8_t *)value->data + i * size, from + at * size, size);
    for (unsigned d = value->rank; d-- > 0;) {
      if (++index[d] < (size_t)value->dims[d]) break;
      index[d] = 0;
    }
  }
}

bool tool_parse_npy(const uint8_t *data, size_t bytes, const xcut_tensor_description *wanted, xcut_value *out,
                    xcut_error *error) {
  *out = (xcut_value){0};
  if (bytes < 10 || memcmp(data, "\x93NUMPY", 6) != 0) return tool_fail(error, "not a .npy file");
  unsigned major = data[6];
  if (major < 1 || major > 3) return tool_fail(error, ".npy version %u is unknown", major);
  size_t begin = major == 1 ? 10 : 12;
  if (bytes < begin) return tool_fail(error, "truncated .npy file");
  size_t length = data[8] | (size_t)data[9] << 8;
  if (major > 1) length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
  if (length > bytes - begin) return tool_fail(error, "truncated .npy file");
  npy_header h = {0};
  cursor c = {(const char *)data + begin, (const char *)data + begin + length};
  if (!parse_header(c, &h, error)) return false;

  char order = h.descr[0];
  if (!order || !strchr("<>|=", order)) return tool_fail(error, ".npy dtype '%s' is not supported", h.descr);
  for (unsigned i = 0; i < sizeof kDtypes / sizeof *kDtypes; ++i) {
    if (strcmp(kDtypes[i].descr, h.descr + 1) == 0) h.value.type = kDtypes[i].type;
  }
  if (!h.value.type) return tool_fail(error, ".npy dtype '%s' is not supported", h.descr);
  if (h.value.type == XCUT_TYPE_U16 && wanted && wanted->type == XCUT_TYPE_BF16) h.value.type = XCUT_TYPE_BF16;
  if (!tool_check_wanted(&h.value, wanted, error)) return false;

  size_t size = xcut_value_bytes(&h.value);
  if (size == SIZE_MAX) return tool_fail(error, "the .npy shape is larger than memory");
  const uint8_t *elements = data + begin + length;
  size_t rest = bytes - begin - length;
  if (rest != size) {
    return tool_fail(error, "%s .npy file: %zu bytes of elements, its shape needs %zu",
                     rest < size ? "truncated" : "malformed", rest, size);
  }
  if (!tool_value_allocate(&h.value, error)) return false;
  if (h.fortran && h.value.rank > 1) {
    copy_fortran(&h.value, elements);
  } else {
    memcpy(h.value.data, elements, size);
  }
  size_t element = xcut_type_bytes(h.value.type);
  if ((order == '<' || order == '>') && order != native_order() && element > 1) {
    reverse_bytes(h.value.data, size / element, element);
  }
  for (size_t i = 0; h.value.type == XCUT_TYPE_BOOL && i < size; ++i) {
    if (((const uint8_t *)h.value.data)[i] <= 1) continue;
    tool_value_free(&h.value);
    return tool_fail(error, "a bool of the .npy file is neither 0 nor 1");
  }
  *out = h.value;
  return true;
}

bool tool_write_npy(const char *path, const xcut_value *value, xcut_error *error) {
  const char *descr = NULL;
  for (unsigned i = 0; i < sizeof kDtypes / sizeof *kDtypes; ++i) {
    if (kDtypes[i].type == value->type) descr = kDtypes[i].descr;
  }
  if (!descr) return tool_fail(error, "%s: unknown element type", path);
  char text[512];
  char order = xcut_type_bytes(value->type) == 1 ? '|' : native_order();
  int n = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", order, descr);
  for (unsigned i = 0; i < value->rank; ++i) {
    n += snprintf(text + n, sizeof text - (size_t)n, "%s%" PRId64 "%s", i ? ", " : "", value->dims[i],
                  value->rank == 1 ? "," : "");
  }
  n += snprintf(text + n, sizeof text - (size_t)n, "), }");
  uint8_t header[640];
  size_t length = ((size_t)n + 1 + 10 + 63) / 64 * 64 - 10;  // the elements begin at a multiple of 64
  memcpy(header, "\x93NUMPY\x01\x00", 8);
  header[8] = (uint8_t)length;
  header[9] = (uint8_t)(length >> 8);
  memcpy(header + 10, text, (size_t)n);
  memset(header + 10 + n, ' ', length - (size_t)n);
  header[10 + length - 1] = '\n';
  const void *parts[] = {header, value->data};
  size_t sizes[] = {10 + length, xcut_value_bytes(value)};
  return tool_write_file(path, parts, sizes, sizes[1] ? 2 : 1, error);
}
