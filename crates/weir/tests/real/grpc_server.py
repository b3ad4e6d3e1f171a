"""A gRPC server of the usual kind for the tests. Prints its port."""

import sys
from concurrent import futures

import grpc


def say(request, context):
    binary = dict(context.invocation_metadata())["x-bin"]
    return b"said " + request + b" " + binary.hex().encode()


def fail(_request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: 100 %")


def chat(requests, context):
    context.set_trailing_metadata((("x-trail", "t"),))
    for request in requests:
        yield b"heard " + request


def long(request, _context):
    return bytes(reversed(request)) * 1000


METHODS = {
    "Say": grpc.unary_unary_rpc_method_handler(say),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Long": grpc.unary_unary_rpc_method_handler(long),
}


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        package, _, method = details.method.rpartition("/")
        return METHODS.get(method) if package == "/test.Talk" else None


server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((Handler(),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
# Ends with the test.
sys.stdin.read()
server.stop(None)
