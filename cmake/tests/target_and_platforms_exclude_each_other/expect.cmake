configure_fails("add_model\\(m\\): TARGET and PLATFORMS exclude each other")
