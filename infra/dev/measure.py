"""Runs one command and says what it cost: `measure.py OUTPUT COMMAND …` prints {"seconds", "user_seconds", "peak_bytes", "code"}.

Only the kernel knows the peak memory of a process, and it tells it to whoever waits for that process.
"""

import json
import os
import subprocess
import sys
import time


def main():
    output, command = sys.argv[1], sys.argv[2:]
    with open(output, "wb") as file:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    cost = {
        "seconds": seconds,
        "user_seconds": used.ru_utime,
        "peak_bytes": used.ru_maxrss * unit,
        "code": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
