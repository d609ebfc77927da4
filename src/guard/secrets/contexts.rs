//! Secrets known by their place or their structure: URLs, headers, key blocks, signed tokens, card numbers, addresses.

use super::Scan;
use super::commands;
use super::shape::{
    ALNUM, ANY64, BASE64, DASH, DOT, PERCENT, URL64, WORD, is_in, run_length, run_length_before,
};
use super::value::{
    decode_base64, is_measure, is_placeholder, is_template, is_wordy, looks_random,
};

/// Code that runs where its anchor stands.
pub(super) type Rule = fn(&mut Scan<'_>, usize);

/// Anchors of this module and of [`commands`] whose case does not matter.
pub(super) const FOLDED: &[(&str, Rule)] = &[
    ("@tcp(", data_source),
    ("@unix(", data_source),
    ("bearer ", scheme),
    ("basic ", scheme),
    ("ssws ", scheme),
    ("curl ", commands::command_user),
    ("http ", commands::command_user),
    ("https ", commands::command_user),
    ("wget ", commands::command_user),
    ("mysql", commands::command_password),
    ("mariadb", commands::command_password),
    ("sshpass ", commands::command_password),
    ("docker login", commands::command_password),
    ("redis-cli ", commands::command_password),
    ("ldapsearch ", commands::command_password),
    ("identified by ", commands::identified_by),
    ("auth=(", commands::user_and_password),
    ("basic_auth(", commands::user_and_password),
    ("basicauth(", commands::user_and_password),
];

/// Base64 of the first two digits of a numeric id, which is how every Discord bot token begins.
pub(super) const DISCORD_HEADS: &str = "\
    MDA MDE MDI MDM MDQ MDU MDY MDc MDg MDk MTA MTE MTI MTM MTQ MTU MTY MTc MTg MTk MjA MjE MjI MjM MjQ \
    MjU MjY Mjc Mjg Mjk MzA MzE MzI MzM MzQ MzU MzY Mzc Mzg Mzk NDA NDE NDI NDM NDQ NDU NDY NDc NDg NDk \
    NTA NTE NTI NTM NTQ NTU NTY NTc NTg NTk NjA NjE NjI NjM NjQ NjU NjY Njc Njg Njk NzA NzE NzI NzM NzQ \
    NzU NzY Nzc Nzg Nzk ODA ODE ODI ODM ODQ ODU ODY ODc ODg ODk OTA OTE OTI OTM OTQ OTU OTY OTc OTg OTk";

/// `header.payload.signature`, each URL-safe Base64, the first an object that begins with `{"`.
pub(super) fn json_web_token(scan: &mut Scan<'_>, at: usize) {
    const LONGEST: usize = 16 * 1024;
    if !scan.is_word_start(at) {
        return;
    }
    let header = run_length(scan.bytes, at, URL64, LONGEST);
    let payload_at = at + header + 1;
    if header < 12 || scan.bytes.get(at + header) != Some(&b'.') {
        return;
    }
    let payload = run_length(scan.bytes, payload_at, URL64, LONGEST);
    if payload < 8
        || has_dots(scan.bytes, payload_at + payload)
        || !decodes_to_object(scan.slice(at, at + header))
    {
        return;
    }
    let mut end = payload_at + payload;
    // The signature, and for an encrypted token two parts more.
    for _ in 0..3 {
        let length = run_length(scan.bytes, end + 1, URL64, LONGEST);
        if scan.bytes.get(end) != Some(&b'.') || length < 4 {
            break;
        }
        end += 1 + length;
    }
    if !is_template(scan.slice(payload_at, payload_at + payload)) {
        scan.found("json-web-token", at, end);
    }
}

fn has_dots(bytes: &[u8], at: usize) -> bool {
    bytes[at..].starts_with(b"..")
}

fn decodes_to_object(header: &str) -> bool {
    decode_base64(header).is_some_and(|decoded| {
        decoded.starts_with(b"{\"") || decoded.starts_with(b"{ ") || decoded.starts_with(b"{\n")
    })
}

/// A PEM or PGP block that holds a private key: from its first line to its last, or, cut short, as far as its body goes.
pub(super) fn key_block(scan: &mut Scan<'_>, at: usize) {
    const LABEL: usize = 64;
    const LONGEST: usize = 64 * 1024;
    let label_at = at + "-----BEGIN ".len();
    let label: &[u8] = &scan.bytes[label_at..(label_at + LABEL).min(scan.bytes.len())];
    let Some(label_length) = label.windows(5).position(|window| window == b"-----") else {
        return;
    };
    let label = &label[..label_length];
    if !label.windows(11).any(|window| window == b"PRIVATE KEY") {
        return;
    }
    let body_at = label_at + label_length + 5;
    let end = match end_of_blocks(scan, body_at) {
        Some(end) if end - at <= LONGEST => {
            let tail = scan.bytes[end + 9..]
                .iter()
                .take(LABEL)
                .position(|byte| *byte == b'-')
                .unwrap_or(0);
            end + 9 + tail + run_length(scan.bytes, end + 9 + tail, DASH, 5)
        }
        _ => body_at + body_length(&scan.bytes[body_at..(body_at + LONGEST).min(scan.bytes.len())]),
    };
    let body = &scan.bytes[body_at..end];
    let longest = body
        .split(|byte| !is_in(BASE64, *byte))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    if longest >= 16
        && !is_template(
            scan.slice(body_at, end)
                .trim_matches(['\\', 'n', 'r', '\n', '\r', ' ']),
        )
    {
        scan.found("private-key", at, end);
    }
}

/// The next `-----END ` at or after `from`; remembered, so that many beginnings do not each search the whole text.
fn end_of_blocks(scan: &mut Scan<'_>, from: usize) -> Option<usize> {
    if let Some((searched, found)) = scan.block_end
        && searched <= from
        && found.is_none_or(|end| end >= from)
    {
        return found;
    }
    let found = scan
        .text
        .get(from..)
        .and_then(|rest| rest.find("-----END "))
        .map(|offset| from + offset);
    scan.block_end = Some((from, found));
    found
}

/// How much of `bytes` still belongs to the body of a key block without an end: Base64, white space, quotes, escapes.
fn body_length(bytes: &[u8]) -> usize {
    let mut last = 0;
    let mut run = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if is_in(BASE64, *byte) {
            run += 1;
            // A line of a key is long; a word of prose that follows is not.
            if run >= 16 || (run + 1 == index && last == 0) {
                last = index + 1;
            }
            continue;
        }
        // The escape `\n` puts a letter between two lines.
        if matches!(
            byte,
            b'\\' | b'\n' | b'\r' | b' ' | b'\t' | b'"' | b'\'' | b','
        ) {
            if last > 0 && run < 16 && run > 0 && index - last > 24 {
                break;
            }
            run = 0;
        } else {
            break;
        }
    }
    last
}

/// The private part of a PuTTY key file: the Base64 lines after `Private-Lines: n`.
pub(super) fn putty_key(scan: &mut Scan<'_>, at: usize) {
    let start = at + "Private-Lines:".len();
    let mut body = start;
    while body < scan.bytes.len() && matches!(scan.bytes[body], b' ' | b'0'..=b'9') {
        body += 1;
    }
    let length = body_length(&scan.bytes[body..(body + 16 * 1024).min(scan.bytes.len())]);
    let leading = scan.bytes[body..body + length]
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    scan.found("private-key", body + leading, body + length);
}

/// `id.time.signature`, the id being digits in Base64.
pub(super) fn discord_bot(scan: &mut Scan<'_>, at: usize) {
    if !scan.is_word_start(at) {
        return;
    }
    let id = run_length(scan.bytes, at, ALNUM, 40);
    if !(23..=28).contains(&id) || scan.bytes.get(at + id) != Some(&b'.') {
        return;
    }
    let time_at = at + id + 1;
    let time = run_length(scan.bytes, time_at, URL64, 12);
    if !(5..=7).contains(&time) || scan.bytes.get(time_at + time) != Some(&b'.') {
        return;
    }
    let signature = run_length(scan.bytes, time_at + time + 1, URL64, 64);
    if (24..=48).contains(&signature) {
        scan.found("discord-bot-token", at, time_at + time + 1 + signature);
    }
}

/// `scheme://user:password@host` and `scheme://token@host`: the part that is secret.
pub(super) fn url_userinfo(scan: &mut Scan<'_>, at: usize) {
    const LONGEST: usize = 1024;
    let scheme = run_length_before(scan.bytes, at, ALNUM | DASH | DOT, 32);
    if scheme == 0 && !(at > 0 && scan.bytes[at - 1] == b'+') {
        return;
    }
    let start = at + 3;
    let limit = (start + LONGEST).min(scan.bytes.len());
    let mut at_sign = None;
    for (offset, byte) in scan.bytes[start..limit].iter().enumerate() {
        match byte {
            b'@' => at_sign = Some(start + offset),
            b'/' | b' ' | b'\n' | b'\t' | b'\r' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\'
            | b',' | b'|' => {
                // `<password>` and `${VAR}` stand-ins hold signs that end other URLs.
                break;
            }
            b'?' | b'#' if is_port(&scan.bytes[start..start + offset]) => break,
            _ => {}
        }
    }
    let Some(end) = at_sign else { return };
    let userinfo = scan.slice(start, end);
    match userinfo.find(':') {
        Some(colon) => {
            let password = &userinfo[colon + 1..];
            let user = &userinfo[..colon];
            let is_stand_in =
                is_placeholder(password) || matches!(password, "x-oauth-basic" | "x-access-token");
            // The defaults of a container on this machine: `root:root@127.0.0.1`.
            if user == password && is_this_machine(&scan.bytes[end + 1..]) {
                return;
            }
            if password.is_empty() || is_stand_in {
                // `https://TOKEN:x-oauth-basic@host`
                if user.len() >= 16 && looks_random(user) && !is_template(user) {
                    scan.found("url-credentials", start, start + colon);
                }
            } else {
                scan.found("url-credentials", start + colon + 1, end);
            }
        }
        None if userinfo.len() >= 16 && looks_random(userinfo) && !is_template(userinfo) => {
            scan.found("url-credentials", start, end);
        }
        None => {}
    }
}

/// Whether a host, up to its port or path, is the machine itself.
fn is_this_machine(host: &[u8]) -> bool {
    ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"]
        .iter()
        .any(|name| {
            host.starts_with(name.as_bytes())
                && !host
                    .get(name.len())
                    .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        })
}

/// `user:password@tcp(host:3306)/database`, the data source of Go's MySQL driver.
pub(super) fn data_source(scan: &mut Scan<'_>, at: usize) {
    const LONGEST: usize = 128;
    let is_part = |byte: &u8| {
        !byte.is_ascii_whitespace() && !matches!(byte, b':' | b'"' | b'\'' | b'`' | b'/')
    };
    let length = scan.bytes[..at]
        .iter()
        .rev()
        .take(LONGEST)
        .take_while(|byte| is_part(byte))
        .count();
    let start = at - length;
    let follows_user =
        start >= 2 && scan.bytes[start - 1] == b':' && is_in(WORD, scan.bytes[start - 2]);
    if follows_user && !is_placeholder(scan.slice(start, at)) {
        scan.found("connection-string", start, at);
    }
}

/// `host:8080`: what came before cannot be a user and a password.
fn is_port(authority: &[u8]) -> bool {
    match authority.iter().rposition(|byte| *byte == b':') {
        Some(colon) => authority[colon + 1..].iter().all(u8::is_ascii_digit),
        None => true,
    }
}

/// `Bearer …`, `Basic …`, `SSWS …` anywhere.
pub(super) fn scheme(scan: &mut Scan<'_>, at: usize) {
    if scan.is_word_start(at) {
        credential_after_scheme(scan, at);
    }
}

/// Judges what follows an authentication scheme at `at`. Returns whether there is a known scheme.
pub(super) fn credential_after_scheme(scan: &mut Scan<'_>, at: usize) -> bool {
    const SCHEMES: &[&str] = &[
        "bearer",
        "basic",
        "token",
        "ssws",
        "apikey",
        "api-key",
        "key",
        "digest",
        "negotiate",
        "hawk",
    ];
    let word = run_length(scan.bytes, at, WORD | DASH, 24);
    let name = scan.slice(at, at + word).to_ascii_lowercase();
    if !SCHEMES.contains(&name.as_str()) || scan.bytes.get(at + word) != Some(&b' ') {
        return false;
    }
    let start = at
        + word
        + 1
        + scan.bytes[at + word + 1..]
            .iter()
            .take(4)
            .take_while(|byte| **byte == b' ')
            .count();
    let mut end = start
        + scan.bytes[start..]
            .iter()
            .take(8192)
            .take_while(|byte| {
                is_in(ANY64 | DOT | PERCENT, **byte)
                    || matches!(byte, b'~' | b':' | b'!' | b'*' | b'$' | b'{' | b'<')
            })
            .count();
    while end > start && matches!(scan.bytes[end - 1], b'.' | b':' | b'!' | b'*') {
        end -= 1;
    }
    let value = scan.slice(start, end);
    if value.len() < 8 || is_placeholder(value) {
        return true;
    }
    let genuine = match name.as_str() {
        // Basic carries `user:password` in Base64, which can be checked.
        "basic" => decode_base64(value).is_some_and(|decoded| {
            decoded.contains(&b':') && decoded.iter().all(|byte| (0x20..0x7f).contains(byte))
        }),
        _ => {
            looks_random(value)
                || (value.len() >= 12
                    && value.bytes().any(|byte| byte.is_ascii_digit())
                    && !is_wordy(value))
        }
    };
    if genuine {
        let class = if name == "basic" {
            "basic-authorization"
        } else {
            "bearer-token"
        };
        scan.found(class, start, end);
    }
    true
}

/// The rest of the line after `at`, at most 2,000 bytes.
pub(super) fn rest_of_line<'a>(scan: &Scan<'a>, at: usize) -> &'a str {
    let mut end = (at + 2000).min(scan.bytes.len());
    while !scan.text.is_char_boundary(end) {
        end -= 1;
    }
    let rest = scan.text.get(at..end).unwrap_or_default();
    rest.split('\n').next().unwrap_or_default()
}

/// The values of `name=value; name=value` from `at` on; attributes of the cookie itself and plain words stay.
pub(super) fn cookie_values(scan: &mut Scan<'_>, at: usize) {
    const ATTRIBUTES: &str =
        "path domain expires max-age samesite httponly secure priority partitioned version comment";
    let line_end = at + rest_of_line(scan, at).len();
    let mut from = at;
    while from < line_end {
        let pair_end = scan.bytes[from..line_end]
            .iter()
            .position(|byte| matches!(byte, b';' | b'"' | b'\'' | b'`'))
            .map_or(line_end, |offset| from + offset);
        let pair = scan.slice(from, pair_end);
        if let Some(equals) = pair.find('=') {
            let name = pair[..equals].trim().to_ascii_lowercase();
            let value = &pair[equals + 1..];
            let length = value
                .find([' ', ',', ')', '}', '\\'])
                .unwrap_or(value.len());
            let value = value[..length].trim_end_matches('.');
            let is_attribute = ATTRIBUTES.split(' ').any(|attribute| attribute == name);
            let is_session = [
                "sess", "sid", "token", "auth", "jwt", "csrf", "xsrf", "remember", "login",
            ]
            .iter()
            .any(|part| name.contains(part));
            let digits = value.bytes().any(|byte| byte.is_ascii_digit());
            let telling = looks_random(value)
                || (is_session && value.len() >= 6 && (digits || !is_wordy(value)));
            if !is_attribute
                && !name.contains(' ')
                && telling
                && !is_placeholder(value)
                && !is_measure(value)
            {
                scan.found("cookie", from + equals + 1, from + equals + 1 + value.len());
            }
        }
        if pair_end < line_end && scan.bytes[pair_end] != b';' {
            return;
        }
        from = pair_end + 1;
    }
}
