//! A function: greets, and says in capitals what it was sent.

use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    match *request.method() {
        Method::GET => {
            let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
            text(StatusCode::OK, format!("{greeting} from {{name}}\n"))
        }
        Method::POST => {
            let mut body = request.into_body();
            let said = body.str_contents().await?.to_uppercase();
            text(StatusCode::OK, said)
        }
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Result<Response<Body>, Error> {
    let response = Response::builder().status(status).header("content-type", "text/plain; charset=utf-8");
    Ok(response.body(body.into())?)
}
