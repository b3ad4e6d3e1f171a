//! The ABI as scripts need it: names and types of host functions and callbacks.

use std::sync::LazyLock;

/// A WebAssembly value type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    I32,
    I64,
}

/// Whose function something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The host's, module `env`.
    Env,
    /// The host's, a WASI module.
    Wasi,
    /// The guest's.
    Guest,
    /// The guest's with ABI 0.1.0.
    OldGuest,
    /// The guest's with a later ABI.
    NewGuest,
}

/// A host function or callback.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) owner: Owner,
    pub(crate) name: &'static str,
    pub(crate) params: Vec<Type>,
    pub(crate) has_result: bool,
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
    include_str!("abi.txt")
        .lines()
        .filter_map(function)
        .collect()
});

/// A host function by its name.
pub(crate) fn host_function(owner: Owner, name: &str) -> Option<&'static Function> {
    FUNCTIONS
        .iter()
        .find(|function| function.owner == owner && function.name == name)
}

/// The callback that a script calls `name`: with or without `proxy_`, `proxy_on_`, `envoy_on_`.
pub(crate) fn callback(name: &str, abi: &str) -> Option<&'static Function> {
    let owner = match abi {
        "0.1.0" => Owner::OldGuest,
        _ => Owner::NewGuest,
    };
    let mut callbacks = FUNCTIONS
        .iter()
        .filter(|function| function.owner == Owner::Guest || function.owner == owner);
    callbacks.find(|function| {
        ["", "proxy_", "proxy_on_", "envoy_on_"]
            .iter()
            .any(|prefix| function.name.strip_prefix(prefix) == Some(name))
    })
}

fn function(line: &'static str) -> Option<Function> {
    let mut words = line.split(' ');
    let owner = match words.next()? {
        "env" => Owner::Env,
        "wasi" => Owner::Wasi,
        "callback" => Owner::Guest,
        "old" => Owner::OldGuest,
        "new" => Owner::NewGuest,
        _ => return None,
    };
    let name = words.next()?;
    let params = words.next()?.chars().filter_map(|letter| match letter {
        'i' => Some(Type::I32),
        'l' => Some(Type::I64),
        _ => None,
    });
    Some(Function {
        owner,
        name,
        params: params.collect(),
        has_result: words.next()? == "i",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let lines = include_str!("abi.txt").lines();
        let known = lines.filter(|line| !line.starts_with('#')).count();
        assert_eq!(FUNCTIONS.len(), known);
        let seek = host_function(Owner::Wasi, "fd_seek").unwrap();
        assert_eq!(seek.params, [Type::I32, Type::I64, Type::I32, Type::I32]);
    }

    #[test]
    fn headers_callbacks_have_the_types_of_their_abi() {
        let count = |abi| callback("request_headers", abi).unwrap().params.len();
        assert_eq!((count("0.1.0"), count("0.2.1")), (2, 3));
        assert!(callback("resolve_dns", "0.2.1").is_some());
        assert!(callback("nosuch", "0.2.1").is_none());
    }
}
