//! The lock of a store: a file of its own, so that logs can be read while it is held.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// Open `path` and hold its exclusive lock until the file is dropped or the process ends.
///
/// # Errors
/// When the file cannot be opened for writing, or others hold the lock for longer than `wait`.
pub fn exclusive(path: &Path, wait: Duration) -> Result<File> {
    let file = open(path)?;
    // Method syntax would pick std's methods of the same name on newer toolchains.
    match fs2::FileExt::try_lock_exclusive(&file) {
        Ok(()) => return Ok(file),
        Err(error) if is_contended(&error) => {}
        Err(error) => return Err(Error::io("lock", path, &error)),
    }
    // The kernel queues waiters fairly but knows no time limit, so a thread waits and we time it.
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let outcome = loop {
            match fs2::FileExt::lock_exclusive(&file) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        // Nobody listens any more after a timeout; the process is about to end.
        let _ = sender.send(outcome.map(|()| file));
    });
    match receiver.recv_timeout(wait) {
        Ok(outcome) => outcome.map_err(|error| Error::io("lock", path, &error)),
        Err(_) => Err(Error::new(
            Kind::Unavailable,
            "store_busy",
            format!("the store is busy: another process holds `{}`", path.display()),
        )
        .hint("run the same command again in a moment; SELF_LEARNING_LOCK_WAIT_MS sets how long to wait")),
    }
}

/// Open `path` and take its exclusive lock; `None` when somebody holds it.
///
/// # Errors
/// When the file cannot be opened for writing.
pub fn try_exclusive(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match fs2::FileExt::try_lock_exclusive(&file) {
        Ok(()) => Ok(Some(file)),
        Err(error) if is_contended(&error) => Ok(None),
        Err(error) => Err(Error::io("lock", path, &error)),
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    super::paths::for_owner_only(&mut options);
    options
        .open(path)
        .map_err(|error| Error::io("open the lock", path, &error))
}

/// Whether somebody holds the exclusive lock at `path` right now.
pub fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    // A shared lock taken here ends with the file at the end of this function.
    fs2::FileExt::try_lock_shared(&file).is_err_and(|error| is_contended(&error))
}

fn is_contended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == fs2::lock_contended_error().raw_os_error()
}
