"""Apps inside sites of other makers: one module or folder for each framework that ASGI alone does not reach."""
