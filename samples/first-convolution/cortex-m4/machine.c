// Start-up of a Cortex-M4 and semihosting. Semihosting's calls are a breakpoint that the emulator answers:
// https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst
#include "machine.h"

#include <stdint.h>
#include <string.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

static void semihost(uint32_t operation, const void *parameter) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = parameter;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void machine_print(const char *text) { semihost(SYS_WRITE0, text); }

_Noreturn void machine_exit(int status) {
  const uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)status};
  for (;;) semihost(SYS_EXIT_EXTENDED, block);
}

int main(void);
extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

static _Noreturn void fault(void) {
  machine_print("fault\n");
  machine_exit(2);
}

_Noreturn void reset(void) {
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;  // CPACR: the floating-point unit may be used
  __asm__ volatile("dsb\n isb" ::: "memory");
  memcpy(data_start, data_load, (size_t)(data_end - data_start));
  memset(bss_start, 0, (size_t)(bss_end - bss_start));
  machine_exit(main());
}

typedef union {
  void *stack;
  void (*handler)(void);
} vector;

// Stack, reset, NMI, and the faults: hard, memory, bus, usage.
__attribute__((section(".vectors"), used)) static const vector vectors[] = {
    {.stack = stack_top}, {.handler = reset}, {.handler = fault}, {.handler = fault},
    {.handler = fault},   {.handler = fault}, {.handler = fault},
};
