configure_fails("add_model\\(m\\): ABI is for FORMAT static")
