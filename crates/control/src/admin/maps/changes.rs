//! Changes of a map as lines of JSON, while somebody listens.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use serde_json::{Value as Json, json};
use weir_bindgen::typed::Typed;
use weir_maps::graph::Root;
use weir_maps::store::Store as _;
use weir_maps::{Change, Engine, Event, MapError, Watch};
use weir_model::limits;

use super::{Outcome, Refusal, Told, parameter, read, view};

const LINES: &str = "application/x-ndjson";

/// A line that is being made.
type Coming = Pin<Box<dyn Future<Output = Json>>>;

/// Counts watches that go on.
#[derive(Clone, Default)]
pub(in crate::admin) struct Watches(Rc<Cell<usize>>);

/// Changes of a map as lines of JSON: the body of an answer.
pub(in crate::admin) struct Changes {
    watch: Watch,
    /// What the map holds, if keys and values are to be told as people write them.
    typed: Option<Arc<Typed>>,
    engine: Engine,
    /// Scope and name. The map itself is not held: it would never go.
    place: (String, String),
    /// A change whose value is still to come.
    coming: Option<Coming>,
    watches: Watches,
    is_over: bool,
}

/// Begins to follow a map.
pub(super) async fn watch(
    (engine, (scope, name)): (&Engine, (&str, &str)),
    (query, typed): (Option<&str>, Option<&Arc<Typed>>),
    watches: &Watches,
) -> Outcome {
    let most = limits::ADMIN_WATCHES_MAX;
    if watches.0.get() >= most {
        let text = format!("{most} watches go on here already");
        return Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, text));
    }
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let map = engine.find(scope, name).ok_or(MapError::NoEntry)?;
    let watch = map.map().store().watch(&prefix).wait().await?;
    watches.0.set(watches.0.get() + 1);
    Ok(Told::Changes(Changes {
        watch,
        typed: parameter(query, "typed").and(typed).cloned(),
        engine: engine.clone(),
        place: (scope.to_owned(), name.to_owned()),
        coming: None,
        watches: watches.clone(),
        is_over: false,
    }))
}

impl Changes {
    pub(in crate::admin) const CONTENT_TYPE: &'static str = LINES;

    fn map(&self) -> Option<Root> {
        self.engine.find(&self.place.0, &self.place.1)
    }
}

impl http_body::Body for Changes {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let shown = if let Some(coming) = &mut self.coming {
            let shown = ready!(coming.as_mut().poll(cx));
            self.coming = None;
            shown
        } else {
            let change = ready!(self.watch.poll_next(cx));
            self.is_over = change == Change::Gone;
            match self.typed.clone() {
                None => view::change(&change),
                Some(typed) => {
                    self.coming = Some(Box::pin(typed_change(self.map(), change, typed)));
                    return self.poll_frame(cx);
                }
            }
        };
        Poll::Ready(Some(Ok(Frame::data(format!("{shown}\n").into()))))
    }
}

/// A change with its key as people write it, and with the value that the entry has by now, which may be
/// a later one.
async fn typed_change(map: Option<Root>, change: Change, typed: Arc<Typed>) -> Json {
    let mut shown = view::change(&change);
    let Change::Entry { key, event, .. } = &change else {
        return shown;
    };
    shown["typed"]["key"] = view::said(typed.show_key(key.bytes()));
    let Some(map) = map.filter(|_| *event == Event::Set) else {
        return shown;
    };
    let found = read(&map, key.bytes()).await;
    match found.map(|found| found.and_then(|found| found.value.bytes().map(|it| typed.show(it)))) {
        Ok(None) => {}
        Ok(Some(value)) => shown["typed"]["value"] = view::said(value),
        Err(error) => shown["typed"]["value"] = json!({ "error": error.to_string() }),
    }
    shown
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.watches.0.set(self.watches.0.get().saturating_sub(1));
    }
}
