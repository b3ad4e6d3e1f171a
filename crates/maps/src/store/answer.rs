//! An answer that is there, or one that comes.

use std::fmt;
use std::pin::Pin;

use crate::MapError;

/// An answer that comes later. It belongs to the worker that asked: connections do.
pub type Later<T> = Pin<Box<dyn Future<Output = Result<T, MapError>>>>;

/// What an operation answers. What comes later may be of another type than what is there at once:
/// an entry that must be kept, instead of one that was only shown.
pub enum Answer<T, L = T> {
    /// At once.
    Now(Result<T, MapError>),
    /// After waiting for something outside of the process.
    Later(Later<L>),
}

impl<T, L> Answer<T, L> {
    /// The answer if it is there at once.
    ///
    /// # Errors
    /// What the operation failed with; [`MapError::NotSupported`] if it would have to be waited for.
    pub fn now(self) -> Result<T, MapError> {
        match self {
            Self::Now(result) => result,
            Self::Later(_) => Err(MapError::NotSupported("answering at once")),
        }
    }
}

impl<T: 'static> Answer<T> {
    /// What becomes of the answer, now or later.
    #[must_use]
    pub fn map<R: 'static>(
        self,
        then: impl FnOnce(T) -> Result<R, MapError> + 'static,
    ) -> Answer<R> {
        match self {
            Self::Now(result) => Answer::Now(result.and_then(then)),
            Self::Later(later) => Answer::Later(Box::pin(async move { then(later.await?) })),
        }
    }
}

impl<T> Answer<T> {
    /// The answer, waited for if need be.
    ///
    /// # Errors
    /// What the operation failed with.
    pub async fn wait(self) -> Result<T, MapError> {
        match self {
            Self::Now(result) => result,
            Self::Later(later) => later.await,
        }
    }
}

impl<T, L> From<Result<T, MapError>> for Answer<T, L> {
    fn from(result: Result<T, MapError>) -> Self {
        Self::Now(result)
    }
}

impl<T: fmt::Debug, L> fmt::Debug for Answer<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(result) => f.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}
