configure_fails("add_model\\(m\\): unknown FORMAT 'coff', known: elf, static")
