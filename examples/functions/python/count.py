"""Counts lines, words and bytes of what it is sent: a component that handles wasi:http."""

import json

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam):
        text = b""
        incoming = request.consume()  # Its stream may not outlive it.
        with incoming.stream() as stream:
            while True:
                try:
                    text += stream.blocking_read(65536)
                except Err:  # The end.
                    break
        counts = {"lines": text.count(b"\n"), "words": len(text.split()), "bytes": len(text)}
        response = OutgoingResponse(Fields.from_list([("content-type", b"application/json")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as out:
            out.blocking_write_and_flush(json.dumps(counts, separators=(",", ":")).encode())
        OutgoingBody.finish(body, None)
