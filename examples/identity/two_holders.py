"""A group with a domain and two ORCID holders; a stranger verifies from what they published, and sees names.

    python examples/identity/two_holders.py

All on loopback: a devnet, and one https server with a CA of its own, in the place of ORCID and of the group's domain.
The server is a simulator: it shows the pages that a person would edit on orcid.org and on their own site.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(tempfile.mkdtemp(prefix="blockchaintracer-identity-"))
HOLDERS = {"alice": "0000-0002-1825-0097", "bob": "0000-0002-1694-233X"}
DOMAIN = "lab.example"
pages: dict[str, bytes] = {}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = pages.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def serve() -> dict[str, str]:
    """Serve the pages by https, with a certificate for 127.0.0.1 from a CA made here. Returns what to set."""
    made = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-batch", "-days", "2", "-x509"]
    names = {"ca": ["-addext", "basicConstraints=critical,CA:TRUE"]}
    names["site"] = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1"]
    names["site"] += ["-addext", "basicConstraints=critical,CA:FALSE"]
    for name, more in names.items():
        files = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run([*made, *files, *more], cwd=HERE, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "site.pem", HERE / "site.key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"https://127.0.0.1:{server.server_port}"
    sites = {"BLOCKCHAINTRACER_ORCID": address, "BLOCKCHAINTRACER_WELL_KNOWN": f"{address}/{{domain}}"}
    return sites | {"REQUESTS_CA_BUNDLE": str(HERE / "ca.pem")}


def verb(*arguments: str, home: str = "lab") -> dict:
    """Run a verb as a person would, in a process of its own."""
    print(f"$ blockchaintracer {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "blockchaintracer", *arguments, "--json", "--home", str(HERE / home)]
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {done.stdout}")
    return json.loads(done.stdout)


def orcid_page(orcid: str, text: str) -> bytes:
    """What ORCID's public API shows of a person with one public website."""
    site = {"url-name": "my key", "url": {"value": f"https://orcid.org/{orcid}#{text}"}, "visibility": "public"}
    return json.dumps({"path": f"/{orcid}/person", "researcher-urls": {"researcher-url": [site]}}).encode()


def main() -> None:
    os.environ |= serve()
    verb("deploy", "--open", "--key", "alice")
    verb("group", "create", "The lab", "--key", "alice")
    bob = verb("group", "create", "Another lab", "--key", "bob")["owner"]
    invitation = verb("group", "invite", bob, "--role", "recorder", "--key", "alice", "--group", "1")
    (HERE / "invitation.json").write_text(json.dumps(invitation))
    verb("group", "join", "invitation.json", "--key", "bob")

    records = {}
    for name, orcid in HOLDERS.items():
        (HERE / f"{name}.csv").write_text(name)
        records[name] = verb("record", f"{name}.csv", "--key", name, "--group", "1")["id"]
        claim = verb("identity", "claim", "--orcid", orcid, "--key", name, "--group", "1")
        pages[f"/v3.0/{orcid}/person"] = orcid_page(orcid, claim["names"][0])
    claim = verb("identity", "claim", "--domain", DOMAIN, "--for-group", "--key", "alice", "--group", "1")
    pages[f"/{DOMAIN}/.well-known/blockchaintracer.json"] = json.dumps(claim["page"]).encode()
    verb("identity", "check", "--record", "--allow-local", "--key", "bob", "--group", "2")
    for record in records.values():
        verb("publish", record, "--to", "published")

    chain = verb("node", "status")
    where = ("--rpc", chain["url"], "--chain-id", str(chain["chainId"]), "--registry", claim["registry"])
    for name, record in records.items():
        for more in ((), ("--check-identity", "--allow-local")):
            shown = verb("verify", record, "--from", "published", *where, *more, home="stranger")
            told = ", ".join(f"{it['title']} ({it['state']})" for it in shown["holders"])
            print(f"{name}'s record is {shown['outcome']}; holders: {told}")
    verb("node", "stop")


if __name__ == "__main__":
    main()
