# RV64GC on QEMU's virt. Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CROSSCUT_PLATFORM_NAME rv64gc-virt)
set(CROSSCUT_TARGET rv64gc)  # the compiler's name
set(CROSSCUT_BOARD virt-riscv)   # boards/virt-riscv.ld
set(CROSSCUT_BOARD_START riscv)

set(CMAKE_C_COMPILER clang-22)
set(CMAKE_C_COMPILER_TARGET riscv64-unknown-elf)
set(CMAKE_C_FLAGS_INIT "-march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-riscv64 -M virt -cpu rv64 -m 64M -bios none -nic none
  -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel)
