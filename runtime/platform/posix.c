// Linux: mappings, files, the clock, threads, and the futex that everything else is built from.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "core/config.h"
#include "crosscut/memory.h"
#include "crosscut/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// ---- Memory ----------------------------------------------------------------------------------------------------------

static void *posix_map(void *self, size_t bytes) {
  (void)self;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static bool posix_protect_code(void *self, void *memory, size_t bytes) {
  (void)self;
  return mprotect(memory, bytes, PROT_READ | PROT_EXEC) == 0;
}

static void posix_unmap(void *self, void *memory, size_t bytes) {
  (void)self;
  munmap(memory, bytes);
}

static void *system_allocate(void *self, size_t bytes, size_t alignment) {
  (void)self;
  void *memory = NULL;
  if (alignment < sizeof(void *)) alignment = sizeof(void *);
  return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

static void system_release(void *self, void *memory) {
  (void)self;
  free(memory);
}

xcut_allocator xcut_allocator_system(void) { return (xcut_allocator){NULL, system_allocate, system_release}; }

// ---- Files -----------------------------------------------------------------------------------------------------------

#if XCUT_WITH_FILES
// strerror is not safe between threads; these are the reasons that a user meets.
static const char *reason_of(int error) {
  switch (error) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case EISDIR: return "is a directory";
    case ENOTDIR: return "a folder of its path is no directory";
    case EMFILE:
    case ENFILE: return "too many open files";
    case ENAMETOOLONG: return "name too long";
    case ELOOP: return "too many symbolic links";
    default: return "input/output error";
  }
}

static bool posix_file_open(void *self, const char *path, intptr_t *file, uint64_t *bytes, const char **reason) {
  (void)self;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // opening a pipe must not wait
  if (fd < 0) {
    *reason = reason_of(errno);
    return false;
  }
  struct stat status;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    *reason = S_ISDIR(status.st_mode) ? "is a directory" : "is no regular file";
    close(fd);
    return false;
  }
  *file = fd;
  *bytes = (uint64_t)status.st_size;
  return true;
}

static void *posix_file_map(void *self, intptr_t file, size_t bytes, bool executable) {
  (void)self;
  void *memory = mmap(NULL, bytes, PROT_READ | (executable ? PROT_EXEC : 0), MAP_PRIVATE, (int)file, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

static void posix_file_close(void *self, intptr_t file) {
  (void)self;
  close((int)file);
}
#endif  // XCUT_WITH_FILES

// ---- Clock and threads -----------------------------------------------------------------------------------------------

static uint64_t posix_clock_ns(void *self) {
  (void)self;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

#if XCUT_WITH_THREADS
static uint32_t posix_cpu_count(void *self) {
  (void)self;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return (uint32_t)CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (uint32_t)online : 1;
}

static bool posix_thread_start(void *self, void *(*function)(void *), void *argument, int cpu, uintptr_t *thread) {
  (void)self;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  if (cpu >= 0 && cpu < CPU_SETSIZE) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
  }
  pthread_t created;
  int result = pthread_create(&created, &attributes, function, argument);
  pthread_attr_destroy(&attributes);
  _Static_assert(sizeof created <= sizeof *thread, "pthread_t must fit");
  if (result == 0) *thread = (uintptr_t)created;
  return result == 0;
}

static void posix_thread_join(void *self, uintptr_t thread) {
  (void)self;
  pthread_join((pthread_t)thread, NULL);
}

// The kernel's own struct timespec for SYS_futex, whatever the C library's time_t is.
#ifdef SYS_futex
#define FUTEX_CALL SYS_futex
typedef struct kernel_time {
  long seconds, nanoseconds;
} kernel_time;
#else
#define FUTEX_CALL SYS_futex_time64
typedef struct kernel_time {
  long long seconds, nanoseconds;
} kernel_time;
#endif

static void posix_wait(void *self, const uint32_t *word, uint32_t value, uint64_t timeout_ns) {
  (void)self;
  kernel_time time = {0};
  kernel_time *limit = NULL;
  if (timeout_ns != XCUT_FOREVER) {
    uint64_t seconds = timeout_ns / 1000000000u;
    if (seconds > 1000000) seconds = 1000000;  // returning early is allowed
    time.seconds = (long)seconds;
    time.nanoseconds = (long)(timeout_ns % 1000000000u);
    limit = &time;
  }
  syscall(FUTEX_CALL, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0);
}

static void posix_wake(void *self, const uint32_t *word, uint32_t count) {
  (void)self;
  syscall(FUTEX_CALL, word, FUTEX_WAKE_PRIVATE, count > INT_MAX ? INT_MAX : (int)count, NULL, NULL, 0);
}

#endif  // XCUT_WITH_THREADS

// ---- CPU -------------------------------------------------------------------------------------------------------------

static uint64_t posix_capability(void *self, uint32_t which) {
  (void)self;
  switch (which) {
    case XCUT_CAPABILITY_HWCAP: return getauxval(AT_HWCAP);
    case XCUT_CAPABILITY_HWCAP2: return getauxval(AT_HWCAP2);
    case XCUT_CAPABILITY_RISCV_HWPROBE: {
#if defined(__riscv)
      struct {
        int64_t key;
        uint64_t value;
      } pair = {4, 0};  // RISCV_HWPROBE_KEY_IMA_EXT_0
      const long riscv_hwprobe = 258;
      if (syscall(riscv_hwprobe, &pair, 1, 0, NULL, 0) == 0 && pair.key == 4) return pair.value;
#endif
      return 0;
    }
    default: return 0;
  }
}

static const xcut_platform kPosix = {
    .page_bytes = 4096,  // of the rounding; the kernel rounds up to its own
    .map = posix_map,
    .protect_code = posix_protect_code,
    .unmap = posix_unmap,
#if XCUT_WITH_FILES
    .file_open = posix_file_open,
    .file_map = posix_file_map,
    .file_close = posix_file_close,
#endif
    .clock_ns = posix_clock_ns,
#if XCUT_WITH_THREADS
    .cpu_count = posix_cpu_count,
    .thread_start = posix_thread_start,
    .thread_join = posix_thread_join,
    .wait = posix_wait,
    .wake = posix_wake,
#endif
    .capability = posix_capability,
};

const xcut_platform *xcut_platform_default(void) { return &kPosix; }
