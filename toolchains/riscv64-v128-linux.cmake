# 64-bit RISC-V Linux on a CPU with vector registers of 128 bits.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CROSSCUT_PLATFORM_NAME riscv64-v128-linux)
set(CROSSCUT_DEPS_PLATFORM riscv64-linux)  # the same ABI and baseline, so the same libraries
set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH /usr/riscv64-linux-gnu)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-riscv64 -L /usr/riscv64-linux-gnu -cpu rv64,v=true,vext_spec=v1.0,vlen=128,elen=64,zba=false,zbb=false,zbc=false,zbs=false)
