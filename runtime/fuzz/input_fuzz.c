// Fuzzes what people type and the files they name: the first byte chooses the parser.
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "tools/common/tools.h"
#include "tools/common/wanted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes == 0) return 0;
  xcut_value value;
  xcut_error error = {{0}};
  bool ok;
  if (data[0] % 2) {
    ok = tool_parse_npy(data + 1, bytes - 1, NULL, &value, &error);
  } else {
    if (memchr(data, '@', bytes)) return 0;  // would read files of this machine
    char *text = malloc(bytes);
    if (!text) return 0;
    memcpy(text, data + 1, bytes - 1);
    text[bytes - 1] = 0;
    const char *equals = strchr(text, '=');
    xcut_value shape;
    if (equals && tool_parse_shape(text, equals, &shape, NULL) && xcut_value_bytes(&shape) > 1 << 20 &&
        xcut_value_bytes(&shape) != SIZE_MAX) {
      free(text);  // whoever asks for that much memory gets it
      return 0;
    }
    ok = tool_parse_value(text, NULL, &value, &error);
    free(text);
  }
  if (!ok) {
    if (!error.message[0] || strchr(error.message, '\n')) abort();
    return 0;
  }
  if (xcut_value_bytes(&value) != value.bytes) abort();
  if (value.bytes < 4096) {
    FILE *null = fopen("/dev/null", "w");
    if (null) {
      tool_print_value(null, "v", &value, 50);
      fclose(null);
    }
    if (!tool_compare(&value, &value, 0, 0).matches) abort();
  }
  tool_value_free(&value);
  return 0;
}
