//! Values by the name of their key: `KEY=value`, `"key": "value"`, `--key value`, `<key>value</key>`, `key is value`.

use super::Scan;
use super::contexts;
use super::field::{self, Kind};
use super::shape::{ALNUM, DASH, DOT, WORD, is_in, run_length, run_length_before};
use super::value::{
    hex_length, is_measure, is_path, is_placeholder, is_prose, is_template, is_uuid, is_wordy,
    looks_random, names_a_secret,
};
use super::vendors::vendor_class;

/// Parts of key names that announce a secret; the whole name is then judged by [`field::classify`].
pub(super) const KEY_WORDS: &str = "key token secret pass pwd cred auth cookie session sessid dsn connectionstring connection mnemonic phrase jwt _pat sig= signature= salt";

/// How a value is tied to its key, from firm to loose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tie {
    /// `=` in a shell, a dotenv file or a connection string; also `--key value` and `.netrc`.
    Equals,
    /// `:` of YAML, JSON, a header or a sentence.
    Colon,
    /// `==`, `(`, `,`: code in which only a literal can be the secret.
    Literal,
    /// `password is …`, `token …`: prose.
    Prose,
    /// `<key>value</key>`.
    Element,
}

/// Judges the key whose name holds the anchor at `at`.
pub(super) fn assignment(scan: &mut Scan<'_>, at: usize) {
    const NAME: usize = 100;
    if at < scan.key_until {
        return;
    }
    let bytes = scan.bytes;
    let start = at - run_length_before(bytes, at, WORD | DASH | DOT, NAME);
    let mut end = at + run_length(bytes, at, WORD | DASH, NAME);
    // A dot belongs to the name only between two words.
    while bytes.get(end) == Some(&b'.')
        && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic)
        && end - at < NAME
    {
        end += 1 + run_length(bytes, end + 1, WORD | DASH, NAME);
    }
    scan.key_until = end;
    // `\npassword`: the letter belongs to the escape.
    let escaped =
        start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b't' | b'r');
    let name_start = start + usize::from(escaped);
    let Some((tie, value_at)) = tie_after(scan, name_start, end) else {
        return;
    };
    // Most keys are followed by nothing that could be a secret; that is cheaper to see than what the key means.
    let is_header = holds_header_word(&bytes[name_start..end]);
    if !is_header && cannot_be_secret(bytes, tie, value_at, &bytes[name_start..end]) {
        return;
    }
    let name = scan.slice(name_start, end);
    let kind = field::classify(name).or_else(|| spaced_name(scan, name_start, end));
    let Some(kind) = kind else { return };
    // A sentence never says what a signature is.
    if kind == Kind::Signature && tie != Tie::Equals {
        return;
    }
    if kind == Kind::Cookie {
        cookie_header(scan, end);
        return;
    }
    if matches!(kind, Kind::Authorization | Kind::Auth) {
        let value_at = value_at
            + usize::from(
                bytes
                    .get(value_at)
                    .is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`')),
            );
        if contexts::credential_after_scheme(scan, value_at) {
            return;
        }
    }
    judge(scan, kind, tie, name_start, end, value_at);
}

/// `cookie` or `auth` in a name: their values have a syntax of their own.
fn holds_header_word(name: &[u8]) -> bool {
    name.windows(4)
        .any(|window| window.eq_ignore_ascii_case(b"auth") || window.eq_ignore_ascii_case(b"cook"))
}

/// A quick no: in sentences and bare words a secret has a digit, a sign of its own, or great length.
fn cannot_be_secret(bytes: &[u8], tie: Tie, value_at: usize, name: &[u8]) -> bool {
    const LONG: usize = 16;
    let first = bytes.get(value_at).copied().unwrap_or(b' ');
    if matches!(first, b'"' | b'\'' | b'`' | b'\\' | b'\n') || (tie == Tie::Element) {
        return false;
    }
    if tie == Tie::Literal && !matches!(first, b'b' | b'r' | b'f' | b'u' | b'@' | b'$' | b'L') {
        return true;
    }
    if tie == Tie::Equals && name.iter().all(|byte| !byte.is_ascii_lowercase()) {
        return false;
    }
    let value = &bytes[value_at.min(bytes.len())..];
    let length = value
        .iter()
        .take(64)
        .take_while(|byte| !byte.is_ascii_whitespace())
        .count();
    let telling = value[..length].iter().any(|byte| {
        byte.is_ascii_digit()
            || matches!(
                byte,
                b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'~' | b'"' | b'\''
            )
    });
    length < 4 || (!telling && length < LONG)
}

/// `API key`, `access token`, `session id` as two words of prose.
fn spaced_name(scan: &Scan<'_>, start: usize, end: usize) -> Option<Kind> {
    let bytes = scan.bytes;
    if start == 0 || bytes[start - 1] != b' ' || end - start > 12 {
        return None;
    }
    let word = run_length_before(bytes, start - 1, WORD | DASH, 24);
    if word == 0 {
        return None;
    }
    field::classify(scan.slice(start - 1 - word, end))
}

fn cookie_header(scan: &mut Scan<'_>, end: usize) {
    let mut at = end + skip(scan.bytes, end, b"\"'`] ", 4);
    if scan
        .bytes
        .get(at)
        .is_none_or(|byte| !matches!(byte, b':' | b'='))
    {
        // `document.cookie = `, `-b "a=b"` and prose about cookies are left to the other rules.
        return;
    }
    at += 1;
    at += skip(scan.bytes, at, b" \"'`\\", 6);
    contexts::cookie_values(scan, at);
}

/// How many of at most `limit` bytes from `at` on are in `bytes_to_skip`.
fn skip(bytes: &[u8], at: usize, bytes_to_skip: &[u8], limit: usize) -> usize {
    bytes[at.min(bytes.len())..]
        .iter()
        .take(limit)
        .take_while(|byte| bytes_to_skip.contains(byte))
        .count()
}

/// Finds what ties a value to the key that ends at `end`, and where the value begins.
fn tie_after(scan: &Scan<'_>, start: usize, end: usize) -> Option<(Tie, usize)> {
    const SPACES: usize = 40;
    let bytes = scan.bytes;
    let rest = |at: usize| bytes.get(at..).unwrap_or_default();
    if start > 0 && bytes[start - 1] == b'<' && bytes.get(end) == Some(&b'>') {
        return Some((Tie::Element, end + 1));
    }
    let mut at = end + skip(bytes, end, b"\"'`])*\\", 5);
    let closed = at > end
        && bytes[end..at]
            .iter()
            .any(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let before_space = at;
    at += skip(bytes, at, b" \t", SPACES);
    let spaced = at > before_space;
    let value_at = |at: usize| at + skip(bytes, at, b" \t*", SPACES);
    let tie = match rest(at) {
        [b'=', b'=', b'=', ..] | [b'!', b'=', b'=', ..] => (Tie::Literal, value_at(at + 3)),
        [b'=', b'=', ..] | [b'!', b'=', ..] => (Tie::Literal, value_at(at + 2)),
        [b'=', b'>', ..]
        | [b':', b'=', ..]
        | [b'-', b'>', ..]
        | [b'|', b'|', ..]
        | [b'?', b'?', ..] => (Tie::Literal, value_at(at + 2)),
        [b'?', b'=', ..] | [b'+', b'=', ..] => (Tie::Equals, value_at(at + 2)),
        [b'=', ..] => (Tie::Equals, value_at(at + 1)),
        [b':', ..] => match typed_value(bytes, at + 1) {
            Some(value) => (Tie::Literal, value),
            None => (Tie::Colon, value_at(at + 1)),
        },
        [b'%', b'3', b'D' | b'd', ..] => (Tie::Equals, at + 3),
        [b'(', ..] if !closed => (Tie::Literal, value_at(at + 1)),
        [b',', ..] if closed => match named_value(bytes, at + 1) {
            Some(value) => (Tie::Colon, value),
            None => (Tie::Literal, value_at(at + 1)),
        },
        [b'\n', ..] => (Tie::Colon, named_value(bytes, at)?),
        [b'v', b'a', b'l', b'u', b'e', b'=', ..] if closed => (Tie::Colon, at + 6),
        _ if spaced && is_flag(bytes, start) => (Tie::Equals, at),
        _ if spaced
            && (is_netrc(scan, start) || scan.slice(start.saturating_sub(4), start) == "ENV ") =>
        {
            (Tie::Equals, at)
        }
        [b'>', ..] if closed => (Tie::Element, at + 1),
        _ if spaced && is_listed_command(scan.slice(start, end)) => (Tie::Equals, at),
        _ if spaced && !closed => match after_purpose(bytes, at) {
            // `passphrase for the signing key: …`
            value if value > at && bytes[value - 2] == b':' => (Tie::Colon, value),
            value => (Tie::Prose, after_copula(bytes, value)),
        },
        _ => return None,
    };
    Some(tie)
}

/// `: Type = value`: where the value begins.
fn typed_value(bytes: &[u8], at: usize) -> Option<usize> {
    const TYPE: usize = 48;
    let length = bytes[at..]
        .iter()
        .take(TYPE)
        .position(|byte| *byte == b'=')?;
    let annotation = &bytes[at..at + length];
    let is_type = annotation.iter().all(|byte| {
        byte.is_ascii_alphabetic()
            || matches!(
                byte,
                b' ' | b'<' | b'>' | b'[' | b']' | b'&' | b'|' | b'?' | b':' | b'_' | b'.' | b'\''
            )
    }) && annotation.len() >= 3
        && annotation.ends_with(b" ")
        && annotation.iter().any(u8::is_ascii_alphabetic);
    let after = at + length + 1;
    (is_type
        && bytes
            .get(after)
            .is_some_and(|byte| matches!(byte, b' ' | b'"' | b'\'')))
    .then(|| after + skip(bytes, after, b" ", 4))
}

/// The value in `NAME", "value": …` and in `name: NAME` above `value: …`.
fn named_value(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + skip(bytes, at, b" \t\r\n,", 60);
    at += skip(bytes, at, b"\"'", 1);
    let rest = bytes.get(at..)?;
    if !rest.get(..5)?.eq_ignore_ascii_case(b"value") {
        return None;
    }
    at += 5;
    at += skip(bytes, at, b"\"'", 1);
    at += skip(bytes, at, b" ", 4);
    if !matches!(bytes.get(at), Some(b':' | b'=')) {
        return None;
    }
    Some(at + 1 + skip(bytes, at + 1, b" ", 8))
}

fn is_flag(bytes: &[u8], start: usize) -> bool {
    bytes[start..].starts_with(b"--")
        || (start >= 2 && &bytes[start - 2..start] == b"--")
        || (bytes[start] == b'-' && (start == 0 || bytes[start - 1] == b' '))
}

/// `machine … login … password …`
fn is_netrc(scan: &Scan<'_>, start: usize) -> bool {
    let mut from = start.saturating_sub(160);
    while !scan.text.is_char_boundary(from) {
        from -= 1;
    }
    let before = scan.slice(from, start);
    before.contains("login ") && (before.contains("machine ") || before.contains("default "))
}

/// Directives of configuration files whose value follows after a space.
fn is_listed_command(name: &str) -> bool {
    ["requirepass", "masterauth", "authtoken", "add-authtoken"]
        .contains(&name.to_ascii_lowercase().as_str())
}

/// Skips what a secret is for, when something ties a value to it: `for the backup is …`, `for the signing key: …`.
fn after_purpose(bytes: &[u8], at: usize) -> usize {
    const WORDS: usize = 5;
    let mut next = at;
    for number in 0..WORDS {
        let word = run_length(bytes, next, ALNUM | DASH, 20);
        let text = &bytes[next..next + word];
        if word == 0 || (number == 0 && text != b"for" && text != b"of" && text != b"to") {
            return at;
        }
        if number > 0 && matches!(text, b"is" | b"was") {
            return next;
        }
        next += word;
        if number > 0 && bytes.get(next) == Some(&b':') && bytes.get(next + 1) == Some(&b' ') {
            return next + 2;
        }
        let spaces = skip(bytes, next, b" ", 2);
        if spaces == 0 {
            return at;
        }
        next += spaces;
    }
    at
}

/// Skips `is`, `was`, `to`, `set to` and a colon, so that the value after them is judged.
fn after_copula(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    for _ in 0..3 {
        let word = run_length(bytes, at, ALNUM, 12);
        let is_copula = [
            &b"is"[..],
            b"was",
            b"to",
            b"set",
            b"now",
            b"of",
            b"as",
            b"for",
            b"will",
            b"be",
        ]
        .iter()
        .any(|copula| bytes[at..at + word].eq_ignore_ascii_case(copula));
        if !is_copula {
            break;
        }
        at += word;
        at += skip(bytes, at, b" :", 3);
    }
    at
}

/// The bounds of the value that begins at `at`: inside its quotes, or as far as a shell or a sentence would read.
pub(super) fn value_bounds(bytes: &[u8], at: usize) -> (usize, usize) {
    let (start, end, _) = bounds(bytes, at);
    (start, end)
}

fn bounds(bytes: &[u8], at: usize) -> (usize, usize, bool) {
    const LONGEST: usize = 4096;
    let mut start = at;
    // String prefixes: b"…", r'…', @"…", f"…", $'…'.
    if bytes
        .get(start)
        .is_some_and(|byte| matches!(byte, b'b' | b'r' | b'f' | b'u' | b'@' | b'$' | b'L'))
        && bytes
            .get(start + 1)
            .is_some_and(|byte| matches!(byte, b'"' | b'\''))
    {
        start += 1;
    }
    let escape = bytes.get(start) == Some(&b'\\')
        && bytes
            .get(start + 1)
            .is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let quote_at = start + usize::from(escape);
    if let Some(&quote) = bytes.get(quote_at)
        && matches!(quote, b'"' | b'\'' | b'`')
    {
        let triple = bytes[quote_at..].starts_with(&[quote, quote, quote]);
        let inner = quote_at + if triple { 3 } else { 1 };
        let mut end = inner;
        while end < bytes.len() && end - inner < LONGEST {
            match bytes[end] {
                b'\\' if escape && bytes.get(end + 1) == Some(&quote) => return (inner, end, true),
                b'\\' if !escape => end += 1,
                b'\n' if !triple => break,
                byte if byte == quote => return (inner, end, true),
                _ => {}
            }
            end += 1;
        }
        // Never closed: read it like a bare word.
        return (inner, bare_end(bytes, inner, LONGEST), false);
    }
    (start, bare_end(bytes, start, LONGEST), false)
}

fn bare_end(bytes: &[u8], start: usize, longest: usize) -> usize {
    let start = start.min(bytes.len());
    let mut end = start;
    while end < bytes.len() && end - start < longest {
        match bytes[end] {
            byte if byte.is_ascii_whitespace() => break,
            b'"' | b'\'' | b'`' | b',' | b';' | b'<' | b'|' => break,
            b'\\'
                if bytes.get(end + 1).is_some_and(|byte| {
                    matches!(byte, b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')
                }) =>
            {
                break;
            }
            b'&' if end > start => {
                // `&` joins query parameters and commands; in a password it is followed by no `name=`.
                let name = run_length(bytes, end + 1, WORD | DASH | DOT, 40);
                if bytes.get(end + 1) == Some(&b'&')
                    || (name > 0 && bytes.get(end + 1 + name) == Some(&b'='))
                    || end + 1 >= bytes.len()
                {
                    break;
                }
            }
            _ => {}
        }
        end += 1;
    }
    while end > start
        && matches!(
            bytes[end - 1],
            b'.' | b':' | b'!' | b'?' | b')' | b']' | b'}' | b'>' | b'*' | b'_'
        )
    {
        let closes = matches!(bytes[end - 1], b')' | b']' | b'}' | b'>');
        let open = match bytes[end - 1] {
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => b'<',
        };
        if closes && bytes[start..end].contains(&open) {
            break;
        }
        // `!` ends a sentence or a password; a password has other signs before it.
        if bytes[end - 1] == b'!'
            && bytes[start..end - 1].iter().any(u8::is_ascii_digit)
            && (end >= bytes.len() || bytes[end] != b' ')
        {
            break;
        }
        end -= 1;
    }
    end
}

/// Decides whether the value is a secret, and records it.
fn judge(
    scan: &mut Scan<'_>,
    kind: Kind,
    tie: Tie,
    name_start: usize,
    name_end: usize,
    value_at: usize,
) {
    const JUDGED: usize = 1024;
    let (start, end, quoted) = match tie {
        Tie::Element => {
            let end = value_at
                + scan.bytes[value_at.min(scan.bytes.len())..]
                    .iter()
                    .take(4096)
                    .position(|byte| matches!(byte, b'<' | b'\n'))
                    .unwrap_or(0);
            (value_at, end, true)
        }
        _ => bounds(scan.bytes, value_at),
    };
    if start >= end {
        return;
    }
    let mut shown = end.min(start + JUDGED);
    while !scan.text.is_char_boundary(shown) {
        shown -= 1;
    }
    let value = scan.slice(start, shown);
    if value.is_empty() || is_placeholder(value) || is_template(value) {
        return;
    }
    let name = scan.slice(name_start, name_end);
    let called = !quoted && matches!(scan.bytes.get(end), Some(b'(' | b'['));
    if called || is_code_reference(value, quoted) {
        return;
    }
    let subject = Subject {
        kind,
        tie,
        quoted,
        is_upper_name: is_upper(name),
        value,
    };
    if subject.is_secret() {
        let class = vendor_class(&name.to_ascii_lowercase(), kind, value);
        scan.found(class, start, end);
    }
}

fn is_upper(name: &str) -> bool {
    name.len() >= 3 && !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// `config.password`, `getToken()`, `req.headers["x"]`, `SOME_NAME`: code that fetches a value.
fn is_code_reference(value: &str, quoted: bool) -> bool {
    if quoted {
        return value.starts_with("Bearer ") && is_placeholder(&value[7..]);
    }
    let bytes = value.as_bytes();
    let opens = value.find(['(', '[', '{']).filter(|at| {
        *at > 0
            && bytes[..*at]
                .iter()
                .all(|byte| is_in(WORD | DOT, *byte) || *byte == b':')
    });
    if opens.is_some_and(|at| is_wordy(&value[..at])) {
        return true;
    }
    let is_name = bytes
        .iter()
        .all(|byte| is_in(WORD | DOT, *byte) || matches!(byte, b':' | b'?' | b'>' | b'-' | b'$'));
    is_name && bytes[0].is_ascii_alphabetic() && value.contains(['.', ':', '>']) && is_wordy(value)
}

struct Subject<'a> {
    kind: Kind,
    tie: Tie,
    quoted: bool,
    is_upper_name: bool,
    value: &'a str,
}

impl Subject<'_> {
    fn is_secret(&self) -> bool {
        if is_measure(self.value) || is_path(self.value) || is_prose(self.value) {
            return false;
        }
        match (self.kind, self.tie) {
            (_, Tie::Prose) => self.is_plain_in_prose(),
            (_, Tie::Literal) if !self.quoted => false,
            (Kind::Password, _) => self.is_password(),
            (Kind::Passphrase, _) => self.is_passphrase() || self.is_password(),
            (Kind::Signature, _) => self.value.len() >= 20 && looks_random(self.value),
            (Kind::Session, _) => !is_uuid(self.value) && self.is_generated(),
            (Kind::Auth, _) => self.value.len() >= 12 && looks_random(self.value),
            (Kind::Dsn, _) => {
                self.quoted
                    && self.value.contains('@')
                    && self.value.contains(':')
                    && !self.value.contains("://")
            }
            _ => self.is_generated() || (self.is_set_by_hand() && self.is_passphrase_like()),
        }
    }

    /// In a sentence only what cannot be a word counts: long noise, or a password with all kinds of characters.
    fn is_plain_in_prose(&self) -> bool {
        let bytes = self.value.as_bytes();
        let digits = bytes.iter().any(u8::is_ascii_digit);
        let lower = bytes.iter().any(u8::is_ascii_lowercase);
        let upper = bytes.iter().any(u8::is_ascii_uppercase);
        let sign = bytes.iter().any(|byte| {
            matches!(
                byte,
                b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'?' | b'~'
            )
        });
        match self.kind {
            Kind::Password | Kind::Passphrase | Kind::Credential => {
                let kinds = usize::from(digits)
                    + usize::from(lower || upper)
                    + usize::from(upper && lower)
                    + usize::from(sign);
                bytes.len() >= 6
                    && digits
                    && (kinds >= 3
                        || looks_random(self.value)
                        || (!is_wordy(self.value) && lower && bytes.len() >= 8))
                    && hex_length(self.value).is_none_or(|length| length != 40 && length != 64)
                    && !is_uuid(self.value)
                    && !self.value.contains('(')
                    || (bytes.len() >= 6
                        && digits
                        && lower
                        && self.value.bytes().all(|byte| byte.is_ascii_alphanumeric())
                        && !self.names_something())
            }
            Kind::Token | Kind::Secret | Kind::Key => {
                bytes.len() >= 20
                    && looks_random(self.value)
                    && hex_length(self.value).is_none_or(|length| length == 32 || length == 48)
                    && !is_uuid(self.value)
                    && !self.value.contains(['(', '/', ':'])
            }
            _ => false,
        }
    }

    /// `sha256`, `utf8`, `base64`, `oauth2`: a word with a number that everybody knows.
    fn names_something(&self) -> bool {
        let lower = self.value.to_ascii_lowercase();
        [
            "sha", "md5", "utf", "base", "oauth", "pbkdf", "argon", "bcrypt", "aes", "rsa", "http",
            "ipv", "x509", "v", "step", "h2", "ed255", "u2f", "rfc", "pkcs", "s3", "ec2", "k8s",
            "python", "es20",
        ]
        .iter()
        .any(|start| lower.starts_with(start))
    }

    fn is_password(&self) -> bool {
        let value = self.value;
        let bytes = value.as_bytes();
        if bytes.len() < 4 {
            return false;
        }
        let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
        let signs = bytes.iter().any(|byte| {
            matches!(
                byte,
                b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'~'
            )
        });
        if digits == bytes.len() {
            return digits >= 6;
        }
        if is_wordy(value) && names_a_secret(value) && !(digits >= 1 || signs) {
            return false;
        }
        if digits > 0 || signs {
            // `arg1`, `password2` in code are names; in a quote or a dotenv line they are values.
            let is_name = !self.quoted
                && self.tie != Tie::Equals
                && names_a_secret(value)
                && digits <= 1
                && !signs;
            let is_code = !self.quoted
                && !self.is_upper_name
                && names_a_secret(value)
                && digits <= 1
                && !signs;
            return !is_name && !is_code && !self.names_something_exactly();
        }
        self.is_set_by_hand() && bytes.len() >= 6 && !(is_wordy(value) && names_a_secret(value))
            || (self.quoted && self.is_passphrase_like())
    }

    fn names_something_exactly(&self) -> bool {
        matches!(
            self.value.to_ascii_lowercase().as_str(),
            "sha256"
                | "sha512"
                | "sha1"
                | "md5"
                | "argon2"
                | "argon2id"
                | "oauth2"
                | "base64"
                | "utf8"
                | "pbkdf2"
                | "varchar(255)"
        )
    }

    fn is_passphrase(&self) -> bool {
        self.value.len() >= 8
            && (self.quoted || self.tie == Tie::Equals || self.tie == Tie::Colon)
            && !names_a_secret(self.value)
            && (self.quoted || !is_wordy(self.value) || self.is_upper_name)
    }

    /// Several words, joined or not, none of which names a secret: `correct-horse-battery-staple`.
    fn is_passphrase_like(&self) -> bool {
        let words = self
            .value
            .split([' ', '-', '_', '.'])
            .filter(|word| word.len() >= 3)
            .count();
        matches!(self.kind, Kind::Password | Kind::Passphrase)
            && words >= 3
            && !names_a_secret(self.value)
    }

    /// A literal in quotes, or a line of a dotenv file or a shell.
    fn is_set_by_hand(&self) -> bool {
        self.quoted || (self.tie == Tie::Equals && self.is_upper_name)
    }

    /// Tokens and keys: noise of some length.
    fn is_generated(&self) -> bool {
        let value = self.value;
        let shortest = if self.quoted || self.tie == Tie::Equals {
            8
        } else {
            10
        };
        if value.len() < shortest
            || value.bytes().all(|byte| byte.is_ascii_digit())
            || value.contains(' ')
        {
            return false;
        }
        if looks_random(value) {
            return true;
        }
        // Words and digits under a firm key: `supersecret123`, `s3cr3t-key-9000`.
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        digits >= 2 && !is_wordy(value)
            || (digits >= 3
                && self.is_set_by_hand()
                && value.len() >= 10
                && !value.contains(['/', ':', '.']))
            || (self.kind == Kind::Secret
                && self.is_set_by_hand()
                && digits >= 1
                && value.len() >= 10
                && !value.contains(['/', ':', '.', '-', '_']))
    }
}
