//! A Markdown file as lines: where code, comments, frontmatter and headings are, and how lines end.
//!
//! Works on bytes and never fails: files of other people come in any encoding and any state. This is
//! no Markdown parser; it knows just enough to tell text from documentation of our markers, and to
//! find a place where something can be added without changing the meaning of what is there.

/// How the lines of a file end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    Lf,
    CrLf,
}

impl LineEnd {
    pub fn as_str(self) -> &'static str {
        match self {
            LineEnd::Lf => "\n",
            LineEnd::CrLf => "\r\n",
        }
    }

    /// The ends most lines have; line feeds when in doubt.
    pub fn of(bytes: &[u8]) -> LineEnd {
        let mut windows = 0_usize;
        let mut unix = 0_usize;
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' {
                if at > 0 && bytes[at - 1] == b'\r' {
                    windows += 1;
                } else {
                    unix += 1;
                }
            }
        }
        if windows > unix {
            LineEnd::CrLf
        } else {
            LineEnd::Lf
        }
    }

    /// Text written with line feeds, with these ends instead.
    pub fn apply(self, text: &str) -> Vec<u8> {
        match self {
            LineEnd::Lf => text.as_bytes().to_vec(),
            LineEnd::CrLf => text.replace('\n', "\r\n").into_bytes(),
        }
    }
}

/// What a line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Text,
    Frontmatter,
    /// A fence or a line within one.
    Fence,
    /// Part of an HTML comment over several lines, or of raw text like `<pre>`.
    Html,
}

/// One line: `bytes[start..end]` without its end, `bytes[start..next]` with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    pub start: usize,
    pub end: usize,
    pub next: usize,
    pub place: Place,
}

impl Line {
    pub fn text<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }

    pub fn is_blank(&self, bytes: &[u8]) -> bool {
        self.text(bytes).trim_ascii().is_empty()
    }
}

/// A heading in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// The index of its first line, and of the first line behind it.
    pub line: usize,
    pub next: usize,
    pub level: usize,
    pub text: String,
}

/// A fence line: its character, its length, and whether anything follows the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    character: u8,
    length: usize,
    bare: bool,
}

impl Fence {
    /// A line that opens or closes fenced code, at any indentation: inside lists fences are indented
    /// by as much as the list wants.
    pub fn of(line: &[u8]) -> Option<Fence> {
        let line = line.trim_ascii();
        let character = *line.first().filter(|byte| matches!(byte, b'`' | b'~'))?;
        let length = line.iter().take_while(|byte| **byte == character).count();
        let rest = &line[length..];
        // A backtick in the rest makes it inline code.
        if length < 3 || (character == b'`' && rest.contains(&b'`')) {
            return None;
        }
        Some(Fence {
            character,
            length,
            bare: rest.is_empty(),
        })
    }

    pub fn is_closed_by(self, other: Fence) -> bool {
        other.bare && other.character == self.character && other.length >= self.length
    }

    /// The line that closes it.
    pub fn closing(self) -> String {
        char::from(self.character).to_string().repeat(self.length)
    }
}

/// What the lines so far have left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    Fence(Fence, usize),
    Comment(usize),
    Raw(usize),
}

/// Where lines are while reading on: fed one line after the other.
#[derive(Debug, Clone)]
pub struct Reader {
    open: Open,
    index: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            open: Open::Nothing,
            index: 0,
        }
    }
}

impl Reader {
    /// The place of the next line.
    pub fn read(&mut self, line: &[u8]) -> Place {
        let index = self.index;
        self.index += 1;
        match self.open {
            Open::Fence(fence, _) => {
                if Fence::of(line).is_some_and(|other| fence.is_closed_by(other)) {
                    self.open = Open::Nothing;
                }
                Place::Fence
            }
            Open::Comment(_) => {
                if contains(line, b"-->") {
                    self.open = Open::Nothing;
                }
                Place::Html
            }
            Open::Raw(_) => {
                if closes_raw(line) {
                    self.open = Open::Nothing;
                }
                Place::Html
            }
            Open::Nothing => self.read_text(line, index),
        }
    }

    fn read_text(&mut self, line: &[u8], index: usize) -> Place {
        if let Some(fence) = Fence::of(line) {
            self.open = Open::Fence(fence, index);
            return Place::Fence;
        }
        let indentation = line.iter().take_while(|byte| **byte == b' ').count();
        let rest = &line[indentation..];
        if indentation > 3 || rest.first() != Some(&b'<') {
            return Place::Text;
        }
        if rest.starts_with(b"<!--") {
            if !contains(&rest[4..], b"-->") {
                self.open = Open::Comment(index);
                return Place::Html;
            }
            return Place::Text;
        }
        if opens_raw(rest) {
            if !closes_raw(rest) {
                self.open = Open::Raw(index);
            }
            return Place::Html;
        }
        Place::Text
    }

    /// The line that opened what is still open.
    pub fn open_since(&self) -> Option<usize> {
        match self.open {
            Open::Nothing => None,
            Open::Fence(_, line) | Open::Comment(line) | Open::Raw(line) => Some(line),
        }
    }

    /// Whether what is open is a fence.
    pub fn in_fence(&self) -> bool {
        matches!(self.open, Open::Fence(..))
    }

    /// Count a line without looking at it.
    pub fn skip(&mut self) {
        self.index += 1;
    }
}

const RAW_TAGS: [&[u8]; 4] = [b"pre", b"script", b"style", b"textarea"];

fn opens_raw(rest: &[u8]) -> bool {
    RAW_TAGS.iter().any(|tag| {
        rest.get(1..=tag.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(tag))
            && matches!(rest.get(tag.len() + 1), None | Some(b' ' | b'\t' | b'>'))
    })
}

fn closes_raw(line: &[u8]) -> bool {
    let lower = line.to_ascii_lowercase();
    RAW_TAGS.iter().any(|tag| {
        let closing = [b"</", *tag, b">"].concat();
        contains(&lower, &closing)
    })
}

/// Whether `needle` occurs in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The lines of a file with their places, and where its frontmatter ends.
pub fn lines(bytes: &[u8]) -> Vec<Line> {
    let mut out = split(bytes);
    let frontmatter = frontmatter_lines(bytes, &out);
    let mut reader = Reader::default();
    for (index, line) in out.iter_mut().enumerate() {
        if index < frontmatter {
            reader.skip();
            line.place = Place::Frontmatter;
        } else {
            line.place = reader.read(&bytes[line.start..line.end]);
        }
    }
    out
}

/// The lines of a file, all taken as text. A byte order mark belongs to no line.
pub fn split(bytes: &[u8]) -> Vec<Line> {
    let mut out = Vec::new();
    let mut start = byte_order_mark(bytes);
    while start < bytes.len() {
        let stop = bytes[start..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| start + at);
        let next = stop.map_or(bytes.len(), |at| at + 1);
        let mut end = stop.unwrap_or(bytes.len());
        if stop.is_some() && end > start && bytes[end - 1] == b'\r' {
            end -= 1;
        }
        out.push(Line {
            start,
            end,
            next,
            place: Place::Text,
        });
        start = next;
    }
    out
}

/// The length of the UTF-8 byte order mark, if there is one.
pub fn byte_order_mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    }
}

/// Whether the bytes are a text with two or four bytes a character: nothing can be added to it
/// without breaking it.
pub fn is_wide(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.iter().take(4096).any(|byte| *byte == 0)
}

/// How many lines at the top are frontmatter, with both of its fences; 0 when there is none.
pub fn frontmatter_lines(bytes: &[u8], lines: &[Line]) -> usize {
    let is_rule = |line: &Line| line.text(bytes).trim_ascii_end() == b"---";
    if !lines.first().is_some_and(is_rule) {
        return 0;
    }
    lines
        .iter()
        .skip(1)
        .position(is_rule)
        .map_or(0, |at| at + 2)
}

/// The headings outside code, comments and frontmatter, in both spellings.
pub fn headings(bytes: &[u8], lines: &[Line]) -> Vec<Heading> {
    let mut out: Vec<Heading> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if line.place != Place::Text {
            continue;
        }
        let text = line.text(bytes);
        if let Some((level, title)) = atx(text) {
            out.push(Heading {
                line: index,
                next: index + 1,
                level,
                text: title,
            });
        } else if let Some(level) = underline(text)
            && index > 0
            && lines[index - 1].place == Place::Text
            && is_paragraph(lines[index - 1].text(bytes))
        {
            out.push(Heading {
                line: index - 1,
                next: index + 1,
                level,
                text: String::from_utf8_lossy(lines[index - 1].text(bytes).trim_ascii())
                    .into_owned(),
            });
        }
    }
    out
}

/// The level and text of a heading that starts with `#`.
pub fn atx(line: &[u8]) -> Option<(usize, String)> {
    let indentation = line.iter().take_while(|byte| **byte == b' ').count();
    let rest = &line[indentation..];
    let level = rest.iter().take_while(|byte| **byte == b'#').count();
    if indentation > 3
        || !(1..=6).contains(&level)
        || !matches!(rest.get(level), None | Some(b' ' | b'\t'))
    {
        return None;
    }
    let text = String::from_utf8_lossy(rest[level..].trim_ascii()).into_owned();
    let bare = text.trim_end_matches('#');
    let closed = bare.len() < text.len() && (bare.is_empty() || bare.ends_with([' ', '\t']));
    let text = if closed {
        bare.trim_end().to_owned()
    } else {
        text
    };
    Some((level, text))
}

/// The level of the heading that a line of `=` or `-` makes out of the paragraph above it.
fn underline(line: &[u8]) -> Option<usize> {
    let indentation = line.iter().take_while(|byte| **byte == b' ').count();
    let rest = line[indentation..].trim_ascii_end();
    let character = *rest.first()?;
    let level = match character {
        b'=' => 1,
        b'-' => 2,
        _ => return None,
    };
    (indentation <= 3 && rest.iter().all(|byte| *byte == character)).then_some(level)
}

fn is_paragraph(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    let first = text.first().copied().unwrap_or(b' ');
    let listed = matches!(first, b'-' | b'*' | b'+') && matches!(text.get(1), Some(b' ' | b'\t'));
    !text.is_empty()
        && !listed
        && !matches!(first, b'>' | b'|' | b'<')
        && atx(line).is_none()
        && underline(line).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> String {
        let found = lines(text.as_bytes());
        found
            .iter()
            .map(|line| match line.place {
                Place::Text => 't',
                Place::Frontmatter => 'm',
                Place::Fence => 'f',
                Place::Html => 'h',
            })
            .collect()
    }

    #[test]
    fn places_of_lines() {
        for (text, expected) in [
            ("---\na: b\n---\n# x\n", "mmmt"),
            ("---\na: b\n", "tt"),
            ("```\n---\n```\nx", "ffft"),
            ("````md\n```\n````\nx", "ffft"),
            ("~~~\n```\n~~~~\nx", "ffft"),
            ("``` `x`\nx", "tt"),
            ("   ```py\nx\n  ```\ny\n", "ffft"),
            ("- a\n      ```\n      x\n      ```\nb", "tffft"),
            ("<!-- a\nb\n-->\nc", "hhht"),
            ("<!-- a -->\nb", "tt"),
            ("use `<!--` here\nb", "tt"),
            ("<pre>\n<!-- x -->\n</pre>\nz", "hhht"),
            ("<preview>\nz", "tt"),
            ("\u{feff}---\na: b\n---\r\nx", "mmmt"),
        ] {
            assert_eq!(places(text), expected, "{text:?}");
        }
    }

    #[test]
    fn headings_in_both_spellings() {
        let text = "# One #\n\nTwo\n---\n\n- a\n---\n```\n# no\n```\n#no\n### C#\n";
        let found = headings(text.as_bytes(), &lines(text.as_bytes()));
        let found: Vec<_> = found
            .iter()
            .map(|heading| (heading.level, heading.text.as_str()))
            .collect();
        assert_eq!(found, [(1, "One"), (2, "Two"), (3, "C#")]);
    }

    #[test]
    fn line_ends() {
        assert_eq!(LineEnd::of(b"a\r\nb\r\nc\n"), LineEnd::CrLf);
        assert_eq!(LineEnd::of(b"a\r\nb\n"), LineEnd::Lf);
        assert_eq!(LineEnd::of(b"a\rb\r"), LineEnd::Lf);
        assert_eq!(LineEnd::of(b""), LineEnd::Lf);
        let found = split(b"a\r\nb\rc");
        assert_eq!((found[0].end, found[0].next, found[1].end), (1, 3, 6));
    }
}
