"""What stands for ssh in tests: runs the far side here. Options and host are left out.

Writes its process number to the file that AS_SSH names, so that a test can end or stop it.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    typed = sys.argv[sys.argv.index("--") + 2 :]
    assert typed[1:] == ["serve", "--stdio"], typed
    if noted := os.environ.get("AS_SSH"):
        Path(noted).write_text(str(os.getpid()))
    os.execv(sys.executable, [sys.executable, "-m", "vcam", *typed[1:]])
