//! Calls without JSON: text and bytes go in and out as they are.

use bytes::Bytes;
use http::StatusCode;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Func, Lift, Lower};

use super::Answer;
use super::types::PlainResult;
use crate::cell::Cell;

/// What a function is called with.
pub(super) enum Plain {
    Nothing,
    Text(String),
    Bytes(Vec<u8>),
}

impl Plain {
    /// Calls a function of this type. `None` as the form of its result is for other calls.
    pub(super) async fn call(
        self,
        function: Func,
        store: &mut Store<Cell>,
        form: Option<PlainResult>,
    ) -> wasmtime::Result<Answer> {
        let form = form.ok_or_else(|| wasmtime::Error::msg("the result needs JSON"))?;
        match self {
            Self::Nothing => answer(function, store, (), form).await,
            Self::Text(text) => answer(function, store, (text,), form).await,
            Self::Bytes(bytes) => answer(function, store, (bytes,), form).await,
        }
    }
}

async fn answer<P>(
    function: Func,
    store: &mut Store<Cell>,
    arguments: P,
    form: PlainResult,
) -> wasmtime::Result<Answer>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
{
    Ok(match form {
        PlainResult::Nothing => {
            typed::<P, ()>(function, store, arguments).await?;
            Answer::nothing()
        }
        PlainResult::Text => {
            let (text,) = typed::<P, (String,)>(function, store, arguments).await?;
            Answer::whole(text)
        }
        PlainResult::Bytes => {
            let (bytes,) = typed::<P, (Vec<u8>,)>(function, store, arguments).await?;
            Answer::whole(bytes)
        }
        PlainResult::TextOr => {
            let (text,) = typed::<P, (Result<String, String>,)>(function, store, arguments).await?;
            text.map_or_else(Answer::refusal, Answer::whole)
        }
        PlainResult::BytesOr => {
            let (bytes,) =
                typed::<P, (Result<Vec<u8>, String>,)>(function, store, arguments).await?;
            bytes.map_or_else(Answer::refusal, Answer::whole)
        }
    })
}

async fn typed<P, R>(function: Func, store: &mut Store<Cell>, arguments: P) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    let function = function.typed::<P, R>(&*store)?;
    function.call_async(store, arguments).await
}

impl Answer {
    pub(super) fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
        }
    }

    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body.into()),
        }
    }

    /// What the function itself calls an error.
    pub(super) fn refusal(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            body: Some(body.into()),
        }
    }
}
