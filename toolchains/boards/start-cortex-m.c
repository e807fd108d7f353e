// Start-up of Cortex-M: the vector table, and the floating-point unit where there is one.
#include "board.h"

#include <stdint.h>

extern uint8_t stack_top[];  // of the linker script

_Noreturn void board_reset(void);
_Noreturn void board_reset(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
  *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;  // CPACR: full access
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
#if defined(__ARM_FEATURE_MVE)
  __asm__ volatile("vmsr fpscr, %0" ::"r"(4u << 16));  // LTPSIZE: no tail is cut off vectors outside loops
#endif
  board_begin();
}

typedef union {
  void *stack;
  void (*handler)(void);
} vector;

// Stack, reset, NMI, and the faults: hard, memory, bus, usage, secure.
__attribute__((section(".start"), used)) static const vector vectors[] = {
    {.stack = stack_top},     {.handler = board_reset}, {.handler = board_fault}, {.handler = board_fault},
    {.handler = board_fault}, {.handler = board_fault}, {.handler = board_fault}, {.handler = board_fault},
};
