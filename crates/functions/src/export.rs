//! One exported function of a component as a handler: the request's body becomes its arguments, its
//! result the response's body.

pub(crate) mod hand;
mod json;
mod plain;
mod types;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::oneshot;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Type, Val};
use wasmtime::{AsContextMut as _, Store};
use weir_model::limits::functions as of;

use crate::call::Call;
use crate::cell::{Cell, Setup};
use crate::fault::{Fault, FaultKind};
use crate::http::{exports, linker};
use crate::load::{Kind, LoadError};
use crate::message::{Body, BodyError, Request, Response};
use crate::surroundings::Surroundings;
use plain::Plain;
use types::{Argument, Form};

/// An exported function.
#[derive(Clone)]
pub(crate) struct Export(Arc<Inner>);

struct Inner {
    setup: Setup,
    component: InstancePre<Cell>,
    function: ComponentExportIndex,
    arguments: Vec<Argument>,
    result: Option<Type>,
    content_type: HeaderValue,
}

/// What a function answers.
struct Answer {
    status: StatusCode,
    /// `None`: nothing, which has no type either.
    body: Option<Bytes>,
}

impl Export {
    pub(crate) fn new(
        setup: Setup,
        wanted: &weir_model::Export,
        component: &Component,
    ) -> Result<Self, LoadError> {
        let (ty, function) = find(component, &wanted.name)?;
        let arguments: Vec<_> = ty
            .params()
            .map(|(name, ty)| Argument {
                name: name.to_owned(),
                ty,
            })
            .collect();
        let result = ty.results().next();
        let all = arguments.iter().map(|argument| &argument.ty).chain(&result);
        if let Some(odd) = all.into_iter().find_map(types::has_no_json) {
            return Err(LoadError::Type {
                kind: Kind::Export,
                name: wanted.name.clone(),
                reason: format!("has values of type {odd}, which cannot be made of a request"),
            });
        }
        let content_type = HeaderValue::from_str(&wanted.content_type);
        let content_type = content_type.map_err(|_| LoadError::Type {
            kind: Kind::Export,
            name: wanted.name.clone(),
            reason: format!(
                "has the content type {:?}, which is none",
                wanted.content_type
            ),
        })?;
        let linked = linker(component.engine())
            .and_then(|linker| linker.instantiate_pre(component))
            .map_err(|error| LoadError::Import {
                kind: Kind::Export,
                error: format!("{error:#}"),
            })?;
        Ok(Self(Arc::new(Inner {
            component: linked,
            function,
            arguments,
            result,
            content_type,
            setup,
        })))
    }

    pub(crate) async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        let limits = &self.0.setup.function().limits;
        let body = read(request.into_body(), limits.request_bytes);
        let body = match tokio::time::timeout(limits.timeout, body).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return Ok(refused(&error)),
            Err(_) => return Ok(refused(&BodyError::TimedOut)),
        };
        let input = match self.0.input(&body) {
            Ok(input) => input,
            Err(reason) => return Ok(text(StatusCode::BAD_REQUEST, &reason)),
        };
        let store = self
            .0
            .setup
            .store(self.0.component.engine(), surroundings)?;
        let meter = Arc::clone(&store.data().meter);
        let (told, head) = oneshot::channel();
        let this = Arc::clone(&self.0);
        let guest = async move {
            let answer = this.run(store, input).await?;
            let response = this.respond(answer)?;
            // Whoever called may have gone.
            let _ = told.send(Ok(response));
            Ok(())
        };
        Call::new(&self.0.setup, meter, guest).head(head).await
    }
}

/// The arguments of a call.
enum Input {
    /// None, text or bytes, which need not become values of the host.
    Plain(Plain),
    Values(Vec<Val>),
}

impl Inner {
    /// Makes arguments of a body; says what is wrong with it.
    fn input(&self, body: &[u8]) -> Result<Input, String> {
        match (&*self.arguments, Form::of_result(self.result.as_ref())) {
            ([], Some(_)) => return Ok(Input::Plain(Plain::Nothing)),
            ([only], result) => match (Form::of(&only.ty), result) {
                (Form::Text, Some(_)) => {
                    return Ok(Input::Plain(Plain::Text(utf8(body)?.to_owned())));
                }
                (Form::Bytes, Some(_)) => return Ok(Input::Plain(Plain::Bytes(body.to_vec()))),
                (Form::Text, None) => {
                    return Ok(Input::Values(vec![Val::String(utf8(body)?.to_owned())]));
                }
                (Form::Bytes | Form::Json, _) => {}
            },
            (_, _) => {}
        }
        if body.len() > of::JSON_BYTES {
            let (limit, found) = (of::JSON_BYTES, body.len());
            return Err(format!(
                "JSON may have {limit} bytes, but these are {found}"
            ));
        }
        json::arguments(&self.arguments, body).map(Input::Values)
    }

    async fn run(&self, mut store: Store<Cell>, input: Input) -> Result<Answer, Fault> {
        let ran = async {
            let instance = self.component.instantiate_async(&mut store).await?;
            let function = instance
                .get_func(&mut store, self.function)
                .ok_or_else(|| wasmtime::Error::msg("the function is not there"))?;
            match input {
                Input::Plain(plain) => {
                    let form = Form::of_result(self.result.as_ref());
                    plain.call(function, &mut store, form).await
                }
                Input::Values(arguments) => {
                    let mut results = vec![Val::Bool(false); usize::from(self.result.is_some())];
                    function
                        .call_async(store.as_context_mut(), &arguments, &mut results)
                        .await?;
                    Ok(json::answer(self.result.as_ref(), results.pop()))
                }
            }
        };
        ran.await
            .map_err(|error| self.setup.failed(&error, store.data().cap.refused()))
    }

    fn respond(&self, answer: Answer) -> Result<Response, Fault> {
        let limit = self.setup.function().limits.response_bytes;
        let bytes = answer.body.as_ref().map_or(0, Bytes::len);
        if bytes as u64 > limit {
            let text = format!("its result has {bytes} bytes, it may have {limit}");
            return Err(self.setup.fault(FaultKind::Limit, text));
        }
        let has_body = answer.body.is_some();
        let mut response = http::Response::new(whole(answer.body.unwrap_or_default()));
        *response.status_mut() = answer.status;
        if has_body {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, self.content_type.clone());
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
        }
        Ok(response)
    }
}

fn utf8(body: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to();
        format!("expected text in UTF-8, but byte {at} is none")
    })
}

/// Finds a function, in the component itself or in an interface that it exports.
fn find(
    component: &Component,
    name: &str,
) -> Result<(ComponentFunc, ComponentExportIndex), LoadError> {
    let found = match name.rsplit_once('#') {
        None => component.get_export(None, name),
        Some((interface, name)) => component
            .get_export_index(None, interface)
            .and_then(|interface| component.get_export(Some(&interface), name)),
    };
    match found {
        Some((ComponentItem::ComponentFunc(ty), index)) => Ok((ty, index)),
        Some(_) | None => Err(LoadError::Export {
            kind: Kind::Export,
            expected: format!("a function {name}"),
            found: exports(component),
        }),
    }
}

/// All of a body.
async fn read(mut body: Body, limit: u64) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else {
            continue;
        };
        if (bytes.len() + piece.len()) as u64 > limit {
            return Err(BodyError::TooLong { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn refused(error: &BodyError) -> Response {
    let status = match error {
        BodyError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
        BodyError::Cut | BodyError::Length { .. } | BodyError::Function { .. } => {
            StatusCode::BAD_REQUEST
        }
    };
    text(status, &error.to_string())
}

/// A response of the host's own.
fn text(status: StatusCode, text: &str) -> Response {
    let mut response = http::Response::new(whole(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}
