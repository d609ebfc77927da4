//! Links on the way to what we write: refused, so that a repository cannot send our bytes elsewhere.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// Refuse when any part of `path` below `trusted_above` is a link.
///
/// # Errors
/// Names the link.
pub fn refuse_links(trusted_above: &Path, path: &Path) -> Result<()> {
    let Ok(below) = path.strip_prefix(trusted_above) else {
        return Ok(());
    };
    let mut at: PathBuf = trusted_above.to_owned();
    for part in below.components() {
        at.push(part);
        match at.symlink_metadata() {
            Ok(metadata) if metadata.file_type().is_symlink() => {
                let target = std::fs::read_link(&at).unwrap_or_default();
                return Err(Error::new(
                    Kind::Refused,
                    "symlink",
                    format!(
                        "`{}` is a link to `{}`; nothing is written through links",
                        at.display(),
                        target.display()
                    ),
                )
                .hint(format!(
                    "replace the link by what it points to, or remove it: rm '{}'",
                    at.display()
                )));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(())
}

/// A file of ours: for its owner only, and never opened through a link, even one put there a moment ago.
pub fn for_owner_only(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
        options
            .mode(0o600)
            .custom_flags(i32::try_from(no_link.bits()).unwrap_or_default());
    }
    #[cfg(not(unix))]
    let _ = options;
}

/// Refuse an open log that has another name elsewhere, or is no plain file: what is appended would
/// show up where nobody expects it.
///
/// # Errors
/// Names the file.
pub fn refuse_shared_file(path: &Path, file: &File) -> Result<()> {
    let metadata = file
        .metadata()
        .map_err(|error| Error::io("look at", path, &error))?;
    if !metadata.is_file() {
        return Err(Error::new(
            Kind::Refused,
            "not_a_file",
            format!("`{}` is no plain file", path.display()),
        )
        .hint(format!("move it away: mv '{0}' '{0}.bak'", path.display())));
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::nlink(&metadata) > 1 {
        return Err(Error::new(
            Kind::Refused,
            "hard_link",
            format!(
                "`{}` is a hard link: the same file has another name",
                path.display()
            ),
        )
        .hint(format!(
            "make it a file of its own: cp '{0}' '{0}.own' && mv '{0}.own' '{0}'",
            path.display()
        )));
    }
    Ok(())
}

/// Whether everybody on this machine may write to `path`.
#[cfg(unix)]
pub fn is_world_writable(path: &Path) -> bool {
    let mode = path
        .metadata()
        .map(|metadata| std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()));
    mode.is_ok_and(|mode| mode & 0o002 != 0)
}

/// Whether everybody on this machine may write to `path`; not known on this system.
#[cfg(not(unix))]
pub fn is_world_writable(_path: &Path) -> bool {
    false
}
