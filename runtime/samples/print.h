// Text, to wherever it can be read: on the boards of toolchains/ the emulator or debugger, else the terminal.
#ifndef PRINT_H
#define PRINT_H

#if __has_include(<board.h>)
#include <board.h>
static void print(const char *text) { board_print(text); }
#else
#include <stdio.h>
static void print(const char *text) { fputs(text, stdout); }
#endif

#endif  // PRINT_H
