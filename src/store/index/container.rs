//! A file of sections that trusts nothing on the disk: every page is checked against its checksum the first time it
//! is touched, and whatever does not check reads as zeros and raises the doubt. Whoever reads asks
//! [`Container::is_doubtful`] before using what was read.
//!
//! Layout: pages of [`PAGE`] bytes that hold the sections, each section at a multiple of 8; then one checksum (lowest
//! 32 bits of XXH3-64) per page; then the directory (tag, offset, length; 8 bytes each); then the footer: offset of the
//! checksums, number of pages, number of sections, XXH3-64 of everything from the checksums to here, and [`MAGIC`].
//! All numbers are little-endian.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::ops::Range;

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
    sections: Vec<(u64, Vec<u8>)>,
    /// Sections that most readers need: they lie together at the end, before the checksums, and can be fetched at once.
    hot: Vec<(u64, Vec<u8>)>,
}

/// A file of sections that is not written yet.
#[derive(Debug, Default)]
pub struct Written {
    pub bytes: Vec<u8>,
    /// By which the file is known.
    pub fingerprint: u64,
    /// Bytes at the end that most readers need.
    pub hot: u64,
}

impl Writer {
    /// Adds a section.
    pub fn section(&mut self, tag: u64, content: Vec<u8>) {
        self.sections.push((tag, content));
    }

    /// Adds a section that most readers need.
    pub fn hot_section(&mut self, tag: u64, content: Vec<u8>) {
        self.hot.push((tag, content));
    }

    pub fn finish(self) -> Written {
        let mut bytes: Vec<u8> = Vec::new();
        let mut entries = Vec::new();
        let cold = self.sections.len();
        let mut hot_from = None;
        for (number, (tag, content)) in self.sections.into_iter().chain(self.hot).enumerate() {
            let start = bytes.len().next_multiple_of(8);
            if number >= cold {
                hot_from.get_or_insert(start);
            }
            bytes.resize(start, 0);
            entries.push((tag, start, content.len()));
            bytes.extend_from_slice(&content);
        }
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        let checks_at = bytes.len();
        let checks: Vec<u32> = bytes.chunks(PAGE).map(check).collect();
        for sum in &checks {
            bytes.extend_from_slice(&sum.to_le_bytes());
        }
        for (tag, offset, length) in &entries {
            for number in [*tag, *offset as u64, *length as u64] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        for number in [checks_at, checks.len(), entries.len()] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        let fingerprint = xxh3_64(&bytes[checks_at..]);
        bytes.extend_from_slice(&fingerprint.to_le_bytes());
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        let hot = (bytes.len() - hot_from.unwrap_or(checks_at)) as u64;
        Written {
            bytes,
            fingerprint,
            hot,
        }
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
    /// Maps a file that must have this fingerprint; `None` when it is not whole, or another one.
    pub fn open(file: &File, fingerprint: u64) -> Option<Container> {
        // SAFETY: what we write is never changed in place, only replaced by a new file, so the mapped pages stay as
        // they are. A stranger who cuts the file short while it is mapped ends this process with SIGBUS; the file is
        // private to its owner, and every other damage is found by the checksums.
        #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
        let map = unsafe { Mmap::map(file) }.ok()?;
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

    /// Reads everything; whether it is as it was written.
    pub fn verify(&self) -> bool {
        self.bytes(0..self.checks_at);
        !self.is_doubtful()
    }

    /// Says that these bytes will be read soon, so that the system fetches them all at once.
    fn will_read(&self, range: &Range<usize>) {
        // Only a hint: where it fails, reading is slower.
        #[cfg(unix)]
        let _ = self
            .map
            .advise_range(memmap2::Advice::WillNeed, range.start, range.len());
        #[cfg(not(unix))]
        let _ = range;
    }

    /// Says that single places are read here and there, not what lies around them.
    pub fn expect_single_places(&self) {
        #[cfg(unix)]
        let _ = self.map.advise(memmap2::Advice::Random);
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

    /// Says that these bytes will be read soon.
    pub fn expect(&self, range: &Range<usize>) {
        let start = self.range.start.saturating_add(range.start);
        let end = self.range.start.saturating_add(range.end);
        if end <= self.range.end {
            self.container.will_read(&(start..end));
        }
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
        writer.hot_section(7, b"abc".to_vec());
        writer.section(9, content.clone());
        let Written {
            bytes, fingerprint, ..
        } = writer.finish();
        let read = |bytes: &[u8]| {
            std::fs::File::create(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, bytes))
                .expect("written");
            let container = Container::open(&File::open(&path).ok()?, fingerprint)?;
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
