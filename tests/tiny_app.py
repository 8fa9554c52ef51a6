"""The app, but single files are read by the configurations of a tiny checkpoint and not by those of
full size: `python -m tests.tiny_app CONFIGS`, and then what `app.py` takes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from app import leave, main
from turbo_ui.backends import single_file

TINY_APP = ("-m", "tests.tiny_app")

if __name__ == "__main__":
    configs = Path(sys.argv[1])
    single_file.read_file = partial(single_file.read_file, configs=configs)
    single_file.num_parameters = partial(single_file.num_parameters, configs=configs)
    leave(main(sys.argv[2:]))
