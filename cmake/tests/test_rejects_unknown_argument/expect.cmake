configure_fails("add_model_test\\(t\\): unknown arguments: INPUT;4xf32=0")
