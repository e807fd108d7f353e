// Messages without a C library: a bounded printf of the few conversions that the runtime uses, and the status names.
#include "core/internal.h"

#if XCUT_WITH_MESSAGES
xcut_text xcut_text_begin(char *data, size_t bytes) {
  xcut_text text = {data, bytes, 0};
  if (bytes > 0) data[0] = 0;
  return text;
}

static void put(xcut_text *text, char c) {
  if (text->used + 1 >= text->bytes) return;
  text->data[text->used++] = c;
  text->data[text->used] = 0;
}

// Names come from modules: they must not move the reader's cursor or break the line.
static void put_string(xcut_text *text, const char *s) {
  if (!s) s = "(null)";
  for (; *s; ++s) {
    unsigned char c = (unsigned char)*s;
    put(text, c < 0x20 || c == 0x7f ? '?' : (char)c);
  }
}

static void put_number(xcut_text *text, uint64_t value, unsigned base) {
  char digits[20];
  unsigned n = 0;
  do {
    // 64-bit division is a library function of many small CPUs, large beside this one.
    uint64_t rest = value, quotient = 0;
    for (unsigned shift = 61; shift-- > 0;) {
      if (rest >> shift < base) continue;
      rest -= (uint64_t)base << shift;
      quotient |= UINT64_C(1) << shift;
    }
    digits[n++] = "0123456789abcdef"[rest];
    value = quotient;
  } while (value);
  while (n) put(text, digits[--n]);
}

static void add_list(xcut_text *text, const char *format, va_list list) {
  for (const char *f = format; *f; ++f) {
    if (*f != '%') {
      put(text, *f);
      continue;
    }
    ++f;
    unsigned longs = 0;
    bool size = false;
    while (*f == 'l' || *f == 'z') {
      if (*f == 'l') ++longs;
      if (*f == 'z') size = true;
      ++f;
    }
    if (*f == 's') {
      put_string(text, va_arg(list, const char *));
    } else if (*f == 'c') {
      char one[2] = {(char)va_arg(list, int), 0};
      put_string(text, one);
    } else if (*f == 'd') {
      long long value = longs ? va_arg(list, long long) : va_arg(list, int);
      if (value < 0) put(text, '-');
      put_number(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
    } else if (*f == 'u' || *f == 'x') {
      uint64_t value = size ? va_arg(list, size_t) : longs ? va_arg(list, unsigned long long) : va_arg(list, unsigned);
      put_number(text, value, *f == 'x' ? 16 : 10);
    } else if (*f == '%') {
      put(text, '%');
    } else {
      return;  // a conversion that this function does not know
    }
  }
}

void xcut_text_add(xcut_text *text, const char *format, ...) {
  va_list list;
  va_start(list, format);
  add_list(text, format, list);
  va_end(list);
}

xcut_status xcut_fail(xcut_error *error, xcut_status status, const char *format, ...) {
  if (!error) return xcut_report(status, "");
  xcut_text text = xcut_text_begin(error->message, sizeof error->message);
  va_list list;
  va_start(list, format);
  add_list(&text, format, list);
  va_end(list);
  return xcut_report(status, error->message);
}
#endif  // XCUT_WITH_MESSAGES

bool xcut_same_text(const char *a, const char *b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

#define STATUSES(X)                                                     \
  X(XCUT_OK, "success")                                                 \
  X(XCUT_E_ARGUMENT, "invalid argument")                                \
  X(XCUT_E_COUNT, "wrong number of inputs or outputs")                  \
  X(XCUT_E_TYPE, "wrong element type")                                  \
  X(XCUT_E_SHAPE, "wrong rank or dimension")                            \
  X(XCUT_E_DATA, "value out of range in an input")                      \
  X(XCUT_E_NOT_FOUND, "no such function, tensor or device")             \
  X(XCUT_E_BUSY, "the session runs another call")                       \
  X(XCUT_E_IMAGE, "malformed, truncated or changed module")             \
  X(XCUT_E_VERSION, "module of another ABI version")                    \
  X(XCUT_E_TARGET, "module for another machine or missing CPU feature") \
  X(XCUT_E_PLUGIN, "a plugin is missing or failed")                     \
  X(XCUT_E_MEMORY, "out of memory")                                     \
  X(XCUT_E_ARENA, "the arena is too small")                             \
  X(XCUT_E_FILE, "a file cannot be opened, read or written")            \
  X(XCUT_E_TIMEOUT, "not done within the time-out")                     \
  X(XCUT_E_UNSUPPORTED, "not supported on this platform")

const char *xcut_status_name(xcut_status status) {
  switch (status) {
#define NAME(value, phrase) \
  case value: return #value;
    STATUSES(NAME)
#undef NAME
  }
  return "XCUT_E_?";
}

const char *xcut_status_phrase(xcut_status status) {
  switch (status) {
#define PHRASE(value, phrase) \
  case value: return phrase;
    STATUSES(PHRASE)
#undef PHRASE
  }
  return "unknown status";
}
