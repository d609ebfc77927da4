//! Several files of one folder written together: after any crash all are old or all are new.
//!
//! New contents and copies of the old ones are written beside the files and synced; then a journal
//! says what is meant; then names are exchanged; then, when the caller has logged what was done, the
//! journal goes. Whoever opens the folder next finishes what a journal describes, or takes it back.
//! The caller holds the folder's lock throughout.

use std::io;

use serde_json::{Value, json};

use super::folder::{Contents, Disk};

const JOURNAL: &str = ".self-learning-journal.json";
const PREFIX: &str = ".self-learning-";
const SUFFIX: &str = ".tmp";

/// One file before and after; `None` is no file. Paths are relative to the folder, with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
}

/// Why nothing was written, or what could not be taken back.
#[derive(Debug)]
pub enum Failure {
    /// A file is not what the plan was made for.
    Changed(String),
    /// A file that its owner has made read-only.
    ReadOnly(String),
    /// A journal that is not ours to follow.
    Journal(String),
    Io {
        action: &'static str,
        path: String,
        error: io::Error,
        /// Whether the files are as before. When not, the next run takes the rest back.
        undone: bool,
    },
}

fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| Failure::Io {
        action,
        path,
        error,
        undone: true,
    }
}

/// What has become of an interrupted write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    pub outcome: Outcome,
    /// The files it was about.
    pub files: Vec<String>,
    /// Files that somebody changed in between; they were left alone.
    pub left_alone: Vec<String>,
    /// Temporary files removed.
    pub swept: usize,
    /// What the caller had wanted to log; only when the write was finished.
    pub payload: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    #[default]
    Nothing,
    /// All files are new. The caller logs the payload and calls [`finish`].
    Finished,
    /// All files are old.
    Undone,
}

/// One file in the journal.
#[derive(Debug, Clone)]
struct Entry {
    path: String,
    old: Option<String>,
    new: Option<String>,
    index: usize,
}

impl Entry {
    fn new_name(&self) -> String {
        format!("{PREFIX}{}.new{SUFFIX}", self.index)
    }

    fn old_name(&self) -> String {
        format!("{PREFIX}{}.old{SUFFIX}", self.index)
    }

    fn folder(&self) -> Option<&str> {
        self.path.rsplit_once('/').map(|(folder, _)| folder)
    }
}

#[derive(Debug, Clone)]
struct Journal {
    back: bool,
    entries: Vec<Entry>,
    /// Folders that did not exist before.
    made: Vec<String>,
    /// Folders that go when they are empty afterwards.
    remove: Vec<String>,
    payload: String,
}

/// Write all changes. Afterwards the caller logs what was done and calls [`finish`].
///
/// `removable`: folders to remove when they are empty in the end. `payload`: handed back by [`recover`]
/// when this process dies before the log is written.
///
/// # Errors
/// When a file is not as expected, or cannot be written; then all files are as before, unless the
/// failure says otherwise.
pub fn write(
    disk: &dyn Disk,
    changes: &[FileChange],
    removable: &[&str],
    payload: &str,
) -> Result<(), Failure> {
    let mut entries = Vec::new();
    let mut staged: Vec<(String, &[u8], Option<u32>)> = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let found = disk
            .read(&change.path)
            .map_err(failed("read", &change.path))?;
        if found.as_ref().map(|contents| &contents.bytes) != change.old.as_ref() {
            return Err(Failure::Changed(change.path.clone()));
        }
        if change.old == change.new {
            continue;
        }
        let mode = found.and_then(|contents| contents.mode);
        if mode.is_some_and(|mode| mode & 0o200 == 0) {
            return Err(Failure::ReadOnly(change.path.clone()));
        }
        let entry = Entry {
            path: change.path.clone(),
            old: change.old.as_deref().map(digest),
            new: change.new.as_deref().map(digest),
            index,
        };
        if let Some(bytes) = &change.new {
            staged.push((entry.new_name(), bytes, mode));
        }
        if let Some(bytes) = &change.old {
            staged.push((entry.old_name(), bytes, mode));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Ok(());
    }
    for (name, bytes, mode) in &staged {
        if let Err(error) = disk.create(name, bytes, *mode) {
            // What could not be written is swept now if it can be, else by the next run.
            let _ = sweep(disk);
            return Err(failed("write", name)(error));
        }
    }
    let mut journal = Journal {
        back: false,
        made: missing_folders(disk, &entries),
        entries,
        remove: removable.iter().map(|path| (*path).to_owned()).collect(),
        payload: payload.to_owned(),
    };
    if let Err(failure) = journal.save(disk) {
        let _ = disk.remove(JOURNAL);
        let _ = sweep(disk);
        return Err(failure);
    }
    let Err((path, error)) = journal.forward(disk) else {
        return Ok(());
    };
    journal.back = true;
    let undone =
        journal.save(disk).is_ok() && journal.backward(disk).is_ok() && clear(disk).is_ok();
    Err(Failure::Io {
        action: "replace",
        path,
        error,
        undone,
    })
}

/// The files are new and logged: remove journal and copies.
///
/// # Errors
/// When they cannot be removed; the next run does it then.
pub fn finish(disk: &dyn Disk) -> Result<(), Failure> {
    clear(disk).map_err(failed("tidy", JOURNAL))
}

/// Finish or take back what an interrupted write has left, and sweep its temporary files.
///
/// # Errors
/// When the journal cannot be read or followed; it stays then.
pub fn recover(disk: &dyn Disk) -> Result<Recovery, Failure> {
    let Some(contents) = disk.read(JOURNAL).map_err(failed("read", JOURNAL))? else {
        let swept = sweep(disk).map_err(failed("tidy", ""))?;
        return Ok(Recovery {
            swept,
            ..Recovery::default()
        });
    };
    let mut journal = Journal::parse(&contents.bytes)?;
    let mut recovery = Recovery {
        files: journal
            .entries
            .iter()
            .map(|entry| entry.path.clone())
            .collect(),
        ..Recovery::default()
    };
    let mut waiting = 0;
    let mut ready = true;
    let mut kept = Vec::new();
    for entry in std::mem::take(&mut journal.entries) {
        let found = disk
            .read(&entry.path)
            .map_err(failed("read", &entry.path))?
            .map(|contents| digest(&contents.bytes));
        if found == entry.new {
            kept.push(entry);
        } else if found == entry.old {
            waiting += 1;
            ready &= entry.new.is_none() || digest_of(disk, &entry.new_name()) == entry.new;
            kept.push(entry);
        } else {
            recovery.left_alone.push(entry.path);
        }
    }
    journal.entries = kept;
    // When somebody has changed a file since, going on is only right if all others are new already.
    let forward = !journal.back
        && if recovery.left_alone.is_empty() {
            ready
        } else {
            waiting == 0
        };
    let outcome = if forward {
        journal.forward(disk)
    } else {
        journal.backward(disk)
    };
    if let Err((path, error)) = outcome {
        return Err(Failure::Io {
            action: "recover",
            path,
            error,
            undone: false,
        });
    }
    if forward {
        // The journal stays until the caller has logged the payload.
        recovery.outcome = Outcome::Finished;
        recovery.payload = Some(journal.payload);
        return Ok(recovery);
    }
    clear(disk).map_err(failed("tidy", JOURNAL))?;
    recovery.outcome = Outcome::Undone;
    Ok(recovery)
}

/// Whether an interrupted write is waiting, for commands that only read.
pub fn is_pending(disk: &dyn Disk) -> bool {
    matches!(disk.read(JOURNAL), Ok(Some(_)))
}

impl Journal {
    fn save(&self, disk: &dyn Disk) -> Result<(), Failure> {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| json!({"path": entry.path, "old": entry.old, "new": entry.new, "index": entry.index}))
            .collect();
        let text = json!({
            "what": "an interrupted write of self-learning; the next run finishes or undoes it",
            "back": self.back, "files": entries, "made": self.made, "remove": self.remove, "payload": self.payload,
        });
        let temporary = format!("{PREFIX}journal{SUFFIX}");
        // Left over when a first attempt to save failed half-way.
        let _ = disk.remove(&temporary);
        disk.create(&temporary, text.to_string().as_bytes(), None)
            .map_err(failed("write", &temporary))?;
        disk.rename(&temporary, JOURNAL)
            .map_err(failed("write", JOURNAL))?;
        disk.sync("").map_err(failed("sync", ""))
    }

    fn parse(bytes: &[u8]) -> Result<Journal, Failure> {
        let unreadable = || Failure::Journal(JOURNAL.to_owned());
        let value: Value = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let texts = |key: &str| -> Vec<String> {
            let items = value.get(key).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let files = value
            .get("files")
            .and_then(Value::as_array)
            .ok_or_else(unreadable)?;
        let entries: Option<Vec<Entry>> = files
            .iter()
            .map(|file| {
                Some(Entry {
                    path: text(file, "path").filter(|path| is_below(path))?,
                    old: text(file, "old"),
                    new: text(file, "new"),
                    index: usize::try_from(file.get("index")?.as_u64()?).ok()?,
                })
            })
            .collect();
        let folders = [texts("made"), texts("remove")];
        if folders.iter().flatten().any(|path| !is_below(path)) {
            return Err(unreadable());
        }
        let [made, remove] = folders;
        Ok(Journal {
            back: value
                .get("back")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            entries: entries.ok_or_else(unreadable)?,
            made,
            remove,
            payload: text(&value, "payload").unwrap_or_default(),
        })
    }

    /// Give every file its new contents. Doing it twice is doing it once.
    fn forward(&self, disk: &dyn Disk) -> Result<(), (String, io::Error)> {
        for entry in &self.entries {
            let at = |error| (entry.path.clone(), error);
            if let Some(folder) = entry.folder().filter(|_| entry.new.is_some()) {
                disk.make_folder(folder).map_err(at)?;
            }
            move_to(disk, entry, &entry.new, &entry.new_name()).map_err(at)?;
        }
        self.settle(disk, &self.remove)
    }

    /// Give every file its old contents.
    fn backward(&self, disk: &dyn Disk) -> Result<(), (String, io::Error)> {
        for entry in &self.entries {
            let at = |error| (entry.path.clone(), error);
            if let Some(folder) = entry.folder().filter(|_| entry.old.is_some()) {
                disk.make_folder(folder).map_err(at)?;
            }
            move_to(disk, entry, &entry.old, &entry.old_name()).map_err(at)?;
        }
        self.settle(disk, &self.made)
    }

    fn settle(&self, disk: &dyn Disk, removable: &[String]) -> Result<(), (String, io::Error)> {
        for entry in &self.entries {
            if let Some(folder) = entry.folder()
                && let Err(error) = disk.sync(folder)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err((folder.to_owned(), error));
            }
        }
        for folder in removable {
            match disk.remove_folder(folder) {
                Err(error)
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
                    ) =>
                {
                    return Err((folder.clone(), error));
                }
                _ => {}
            }
        }
        disk.sync("").map_err(|error| (String::new(), error))
    }
}

/// Put what `name` holds in place of the file, or remove the file; nothing when it is so already.
fn move_to(disk: &dyn Disk, entry: &Entry, wanted: &Option<String>, name: &str) -> io::Result<()> {
    let found = disk
        .read(&entry.path)?
        .map(|contents: Contents| digest(&contents.bytes));
    if found == *wanted {
        return Ok(());
    }
    match wanted {
        Some(_) => disk.rename(name, &entry.path),
        None => disk.remove(&entry.path),
    }
}

fn missing_folders(disk: &dyn Disk, entries: &[Entry]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for folder in entries.iter().filter_map(Entry::folder) {
        let missing =
            matches!(disk.sync(folder), Err(error) if error.kind() == io::ErrorKind::NotFound);
        if missing && !out.iter().any(|known| known == folder) {
            out.push(folder.to_owned());
        }
    }
    out
}

/// Remove the journal, then the copies: without the journal they are litter that any run may sweep.
fn clear(disk: &dyn Disk) -> io::Result<()> {
    disk.remove(JOURNAL)?;
    disk.sync("")?;
    sweep(disk).map(|_| ())
}

fn sweep(disk: &dyn Disk) -> io::Result<usize> {
    let mut swept = 0;
    for name in disk.names()? {
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            disk.remove(&name)?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn digest_of(disk: &dyn Disk, path: &str) -> Option<String> {
    let contents = disk.read(path).ok()??;
    Some(digest(&contents.bytes))
}

fn digest(bytes: &[u8]) -> String {
    hmac_sha256::Hash::hash(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a path stays inside the folder and names no file of this module.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').count() <= 2
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\\'))
        && !path.starts_with(PREFIX)
}

#[cfg(test)]
mod tests;
