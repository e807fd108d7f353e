// Which text of the command line is which tensor of a function.
#include <inttypes.h>
#include <string.h>

#include "tools/common/tools.h"
#include "tools/common/wanted.h"

typedef struct binding {
  const xcut_function *function;
  const char *role;  // "input" or "output"
  uint32_t first, count;
  xcut_value *values;
} binding;

static bool is_given(const binding *b, uint32_t i) { return b->values[i].type != 0; }

static bool name_of(const binding *b, uint32_t i, xcut_tensor_description *out) {
  return xcut_function_tensor(b->function, b->first + i, out) == XCUT_OK;
}

// Splits "name=text". Names may hold anything, '=' too, so each is tried; a text that starts with a shape or '@' has
// no name.
static bool find_name(const binding *b, const char *text, uint32_t *index, const char **rest, xcut_error *error) {
  *rest = text;
  *index = b->count;
  if (*text == '@') return true;
  for (uint32_t i = 0; i < b->count; ++i) {
    xcut_tensor_description t;
    if (!name_of(b, i, &t)) continue;
    size_t length = strlen(t.name);
    if (length == 0 || strncmp(text, t.name, length) != 0 || text[length] != '=') continue;
    const char *value = text + length + 1;
    if (*value != '@' && !strchr(value, '=')) continue;  // "f32=1": a scalar, even if a tensor is called f32
    *index = i;
    *rest = value;
    return true;
  }
  const char *equals = strchr(text, '=');
  xcut_value shape;
  if (equals && (equals[1] == '@' || strchr(equals + 1, '=')) && !tool_parse_shape(text, equals, &shape, NULL)) {
    return tool_fail(error, "there is no %s '%.*s'", b->role, equals - text < 80 ? (int)(equals - text) : 80, text);
  }
  return true;
}

static bool bind_one(binding *b, const char *text, uint32_t *next, xcut_error *error) {
  uint32_t index;
  const char *rest;
  if (!find_name(b, text, &index, &rest, error)) return false;
  if (index == b->count) {
    while (*next < b->count && is_given(b, *next)) ++*next;
    if (*next == b->count) {
      return tool_fail(error, "more %ss given than the %" PRIu32 " of function '%s'", b->role, b->count,
                       xcut_function_name(b->function));
    }
    index = *next;
  }
  xcut_tensor_description t;
  if (!name_of(b, index, &t)) return tool_fail(error, "unknown tensor");
  if (is_given(b, index)) return tool_fail(error, "%s '%s' is given twice", b->role, t.name);
  xcut_error inner = {{0}};
  if (!tool_parse_value(rest, &t, &b->values[index], &inner)) {
    b->values[index] = (xcut_value){0};
    return tool_fail(error, "%s '%s': %s", b->role, t.name, inner.message);
  }
  return true;
}

static bool bind_all(binding *b, const char *const *texts, uint32_t count, xcut_error *error) {
  for (uint32_t i = 0; i < b->count; ++i) b->values[i] = (xcut_value){0};
  uint32_t next = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!bind_one(b, texts[i], &next, error)) return false;
  }
  return true;
}

bool tool_parse_inputs(const xcut_function *function, const char *const *texts, uint32_t count, xcut_value *values,
                       xcut_error *error) {
  binding b = {function, "input", 0, function->info->input_count, values};
  if (!bind_all(&b, texts, count, error)) return false;
  for (uint32_t i = 0; i < b.count; ++i) {
    xcut_tensor_description t;
    if (is_given(&b, i) || !name_of(&b, i, &t)) continue;
    xcut_value shape = {.type = t.type, .rank = t.rank};
    memcpy(shape.dims, t.dims, sizeof shape.dims);
    char text[200];
    tool_shape_text(&shape, text, sizeof text);
    return tool_fail(error, "input '%s' (%s) is missing: %" PRIu32 " of %" PRIu32 " inputs given", t.name, text, count,
                     b.count);
  }
  return true;
}

bool tool_parse_expected(const xcut_function *function, const char *const *texts, uint32_t count, xcut_value *values,
                         bool *present, xcut_error *error) {
  binding b = {function, "output", function->info->input_count, function->info->output_count, values};
  bool ok = bind_all(&b, texts, count, error);
  for (uint32_t i = 0; i < b.count; ++i) present[i] = is_given(&b, i);
  return ok;
}
