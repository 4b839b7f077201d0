"""The settings of Pixie-16 modules, as people think of them."""
