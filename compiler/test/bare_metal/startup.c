// What an operating system would do: vectors, memory, the floating-point unit, and a way out. Programs talk to QEMU (or
// to a debugger) through semihosting: https://github.com/ARM-software/abi-aa/blob/main/semihosting
#include "firmware.h"

extern uint32_t stack_top, data_start, data_end, data_load, bss_start, bss_end;
int main(void);

static uint32_t semihosting(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void print(const char *text) { semihosting(0x04, text); }  // SYS_WRITE0

void leave(uint32_t status) {
  const uint32_t block[2] = {0x20026, status};  // ADP_Stopped_ApplicationExit
  for (;;) semihosting(0x20, block);            // SYS_EXIT_EXTENDED
}

void reset(void) {
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;  // CPACR: full access to the floating-point unit
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  for (volatile uint32_t *to = &data_start, *from = &data_load; to < &data_end;) *to++ = *from++;
  for (volatile uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
  leave((uint32_t)main());
}

static void fault(void) {
  print("fault\n");
  leave(100);
}

__attribute__((section(".vectors"), used)) static void *const vectors[] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
