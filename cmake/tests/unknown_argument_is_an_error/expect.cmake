configure_fails("add_model\\(m\\): unknown arguments: OPTIMIZE;yes")
