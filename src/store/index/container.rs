//! A file of sections that trusts nothing on the disk: every page is checked against its checksum the first time it
//! is touched, and whatever does not check reads as zeros and raises the doubt. Whoever reads asks
//! [`Container::is_doubtful`] before using what was read.
//!
//! Layout: pages of [`PAGE`] bytes that hold the sections, each section at a multiple of 8; then one checksum (lowest
//! 32 bits of XXH3-64) per page; then the directory (tag, offset, length; 8 bytes each); then the footer: offset of the
//! checksums, number of pages, number of sections, XXH3-64 of everything from the checksums to here, and [`MAGIC`].
//! All numbers are little-endian.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

const PAGE: usize = 4096;
/// Format and its version: a file of another version is as good as none.
const MAGIC: u64 = u64::from_le_bytes(*b"SLINDEX1");
const FOOTER: usize = 5 * 8;
const ENTRY: usize = 3 * 8;

/// Sections on their way into a file.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    entries: Vec<(u64, usize, usize)>,
}

impl Writer {
    /// Adds a section.
    pub fn section(&mut self, tag: u64, content: &[u8]) {
        let start = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(start, 0);
        self.entries.push((tag, start, content.len()));
        self.bytes.extend_from_slice(content);
    }

    /// The bytes of the file, and the fingerprint by which it is known.
    pub fn finish(self) -> (Vec<u8>, u64) {
        let mut bytes = self.bytes;
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        let checks_at = bytes.len();
        let checks: Vec<u32> = bytes.chunks(PAGE).map(check).collect();
        for sum in &checks {
            bytes.extend_from_slice(&sum.to_le_bytes());
        }
        for (tag, offset, length) in &self.entries {
            for number in [*tag, *offset as u64, *length as u64] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        for number in [checks_at, checks.len(), self.entries.len()] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        let fingerprint = xxh3_64(&bytes[checks_at..]);
        bytes.extend_from_slice(&fingerprint.to_le_bytes());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        (bytes, fingerprint)
    }
}

fn check(page: &[u8]) -> u32 {
    xxh3_64(page) as u32
}

/// An open file of sections.
pub struct Container {
    map: Mmap,
    checks_at: usize,
    sections: Vec<(u64, Range<usize>)>,
    /// One bit per page that was found in order.
    verified: RefCell<Vec<u64>>,
    doubtful: Cell<bool>,
}

impl Container {
    /// Opens a file that must have this fingerprint; `None` when it is not there, not whole, or another one.
    pub fn open(path: &Path, fingerprint: u64) -> Option<Container> {
        let file = super::open_plain(path).ok()?;
        // SAFETY: what we write is never changed in place, only replaced by a new file, so the mapped pages stay as
        // they are. A stranger who cuts the file short while it is mapped ends this process with SIGBUS; the file is
        // private to its owner, and every other damage is found by the checksums.
        #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let footer = map.len().checked_sub(FOOTER)?;
        let number = |at: usize| -> Option<u64> {
            Some(u64::from_le_bytes(map.get(at..at + 8)?.try_into().ok()?))
        };
        let size = |at: usize| -> Option<usize> { usize::try_from(number(at)?).ok() };
        let (checks_at, pages, count) = (size(footer)?, size(footer + 8)?, size(footer + 16)?);
        let directory = checks_at.checked_add(pages.checked_mul(4)?)?;
        let whole = number(footer + 24)? == fingerprint
            && number(footer + 32)? == MAGIC
            && checks_at == pages.checked_mul(PAGE)?
            && directory.checked_add(count.checked_mul(ENTRY)?)? == footer
            && xxh3_64(map.get(checks_at..footer + 24)?) == fingerprint;
        if !whole {
            return None;
        }
        let mut sections = Vec::with_capacity(count);
        for entry in 0..count {
            let at = directory + entry * ENTRY;
            let (start, length) = (size(at + 8)?, size(at + 16)?);
            let end = start.checked_add(length).filter(|end| *end <= checks_at)?;
            sections.push((number(at)?, start..end));
        }
        Some(Container {
            checks_at,
            sections,
            verified: RefCell::new(vec![0; pages.div_ceil(64)]),
            doubtful: Cell::new(false),
            map,
        })
    }

    /// Whether anything read so far was not as it was written.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.get()
    }

    /// Says that something read makes no sense.
    pub fn doubt(&self) {
        self.doubtful.set(true);
    }

    /// A section; one that is not there is empty.
    pub fn section(&self, tag: u64) -> Section<'_> {
        let found = self.sections.iter().find(|(own, _)| *own == tag);
        Section {
            container: self,
            range: found.map_or(0..0, |(_, range)| range.clone()),
        }
    }

    /// Checked bytes; none where they are not as they were written.
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        if range.is_empty() {
            return &[];
        }
        let mut verified = self.verified.borrow_mut();
        for page in range.start / PAGE..=(range.end - 1) / PAGE {
            let (word, bit) = (page / 64, 1_u64 << (page % 64));
            if verified[word] & bit != 0 {
                continue;
            }
            let at = self.checks_at + page * 4;
            let stored = self.map[at..at + 4]
                .try_into()
                .map_or(0, u32::from_le_bytes);
            if stored != check(&self.map[page * PAGE..(page + 1) * PAGE]) {
                self.doubtful.set(true);
                return &[];
            }
            verified[word] |= bit;
        }
        &self.map[range]
    }
}

/// A run of bytes in a [`Container`]. Reading outside it, like reading damage, gives zeros and raises the doubt.
#[derive(Clone)]
pub struct Section<'a> {
    container: &'a Container,
    range: Range<usize>,
}

impl<'a> Section<'a> {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Bytes of the section.
    pub fn bytes(&self, range: Range<usize>) -> &'a [u8] {
        let (start, end) = (
            self.range.start.saturating_add(range.start),
            self.range.start.saturating_add(range.end),
        );
        if start > end || end > self.range.end {
            self.container.doubt();
            return &[];
        }
        self.container.bytes(start..end)
    }

    /// All bytes of the section.
    pub fn all(&self) -> &'a [u8] {
        self.bytes(0..self.len())
    }

    /// The number at place `at` of a table of 32-bit numbers.
    pub fn u32(&self, at: usize) -> u32 {
        let start = at.saturating_mul(4);
        let bytes = self.bytes(start..start.saturating_add(4));
        bytes.try_into().map_or(0, u32::from_le_bytes)
    }

    /// The places from `range` of a table of 32-bit numbers.
    pub fn numbers(&self, range: Range<usize>) -> impl Iterator<Item = u32> + use<'a> {
        let bytes = self.bytes(range.start.saturating_mul(4)..range.end.saturating_mul(4));
        bytes
            .chunks_exact(4)
            .map(|four| four.try_into().map_or(0, u32::from_le_bytes))
    }

    /// How many 32-bit numbers there are.
    pub fn count(&self) -> usize {
        self.len() / 4
    }

    /// Says that something read makes no sense.
    pub fn doubt(&self) {
        self.container.doubt();
    }
}

/// Appends a number, seven bits a byte, the lowest first.
pub fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front; 0 at the end.
pub fn take_varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 || shift >= 56 {
            break;
        }
        shift += 7;
    }
    number
}

/// Takes `length` bytes off the front; fewer at the end.
pub fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length.min(bytes.len()));
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_anywhere_is_found_and_never_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x");
        let content: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut writer = Writer::default();
        writer.section(7, b"abc");
        writer.section(9, &content);
        let (bytes, fingerprint) = writer.finish();
        let read = |bytes: &[u8]| {
            std::fs::File::create(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
                .expect("written");
            let container = Container::open(&path, fingerprint)?;
            let found = (
                container.section(7).all().to_vec(),
                container.section(9).all().to_vec(),
            );
            (!container.is_doubtful()).then_some(found)
        };
        assert_eq!(read(&bytes), Some((b"abc".to_vec(), content.clone())));
        for at in (0..bytes.len()).step_by(97) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let found = read(&damaged);
            // What is not read, as the padding between sections, may be damaged.
            assert!(
                found.is_none() || found == Some((b"abc".to_vec(), content.clone())),
                "{at}"
            );
        }
        for length in (0..bytes.len()).step_by(501) {
            assert_eq!(read(&bytes[..length]), None);
        }
    }

    #[test]
    fn numbers_survive() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), 1 << 40] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            assert_eq!(take_varint(&mut bytes.as_slice()), number);
        }
    }
}
