//! A setting: what an entry of the map says.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Headers by name; none removes the header.
pub(crate) type Headers = BTreeMap<String, Option<String>>;

/// What holds for some requests, or for all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Setting {
    /// Whose paths begin with this.
    path_prefix: String,
    /// Set on requests before others see them.
    pub(crate) request_headers: Headers,
    /// Set on responses, answers of ours included.
    pub(crate) response_headers: Headers,
    /// Given in place of the service.
    pub(crate) answer: Option<Answer>,
}

/// An answer in place of a service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    pub(crate) status: u32,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: String,
}

impl Setting {
    /// A document that can be done, or what is wrong with it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let setting: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        for (place, headers) in [
            ("request_headers", &setting.request_headers),
            ("response_headers", &setting.response_headers),
        ] {
            for (name, value) in headers {
                check(place, name, value.as_deref().unwrap_or_default())?;
            }
        }
        if let Some(answer) = &setting.answer {
            let status = answer.status;
            if !(200..600).contains(&status) {
                return Err(format!("answer: status: {status}; expected 200 to 599"));
            }
            for (name, value) in &answer.headers {
                check("answer: headers", name, value)?;
            }
        }
        Ok(setting)
    }

    pub(crate) fn is_for(&self, path: &str) -> bool {
        path.starts_with(&self.path_prefix)
    }
}

fn check(place: &str, name: &str, value: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("{place}: {name:?} is no name of a header"));
    }
    if value
        .bytes()
        .any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f)
    {
        return Err(format!("{place}: {name}: control characters in the value"));
    }
    Ok(())
}
