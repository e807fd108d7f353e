// The firmware's own few services, and what lies in its flash.
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdint.h>

void print(const char *text);
_Noreturn void leave(uint32_t status);

// Each blob begins at a multiple of 64 bytes.
extern const uint8_t module_start[], module_end[], input_start[], input_end[], expected_start[], expected_end[],
    bound_start[], bound_end[];

#endif  // FIRMWARE_H
