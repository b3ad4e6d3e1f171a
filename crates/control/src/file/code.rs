//! Where compiled code is kept.

use weir_model::limits;

use crate::shape::quantity::Size;
use crate::shape::section::section;
use crate::shape::text::FilePath;

section! {
    /// Where compiled code is kept between two starts. Whoever can write there can run code as this
    /// gateway: the folder must belong to its user or to root, and nobody else may write to it.
    struct CodeCacheText = "code cache" {
        /// The folder; made if it is not there. A relative path starts at the folder of the
        /// configuration file. Left out: `$XDG_CACHE_HOME/weir`, for root `/var/cache/weir`, else
        /// `~/.cache/weir`.
        path: Option<FilePath> = None;
        /// All files in it together; those that were used least lately are removed first.
        size: Size<{ limits::CODE_CACHE_BYTES_MIN }, { limits::CODE_CACHE_BYTES_MAX }> = Size(limits::CODE_CACHE_BYTES);
    }
}

impl Default for CodeCacheText {
    fn default() -> Self {
        Self {
            path: None,
            size: Size(limits::CODE_CACHE_BYTES),
        }
    }
}
