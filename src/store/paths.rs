//! Links on the way to what we write: refused, so that a repository cannot send our bytes elsewhere.

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
                    format!("`{}` is a link to `{}`; nothing is written through links", at.display(), target.display()),
                )
                .hint(format!("replace the link by what it points to, or remove it: rm '{}'", at.display())));
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(())
}
