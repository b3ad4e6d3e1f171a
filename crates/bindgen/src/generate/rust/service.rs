//! Services: a trait, and who calls it from afar.

use std::fmt::Write as _;

use super::{Rust, comment, route, words};
use crate::name::{pascal, snake};
use crate::schema::Service;

impl Rust<'_> {
    pub(super) fn service(&self, out: &mut String, service: &Service) {
        let name = pascal(&service.name);
        out.push_str(&comment("", "///", &service.docs));
        let _ = writeln!(
            out,
            "pub trait {name} {{\n    /// Why a function failed.\n    type Error: From<DecodeError>;\n"
        );
        for method in &service.methods {
            out.push_str(&comment("    ", "///", &method.docs));
            let _ = writeln!(
                out,
                "    fn {}(&mut self, request: {}) -> Result<{}, Self::Error>;",
                words::rust(&snake(&method.name)),
                self.name(method.input),
                self.name(method.output)
            );
        }
        out.push_str("\n    /// Calls the function of a path with bytes; `None`: there is none.\n    fn dispatch(&mut self, path: &str, request: &[u8]) -> Option<Result<Vec<u8>, Self::Error>> {\n        Some(match path {\n");
        for method in &service.methods {
            let function = words::rust(&snake(&method.name));
            let _ = writeln!(
                out,
                "            \"{}\" => {}::decode(request)\n                .map_err(Into::into)\n                .and_then(|request| self.{function}(request))\n                .map(|response| response.encode()),",
                route(service, method),
                self.name(method.input)
            );
        }
        out.push_str("            _ => return None,\n        })\n    }\n}\n\n");
        let _ = writeln!(
            out,
            "/// Calls a service's functions by way of bytes.\npub struct {name}Client<C>(pub C);\n\nimpl<E: From<DecodeError>, C: FnMut(&str, &[u8]) -> Result<Vec<u8>, E>> {name} for {name}Client<C> {{\n    type Error = E;\n"
        );
        for method in &service.methods {
            let function = words::rust(&snake(&method.name));
            let _ = writeln!(
                out,
                "    fn {function}(&mut self, request: {}) -> Result<{}, E> {{\n        let response = (self.0)(\"{}\", &request.encode())?;\n        Ok(Message::decode(&response)?)\n    }}",
                self.name(method.input),
                self.name(method.output),
                route(service, method)
            );
        }
        out.push_str("}\n");
    }
}
