configure()
build()
run_tests()

# A changed model is compiled, and the program that links it linked, again; the other one is not.
file(TOUCH ${BINARY}/model.mlir)
build(program)
check(output MATCHES "Compiling model first" AND output MATCHES "Linking C executable program")
