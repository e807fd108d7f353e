// What the board offers: text and an exit status for whoever started the emulator.
#pragma once

void machine_print(const char *text);
_Noreturn void machine_exit(int status);
