configure_fails("add_model\\(m\\): unknown target 'vax-linux'")
