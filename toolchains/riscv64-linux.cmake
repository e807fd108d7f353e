# 64-bit RISC-V Linux, rv64gc: the emulated CPU has neither vectors nor the bit-manipulation extensions.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CROSSCUT_PLATFORM_NAME riscv64-linux)

set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH /usr/riscv64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-riscv64 -L /usr/riscv64-linux-gnu -cpu rv64,v=false,zba=false,zbb=false,zbc=false,zbs=false)
