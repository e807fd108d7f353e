# The runtime that a program links is the platform's, and runs there.
set(toolchain ${CMAKE_CURRENT_LIST_DIR}/../../../toolchains/aarch64-linux.cmake)
configure(--toolchain ${toolchain})
build()
run_tests()
check(output MATCHES "100% tests passed, 0 tests failed out of 2")
