configure()
build()
run_tests()
check(output MATCHES "100% tests passed, 0 tests failed out of 2")
