# Cortex-M55 with Helium on QEMU's MPS3 (AN547). Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR armv8.1m.main)
set(CROSSCUT_PLATFORM_NAME cortex-m55-mps3)
set(CROSSCUT_TARGET cortex-m55)  # the compiler's name
set(CROSSCUT_BOARD mps3-an547)   # boards/mps3-an547.ld
set(CROSSCUT_BOARD_START cortex-m)

set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m55 -mthumb -mfloat-abi=hard")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-arm -M mps3-an547 -nographic -monitor none -serial none
  -semihosting-config enable=on,target=native -kernel)
