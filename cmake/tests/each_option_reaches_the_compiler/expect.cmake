configure()
run(succeeds ${CMAKE_COMMAND} --build ${BINARY}/build --verbose)
foreach(flag --target=aarch64-linux --cpu=cortex-a55 --features=.?\\+dotprod --opt=1 --favor=min-peak-memory
             --max-arena=64K --debug-symbols --winograd=off)
  check(output MATCHES "${flag}")
endforeach()
