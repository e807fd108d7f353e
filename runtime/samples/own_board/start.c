// Vectors, memory and floating-point unit; text and exit status through semihosting.
#include <stdint.h>

#include "start.h"

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;  // of board.ld
int main(void);

static void semihost(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void print(const char *text) { semihost(0x04, text); }

static void leave(int status) {
  const uint32_t block[2] = {0x20026, (uint32_t)status};
  for (;;) semihost(0x20, block);
}

void reset(void) {
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;  // CPACR: full access to the floating-point unit
  __asm__ volatile("dsb\n isb" ::: "memory");
  for (uint32_t *to = &data_start, *from = &data_load; to < &data_end;) *to++ = *from++;
  for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
  leave(main());
}

static void fault(void) {
  print("fault\n");
  leave(100);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
