"""What runs a model. Only here are torch and diffusers imported, and `base` is free of them."""
