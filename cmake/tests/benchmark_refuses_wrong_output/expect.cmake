configure()
run("wrong output: 1 elements of output 0 differ, element 3 is 8, expected 9"
  ${CMAKE_COMMAND} --build ${BINARY}/build --target speed)
