//! Credentials on command lines and in calls: `curl -u`, `mysql -p`, `auth=(…)`, `IDENTIFIED BY`.

use super::Scan;
use super::assign::value_bounds;
use super::contexts::{cookie_values, rest_of_line};
use super::value::{is_placeholder, looks_random};

/// `curl -u user:password`, `--user user:password`, `http -a user:password`.
pub(super) fn command_user(scan: &mut Scan<'_>, at: usize) {
    let line = rest_of_line(scan, at);
    for flag in [" -b ", " --cookie "] {
        if let Some(offset) = line.find(flag) {
            let value_at = at + offset + flag.len();
            let quote = usize::from(matches!(scan.bytes.get(value_at), Some(b'"' | b'\'')));
            cookie_values(scan, value_at + quote);
        }
    }
    for flag in [
        " -u ",
        " -u",
        " --user ",
        " --user=",
        " -a ",
        " --auth ",
        " --auth=",
        " --proxy-user ",
        " -U ",
    ] {
        for (offset, _) in line.match_indices(flag).take(4) {
            let value_at = at + offset + flag.len();
            let (start, end) = value_bounds(scan.bytes, value_at);
            let Some(colon) = scan.slice(start, end).find(':') else {
                continue;
            };
            let password = scan.slice(start + colon + 1, end);
            let is_number =
                password.bytes().all(|byte| byte.is_ascii_digit()) && password.len() < 6;
            if password.len() >= 3
                && !is_number
                && !password.starts_with("//")
                && !is_placeholder(password)
            {
                scan.found("basic-authorization", start + colon + 1, end);
            } else if password.is_empty() && looks_random(scan.slice(start, start + colon)) {
                // `curl -u API_KEY:` sends the key as the user.
                scan.found("basic-authorization", start, start + colon);
            }
        }
    }
}

/// `auth=("user", "password")`, `HTTPBasicAuth("user", "password")`.
pub(super) fn user_and_password(scan: &mut Scan<'_>, at: usize) {
    let line = rest_of_line(scan, at);
    let Some(open) = line.find('(') else { return };
    let (_, user_end) = value_bounds(scan.bytes, at + open + 1);
    let Some(comma) = scan
        .slice(user_end, at + line.len())
        .find(',')
        .filter(|comma| *comma <= 2)
    else {
        return;
    };
    let after = user_end + comma + 1;
    let spaces = run_of_spaces(scan.bytes, after);
    let (start, end) = value_bounds(scan.bytes, after + spaces);
    let quoted = matches!(scan.bytes[start - 1], b'"' | b'\'');
    let password = scan.slice(start, end);
    if quoted && password.len() >= 4 && !is_placeholder(password) {
        scan.found("basic-authorization", start, end);
    }
}

fn run_of_spaces(bytes: &[u8], at: usize) -> usize {
    bytes[at.min(bytes.len())..]
        .iter()
        .take_while(|byte| **byte == b' ')
        .count()
}

/// `mysql -pPASSWORD`, `sshpass -p PASSWORD`, `docker login -p PASSWORD`, `redis-cli -a PASSWORD`.
pub(super) fn command_password(scan: &mut Scan<'_>, at: usize) {
    let line = rest_of_line(scan, at);
    let glued = line.starts_with("mysql") || line.starts_with("mariadb");
    let flags: &[&str] = if line.starts_with("redis") {
        &[" -a "]
    } else if line.starts_with("ldap") {
        &[" -w "]
    } else if glued {
        &[" -p"]
    } else {
        &[" -p ", " -p"]
    };
    for flag in flags {
        for (offset, _) in line.match_indices(flag).take(2) {
            let value_at = at + offset + flag.len();
            if scan
                .bytes
                .get(value_at)
                .is_none_or(|byte| matches!(byte, b' ' | b'-'))
            {
                continue;
            }
            let (start, end) = value_bounds(scan.bytes, value_at);
            let value = scan.slice(start, end);
            if value.len() >= 4
                && !is_placeholder(value)
                && !value.bytes().all(|byte| byte.is_ascii_digit())
                && (!glued || !value.starts_with("assword"))
            {
                scan.found("password", start, end);
            }
        }
    }
}

/// SQL: `CREATE USER x IDENTIFIED BY 'password'`.
pub(super) fn identified_by(scan: &mut Scan<'_>, at: usize) {
    let (start, end) = value_bounds(scan.bytes, at + "identified by ".len());
    let value = scan.slice(start, end);
    let quoted = start > 0 && matches!(scan.bytes[start - 1], b'\'' | b'"');
    if quoted && value.len() >= 4 && !is_placeholder(value) {
        scan.found("password", start, end);
    }
}
