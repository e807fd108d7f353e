// Marks around a region whose instructions the counting plugin (qemu-plugin/count.c) is to count. Outside QEMU they are
// a system call that fails harmlessly (ENOSYS). A program without a kernel defines them itself, each as a function that
// does nothing else: the plugin knows their names.
#ifndef CROSSCUT_MARKS_H
#define CROSSCUT_MARKS_H

#include <stdint.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

static inline void xcut_mark_begin(uint32_t region) { (void)syscall(0x7b7b, 1, region); }
static inline void xcut_mark_end(uint32_t region) { (void)syscall(0x7b7b, 2, region); }
#else
void xcut_mark_begin(uint32_t region);
void xcut_mark_end(uint32_t region);
#endif

#endif  // CROSSCUT_MARKS_H
