//! A function: greets, and says in capitals what it was sent.
//!
//! The request stands in variables and on standard input; the response goes to standard output.

use std::env;
use std::io::{self, Read as _, Write as _};

fn main() -> io::Result<()> {
    match env::var("REQUEST_METHOD").as_deref() {
        Ok("GET") => {
            let greeting = env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
            answer("200 OK", &format!("{greeting} from {{name}}\n"))
        }
        Ok("POST") => {
            let mut said = String::new();
            io::stdin().read_to_string(&mut said)?;
            answer("200 OK", &said.to_uppercase())
        }
        _ => answer("405 Method Not Allowed", "GET or POST\n"),
    }
}

fn answer(status: &str, body: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    write!(out, "Status: {status}\nContent-Type: text/plain; charset=utf-8\n\n{body}")?;
    out.flush()
}
