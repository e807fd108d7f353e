configure_fails("add_model_test\\(t\\): 'm' is FORMAT static")
