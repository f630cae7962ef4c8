"""The command `gatekeeper`, and `python -m gatekeeper`."""

import os
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it; a Ctrl-C while it is still loading ends it like any other."""
    try:
        from gatekeeper.cli import main as command_line

        command_line()
    except KeyboardInterrupt:
        os.write(2, b"gatekeeper: interrupted\n")
        os._exit(2)


if __name__ == "__main__":
    main()
