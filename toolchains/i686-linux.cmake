# 32-bit x86 Linux. The emulated CPU has SSE2 and nothing newer, as a Pentium 4 has.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CROSSCUT_PLATFORM_NAME i686-linux)

set(CMAKE_C_COMPILER i686-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER i686-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH /usr/i686-linux-gnu)
# Where this machine has a 32-bit C library of its own, its cache would name that one beside the sysroot's loader, and
# threads would hang.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-i386 -L /usr/i686-linux-gnu -E LD_LIBRARY_PATH=/usr/i686-linux-gnu/lib
  -cpu qemu32,-sse3)
