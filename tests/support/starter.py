"""Stands for an agent that is about to be killed: `starter.py FOLDER` starts a program that never ends, and waits."""

import signal
import sys
from pathlib import Path

from support.programs import start

if __name__ == "__main__":
    group = start("while True: pass", Path(sys.argv[1]))
    sys.stdout.write(f"{group.pid}\n")
    sys.stdout.flush()
    signal.pause()
