# The same from an installation, found by its prefix.
run(succeeds ${CMAKE_COMMAND} --install ${CROSSCUT_BUILD} --prefix ${BINARY}/prefix)
# A platform's build is installed into the same prefix.
cmake_path(GET CROSSCUT_BUILD PARENT_PATH beside)
foreach(platform_build ${beside}/aarch64-linux ${CROSSCUT_BUILD}/platforms/aarch64-linux)
  if(EXISTS ${platform_build}/bin/crosscut-run)
    run(succeeds ${CMAKE_COMMAND} --install ${platform_build} --prefix ${BINARY}/prefix)
    break()
  endif()
endforeach()
set(CROSSCUT_BUILD ${BINARY}/prefix/lib/cmake/Crosscut)
configure()
build()
run_tests()
check(output MATCHES "100% tests passed, 0 tests failed out of 2")

# A bare-metal project compiles the installed runtime.
set(board ${CMAKE_CURRENT_LIST_DIR}/../../../runtime/samples/own_board)
run(succeeds ${CMAKE_COMMAND} -G ${GENERATOR} -S ${board} -B ${BINARY}/board --toolchain ${board}/toolchain.cmake
  -DCrosscut_DIR=${CROSSCUT_BUILD})
run(succeeds ${CMAKE_COMMAND} --build ${BINARY}/board)
run(succeeds ${CMAKE_CTEST_COMMAND} --test-dir ${BINARY}/board --no-tests=error)

# Another compiler compiles every model again.
file(TOUCH ${BINARY}/prefix/bin/crosscut-compile)
build()
check(output MATCHES "Compiling model m-aarch64-linux")
