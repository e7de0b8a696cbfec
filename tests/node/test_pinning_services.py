"""Pinning services that behave badly, each on its own: the others are asked, and what is said of a pin is true."""

import json
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import unquote

import pytest

from blockchaintracer.lab.store.ipfs.blocks import Cid
from blockchaintracer.lab.store.ipfs.pinning import Pin, add_service, pin, services, status, unpin
from tests.support.serving import serving

CID = Cid(1, 0x55, b"what is to be pinned at all cost")
TOKEN = "/".join(("told", "to+nobody", "else"))


class Pins(BaseHTTPRequestHandler):
    """A service that lists ten requests at once, is down for a while, and tells everyone its token."""

    requests: ClassVar[dict[str, str]] = {}
    down = 0

    def answer(self, code, value):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def entry(self, name):
        info = {"status_details": f"{'x' * 290}{self.headers['Authorization']}"}
        return {"requestid": name, "status": self.requests[name], "pin": {"cid": str(CID)}, "info": info}

    def do_GET(self):
        name = unquote(self.path).removeprefix("/pins/")
        if name not in self.requests:
            self.answer(200, {"results": [self.entry(each) for each in [*self.requests][:10]]})
        elif type(self).down:
            type(self).down -= 1
            self.answer(503, {"error": {"reason": "DOWN", "details": f"for {self.headers['Authorization']}"}})
        else:
            self.requests[name] = "pinned"
            self.answer(200, self.entry(name))

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.requests["new"] = "queued"
        self.answer(202, self.entry("new"))

    def do_DELETE(self):
        del self.requests[unquote(self.path).removeprefix("/pins/")]
        self.answer(202, {})

    def log_message(self, *given):
        pass


@pytest.fixture
def service(tmp_path, monkeypatch):
    monkeypatch.setenv("PINS_TOKEN", TOKEN)
    monkeypatch.setattr(Pins, "requests", {})
    monkeypatch.setattr(Pins, "down", 0)
    with serving(Pins) as url:
        add_service(tmp_path / "p.json", "one", url, token_env="PINS_TOKEN", token_file=None)
        add_service(tmp_path / "p.json", "two", url, token_env="NO_TOKEN", token_file=None)
        yield services(tmp_path / "p.json")


def test_every_request_is_removed(service):
    Pins.requests = {f"r/{number}": "pinned" for number in range(25)}
    assert unpin(service[:1], CID) == [Pin("one", "absent")]
    assert Pins.requests == {}


def test_a_missing_token_stops_no_other_service(service):
    told = pin(service, CID)
    assert [it.status for it in told] == ["queued", "error"]
    assert "$NO_TOKEN, which holds none" in told[1].detail


def test_a_pin_is_asked_for_again_after_an_outage(service):
    Pins.down = 3
    [told] = pin(service[:1], CID, wait_s=20, pause_s=0.001)
    assert told.status == "pinned"
    assert Pins.down == 0
    Pins.requests["new"], Pins.down = "queued", 10**9
    [told] = pin(service[:1], CID, wait_s=0.2, pause_s=0.001)
    assert told.status == "queued"
    assert "refused (503): DOWN" in told.detail


def test_no_text_of_a_service_shows_its_token(service):
    Pins.requests, Pins.down = {"r": "queued"}, 10**9
    for told in (pin(service[:1], CID, wait_s=0.05, pause_s=0.001), status(service[:1], CID)):
        assert told[0].detail
        assert TOKEN[:6] not in str(told)
