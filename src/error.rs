//! Everything that can go wrong, as the caller sees it: a stable code, what is wrong, what to type
//! next, and the exit status.

use std::io;
use std::path::Path;

use serde_json::Value;

/// What sort of failure it is; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something did not work: 1.
    Failed,
    /// The command line is wrong: 2.
    Usage,
    /// The input is refused: 3.
    Refused,
    /// There is no such id: 4.
    NotFound,
    /// A check found something: 5.
    Check,
    /// The store is busy or cannot be written: 6.
    Unavailable,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub kind: Kind,
    /// Stable, `snake_case`.
    pub code: &'static str,
    pub message: String,
    /// The next command to type.
    pub hint: Option<String>,
    /// More for programs, under `error.details`.
    pub details: Option<Box<Value>>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Error {
        Error {
            kind,
            code,
            message: message.into(),
            hint: None,
            details: None,
        }
    }

    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, "usage", message)
    }

    pub fn refused(code: &'static str, message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, code, message)
    }

    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Kind::NotFound, "not_found", message)
    }

    /// An I/O failure with what was being done to which path.
    pub fn io(action: &str, path: &Path, source: &io::Error) -> Error {
        let denied = matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        );
        let (kind, code) = if denied {
            (Kind::Unavailable, "not_writable")
        } else {
            (Kind::Failed, "io")
        };
        let error = Error::new(
            kind,
            code,
            format!("cannot {action} `{}`: {source}", path.display()),
        );
        match source.kind() {
            io::ErrorKind::PermissionDenied => {
                error.hint(format!("check the owner and mode: ls -ld '{}'", path.display()))
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                error.hint("free some space and run the same command again; what was acknowledged before is safe")
            }
            _ => error,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Error {
        self.details = Some(Box::new(details.into()));
        self
    }

    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Refused => 3,
            Kind::NotFound => 4,
            Kind::Check => 5,
            Kind::Unavailable => 6,
        }
    }
}
