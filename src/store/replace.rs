//! Files replaced whole: a reader sees the old bytes or the new ones, never half.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// How much a replaced file matters after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Can be made again at any time: not synced.
    Derived,
    /// Somebody's file: synced before it takes the old one's place.
    Synced,
}

/// Replace `path` by `bytes`: temporary file beside it, then rename. Keeps the old file's mode.
///
/// # Errors
/// When the temporary file cannot be written or renamed; the old file is then untouched.
pub fn file(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let failed = |error: std::io::Error| Error::io("write", path, &error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".self-learning-").suffix(".tmp");
    let mut temporary = builder.tempfile_in(folder).map_err(failed)?;
    // Through the file itself: errors then do not name the temporary file, which is another one every time.
    temporary.as_file_mut().write_all(bytes).map_err(failed)?;
    if let Ok(metadata) = path.metadata() {
        temporary
            .as_file()
            .set_permissions(metadata.permissions())
            .map_err(failed)?;
    }
    if durability == Durability::Synced {
        temporary.as_file().sync_data().map_err(failed)?;
    }
    temporary
        .persist(path)
        .map_err(|error| failed(error.error))?;
    if durability == Durability::Synced {
        sync_folder(path);
    }
    Ok(())
}

/// Make a new name in a folder survive a power cut, where the system can.
pub fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        // Some file systems cannot sync folders; the data itself is synced either way.
        let _ = folder.sync_all();
    }
}
