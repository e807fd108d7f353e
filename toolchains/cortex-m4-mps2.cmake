# Bare-metal Cortex-M4F on the MPS2 board of QEMU (AN386). Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR armv7em)
set(CROSSCUT_PLATFORM_NAME cortex-m4-mps2)
set(CROSSCUT_TARGET cortex-m4)  # the compiler's name
set(CROSSCUT_BOARD mps2)        # boards/mps2.ld
set(CROSSCUT_BOARD_START cortex-m)

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none
  -semihosting-config enable=on,target=native -kernel)
