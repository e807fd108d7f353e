# The same from an installation, found by its prefix.
run(succeeds ${CMAKE_COMMAND} --install ${CROSSCUT_BUILD} --prefix ${BINARY}/prefix)
set(CROSSCUT_BUILD ${BINARY}/prefix/lib/cmake/Crosscut)
configure()
build()
run_tests()
check(output MATCHES "100% tests passed, 0 tests failed out of 1")

# Another compiler compiles every model again.
file(TOUCH ${BINARY}/prefix/bin/crosscut-compile)
build()
check(output MATCHES "Compiling model m")
