"""`python -m vcam.daemon`: what services and `vcam start` call."""

import sys

from vcam.daemon.supervisor import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
