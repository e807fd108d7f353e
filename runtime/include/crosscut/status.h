// Results of every call, and the buffer that error messages are written to.
#ifndef CROSSCUT_STATUS_H
#define CROSSCUT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define XCUT_NODISCARD __attribute__((warn_unused_result))
#else
#define XCUT_NODISCARD
#endif

// Values are stable: they are exit values of firmware and fields of records.
typedef enum xcut_status {
  XCUT_OK = 0,

  // The caller's mistakes.
  XCUT_E_ARGUMENT = 1,   // null or misaligned pointer, buffer too small, unknown option
  XCUT_E_COUNT = 2,      // wrong number of inputs or outputs
  XCUT_E_TYPE = 3,       // wrong element type
  XCUT_E_SHAPE = 4,      // wrong rank or dimension
  XCUT_E_DATA = 5,       // a value of an input (an index, a shape) is out of range
  XCUT_E_NOT_FOUND = 6,  // no function, tensor or device of that name
  XCUT_E_BUSY = 7,       // the session runs another call

  // The module's.
  XCUT_E_IMAGE = 20,    // malformed, truncated or changed
  XCUT_E_VERSION = 21,  // of another ABI version
  XCUT_E_TARGET = 22,   // for another machine, or needs a CPU feature that this one lacks
  XCUT_E_PLUGIN = 23,   // needs a plugin that the program does not offer, or one failed

  // The machine's.
  XCUT_E_MEMORY = 40,       // an allocator or mapping refused
  XCUT_E_ARENA = 41,        // the caller's arena is too small
  XCUT_E_FILE = 42,         // a file cannot be opened, read or written
  XCUT_E_TIMEOUT = 43,      // not done yet; wait again
  XCUT_E_UNSUPPORTED = 44,  // the platform has no threads, files or mappings
} xcut_status;

// Where a failing call says why: one line, zero-terminated, no file name. Unchanged on success.
// Every function takes it as `error`, which may be null.
typedef struct xcut_error {
  char message[256];
} xcut_error;

// The name of a status ("XCUT_E_SHAPE"), or "XCUT_E_?" for a value that is none. Static storage.
const char *xcut_status_name(xcut_status status);

// One phrase for a status ("wrong rank or dimension"). Static storage.
const char *xcut_status_phrase(xcut_status status);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_STATUS_H
