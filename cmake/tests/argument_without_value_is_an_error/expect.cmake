configure_fails("add_model\\(m\\): arguments without value: CPU")
