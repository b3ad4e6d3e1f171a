//! How long the names of a call may be.
//!
//! Names are compared, split and kept, so they are refused by their length before anybody does
//! anything with them. Contents (bodies, messages, items) have limits of their own, where they are
//! kept.

use weir_model::limits::{GUEST_NAME_BYTES_MAX, PROPERTY_PATH_BYTES_MAX};

use super::{Call, GrpcCall, RedisInit, Status};

impl Call<'_> {
    /// The status for a call with a name that is longer than any; `None`: it may be asked.
    #[must_use]
    pub fn overlong(&self) -> Option<Status> {
        let (is_overlong, status) = match self {
            // What nobody has set is not found.
            Self::Property { path } => (is_no_path(path), Status::NotFound),
            Self::SetProperty { path, .. } => (is_no_path(path), Status::BadArgument),
            Self::Header { name, .. } | Self::Foreign { name, .. } => {
                (is_no_name(name), Status::NotFound)
            }
            Self::AddHeader { name, .. }
            | Self::ReplaceHeader { name, .. }
            | Self::RemoveHeader { name, .. }
            | Self::RegisterQueue { name } => (is_no_name(name), Status::BadArgument),
            // As beyond the filter's own limit, which may be lower.
            Self::DefineMetric { name, .. } => (is_no_name(name), Status::InternalFailure),
            Self::ResolveQueue { vm_id, name } => {
                (is_no_name(vm_id) || is_no_name(name), Status::NotFound)
            }
            Self::HttpCall(call) => (is_no_name(call.cluster), Status::BadArgument),
            Self::GrpcCall(call) | Self::GrpcStream(call) => {
                (is_overlong(call), Status::BadArgument)
            }
            Self::RedisInit(RedisInit {
                service,
                username,
                password,
                ..
            }) => {
                let is_overlong = [service, username, password].into_iter().any(is_no_name);
                (is_overlong, Status::BadArgument)
            }
            Self::RedisCall { service, .. } => (is_no_name(service), Status::BadArgument),
            // The rest has no names, or such as the world knows the limits of.
            _ => return None,
        };
        is_overlong.then_some(status)
    }
}

fn is_overlong(call: &GrpcCall<'_>) -> bool {
    let names = [call.service, call.service_name, call.method];
    names.iter().any(is_no_name)
}

fn is_no_name(name: impl AsRef<[u8]>) -> bool {
    name.as_ref().len() > GUEST_NAME_BYTES_MAX
}

fn is_no_path(path: &[u8]) -> bool {
    path.len() > PROPERTY_PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::{HttpCall, MapKind};

    #[test]
    fn names_are_refused_by_their_length() {
        let bytes = vec![0; GUEST_NAME_BYTES_MAX + 1];
        let (long, most) = (&bytes[..], &bytes[1..]);
        let path = &bytes[..=PROPERTY_PATH_BYTES_MAX];
        let map = MapKind::RequestHeaders;
        let check = |call: Call<'_>, status| assert_eq!(call.overlong(), status);
        check(Call::Property { path: &path[1..] }, None);
        check(Call::Property { path }, Some(Status::NotFound));
        let value = long;
        check(Call::SetProperty { path, value }, Some(Status::BadArgument));
        check(Call::Header { map, name: most }, None);
        check(Call::Header { map, name: long }, Some(Status::NotFound));
        let (name, arguments) = (most, long);
        check(Call::Foreign { name, arguments }, None);
        let name = long;
        check(Call::Foreign { name, arguments }, Some(Status::NotFound));
        check(Call::RegisterQueue { name }, Some(Status::BadArgument));
        let vm_id = most;
        check(Call::ResolveQueue { vm_id, name }, Some(Status::NotFound));
        let call = HttpCall {
            cluster: long,
            headers: &[],
            body: &[],
            trailers: &[],
            timeout_ms: 1,
        };
        check(Call::HttpCall(call), Some(Status::BadArgument));
        let call = HttpCall {
            cluster: most,
            body: long,
            ..call
        };
        check(Call::HttpCall(call), None);
        let call = GrpcCall {
            service: most,
            service_name: most,
            method: long,
            metadata: &[],
            message: &[],
            timeout_ms: 1,
        };
        check(Call::GrpcStream(call), Some(Status::BadArgument));
        let init = RedisInit {
            service: most,
            username: &[],
            password: long,
            timeout_ms: 1,
        };
        check(Call::RedisInit(init), Some(Status::BadArgument));
    }
}
