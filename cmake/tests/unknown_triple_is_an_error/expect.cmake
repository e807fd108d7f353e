configure_fails("add_model\\(m\\): unknown target 'pdp11-dec-unix'")
