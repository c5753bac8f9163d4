"""An HTTP proxy before an S3 server that does harm on purpose: s3_proxy.py UPSTREAM_PORT FAULT...

Prints its port and serves until it is killed. Each line of its stderr is an operation that came, and what was done to
it. A FAULT is OPERATION:KIND[:TIMES], for the first TIMES requests of that operation (default 1; 0: all).

Operations: create, part, complete, abort, head, get, list, uploads, delete.
Kinds: 500, 503, 403 (expired credentials), 307, 404 (no such upload): answered without asking the server
       lost       the server does it, but its answer is thrown away and the connection reset
       reset      the connection is reset in the middle of the request's body
       cut        the connection is reset in the middle of the answer's body
       short      the answer's body ends early, and the connection cleanly
       error200   answered with 200 and an error in the body
       nonsense   answered with 200 and a page that is no S3
       noetag     the answer's etag is left out
       hang       nothing is answered for ten minutes
"""

import http.client
import http.server
import socket
import socketserver
import struct
import sys
import threading
import time
import urllib.parse

UPSTREAM = int(sys.argv[1])
LOCK = threading.Lock()
FAULTS = []
for argument in sys.argv[2:]:
    operation, kind, *times = argument.split(":")
    FAULTS.append([operation, kind, int(times[0]) if times else 1, 0])

CODES = {
    "500": (500, "InternalError"),
    "503": (503, "SlowDown"),
    "403": (403, "ExpiredToken"),
    "404": (404, "NoSuchUpload"),
    "307": (307, "TemporaryRedirect"),
    "error200": (200, "InternalError"),
}


def operation_of(method, path):
    parts = urllib.parse.urlsplit(path)
    query = urllib.parse.parse_qs(parts.query, keep_blank_values=True)
    if method == "POST":
        return "create" if "uploads" in query else "complete"
    if method == "DELETE":
        return "abort" if "uploadId" in query else "delete"
    if method == "GET" and ("uploads" in query or "list-type" in query):
        return "uploads" if "uploads" in query else "list"
    return {"PUT": "part", "HEAD": "head", "GET": "get"}[method]


def take_fault(operation):
    with LOCK:
        for fault in FAULTS:
            if fault[0] == operation and (fault[2] == 0 or fault[3] < fault[2]):
                fault[3] += 1
                return fault[1]
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def answer(self, status, body, headers=()):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def forward(self, body):
        upstream = http.client.HTTPConnection("127.0.0.1", UPSTREAM)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders(body if body else None)
        answer = upstream.getresponse()
        content = answer.read()
        drop = ("connection", "transfer-encoding") + (() if self.command == "HEAD" else ("content-length",))
        headers = [pair for pair in answer.getheaders() if pair[0].lower() not in drop]
        upstream.close()
        return answer.status, headers, content

    def serve(self):
        operation = operation_of(self.command, self.path)
        kind = take_fault(operation)
        print(operation, kind or "-", file=sys.stderr, flush=True)
        length = int(self.headers.get("Content-Length", 0))
        if kind == "reset":
            self.rfile.read(length // 2)
            return self.reset()
        body = self.rfile.read(length)
        if kind == "hang":
            return time.sleep(600)
        if kind in CODES:
            status, code = CODES[kind]
            text = '<?xml version="1.0"?><Error><Code>%s</Code><Message>on purpose</Message><RequestId>R1</RequestId></Error>'
            location = [("Location", "http://elsewhere.example.com/?secret")] if kind == "307" else []
            return self.answer(status, (text % code).encode(), location)
        if kind == "nonsense":
            return self.answer(200, b"<html><body>Please log in</body></html>")
        status, headers, content = self.forward(body)
        if kind == "lost":
            return self.reset()
        if kind == "noetag":
            headers = [pair for pair in headers if pair[0].lower() != "etag"]
        if self.command == "HEAD":
            self.send_response_only(status)
            for pair in headers:
                self.send_header(*pair)
            return self.end_headers()
        if kind in ("cut", "short"):
            self.send_response_only(status)
            for pair in headers:
                self.send_header(*pair)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if kind == "cut":
                time.sleep(0.2)  # what was sent arrives; a reset would overtake it
                return self.reset()
            self.close_connection = True
            return None
        return self.answer(status, content, headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
