// Command-line flags of the form --name=value.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/common/tools.h"

bool tool_flag(const char *argument, const char *name, const char **value) {
  if (strncmp(argument, "--", 2) != 0) return false;
  size_t length = strlen(name);
  if (strncmp(argument + 2, name, length) != 0) return false;
  const char *rest = argument + 2 + length;
  if (!value) return *rest == 0;
  if (*rest != '=') return false;
  *value = rest + 1;
  return true;
}

bool tool_parse_u64(const char *text, uint64_t max, uint64_t *out) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || *end || value > max) return false;
  *out = value;
  return true;
}

bool tool_parse_double(const char *text, double *out) {
  if (!*text || *text == ' ') return false;
  char *end;
  double value = strtod(text, &end);
  if (*end || isnan(value)) return false;
  *out = value;
  return true;
}
