"""Asks a server of `blockchaintracer serve` for the runs with the best accuracy: `python ask.py [ADDRESS]`."""

import json
import sys
from urllib.parse import urlencode
from urllib.request import urlopen

server = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8710"
question = {"kind": "run", "where": "metrics.accuracy > 0.9", "sort": "metrics.accuracy", "order": "descending"}
with urlopen(f"{server}/v1/records?{urlencode(question)}", timeout=30) as answer:
    for record in json.load(answer)["records"]:
        print(record["id"], record["status"], record["name"] or "without a name")
print("This is the server's word. `blockchaintracer verify ID` checks a record.")
