//! One exchange as its connection sees it: begun, answered, its last byte handed over.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Connection, Order, Reset, Serve};

/// Lets the handler answer, and counts.
pub(super) async fn exchange<S: Serve>(
    connection: &Rc<Connection>,
    handler: &Rc<S>,
    request: Request<Incoming>,
) -> Result<Response<Counted<S::Body>>, Reset> {
    let active = Active::new(connection);
    let version = request.version();
    connection.requests.set(connection.requests.get() + 1);
    connection.counters.requests.add(1);
    let outcome = handler.serve(connection, request).await;
    match outcome {
        Ok(mut response) => {
            connection.counters.answered(response.status());
            if connection.fleet.order() != Order::Serve {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok(response.map(|body| Counted {
                body,
                version,
                active,
            }))
        }
        Err(reset) => {
            connection.counters.requests_reset.add(1);
            connection.cut_with_reset.set(true);
            Err(reset)
        }
    }
}

/// Counts one exchange from its request to the last byte of its response, however it ends.
struct Active(Rc<Connection>);

impl Active {
    fn new(connection: &Rc<Connection>) -> Self {
        connection.active.set(connection.active.get() + 1);
        connection.counters.requests_active.add(1);
        Self(Rc::clone(connection))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
        self.0.counters.requests_active.sub(1);
    }
}

/// A response body whose failure the client notices.
pub(super) struct Counted<B> {
    body: B,
    version: Version,
    active: Active,
}

impl<B: Body<Data = Bytes, Error = Reset> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(_)) = &frame {
            let connection = &self.active.0;
            connection.counters.requests_reset.add(1);
            // A missing chunk or byte speaks for itself; a body that ends with the connection
            // needs a reset to look broken.
            connection
                .cut_with_reset
                .set(self.version == Version::HTTP_10);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
