"""An ordinary client: waits until a file is there, gets every URL that is given once, prints status and body.

    python3 get.py FILE URL...
"""

import os
import sys
import time
import urllib.error
import urllib.request

gate, *urls = sys.argv[1:]
while not os.path.exists(gate):
    time.sleep(0.05)
for url in urls:
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            print("got", response.status, response.read().decode(), flush=True)
    except urllib.error.HTTPError as error:
        print("got", error.code, error.read().decode(), flush=True)
