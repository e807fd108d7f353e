// Whole files: read checked, written whole or not at all.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/tools.h"

static bool read_open(int fd, const char *path, uint8_t **data, size_t *bytes, xcut_error *error) {
  struct stat status;
  if (fstat(fd, &status) != 0) return tool_fail(error, "%s: %s", path, strerror(errno));
  if (!S_ISREG(status.st_mode)) return tool_fail(error, "%s: not a regular file", path);
  if ((uint64_t)status.st_size > SIZE_MAX / 2) return tool_fail(error, "%s: larger than memory", path);
  size_t size = (size_t)status.st_size;
  void *memory = NULL;
  if (posix_memalign(&memory, 64, size + 1) != 0) return tool_fail(error, "%s: no memory for %zu bytes", path, size);
  uint8_t *p = memory;
  size_t done = 0;
  while (done < size) {
    ssize_t n = read(fd, p + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      free(memory);
      return tool_fail(error, "%s: %s", path, n < 0 ? strerror(errno) : "became shorter while it was read");
    }
    done += (size_t)n;
  }
  p[size] = 0;
  *data = p;
  *bytes = size;
  return true;
}

bool tool_read_file(const char *path, uint8_t **data, size_t *bytes, xcut_error *error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return tool_fail(error, "%s: %s", path, strerror(errno));
  bool ok = read_open(fd, path, data, bytes, error);
  close(fd);
  return ok;
}

static bool write_all(int fd, const void *data, size_t bytes) {
  const uint8_t *p = data;
  while (bytes > 0) {
    ssize_t n = write(fd, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    bytes -= (size_t)n;
  }
  return true;
}

bool tool_write_file(const char *path, const void *const *parts, const size_t *sizes, uint32_t count,
                     xcut_error *error) {
  char temporary[PATH_MAX];
  int n = snprintf(temporary, sizeof temporary, "%s.tmp%ld", path, (long)getpid());
  if (n < 0 || (size_t)n >= sizeof temporary) return tool_fail(error, "%s: name too long", path);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return tool_fail(error, "%s: %s", path, strerror(errno));
  bool ok = true;
  for (uint32_t i = 0; ok && i < count; ++i) ok = write_all(fd, parts[i], sizes[i]);
  int reason = errno;
  if (close(fd) != 0 && ok) {
    ok = false;
    reason = errno;
  }
  if (ok && rename(temporary, path) != 0) {
    ok = false;
    reason = errno;
  }
  if (ok) return true;
  unlink(temporary);
  return tool_fail(error, "%s: %s", path, strerror(reason));
}
