"""Run the command line as ``python -m tensorhub``.

Duty: that. Not its duty: anything that :mod:`tensorhub.cli` does.
"""

import sys

from tensorhub.cli import main

if __name__ == "__main__":
    sys.exit(main())
