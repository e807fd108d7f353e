configure_fails("add_model_test\\(t\\): 'other' was not made by add_model")
