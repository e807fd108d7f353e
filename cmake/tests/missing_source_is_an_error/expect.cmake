configure_fails("add_model\\(m\\): SOURCE is missing")
