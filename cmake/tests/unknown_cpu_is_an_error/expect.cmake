configure_fails("add_model\\(m\\): unknown CPU 'x99' of target 'aarch64-linux'")
