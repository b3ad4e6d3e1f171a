//! Capsules: where they are kept, and of what they are made.

use std::path::Path;

use weir_model::{Capsules, Recording};

use crate::file::{CapsulesText, RecordingText};
use crate::problem::Refusal;
use crate::shape::Reader;
use crate::shape::basic::{List, Switch};
use crate::shape::quantity::Count;
use crate::shape::text::{FilePath, Text};

pub(super) fn lowered_capsules(text: CapsulesText, folder: &Path) -> Capsules {
    let FilePath(written) = text.folder;
    let names = |List(names): List<Text, 0, 64>| names.into_iter().map(|name| name.0);
    Capsules {
        folder: folder.join(written),
        bytes_max: text.size.0,
        files_max: text.files.0,
        mask_headers: names(text.mask)
            .map(|name| name.to_ascii_lowercase())
            .collect(),
        mask_variables: names(text.mask_environment).collect(),
        secret: text.secret.map(super::lowered_variable),
    }
}

/// What a filter says of it, if there is a folder for capsules, and a secret to ask for them.
pub(super) fn lowered_recording(
    text: Switch<RecordingText>,
    (has_capsules, can_ask): (bool, bool),
    reader: &mut Reader<'_>,
) -> Option<Recording> {
    let Switch::On(text) = text else { return None };
    if let Some(header) = &text.header
        && header.value
        && !can_ask
    {
        let what = "no request can ask for a capsule: there is no secret that it could say";
        let expected = "a secret in the section capsules";
        reader.refuse_at(&header.place, Refusal::new(what, "", expected));
    }
    let recording = Recording {
        failures: text.on_failure,
        always: text.always,
        sample: text.sample.map(Count::to),
        header: text.header.is_some_and(|header| header.value),
        log_bytes: usize::try_from(text.log.0).unwrap_or(usize::MAX),
    };
    (has_capsules && recording.is_on()).then_some(recording)
}
