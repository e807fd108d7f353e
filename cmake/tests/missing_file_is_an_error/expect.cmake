configure_fails("add_model\\(m\\): no such file: [^ ]*/nowhere.onnx")
