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

# Another compiler compiles every model again.
file(TOUCH ${BINARY}/prefix/bin/crosscut-compile)
build()
check(output MATCHES "Compiling model m-aarch64-linux")
