# Cortex-M0 on QEMU's micro:bit: 256 KB of flash, 16 KB of RAM. Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR armv6m)
set(CROSSCUT_PLATFORM_NAME cortex-m0-microbit)
set(CROSSCUT_TARGET cortex-m0)  # the compiler's name
set(CROSSCUT_BOARD microbit)   # boards/microbit.ld
set(CROSSCUT_BOARD_START cortex-m)

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m0 -mthumb")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-arm -M microbit -nographic -monitor none -serial none
  -semihosting-config enable=on,target=native -kernel)
