# RV32IMAC, no floating-point unit, on QEMU's virt. Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv32)
set(CROSSCUT_PLATFORM_NAME rv32imac-virt)
set(CROSSCUT_TARGET rv32imac)  # the compiler's name
set(CROSSCUT_BOARD virt-riscv)   # boards/virt-riscv.ld
set(CROSSCUT_BOARD_START riscv)

set(CMAKE_C_COMPILER riscv64-unknown-elf-gcc)  # has soft float in its library
set(CMAKE_C_FLAGS_INIT "-march=rv32imac -mabi=ilp32 -ffreestanding")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-riscv32 -M virt -cpu rv32,f=false,d=false -m 64M -bios none -nic none
  -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel)
