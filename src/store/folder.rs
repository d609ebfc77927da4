//! A folder that belongs to somebody else, held open while we write into it.
//!
//! It is resolved once; everything then goes through the open handle, follows no link, and so cannot
//! be turned elsewhere by swapping a part of the path in between.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub bytes: Vec<u8>,
    /// Permission bits; `None` where the system has none.
    pub mode: Option<u32>,
}

/// What writing several files at once needs of a folder. Paths are relative, with `/`, at most one
/// folder deep; no part of them may be a link.
pub trait Disk {
    /// The bytes of a file; `None` when nothing is there.
    ///
    /// # Errors
    /// Also when it is a link or no plain file.
    fn read(&self, path: &str) -> io::Result<Option<Contents>>;
    /// Make a file that must not exist, with everything in it synced.
    ///
    /// # Errors
    /// When it exists or cannot be written whole; a part of it may then be there.
    fn create(&self, path: &str, bytes: &[u8], mode: Option<u32>) -> io::Result<()>;
    /// Give a file another name, replacing what has that name.
    ///
    /// # Errors
    /// Then nothing has changed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// # Errors
    /// When it is not there or cannot be removed.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Whether the folder had to be made.
    ///
    /// # Errors
    /// When it cannot be made, or something else has its name.
    fn make_folder(&self, path: &str) -> io::Result<bool>;
    /// Remove an empty folder.
    ///
    /// # Errors
    /// When it is not empty, or not there.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
    /// The names directly in the folder.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Make names survive a power cut: of the folder itself (empty path) or of one in it.
    ///
    /// # Errors
    /// When the system refuses.
    fn sync(&self, path: &str) -> io::Result<()>;
}

/// The real folder.
#[derive(Debug)]
pub struct Folder {
    /// Where it is, all links resolved.
    pub path: PathBuf,
    #[cfg(unix)]
    handle: std::os::fd::OwnedFd,
}

impl Folder {
    /// Open a folder inside `root`; outside only when `anywhere`.
    ///
    /// # Errors
    /// When it is not there, or lies outside.
    pub fn open(path: &Path, root: &Path, anywhere: bool) -> Result<Folder> {
        let resolved = fs::canonicalize(path).map_err(|error| Error::io("open", path, &error))?;
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        if !anywhere && !resolved.starts_with(&root) {
            return Err(Error::new(
                Kind::Refused,
                "outside_repository",
                format!(
                    "`{}` is outside the repository `{}`",
                    resolved.display(),
                    root.display()
                ),
            )
            .hint("run it in the repository of that skill, or add --allow-outside"));
        }
        Folder::hold(resolved, &root)
    }

    #[cfg(unix)]
    fn hold(path: PathBuf, root: &Path) -> Result<Folder> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let failed = |error: rustix::io::Errno| Error::io("open", &path, &error.into());
        // Inside the repository every step is taken from the step before and follows no link, so that no part of the
        // path can be exchanged for one that leads out after it was resolved.
        let (start, below) = match path.strip_prefix(root) {
            Ok(below) => (root, below),
            Err(_) => (path.as_path(), Path::new("")),
        };
        let mut handle = rustix::fs::open(start, flags, Mode::empty()).map_err(failed)?;
        for part in below.components() {
            handle = rustix::fs::openat(&handle, part.as_os_str(), flags, Mode::empty())
                .map_err(failed)?;
        }
        // Whoever swapped a part of the path between resolving and opening is found out here.
        let opened = rustix::fs::fstat(&handle).map_err(failed)?;
        let again = fs::canonicalize(&path)
            .and_then(|path| rustix::fs::stat(&path).map_err(io::Error::from));
        match again {
            Ok(named) if (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino) => {
                Ok(Folder { path, handle })
            }
            _ => Err(Error::refused(
                "path_changed",
                format!("`{}` changed while it was opened", path.display()),
            )),
        }
    }

    #[cfg(not(unix))]
    fn hold(path: PathBuf, _root: &Path) -> Result<Folder> {
        Ok(Folder { path })
    }

    /// Keep others of us out until the folder is closed. Elsewhere than on Unix the store's lock is
    /// all there is.
    ///
    /// # Errors
    /// When another process holds it for longer than `wait`.
    #[cfg(unix)]
    pub fn lock(&self, wait: Duration) -> Result<()> {
        use rustix::fs::FlockOperation;
        use rustix::io::Errno;
        let mut waited = Duration::ZERO;
        let step = Duration::from_millis(10);
        loop {
            match rustix::fs::flock(&self.handle, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                // Some network file systems cannot lock folders; the store's lock still holds.
                Err(Errno::BADF | Errno::NOTSUP | Errno::NOLCK | Errno::INVAL) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) if waited < wait => {
                    std::thread::sleep(step);
                    waited += step;
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => {
                    return Err(Error::new(
                        Kind::Unavailable,
                        "skill_busy",
                        format!(
                            "the skill is busy: another process is writing to `{}`",
                            self.path.display()
                        ),
                    )
                    .hint("run the same command again in a moment"));
                }
                Err(error) => return Err(Error::io("lock", &self.path, &error.into())),
            }
        }
    }

    /// See the other one.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn lock(&self, _wait: Duration) -> Result<()> {
        Ok(())
    }
}

/// Folder and last name of a relative path.
fn split(path: &str) -> (Option<&str>, &str) {
    match path.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, path),
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
    use rustix::io::Errno;

    use super::{Contents, Disk, Folder, split};

    /// The folder a name is in: ours, or one below it.
    enum Parent<'a> {
        Own(BorrowedFd<'a>),
        Below(OwnedFd),
    }

    impl AsFd for Parent<'_> {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match self {
                Parent::Own(handle) => *handle,
                Parent::Below(handle) => handle.as_fd(),
            }
        }
    }

    impl Folder {
        fn below(&self, folder: &str) -> io::Result<OwnedFd> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&self.handle, folder, flags, Mode::empty()).map_err(|error| {
                match error {
                    Errno::NOENT => io::Error::from(error),
                    _ => self.refuse_link(folder, error),
                }
            })
        }

        fn parent(&self, folder: Option<&str>) -> io::Result<Parent<'_>> {
            Ok(match folder {
                None => Parent::Own(self.handle.as_fd()),
                Some(folder) => Parent::Below(self.below(folder)?),
            })
        }

        /// Opening without following fails in several ways; say what is there.
        fn refuse_link(&self, path: &str, error: Errno) -> io::Error {
            let found = self.path.join(path).symlink_metadata();
            match found {
                Ok(metadata) if metadata.file_type().is_symlink() => {
                    io::Error::other("it is a link; nothing is written through links")
                }
                _ => error.into(),
            }
        }
    }

    impl Disk for Folder {
        fn read(&self, path: &str) -> io::Result<Option<Contents>> {
            let (folder, name) = split(path);
            let parent = match self.parent(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other?,
            };
            // A pipe in place of the file must not keep us waiting.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let handle = match rustix::fs::openat(&parent, name, flags, Mode::empty()) {
                Ok(handle) => handle,
                Err(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(self.refuse_link(path, error)),
            };
            let found = rustix::fs::fstat(&handle)?;
            if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
                return Err(io::Error::other("it is no plain file"));
            }
            let mut bytes = Vec::new();
            File::from(handle).read_to_end(&mut bytes)?;
            Ok(Some(Contents {
                bytes,
                #[allow(clippy::unnecessary_cast, reason = "the width differs between systems")]
                mode: Some(found.st_mode as u32 & 0o7777),
            }))
        }

        fn create(&self, path: &str, bytes: &[u8], mode: Option<u32>) -> io::Result<()> {
            let (folder, name) = split(path);
            let parent = self.parent(folder)?;
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o666))?;
            if let Some(mode) = mode {
                #[allow(clippy::unnecessary_cast, reason = "the width differs between systems")]
                rustix::fs::fchmod(&handle, Mode::from_raw_mode(mode as rustix::fs::RawMode))?;
            }
            let mut file = File::from(handle);
            file.write_all(bytes)?;
            file.sync_all()
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            let (from_folder, from_name) = split(from);
            let (to_folder, to_name) = split(to);
            let from_parent = self.parent(from_folder)?;
            let to_parent = self.parent(to_folder)?;
            Ok(rustix::fs::renameat(
                &from_parent,
                from_name,
                &to_parent,
                to_name,
            )?)
        }

        fn remove(&self, path: &str) -> io::Result<()> {
            let (folder, name) = split(path);
            Ok(rustix::fs::unlinkat(
                self.parent(folder)?,
                name,
                AtFlags::empty(),
            )?)
        }

        fn make_folder(&self, path: &str) -> io::Result<bool> {
            match rustix::fs::mkdirat(&self.handle, path, Mode::from_raw_mode(0o777)) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => self.below(path).map(|_| false),
                Err(error) => Err(error.into()),
            }
        }

        fn remove_folder(&self, path: &str) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(
                &self.handle,
                path,
                AtFlags::REMOVEDIR,
            )?)
        }

        fn names(&self) -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(&self.handle)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(names)
        }

        fn sync(&self, path: &str) -> io::Result<()> {
            if path.is_empty() {
                return Ok(rustix::fs::fsync(&self.handle)?);
            }
            Ok(rustix::fs::fsync(self.below(path)?)?)
        }
    }
}

#[cfg(not(unix))]
mod plain {
    use std::fs::{self, OpenOptions};
    use std::io::{self, Write};
    use std::path::PathBuf;

    use super::{Contents, Disk, Folder, split};

    impl Folder {
        /// The whole path, no part of it below us being a link.
        fn whole(&self, path: &str) -> io::Result<PathBuf> {
            let mut at = self.path.clone();
            for part in path.split('/').filter(|part| !part.is_empty()) {
                at.push(part);
                if at
                    .symlink_metadata()
                    .is_ok_and(|metadata| metadata.file_type().is_symlink())
                {
                    return Err(io::Error::other(
                        "it is a link; nothing is written through links",
                    ));
                }
            }
            Ok(at)
        }
    }

    impl Disk for Folder {
        fn read(&self, path: &str) -> io::Result<Option<Contents>> {
            match fs::read(self.whole(path)?) {
                Ok(bytes) => Ok(Some(Contents { bytes, mode: None })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        }

        fn create(&self, path: &str, bytes: &[u8], _mode: Option<u32>) -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(self.whole(path)?)?;
            file.write_all(bytes)?;
            file.sync_all()
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            fs::rename(self.whole(from)?, self.whole(to)?)
        }

        fn remove(&self, path: &str) -> io::Result<()> {
            fs::remove_file(self.whole(path)?)
        }

        fn make_folder(&self, path: &str) -> io::Result<bool> {
            let (_, _) = split(path);
            match fs::create_dir(self.whole(path)?) {
                Ok(()) => Ok(true),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists
                        && self.whole(path)?.is_dir() =>
                {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        }

        fn remove_folder(&self, path: &str) -> io::Result<()> {
            fs::remove_dir(self.whole(path)?)
        }

        fn names(&self) -> io::Result<Vec<String>> {
            let entries = fs::read_dir(&self.path)?;
            let names: io::Result<Vec<String>> = entries
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect();
            let mut names = names?;
            names.sort();
            Ok(names)
        }

        fn sync(&self, _path: &str) -> io::Result<()> {
            Ok(())
        }
    }
}
