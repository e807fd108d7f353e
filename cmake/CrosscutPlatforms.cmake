# The target `platforms`: the runtime and programs of each platform, as sub-builds beside this one (build/host ->
# build/<platform>). A sub-build needs neither the compiler nor LLVM; it is configured once and built at every call.
include(CrosscutMatrix)
set(CROSSCUT_SUBBUILDS "" CACHE STRING "Platforms that the target `platforms` builds; empty: those of the matrix")
set(platforms ${CROSSCUT_SUBBUILDS})
if(NOT platforms)
  set(platforms ${CROSSCUT_MATRIX_BUILDS})
endif()

# One sub-build at a time: each uses all cores by itself.
set_property(GLOBAL APPEND PROPERTY JOB_POOLS platforms=1)
add_custom_target(platforms)
foreach(platform IN LISTS platforms)
  set(binary_dir ${CROSSCUT_SUBBUILD_ROOT}/${platform})
  add_custom_command(OUTPUT ${binary_dir}/build.ninja
    COMMAND ${CMAKE_COMMAND} --preset ${platform} -B ${binary_dir} -DCROSSCUT_DEPS_DIR=${CROSSCUT_DEPS_DIR}
      -DCROSSCUT_BUILD_TESTS=${CROSSCUT_BUILD_TESTS} -DCROSSCUT_COUNT_PLUGIN=$<TARGET_FILE:crosscut-count>
    DEPENDS ${CMAKE_SOURCE_DIR}/toolchains/${platform}.cmake ${CMAKE_SOURCE_DIR}/CMakePresets.json
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
    JOB_POOL platforms VERBATIM COMMENT "Configuring ${platform}")
  add_custom_target(platform-${platform}
    COMMAND ${CMAKE_COMMAND} --build ${binary_dir}
    DEPENDS ${binary_dir}/build.ninja
    JOB_POOL platforms VERBATIM COMMENT "Building ${platform}")
  add_dependencies(platforms platform-${platform})
endforeach()
