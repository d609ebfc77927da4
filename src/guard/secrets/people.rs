//! What belongs to a person: payment cards and e-mail addresses.

use super::Scan;
use super::shape::{ALNUM, DASH, DIGIT, DOT, PERCENT, WORD, is_in, run_length, run_length_before};
use super::value::passes_luhn;

/// Payment card numbers: a network's leading digits and length, one grouping, a valid check digit, nothing adjoining.
pub(super) fn card_numbers(scan: &mut Scan<'_>) {
    const STRIDE: usize = 6;
    let mut at = 0;
    while at < scan.bytes.len() {
        if !scan.bytes[at].is_ascii_digit()
            && !scan.bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
        {
            at += STRIDE;
            continue;
        }
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
        let start = at
            - scan.bytes[..at]
                .iter()
                .rev()
                .take(64)
                .take_while(|byte| is_part(byte))
                .count();
        let end = at
            + scan.bytes[at..]
                .iter()
                .take(64)
                .take_while(|byte| is_part(byte))
                .count();
        cards_in(scan, start, end);
        at = end.max(at + 1) + 1;
    }
}

fn cards_in(scan: &mut Scan<'_>, start: usize, end: usize) {
    let mut from = start;
    while from < end {
        let begins = scan.bytes[from].is_ascii_digit()
            && (from == 0
                || !is_in(WORD | DOT | DASH, scan.bytes[from - 1])
                    && !matches!(scan.bytes[from - 1], b'#' | b'/' | b'+' | b'@'));
        let length = if begins {
            card_length(&scan.bytes[from..end])
        } else {
            None
        };
        let Some(length) = length else {
            from += 1;
            continue;
        };
        let stop = from + length;
        let closed = scan.bytes.get(stop).is_none_or(|byte| {
            !is_in(WORD | DASH, *byte)
                && *byte != b'/'
                && !(*byte == b'.' && scan.bytes.get(stop + 1).is_some_and(u8::is_ascii_digit))
        });
        if closed {
            scan.found("payment-card", from, stop);
        }
        from = stop;
    }
}

/// The length of a card number at the start of `bytes`: bare, or in groups of 4-4-4-4 or 4-6-5.
fn card_length(bytes: &[u8]) -> Option<usize> {
    let bare = run_length(bytes, 0, DIGIT, 20);
    let candidates: &[&[usize]] = match bare {
        14..=16 => &[],
        4 => &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]],
        _ => return None,
    };
    let mut length = bare;
    if bare == 4 {
        let separator = *bytes.get(4)?;
        length = candidates.iter().find_map(|groups| {
            let mut at = 0;
            for (index, group) in groups.iter().enumerate() {
                if index > 0 {
                    if bytes.get(at) != Some(&separator) {
                        return None;
                    }
                    at += 1;
                }
                if run_length(bytes, at, DIGIT, group + 1) != *group {
                    return None;
                }
                at += group;
            }
            Some(at)
        })?;
    }
    let digits: Vec<u8> = bytes[..length]
        .iter()
        .copied()
        .filter(u8::is_ascii_digit)
        .collect();
    // The number on every page about taking payments.
    const DOCUMENTED: [&[u8]; 1] = [b"4242424242424242"];
    if DOCUMENTED.contains(&digits.as_slice()) {
        return None;
    }
    let two = u32::from(digits[0] - b'0') * 10 + u32::from(digits[1] - b'0');
    let four = two * 100 + u32::from(digits[2] - b'0') * 10 + u32::from(digits[3] - b'0');
    let of_network = match digits.len() {
        16 => {
            matches!(two, 40..=49 | 51..=55 | 35 | 60 | 62 | 64 | 65)
                || (2221..=2720).contains(&four)
        }
        15 => matches!(two, 34 | 37),
        14 => matches!(two, 36 | 38 | 30),
        _ => false,
    };
    let varied = digits[4..].iter().any(|digit| *digit != digits[4]) || digits[0] != digits[4];
    (of_network && varied && passes_luhn(&digits)).then_some(length)
}

/// An e-mail address around the `@` at `at`, unless it documents, names a machine, or cannot be answered.
pub(super) fn email(scan: &mut Scan<'_>, at: usize) {
    const STAND_IN_DOMAINS: &str =
        "example domain yourdomain mydomain yourcompany foo bar placeholder email-domain";
    const RESERVED_ENDS: &str =
        "example test invalid localhost local internal lan home corp-example svc cluster";
    const NOT_TOP_LEVEL: &str = "png jpg jpeg gif svg webp ico js ts tsx jsx mjs cjs json css scss md mdx rs go java kt rb php c h cpp hpp cs html htm xml yaml yml toml lock txt log \
        service socket timer mount target path slice jar whl tgz zip gz tar exe dll so swift vue svelte sql csv";
    const NO_PERSON: &str =
        "noreply no-reply donotreply do-not-reply git hg svn bot mailer-daemon postmaster-noreply";
    // `package@1.2.3`, `@decorator`, `icon@2x.png`: seen before anything is read.
    if !scan
        .bytes
        .get(at + 1)
        .is_some_and(|byte| is_in(ALNUM, *byte))
        || at == 0
        || !is_in(WORD | DASH | DOT | PERCENT, scan.bytes[at - 1])
    {
        return;
    }
    let first_label = run_length(scan.bytes, at + 1, ALNUM | DASH, 64);
    if scan.bytes.get(at + 1 + first_label) != Some(&b'.')
        || run_length(scan.bytes, at + 1, DIGIT, 64) == first_label
    {
        return;
    }
    let local = run_length_before(scan.bytes, at, WORD | DASH | DOT | PERCENT, 65);
    let plus = scan.bytes[..at - local].last() == Some(&b'+');
    let start = if plus {
        at - local - 1 - run_length_before(scan.bytes, at - local - 1, WORD | DASH | DOT, 64)
    } else {
        at - local
    };
    let mut end = at + 1 + run_length(scan.bytes, at + 1, ALNUM | DASH | DOT, 254);
    while end > at && matches!(scan.bytes[end - 1], b'.' | b'-') {
        end -= 1;
    }
    if local == 0 || local > 64 || end <= at + 3 {
        return;
    }
    let start = start
        + scan.bytes[start..at]
            .iter()
            .take_while(|byte| matches!(byte, b'.' | b'-' | b'%'))
            .count();
    let name = scan.slice(start, at).to_ascii_lowercase();
    let domain = scan.slice(at + 1, end).to_ascii_lowercase();
    let labels: Vec<&str> = domain.split('.').collect();
    let Some((&top, rest)) = labels.split_last() else {
        return;
    };
    let Some(&second) = rest.last() else { return };
    let listed = |list: &str, word: &str| list.split_whitespace().any(|entry| entry == word);
    if name.is_empty()
        || top.len() < 2
        || !top.bytes().all(|byte| byte.is_ascii_lowercase())
        || listed(NOT_TOP_LEVEL, top)
        || listed(RESERVED_ENDS, top)
        || second.is_empty()
        || listed(STAND_IN_DOMAINS, second)
        || listed(NO_PERSON, &name)
        || domain == "users.noreply.github.com"
        || domain.contains("noreply")
        || name.contains("noreply")
        || name.starts_with("your")
    {
        return;
    }
    let before = start.checked_sub(1).map(|index| scan.bytes[index]);
    // `@user@instance`, `owner/repository@tag`, `//user:…@host`, a path, a longer word in another script.
    if matches!(before, Some(b'@' | b'/' | b':'))
        && !scan
            .slice(start.saturating_sub(7), start)
            .ends_with("mailto:")
        && !is_label_before(scan, start)
    {
        return;
    }
    // `user@host:path` and `ssh user@host` name a machine.
    let after = scan.bytes.get(end).copied();
    let follows_path = after == Some(b':')
        && scan
            .bytes
            .get(end + 1)
            .is_some_and(|byte| is_in(WORD | DOT, *byte) || matches!(byte, b'/' | b'~'));
    let line_before = scan
        .slice(floor_boundary(scan.text, start.saturating_sub(48)), start)
        .to_ascii_lowercase();
    let command = [
        "ssh ",
        "scp ",
        "sftp ",
        "rsync ",
        "mosh ",
        "ssh-copy-id ",
        "git clone ",
    ]
    .iter()
    .any(|word| {
        line_before.rfind(word).is_some_and(|found| {
            !line_before[found..].contains(['\n', '.', ',']) || line_before[found..].contains(" -")
        })
    });
    if follows_path || command || after == Some(b'/') || after == Some(b'(') {
        return;
    }
    scan.found("email", start, end);
}

/// `author:jane@…` is a label; `registry:user@…` of a URL is not.
fn is_label_before(scan: &Scan<'_>, start: usize) -> bool {
    start >= 2 && scan.bytes[start - 1] == b':' && scan.bytes[start - 2].is_ascii_alphabetic() && {
        let word = run_length_before(scan.bytes, start - 1, ALNUM | DASH, 32);
        let lead = start - 1 - word;
        lead < 2 || &scan.bytes[lead - 2..lead] != b"//"
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
