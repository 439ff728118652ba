"""What stands for ssh in tests: runs the far side here. Options and host are left out.

Writes its process number to the file that AS_SSH names, so that a test can end or stop it.
"""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    if "-G" in sys.argv:
        sys.exit(print("user me\nhostname 10.77.0.2\nport 22"))
    typed = sys.argv[sys.argv.index("--") + 2 :]
    assert typed[1:3] in (["serve", "--stdio"], ["pair", "--stdio"]), typed
    assert typed[3:4] in ([], ["--port"]), typed
    if home := os.environ.get("AS_SSH_HOME"):  # of the user there
        os.environ["XDG_DATA_HOME"] = home
    if noted := os.environ.get("AS_SSH"):
        Path(noted).write_text(str(os.getpid()))
    os.execv(sys.executable, [sys.executable, "-m", "vcam", *typed[1:]])
