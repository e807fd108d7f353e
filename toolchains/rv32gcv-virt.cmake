# RV32GCV, vectors of 128 bits, on QEMU's virt. Programs end through semihosting.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv32)
set(CROSSCUT_PLATFORM_NAME rv32gcv-virt)
set(CROSSCUT_TARGET rv32gcv)  # the compiler's name
set(CROSSCUT_BOARD virt-riscv)   # boards/virt-riscv.ld
set(CROSSCUT_BOARD_START riscv)

set(CMAKE_C_COMPILER clang-22)
set(CMAKE_C_COMPILER_TARGET riscv32-unknown-elf)
set(CMAKE_C_FLAGS_INIT "-march=rv32gcv -mabi=ilp32d -ffreestanding")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-system-riscv32 -M virt -cpu rv32,v=true,vlen=128,vext_spec=v1.0 -m 64M -bios none -nic none
  -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel)
