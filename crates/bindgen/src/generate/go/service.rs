//! Services: an interface, what hands it bytes, and who calls it from afar.

use std::fmt::Write as _;

use super::{Go, comment, exported, route};
use crate::schema::Service;

impl Go<'_> {
    pub(super) fn service(&self, out: &mut String, service: &Service) {
        let name = exported(&service.name);
        out.push_str(&comment("", "//", &service.docs));
        let _ = writeln!(out, "type {name} interface {{");
        for method in &service.methods {
            out.push_str(&comment("\t", "//", &method.docs));
            let _ = writeln!(
                out,
                "\t{}(request {}) ({}, error)",
                exported(&method.name),
                self.name(method.input),
                self.name(method.output)
            );
        }
        let _ = writeln!(
            out,
            "}}\n\n// Dispatch{name} calls the function of a path with bytes; WeirErrNoEntry: there is none.\nfunc Dispatch{name}(service {name}, path string, request []byte) ([]byte, error) {{\n\tswitch path {{"
        );
        for method in &service.methods {
            let _ = writeln!(
                out,
                "\tcase \"{}\":\n\t\tvar input {}\n\t\tif err := input.Decode(request); err != nil {{\n\t\t\treturn nil, err\n\t\t}}\n\t\toutput, err := service.{}(input)\n\t\treturn output.Encode(), err",
                route(service, method),
                self.name(method.input),
                exported(&method.name)
            );
        }
        let _ = writeln!(
            out,
            "\t}}\n\treturn nil, WeirErrNoEntry\n}}\n\n// {name}Client calls the functions by way of bytes.\ntype {name}Client struct {{\n\tBy func(path string, request []byte) ([]byte, error)\n}}"
        );
        for method in &service.methods {
            let _ = writeln!(
                out,
                "\nfunc (c {name}Client) {}(request {}) (answer {}, err error) {{\n\tbytes, err := c.By(\"{}\", request.Encode())\n\tif err == nil {{\n\t\terr = answer.Decode(bytes)\n\t}}\n\treturn answer, err\n}}",
                exported(&method.name),
                self.name(method.input),
                self.name(method.output),
                route(service, method)
            );
        }
    }
}
