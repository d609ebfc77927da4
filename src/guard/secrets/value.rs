//! Judging a value: is it a placeholder, a reference, ordinary words, or something that looks made by a machine?

use super::shape::{ALNUM, DIGIT, HEX_ANY, LETTER, is_in};

/// Words that stand where a secret would stand, compared after dropping everything but letters and digits.
const PLACEHOLDER_WORDS: &str = "\
    accesstoken any apikey arguments asdf auto bar basic baz bearer bool boolean bytes censored changeit \
    changeme char confidential config credentials data default digest disabled dummy empty enabled encrypted env \
    example expired fake false field file foo foobar foobarbaz generated get here hidden hmac id inherit input int \
    integer invalid jwt key literal manual masked missing mypassword mysecret mytoken name negotiate new nil no none \
    notasecret notset ntlm null number oauth oauth2 object off old omitted on optional options output params pass \
    passwd password placeholder plain plaintext private prompt public pwd redacted removed replaceme request \
    required response revoked s3kret same sample secret secretkey self session settings some str string supersecret \
    tbd test testing text this todo token topsecret true type undefined unknown unset user username valid value \
    varchar void xxx yes yourpassword yoursecret yourtoken";

/// How a made-up stand-in begins.
const PLACEHOLDER_STARTS: &str = "\
    <your add- add_ change-me change_me changeme dummy enter example fake fixme foo- foo_ hidden insert invalid \
    masked mock my-app not-a not_a notareal placeholder put- put_ redacted removed replace sample secret-ref some- \
    some_ stub the- the_ todo your";

/// How a value begins that names a secret kept somewhere else.
const REFERENCE_STARTS: &str = "\
    $( ${ {{ {% <% #{ @{ @@ %( env: env( env. env[ os.environ os.getenv os.env process.env import.meta deno.env \
    bun.env system.getenv environment. getenv secrets. vars. vault: vault. op:// ref+ arn: ssm: sm:// !ref !sub \
    !vault !secret keyring getpass input( prompt( var. local. data. module. each. self. this. config. settings. \
    file: file( @microsoft.keyvault secretmanager gcp-secret awssm akv:// bws:// keychain: aws-sm:// enc[ sops: age1 \
    {cipher} b\" std::env env! option_env! $env: @env lookup( valuefrom";

/// Words whose presence tells a sentence from a passphrase.
const PROSE_WORDS: &str = "\
    a an and are as at be been but by can cannot characters contain does enter expired field for from has have if in \
    incorrect invalid is it least long mismatch missing must new no not of on only or please required short should \
    that the this to too type use used via was when will with without you your";

/// Words that make a wordy value the *name* of a secret.
const SECRET_WORDS: &str = "\
    auth bearer cookie credential dummy example key passphrase passwd password placeholder pwd secret session token";

fn is_listed(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Whether `value` is visibly not a real secret: a template, a variable, a mask, a stand-in word, a mark we left.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let value = value.trim();
    if is_template(value) {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    if PLACEHOLDER_STARTS
        .split(' ')
        .any(|start| lower.starts_with(start))
        && !looks_random(value)
    {
        return true;
    }
    if REFERENCE_STARTS
        .split(' ')
        .any(|start| lower.starts_with(start))
    {
        return true;
    }
    let letters: String = lower.chars().filter(char::is_ascii_alphanumeric).collect();
    is_listed(PLACEHOLDER_WORDS, &letters) && (letters.len() == value.len() || is_wordy(value))
}

/// Whether `value` is a mask, a template or a variable whatever its key: `***`, `<TOKEN>`, `${TOKEN}`, `$TOKEN`, `xxxx…`, `sk-...`.
pub(crate) fn is_template(value: &str) -> bool {
    let value = value.trim();
    let bytes = value.as_bytes();
    let Some(&first) = bytes.first() else {
        return true;
    };
    if bytes.iter().all(|byte| *byte == first) && (bytes.len() >= 3 || !is_in(ALNUM, first)) {
        return true;
    }
    if value.contains("***")
        || value.contains("•••")
        || value.contains("[REDACTED")
        || value.contains("[redacted")
    {
        return true;
    }
    if value.contains('…') || value.ends_with("...") || value.starts_with("...") {
        return true;
    }
    if has_filler(bytes) {
        return true;
    }
    match first {
        b'<' => value.contains('>') || value.len() < 40,
        b'{' | b'[' | b'(' => true,
        b'$' => {
            let rest = &bytes[1..];
            rest.first().is_some_and(|byte| {
                matches!(byte, b'{' | b'(' | b'_') || byte.is_ascii_alphabetic()
            }) && (matches!(rest[0], b'{' | b'(')
                || rest.iter().all(|byte| is_variable_byte(*byte)))
        }
        b'%' => bytes.len() > 1 && (bytes[bytes.len() - 1] == b'%' || bytes.len() <= 3),
        b'&' | b'*' | b'!' => {
            bytes.len() > 1
                && bytes[1..]
                    .iter()
                    .all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
        }
        _ => {
            value.contains("${")
                || value.contains("{{")
                || (value.contains('<') && value.ends_with('>'))
        }
    }
}

fn is_variable_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'>' | b'[' | b']' | b':')
}

/// A run that only a stand-in has: `xxxx`, `XXXX`, `****`, `0000000000`, `____`.
fn has_filler(bytes: &[u8]) -> bool {
    let mut run = 1;
    for pair in bytes.windows(2) {
        run = if pair[0].eq_ignore_ascii_case(&pair[1]) {
            run + 1
        } else {
            1
        };
        let needed = match pair[1] {
            b'x' | b'X' => 4,
            b'*' | b'#' | b'.' | b'?' => 3,
            b'0' => 12,
            _ => 16,
        };
        if run >= needed {
            return true;
        }
    }
    false
}

/// Splits at everything but letters and digits, at camelCase humps, and between letters and digits.
pub(crate) fn segments(value: &str) -> impl Iterator<Item = &str> {
    segment_bounds(value).map(|(start, end)| &value[start..end])
}

/// The same as byte offsets.
pub(crate) fn segment_bounds(value: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let bytes = value.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_in(ALNUM, bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_in(ALNUM, bytes[at]) && (at == start || !is_hump(bytes, at)) {
            at += 1;
        }
        (at > start).then_some((start, at))
    })
}

fn is_hump(bytes: &[u8], at: usize) -> bool {
    let (before, here) = (bytes[at - 1], bytes[at]);
    if before.is_ascii_digit() != here.is_ascii_digit() {
        return true;
    }
    if before.is_ascii_lowercase() && here.is_ascii_uppercase() {
        return true;
    }
    // The last capital of a run begins the next word: `APIKey` is `API`, `Key`.
    before.is_ascii_uppercase()
        && here.is_ascii_uppercase()
        && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)
}

/// Whether a reader would call `value` words rather than noise: names of files, functions, branches, services, sentences.
pub(crate) fn is_wordy(value: &str) -> bool {
    if !value.is_ascii() {
        return true;
    }
    let mut wordlike = 0;
    let mut noise = 0;
    for segment in segments(value) {
        let bytes = segment.as_bytes();
        if bytes[0].is_ascii_digit() {
            if bytes.len() > 4 {
                noise += bytes.len();
            } else {
                noise += bytes.len() / 2;
            }
        } else if bytes.len() >= 3 && is_pronounceable(bytes) {
            wordlike += bytes.len();
        } else if bytes.len() <= 2 {
            noise += 1;
        } else {
            noise += bytes.len();
        }
    }
    wordlike > 0 && wordlike >= noise * 4
}

/// A vowel at least every five letters, and no long run of them either.
fn is_pronounceable(letters: &[u8]) -> bool {
    let is_vowel = |byte: &u8| {
        matches!(
            byte.to_ascii_lowercase(),
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y'
        )
    };
    let vowels = letters.iter().filter(|byte| is_vowel(byte)).count();
    let longest = letters.split(is_vowel).map(<[u8]>::len).max().unwrap_or(0);
    // Past twenty letters it is an alphabet or noise.
    letters.len() <= 20
        && vowels * 6 >= letters.len()
        && vowels * 10 <= letters.len() * 8
        && longest <= 5
}

/// Whether `value` mixes letters and digits the way generated tokens do, and is not words.
pub(crate) fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let digits = bytes.iter().filter(|byte| is_in(DIGIT, **byte)).count();
    let letters = bytes.iter().filter(|byte| is_in(LETTER, **byte)).count();
    if letters == 0 || is_wordy(value) {
        return false;
    }
    if digits >= 2 && bytes.len() >= 8 {
        return entropy(bytes) >= 2.5;
    }
    // Without digits only a long string of mixed case can be told from a word.
    let humps = bytes
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    bytes.len() >= 16 && humps >= 3 && entropy(bytes) >= 3.2
}

/// Letters with a digit or with mixed case, and not words: enough beside a prefix that is rare by itself.
pub(crate) fn is_mixed(value: &str) -> bool {
    let bytes = value.as_bytes();
    let humps = bytes
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
        .count();
    (bytes.iter().any(u8::is_ascii_digit) || humps >= 2) && !is_wordy(value)
}

/// Shannon entropy in bits per byte.
pub(crate) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Whether a wordy value names a secret (`db-password`, `GITHUB_TOKEN`) rather than being one.
pub(crate) fn names_a_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    SECRET_WORDS.split(' ').any(|word| lower.contains(word))
}

/// Whether a text with spaces is a sentence about something, not a passphrase.
pub(crate) fn is_prose(value: &str) -> bool {
    value.contains(char::is_whitespace)
        && value
            .split(|character: char| !character.is_alphanumeric())
            .any(|word| is_listed(PROSE_WORDS, &word.to_ascii_lowercase()))
}

/// `550e8400-e29b-41d4-a716-446655440000`
pub(crate) fn is_uuid(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => is_in(HEX_ANY, *byte),
        })
}

/// The length of `value` when it is nothing but hexadecimal digits.
pub(crate) fn hex_length(value: &str) -> Option<usize> {
    value
        .bytes()
        .all(|byte| is_in(HEX_ANY, byte))
        .then_some(value.len())
}

/// Whether `value` reads as a path or a URL.
pub(crate) fn is_path(value: &str) -> bool {
    if value.contains("://") {
        return true;
    }
    let rooted = ["/", "./", "../", "~/", "~\\", ".\\", "\\\\"]
        .iter()
        .any(|start| value.starts_with(start))
        || (value.len() > 3 && value.as_bytes()[1] == b':' && value.as_bytes()[2] == b'\\');
    let slashes = value
        .bytes()
        .filter(|byte| matches!(byte, b'/' | b'\\'))
        .count();
    let wordy_parts = value
        .split(['/', '\\'])
        .filter(|part| !part.is_empty())
        .all(|part| is_wordy(part) || part.len() <= 3);
    (rooted && (wordy_parts || value.len() < 24)) || (slashes >= 1 && wordy_parts)
}

/// Whether the numbers of `value` are a date, a version, a duration, a size or a network address.
pub(crate) fn is_measure(value: &str) -> bool {
    let bytes = value.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return false;
    }
    let rest: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_digit())
        .collect();
    if rest.iter().all(|byte| {
        matches!(
            byte,
            b'.' | b'-' | b':' | b'/' | b'T' | b'Z' | b'+' | b',' | b'v' | b'_' | b' ' | b'%'
        )
    }) {
        return !rest.is_empty();
    }
    // `30s`, `512MB`, `1.5k`: a number and a short unit.
    let unit = bytes
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    unit <= 3
        && unit > 0
        && bytes[..bytes.len() - unit]
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && bytes.len() <= 8
}

/// Decodes standard or URL-safe Base64, padding optional. `None` when a byte is outside both alphabets.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bits = 0u32;
    let mut held = 0;
    let mut decoded = Vec::with_capacity(text.len() * 3 / 4);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(u8::try_from((bits >> held) & 0xff).expect("masked to one byte"));
        }
    }
    Some(decoded)
}

/// Luhn's check digit over ASCII digits; other bytes are skipped.
pub(crate) fn passes_luhn(bytes: &[u8]) -> bool {
    let mut sum = 0;
    for (index, byte) in bytes
        .iter()
        .rev()
        .filter(|byte| byte.is_ascii_digit())
        .enumerate()
    {
        let digit = u32::from(byte - b'0');
        sum += match (index % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        };
    }
    sum % 10 == 0
}

/// Whether the last six characters are the Base62 CRC-32 of those before them, as in GitHub's and npm's tokens.
pub(crate) fn has_base62_checksum(body: &str) -> bool {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let Some((payload, check)) = body
        .len()
        .checked_sub(6)
        .map(|at| body.as_bytes().split_at(at))
    else {
        return false;
    };
    let mut crc = !0u32;
    for byte in payload {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    let mut left = !crc;
    for expected in check.iter().rev() {
        if DIGITS[(left % 62) as usize] != *expected {
            return false;
        }
        left /= 62;
    }
    left == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known() {
        for value in [
            "<YOUR_TOKEN>",
            "${TOKEN}",
            "$TOKEN",
            "***",
            "changeme",
            "your-api-key",
            "process.env.X",
            "os.environ['X']",
            "sk-...",
            "xxxxxxxx",
            "[REDACTED:jwt]",
            "{{ secrets.TOKEN }}",
            "%PASSWORD%",
            "password",
            "null",
            "abc…",
            "getpass.getpass()",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
        for value in [
            "hunter2",
            "S3cure!Pass",
            "a8Fk2LmP9qRs",
            "p@ssw0rd1",
            "correcthorse",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn words_and_noise_are_told_apart() {
        for value in [
            "src_components_very_long_identifier_name_abc",
            "my-service-account",
            "getUserSessionToken",
            "feature/add-retry",
        ] {
            assert!(is_wordy(value), "{value}");
            assert!(!looks_random(value), "{value}");
        }
        for value in [
            "a8Fk2LmP9qRs",
            "d41d8cd98f00b204e9800998ecf8427e",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
        ] {
            assert!(looks_random(value), "{value}");
        }
    }

    #[test]
    fn checksums_follow_their_published_examples() {
        assert!(passes_luhn(b"4111 1111 1111 1111"));
        assert!(!passes_luhn(b"4111 1111 1111 1112"));
        // CRC-32 of "123456789" is 0xCBF43926, which is 3421780262 in decimal and 3jZRVK in Base62.
        assert!(has_base62_checksum(&format!(
            "123456789{}",
            base62(3_421_780_262)
        )));
        assert!(!has_base62_checksum("123456789000000"));
    }

    fn base62(mut value: u64) -> String {
        let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut out = [b'0'; 6];
        for slot in out.iter_mut().rev() {
            *slot = digits[(value % 62) as usize];
            value /= 62;
        }
        String::from_utf8(out.to_vec()).expect("ASCII digits")
    }

    #[test]
    fn base64_decodes_with_and_without_padding() {
        assert_eq!(
            decode_base64("dXNlcjpwYXNz").as_deref(),
            Some(&b"user:pass"[..])
        );
        assert_eq!(decode_base64("YQ==").as_deref(), Some(&b"a"[..]));
        assert_eq!(decode_base64("a b"), None);
    }
}
