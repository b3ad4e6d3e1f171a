//! Services: a table of functions, what hands it bytes, and who calls it from afar.

use std::fmt::Write as _;

use super::C;
use crate::generate::{comment, route, words};
use crate::name::snake;
use crate::schema::Service;

impl C<'_> {
    pub(super) fn service(&self, out: &mut String, service: &Service) {
        let name = format!("{}_{}", self.stem, snake(&service.name));
        out.push_str(&comment("", "//", &service.docs));
        let _ = writeln!(out, "typedef struct {name} {{\n  void *self;");
        for method in &service.methods {
            out.push_str(&comment("  ", "//", &method.docs));
            let _ = writeln!(
                out,
                "  int (*{})(void *self, const {} *request, weir_arena *arena, {} *response);",
                words::c(&snake(&method.name)),
                self.name(method.input),
                self.name(method.output)
            );
        }
        let _ = writeln!(
            out,
            "}} {name};\n// Calls the function of a path with bytes; WEIR_NOENT: there is none.\nstatic inline int {name}_dispatch(const {name} *service, const char *path, weir_bytes request, weir_arena *arena, weir_writer *w) {{"
        );
        for method in &service.methods {
            let (input, output) = (self.name(method.input), self.name(method.output));
            let _ = writeln!(
                out,
                "  if (strcmp(path, \"{}\") == 0) {{\n    {input} in;\n    {output} out;\n    int error = {input}_decode(request, arena, &in);\n    {output}_init(&out);\n    if (!error) error = service->{}(service->self, &in, arena, &out);\n    if (!error) {output}_encode(&out, w);\n    return error;\n  }}",
                route(service, method),
                words::c(&snake(&method.name))
            );
        }
        out.push_str("  return WEIR_NOENT;\n}\n");
        self.client(out, service, &name);
    }

    /// Who calls the functions from afar.
    fn client(&self, out: &mut String, service: &Service, name: &str) {
        let _ = writeln!(
            out,
            "\n// Calls the functions by way of bytes: `ask` gets a function's path and request, and puts its response into the arena.\ntypedef struct {name}_client {{\n  weir_ask *ask;\n  void *self;\n}} {name}_client;"
        );
        for method in &service.methods {
            let (input, output) = (self.name(method.input), self.name(method.output));
            out.push_str(&comment("", "//", &method.docs));
            let _ = writeln!(
                out,
                "static inline int {name}_client_{}(const {name}_client *client, const {input} *request, weir_arena *arena, {output} *response) {{\n  weir_writer w = {{0}};\n  weir_bytes bytes;\n  int error;\n  {input}_encode(request, &w);\n  error = weir_asked(client->ask, client->self, \"{}\", &w, arena, &bytes);\n  return error ? error : {output}_decode(bytes, arena, response);\n}}",
                snake(&method.name),
                route(service, method),
            );
        }
    }
}
