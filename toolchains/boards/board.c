// Memory as C expects it, and semihosting: calls that a debugger or an emulator answers.
// https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst
// https://github.com/riscv-non-isa/riscv-semihosting
#include "board.h"

#include <stddef.h>
#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

#if defined(__riscv)
// Three instructions of four bytes each, on one page.
void board_semihost(uintptr_t operation, const void *parameter);
__asm__(
    ".pushsection .text.board_semihost, \"ax\"\n"
    ".option push\n.option norvc\n.option norelax\n"
    ".balign 16\n"
    ".global board_semihost\n"
    "board_semihost:\n"
    "  slli x0, x0, 0x1f\n"
    "  ebreak\n"
    "  srai x0, x0, 7\n"
    "  ret\n"
    ".option pop\n.popsection\n");
#else
static void board_semihost(uintptr_t operation, const void *parameter) {
#if defined(__arm__)
  register uintptr_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#else
  register uintptr_t x0 __asm__("x0") = operation;
  register const void *x1 __asm__("x1") = parameter;
  __asm__ volatile("hlt 0xf000" : "+r"(x0) : "r"(x1) : "memory");
#endif
}
#endif

void board_print(const char *text) { board_semihost(SYS_WRITE0, text); }

_Noreturn void board_exit(int status) {
  const uintptr_t block[2] = {APPLICATION_EXIT, (uintptr_t)status};
  for (;;) board_semihost(SYS_EXIT_EXTENDED, block);
}

_Noreturn void board_fault(void) {
  board_print("fault\n");
  board_exit(100);
}

// ---- Memory ----------------------------------------------------------------------------------------------------------

// All that a freestanding program needs of a C library.
void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
  uint8_t *t = to;
  const uint8_t *f = from;
  while (bytes--) *t++ = *f++;
  return to;
}

void *memset(void *to, int value, size_t bytes) {
  uint8_t *t = to;
  while (bytes--) *t++ = (uint8_t)value;
  return to;
}

int main(void);
// Set by the linker script.
extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

_Noreturn void board_begin(void) {
  memcpy(data_start, data_load, (size_t)(data_end - data_start));
  memset(bss_start, 0, (size_t)(bss_end - bss_start));
  board_exit(main());
}
