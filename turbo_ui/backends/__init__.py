"""What runs a model. Only here are torch and diffusers imported, and `base` is free of them."""

import os

# Read once, when torch's OpenMP library is loaded, so before anything here imports torch. Its
# threads spin while they wait for each other; beside a busy server or browser that is what slows
# them down.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
