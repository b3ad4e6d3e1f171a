"""A function: a component that handles HTTP. It greets, and says in capitals what it was sent."""

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import environment
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method_Get,
    Method_Head,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

PIECE = 64 * 1024


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam):
        match request.method():
            case Method_Get() | Method_Head():
                variables = dict(environment.get_environment())
                greeting = variables.get("GREETING", "Hello")
                answer(response_out, 200, f"{greeting} from {{name}}\n".encode())
            case Method_Post():
                answer(response_out, 200, read(request).upper())
            case _:
                answer(response_out, 405, b"GET or POST\n")


def read(request: IncomingRequest) -> bytes:
    """All of a request's body."""
    body = request.consume()
    pieces = []
    with body.stream() as stream:
        while True:
            try:
                pieces.append(stream.blocking_read(PIECE))
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    break
                raise
    IncomingBody.finish(body)
    return b"".join(pieces)


def answer(response_out: ResponseOutparam, status: int, text: bytes):
    """Sends a response: its head at once, its body as fast as the client reads."""
    response = OutgoingResponse(Fields.from_list([("content-type", b"text/plain")]))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(response_out, Ok(response))
    with body.write() as out:
        for begin in range(0, len(text), 4096):
            out.blocking_write_and_flush(text[begin : begin + 4096])
    OutgoingBody.finish(body, None)
