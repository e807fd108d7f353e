// The entry point that libFuzzer and the stand-alone driver share.
#ifndef CROSSCUT_FUZZ_H
#define CROSSCUT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif  // CROSSCUT_FUZZ_H
