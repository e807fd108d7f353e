# Cortex-A53 without an operating system on QEMU's virt. Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CROSSCUT_PLATFORM_NAME cortex-a53-virt)
set(CROSSCUT_TARGET cortex-a53)  # the compiler's name
set(CROSSCUT_BOARD virt-aarch64)   # boards/virt-aarch64.ld
set(CROSSCUT_BOARD_START aarch64)

set(CMAKE_C_COMPILER clang-22)
set(CMAKE_C_COMPILER_TARGET aarch64-none-elf)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-a53 -ffreestanding")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-aarch64 -M virt -cpu cortex-a53 -m 64M -nic none
  -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel)
