// What a board offers to a program: text and an exit status, for whoever runs the emulator or a debugger.
#ifndef CROSSCUT_BOARD_H
#define CROSSCUT_BOARD_H

void board_print(const char *text);
_Noreturn void board_exit(int status);

// Called by the start-up code once there is a stack: prepares memory, calls main(), and leaves with its result.
_Noreturn void board_begin(void);
// Called on every exception: says so, and leaves with status 100.
_Noreturn void board_fault(void);

#endif  // CROSSCUT_BOARD_H
