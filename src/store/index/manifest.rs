//! Which segments there are and which state of the logs they were made from.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::segment::SegmentInfo;
use crate::domain::fold::LogKind;
use crate::error::Result;
use crate::store::replace::{self, Durability};

/// A manifest of another version is as good as none.
const VERSION: u32 = 1;
pub const FILE: &str = "manifest.json";

/// The state of a file as the system tells it without reading it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub length: u64,
    /// Nanoseconds since 1970.
    modified: i64,
    changed: i64,
    inode: u64,
    device: u64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        let mut stamp = Stamp {
            length: metadata.len(),
            ..Stamp::default()
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let nanoseconds =
                |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
            stamp.modified = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
            stamp.changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
            stamp.inode = metadata.ino();
            stamp.device = metadata.dev();
        }
        #[cfg(not(unix))]
        if let Ok(modified) = metadata.modified()
            && let Ok(since) = modified.duration_since(std::time::SystemTime::UNIX_EPOCH)
        {
            stamp.modified = since.as_nanos() as i64;
        }
        stamp
    }

    /// Whether both are states of the same file.
    fn same_file(&self, other: &Stamp) -> bool {
        (self.inode, self.device) == (other.inode, other.device)
    }
}

/// One log's segments, oldest first, without gaps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// The state of the log in which the segments were last found to hold.
    pub stamp: Stamp,
    pub segments: Vec<SegmentInfo>,
}

impl Chain {
    /// Bytes of the log that are covered.
    pub fn end(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.end)
    }

    pub fn lines(&self) -> u64 {
        self.segments.iter().map(|segment| segment.lines).sum()
    }

    pub fn records(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| u64::from(segment.records))
            .sum()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Counts the manifests written; part of the names of new files.
    pub generation: u64,
    /// Names given in this generation.
    #[serde(default)]
    files: u32,
    chains: BTreeMap<String, Chain>,
}

impl Default for Manifest {
    fn default() -> Manifest {
        Manifest {
            version: VERSION,
            generation: 0,
            files: 0,
            chains: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// A new generation: its files get names of their own.
    pub fn begin(&mut self) {
        self.generation += 1;
        self.files = 0;
    }

    /// A name for a new file about a log.
    pub fn new_name(&mut self, kind: LogKind, ending: &str) -> String {
        let log = kind.file_name().trim_end_matches(".jsonl");
        self.files += 1;
        format!("{log}-{}-{}.{ending}", self.generation, self.files)
    }

    pub fn chain(&self, kind: LogKind) -> Option<&Chain> {
        self.chains.get(kind.file_name())
    }

    pub fn set_chain(&mut self, kind: LogKind, chain: Chain) {
        self.chains.insert(kind.file_name().to_owned(), chain);
    }

    /// Whether a file of the folder is in use.
    pub fn names(&self, file: &str) -> bool {
        self.chains
            .values()
            .flat_map(|chain| &chain.segments)
            .any(|segment| {
                segment.file == file || segment.dead.as_ref().is_some_and(|(dead, _)| dead == file)
            })
    }

    /// `None` when there is none, or it is damaged or of another version.
    pub fn read(folder: &Path) -> Option<Manifest> {
        let bytes = super::read_plain(&folder.join(FILE)).ok()?;
        let manifest: Manifest = unsealed(&bytes)?;
        (manifest.version == VERSION).then_some(manifest)
    }

    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&self, folder: &Path) -> Result<()> {
        replace::file(&folder.join(FILE), &sealed(self), Durability::Derived)
    }
}

/// JSON behind its own checksum, each on a line.
pub(super) fn sealed(value: &impl Serialize) -> Vec<u8> {
    let body = serde_json::to_vec(value).expect("plain data has a JSON form");
    let mut bytes = format!("{:016x}\n", xxh3_64(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    bytes.push(b'\n');
    bytes
}

/// What was sealed; `None` when a byte of it has changed.
pub(super) fn unsealed<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let body = bytes[line + 1..].strip_suffix(b"\n")?;
    let sum = format!("{:016x}", xxh3_64(body));
    (sum.as_bytes() == &bytes[..line]).then_some(())?;
    serde_json::from_slice(body).ok()
}

/// Up to this many bytes a log that has grown is compared with its segments byte by byte; of a longer one only samples
/// are. One that has changed without growing is always compared byte by byte.
const COMPARED_WHOLE: u64 = 4 * 1024 * 1024;
/// Samples per segment, each of this many bytes.
const SAMPLES: u64 = 16;
const SAMPLE: u64 = 4096;

/// Whether the covered part of a log is still what the segments were made from. A copy never is: an index that came
/// with a repository must not tell what its log says.
pub fn holds(chain: &Chain, log: &File, now: &Stamp) -> bool {
    if *now == chain.stamp {
        return true;
    }
    if now.length < chain.end() || !chain.stamp.same_file(now) {
        return false;
    }
    let sampled = now.length > chain.stamp.length && chain.end() > COMPARED_WHOLE;
    chain.segments.iter().all(|segment| {
        let found = if sampled {
            sample(log, segment.start, segment.end)
        } else {
            content(log, segment.start, segment.end)
        };
        let wanted = if sampled {
            segment.sample
        } else {
            segment.content
        };
        found.is_ok_and(|found| found == wanted)
    })
}

/// XXH3-64 of a part of a file.
pub fn content(file: &File, start: u64, end: u64) -> io::Result<u64> {
    let mut hasher = Xxh3::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut at = start;
    while at < end {
        let wanted = buffer.len().min((end - at) as usize);
        read_at(file, &mut buffer[..wanted], at)?;
        hasher.update(&buffer[..wanted]);
        at += wanted as u64;
    }
    Ok(hasher.digest())
}

/// XXH3-64 of evenly spread parts of a part of a file, its beginning and its end among them.
pub fn sample(file: &File, start: u64, end: u64) -> io::Result<u64> {
    let mut hasher = Xxh3::new();
    let mut buffer = [0; SAMPLE as usize];
    let last = end.saturating_sub(SAMPLE).max(start);
    for number in 0..SAMPLES {
        let at = start + (last - start) * number / (SAMPLES - 1);
        let wanted = SAMPLE.min(end - at) as usize;
        read_at(file, &mut buffer[..wanted], at)?;
        hasher.update(&buffer[..wanted]);
    }
    Ok(hasher.digest())
}

/// Fills `buffer` from `offset`.
///
/// # Errors
/// When the file ends before, too.
pub fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
    }
    #[cfg(not(unix))]
    {
        use std::io::{Seek, SeekFrom};
        let mut file = file;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }
}

/// Everything from `offset` to the end.
///
/// # Errors
/// When it cannot be read.
pub fn read_from(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    use std::io::{Seek, SeekFrom};
    let mut file = file;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
