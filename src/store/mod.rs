//! The files of a store: where they lie, how they are read, and the only ways to write them.
//!
//! A log is only ever appended to, whole batches at a time, under the lock; it is never truncated or
//! rewritten, not even to undo a failed append, because others append without our lock. Derived files
//! are replaced whole. Readers take no lock.

pub mod folder;
pub mod gitignore;
pub mod index;
pub mod lock;
pub mod paths;
pub mod replace;
pub mod transaction;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::fold::LogKind;
use crate::domain::record::Record;
use crate::domain::tombstone::KEY_BYTES;
use crate::error::{Error, Kind, Result};

/// The file that writers lock.
const LOCK: &str = ".lock";

/// How often a log is read again while its last line is still being written, once a millisecond.
const SETTLING_READS: usize = 100;

/// How often in a row a replaced log must be found at rest, ten milliseconds apart.
const QUIET_LOOKS: usize = 5;

/// How often at most, when somebody never stops writing to it.
const MOST_LOOKS: usize = 1_000;

/// Something the logs of a store can be read from.
pub trait Logs {
    /// The bytes of one log; nothing when there is none.
    ///
    /// # Errors
    /// When something is there that cannot be read as a file.
    fn read(&self, kind: LogKind) -> Result<Vec<u8>>;

    /// The key of the store's purge digests; `None` when nothing was ever purged in it.
    fn purge_key(&self) -> Option<Vec<u8>>;
}

/// One user's store.
#[derive(Debug, Clone)]
pub struct Store {
    pub dir: PathBuf,
    /// Links below this folder are looked at; what is above belongs to the user.
    pub trusted_above: PathBuf,
}

/// Lines to append, by log. Logs are written in the order of [`LogKind`].
pub type Batch = BTreeMap<LogKind, Vec<Record>>;

impl Store {
    pub fn log_path(&self, kind: LogKind) -> PathBuf {
        self.dir.join(kind.file_name())
    }

    pub fn index_path(&self) -> PathBuf {
        self.dir.join("INDEX.md")
    }

    pub fn bundles_path(&self) -> PathBuf {
        self.dir.join("exports").join("backports")
    }

    pub fn exists(&self) -> bool {
        self.dir.is_dir()
    }

    /// The bytes of one log as they are at this moment; nothing when there is none.
    fn read_once(&self, kind: LogKind) -> Result<Vec<u8>> {
        let path = self.log_path(kind);
        match path.metadata() {
            // A device or a pipe may never end.
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                return Err(Error::new(
                    Kind::Failed,
                    "not_a_file",
                    format!("cannot read `{}`: it is no regular file", path.display()),
                )
                .hint(format!("move it away: mv '{0}' '{0}.bak'", path.display())));
            }
            _ => {}
        }
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(self.not_a_store(&error))
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(Error::new(
                Kind::Unavailable,
                "log_is_a_folder",
                format!(
                    "the store cannot be read: `{}` is a folder, not a log",
                    path.display()
                ),
            )
            .hint(format!("move it away: mv '{0}' '{0}.bak'", path.display()))),
            Err(error) => Err(Error::io("read", &path, &error)),
        }
    }

    /// Make the folders of the store, for its owner only.
    ///
    /// # Errors
    /// When a part of the path is a link, a file, or cannot be made.
    pub fn create(&self) -> Result<()> {
        paths::refuse_links(&self.trusted_above, &self.dir)?;
        let bundles = self.bundles_path();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&bundles)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    self.not_a_store(&error)
                }
                _ => Error::io("create", &bundles, &error),
            })?;
        Ok(())
    }

    fn not_a_store(&self, error: &io::Error) -> Error {
        let blocking = self.dir.ancestors().find(|path| path.is_file());
        let path = blocking.unwrap_or(&self.dir);
        Error::new(
            Kind::Unavailable,
            "store_path_is_a_file",
            format!(
                "the store cannot be opened: `{}` is a file ({error})",
                path.display()
            ),
        )
        .hint(format!("move it away: mv '{0}' '{0}.bak'", path.display()))
    }

    /// Take the lock and get the right to write.
    ///
    /// # Errors
    /// When the store cannot be created, is read-only, holds links, or stays busy for `wait`.
    pub fn lock(&self, wait: Duration) -> Result<Locked<'_>> {
        self.create()?;
        let path = self.dir.join(LOCK);
        let logs = LogKind::ALL.map(|kind| self.log_path(kind));
        for path in logs.iter().chain([&path]) {
            paths::refuse_links(&self.trusted_above, path)?;
        }
        let file = lock::exclusive(&path, wait)?;
        Ok(Locked {
            store: self,
            _file: file,
        })
    }
}

impl Logs for Store {
    /// Reads without the lock. A write that is under way can be seen half done, so a last line without its
    /// newline is read again until nobody writes and the file has stopped growing.
    fn read(&self, kind: LogKind) -> Result<Vec<u8>> {
        let mut bytes = self.read_once(kind)?;
        for _ in 0..SETTLING_READS {
            if bytes.is_empty() || bytes.ends_with(b"\n") {
                break;
            }
            let busy = lock::is_held(&self.dir.join(LOCK));
            if busy {
                std::thread::sleep(Duration::from_millis(1));
            }
            let again = self.read_once(kind)?;
            let cut_off = !busy && again.len() == bytes.len();
            bytes = again;
            if cut_off {
                break;
            }
        }
        Ok(bytes)
    }

    fn purge_key(&self) -> Option<Vec<u8>> {
        fs::read(self.dir.join(".purge-key"))
            .ok()
            .filter(|key| key.len() == KEY_BYTES)
    }
}

impl Logs for Locked<'_> {
    /// Nobody else writes now: what is there is all there is.
    fn read(&self, kind: LogKind) -> Result<Vec<u8>> {
        self.store.read_once(kind)
    }

    fn purge_key(&self) -> Option<Vec<u8>> {
        self.store.purge_key()
    }
}

/// A store whose lock is held: the only type that can write.
pub struct Locked<'a> {
    pub store: &'a Store,
    _file: File,
}

impl Locked<'_> {
    /// Append a batch: every log opened first, then one write each, synced before this returns. Returns the bytes by
    /// which each log has grown.
    ///
    /// # Errors
    /// When a log cannot be opened (then nothing is written) or written to the end. A line cut off by a
    /// failed write stays; the next append begins on a line of its own.
    pub fn append(&mut self, batch: &Batch) -> Result<Vec<(LogKind, u64)>> {
        let mut writes: Vec<(LogKind, PathBuf, File, Vec<u8>, bool)> = Vec::new();
        for (kind, records) in batch.iter().filter(|(_, records)| !records.is_empty()) {
            let path = self.store.log_path(*kind);
            paths::refuse_links(&self.store.trusted_above, &path)?;
            let new = !path.exists();
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            paths::for_owner_only(&mut options);
            let mut file = options
                .open(&path)
                .map_err(|error| Error::io("open for appending", &path, &error))?;
            paths::refuse_shared_file(&path, &file)?;
            let mut buffer = Vec::new();
            if !ends_with_newline(&mut file).map_err(|error| Error::io("read", &path, &error))? {
                buffer.push(b'\n');
            }
            for record in records {
                buffer.extend_from_slice(record.to_line().as_bytes());
                buffer.push(b'\n');
            }
            writes.push((*kind, path, file, buffer, new));
        }
        for (_, path, file, buffer, new) in &mut writes {
            file.write_all(buffer)
                .and_then(|()| file.sync_data())
                .map_err(|error| Error::io("append to", path, &error))?;
            if *new {
                replace::sync_folder(path);
            }
        }
        let grown = writes.iter();
        Ok(grown
            .map(|(kind, _, _, buffer, _)| (*kind, buffer.len() as u64))
            .collect())
    }

    /// The key of this store's purge digests, made when there is none yet.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn ensure_purge_key(&mut self) -> Result<Vec<u8>> {
        if let Some(key) = self.store.purge_key() {
            return Ok(key);
        }
        let path = self.store.dir.join(".purge-key");
        let mut key = vec![0_u8; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| {
            Error::new(
                Kind::Failed,
                "no_randomness",
                format!("no random bytes for a key: {error}"),
            )
        })?;
        replace::file(&path, &key, replace::Durability::Synced)?;
        Ok(key)
    }

    /// Replace a log whole: the one way by which text leaves it. What others append meanwhile, without
    /// our lock, is carried over.
    ///
    /// # Errors
    /// When the new file cannot be written; the old one is then untouched.
    pub fn rewrite(&mut self, kind: LogKind, old: &[u8], new: &[u8]) -> Result<()> {
        let path = self.store.log_path(kind);
        paths::refuse_links(&self.store.trusted_above, &path)?;
        let mut before = File::open(&path).map_err(|error| Error::io("open", &path, &error))?;
        replace::file(&path, new, replace::Durability::Synced)?;
        before
            .seek(SeekFrom::Start(old.len() as u64))
            .map_err(|error| Error::io("read", &path, &error))?;
        self.carry_over(&path, &mut before)
    }

    /// Append to the new log what was written to the old one since it was read. Who had it open when it
    /// was replaced may write a moment later, so this looks until nothing has come for a while.
    fn carry_over(&self, path: &Path, before: &mut File) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..MOST_LOOKS {
            if quiet == QUIET_LOOKS {
                break;
            }
            let mut late = Vec::new();
            before
                .read_to_end(&mut late)
                .map_err(|error| Error::io("read", path, &error))?;
            if late.is_empty() {
                quiet += 1;
                std::thread::sleep(Duration::from_millis(10));
                continue;
            }
            quiet = 0;
            let mut file = OpenOptions::new()
                .append(true)
                .open(path)
                .map_err(|error| Error::io("open for appending", path, &error))?;
            file.write_all(&late)
                .and_then(|()| file.sync_data())
                .map_err(|error| Error::io("append to", path, &error))?;
        }
        Ok(())
    }

    /// Replace INDEX.md whole.
    ///
    /// # Errors
    /// When it cannot be replaced; the old one is then still there.
    pub fn write_index(&mut self, text: &str) -> Result<()> {
        let path = self.store.index_path();
        paths::refuse_links(&self.store.trusted_above, &path)?;
        replace::file(&path, text.as_bytes(), replace::Durability::Derived)
    }
}

/// Whether the next byte starts a line: the file is empty or ends in a newline.
fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0_u8; 1];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Whether a path exists, following nothing.
pub fn present(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
