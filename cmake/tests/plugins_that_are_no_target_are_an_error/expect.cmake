configure_fails("add_model_test\\(t\\): PLUGINS: 'nowhere' is no target")
