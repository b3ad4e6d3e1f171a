//! The `echo` action: answers with the request as the upstream would have got it.

use bytes::{BufMut, BytesMut};

use super::Exchange;
use super::upstream::Upstream;
use crate::listen::Reset;
use crate::message::{FieldValue, HeaderList, Pseudo};
use crate::stream::LocalAnswer;

/// What an echo shows of a body.
pub(super) const ECHO_BODY_BYTES: usize = 64 << 10;

impl Exchange {
    /// The request as it left the filters is the answer.
    pub(super) fn echo(&mut self, end: bool) -> Result<(), Reset> {
        let head = {
            let stream = self.stream.borrow();
            head_text(&stream.request.headers, stream.facts.protocol)
        };
        self.upstream = Upstream::Echo {
            head,
            body: BytesMut::new(),
            bytes: 0,
        };
        if end { self.answer_echo() } else { Ok(()) }
    }

    /// The body has come whole.
    pub(super) fn answer_echo(&mut self) -> Result<(), Reset> {
        let Upstream::Echo { head, body, bytes } =
            std::mem::replace(&mut self.upstream, Upstream::Local)
        else {
            return Ok(());
        };
        let mut text = head;
        if bytes > 0 {
            text.put_u8(b'\n');
            text.put_slice(&body);
            if bytes > body.len() as u64 {
                text.put_slice(format!("\n… {bytes} bytes in all\n").as_bytes());
            }
        }
        self.answer_locally(LocalAnswer {
            status: 200,
            details: "echo".to_owned(),
            body: text.freeze(),
            ..LocalAnswer::default()
        })
    }
}

/// A head as HTTP/1 writes it, `host` first.
fn head_text(headers: &HeaderList, protocol: &str) -> BytesMut {
    let mut text = BytesMut::with_capacity(headers.bytes() + 64);
    let pseudo = |which| headers.pseudo(which).map_or(&b""[..], FieldValue::as_bytes);
    let words = [
        pseudo(Pseudo::Method),
        pseudo(Pseudo::Path),
        protocol.as_bytes(),
    ];
    text.put_slice(&words.join(&b' '));
    text.put_slice(b"\nhost: ");
    text.put_slice(pseudo(Pseudo::Authority));
    text.put_u8(b'\n');
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| name.first() != Some(&b':'))
    {
        text.put_slice(name);
        text.put_slice(b": ");
        text.put_slice(value);
        text.put_u8(b'\n');
    }
    text
}
