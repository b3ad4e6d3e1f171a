//! A request body: back-pressure, replay, abort.

use std::fmt::Write as _;

use futures_util::task::noop_waker;

use super::*;

fn read(reader: &mut BodyReader) -> String {
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let mut text = String::new();
    loop {
        match Pin::new(&mut *reader).poll_frame(&mut cx) {
            Poll::Pending => return text + "…",
            Poll::Ready(None) => return text + ".",
            Poll::Ready(Some(Err(BodyAborted(_)))) => return text + "!",
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => text += std::str::from_utf8(&bytes).unwrap(),
                Err(frame) => {
                    let count = frame.into_trailers().unwrap().len();
                    write!(text, "[{count} trailers]").unwrap();
                }
            },
        }
    }
}

fn has_capacity(sender: &BodySender) -> bool {
    let waker = noop_waker();
    sender
        .poll_capacity(&mut Context::from_waker(&waker))
        .is_ready()
}

#[test]
fn no_body_ends_before_it_starts() {
    let sender = BodySender::empty();
    let mut reader = sender.attach().unwrap();
    assert!(reader.is_end_stream() && sender.is_delivered() && sender.is_empty());
    assert_eq!(reader.size_hint().exact(), Some(0));
    assert_eq!(read(&mut reader), ".");
}

#[test]
fn a_whole_body_has_its_length() {
    let sender = BodySender::full(Bytes::from_static(b"abc"));
    let mut reader = sender.attach().unwrap();
    assert_eq!(reader.size_hint().exact(), Some(3));
    assert!(!reader.is_end_stream());
    assert_eq!(read(&mut reader), "abc.");
    assert!(reader.is_end_stream() && sender.is_delivered());
}

#[test]
fn a_second_reader_begins_again() {
    let sender = BodySender::streaming(None);
    sender.push(Bytes::from_static(b"ab"));
    let mut first = sender.attach().unwrap();
    assert_eq!(read(&mut first), "ab…");
    let mut second = sender.attach().unwrap();
    drop(first);
    sender.push(Bytes::from_static(b"c"));
    sender.trailers(
        [(http::header::ETAG, "x".parse().unwrap())]
            .into_iter()
            .collect(),
    );
    assert_eq!(read(&mut second), "abc[1 trailers].");
    assert_eq!(read(&mut sender.attach().unwrap()), "abc[1 trailers].");
}

#[test]
fn a_reader_that_was_replaced_reads_no_more() {
    let sender = BodySender::full(Bytes::from_static(b"abc"));
    let mut first = sender.attach().unwrap();
    let _second = sender.attach().unwrap();
    assert_eq!(read(&mut first), "!");
}

#[test]
fn a_large_body_is_given_up_as_it_is_read() {
    let sender = BodySender::streaming(None);
    let chunk = Bytes::from(vec![b'x'; REPLAY_BODY_BYTES]);
    sender.push(chunk.clone());
    let mut reader = sender.attach().unwrap();
    assert_eq!(read(&mut reader).len(), chunk.len() + "…".len());
    assert!(sender.is_replayable());
    sender.push(chunk.clone());
    assert!(!sender.is_replayable());
    assert!(sender.attach().is_none());
    assert_eq!(read(&mut reader).len(), chunk.len() + "…".len());
    assert!(sender.state().unwrap().frames.is_empty());
}

#[test]
fn a_large_body_that_nobody_read_can_be_read_by_another() {
    let sender = BodySender::streaming(None);
    sender.push(Bytes::from(vec![b'x'; REPLAY_BODY_BYTES + 1]));
    drop(sender.attach().unwrap());
    assert!(sender.attach().is_some());
}

#[test]
fn a_full_window_stops_the_producer() {
    let sender = BodySender::streaming(None);
    assert!(has_capacity(&sender));
    sender.push(Bytes::from(vec![b'x'; STREAM_WINDOW_BYTES]));
    assert!(!has_capacity(&sender));
    let mut reader = sender.attach().unwrap();
    read(&mut reader);
    assert!(has_capacity(&sender));
}

#[test]
fn an_upstream_that_wants_no_more_frees_the_producer() {
    let sender = BodySender::streaming(None);
    sender.push(Bytes::from(vec![b'x'; STREAM_WINDOW_BYTES]));
    let reader = sender.attach().unwrap();
    sender.settle();
    assert!(!has_capacity(&sender));
    drop(reader);
    assert!(has_capacity(&sender));
    sender.push(Bytes::from_static(b"more"));
    assert!(sender.state().unwrap().frames.is_empty());
    assert!(!sender.is_delivered());
}

#[test]
fn an_aborted_body_fails_its_reader() {
    let sender = BodySender::streaming(None);
    sender.push(Bytes::from_static(b"ab"));
    let mut reader = sender.attach().unwrap();
    sender.abort();
    assert_eq!(read(&mut reader), "!");
    assert!(sender.attach().is_none());
}

#[test]
fn a_body_is_as_long_as_announced() {
    let announced = |length, text: &'static str| {
        let sender = BodySender::streaming(Some(length));
        sender.push(Bytes::from_static(text.as_bytes()));
        sender.finish();
        let mut reader = sender.attach().unwrap();
        assert_eq!(reader.is_end_stream(), length == 0 && text.is_empty());
        let read = read(&mut reader);
        (read, sender.is_delivered(), sender.is_short())
    };
    assert_eq!(announced(3, "abc"), ("abc.".into(), true, false));
    assert_eq!(announced(2, "abc"), ("ab.".into(), true, false));
    assert_eq!(announced(4, "abc"), ("abc!".into(), false, true));
    assert_eq!(announced(5, ""), ("!".into(), false, true));
    assert_eq!(announced(0, ""), (".".into(), true, false));
}
