//! Capsules: where they are kept, and of what they are made.

use weir_model::limits::capsule as limits;

use crate::file::VariableText;
use crate::shape::Placed;
use crate::shape::basic::List;
use crate::shape::quantity::{Count, Size};
use crate::shape::section::section;
use crate::shape::text::{FilePath, Text};

/// Headers whose values are not in capsules unless the configuration says otherwise.
const MASKED: [&str; 4] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
];

section! {
    /// Where capsules are kept: recordings of what one plugin was asked and told. They hold what the
    /// plugin could see, and what was in its memory: the folder is for those who may see that.
    struct CapsulesText = "capsules" {
        /// The folder; made if it is not there. A relative path starts at the folder of the
        /// configuration file.
        folder: FilePath;
        /// All capsules in it together; the oldest are removed first.
        size: Size<1_048_576, { limits::FOLDER_BYTES_MAX }> = Size(limits::FOLDER_BYTES);
        /// Capsules in it; the oldest are removed first.
        files: Count<1, { limits::FOLDER_FILES_MAX }> = Count(limits::FOLDER_FILES);
        /// Headers whose values are replaced by others of the same length before anything is
        /// written, wherever they stand, in the plugin's memory, too. A plugin that looks into such
        /// a value may do something else when it is replayed.
        mask: List<Text, 0, 64> = List(MASKED.map(|name| Text(name.to_owned())).to_vec());
        /// Environment variables of plugins whose values are replaced in the same way.
        mask_environment: List<Text, 0, 64> = List(Vec::new());
        /// What a request says in its header `x-weir-capture` to be recorded, where filters have
        /// `header: true`. Left out: no request can ask for it.
        secret: Option<VariableText> = None;
    }
}

section! {
    /// Of what capsules are made.
    struct RecordingText = "recording" {
        /// Of each failure that is new, and of one that goes on every ten seconds: a trap, a limit,
        /// a process that ended.
        on_failure: bool = true;
        /// Of one of so many requests.
        sample: Option<Count<1, { u32::MAX as u64 }>> = None;
        /// Of requests whose header `x-weir-capture` holds the `secret` of `capsules`.
        header: Option<Placed<bool>> = None;
        /// Of every request: for tests.
        always: bool = false;
        /// What is recorded of one VM. When it is full, an image of the VM takes its place.
        log: Size<{ limits::LOG_BYTES_MIN }, { limits::LOG_BYTES_MAX }> = Size(limits::LOG_BYTES as u64);
    }
}

impl Default for RecordingText {
    fn default() -> Self {
        Self {
            on_failure: true,
            sample: None,
            header: None,
            always: false,
            log: Size(limits::LOG_BYTES as u64),
        }
    }
}
