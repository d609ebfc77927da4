//! What the signals of a range say of one item, as a row of bytes.

use super::container::{put_varint, take_bytes, take_varint};
use crate::domain::score::Tally;
use crate::domain::time::Timestamp;

/// Which form a row's time has.
const NO_TIME: u8 = 0;
/// Whole seconds since 1970, of a time in the form that is stored.
const SECONDS: u8 = 1;
const OTHER_TIME: u8 = 2;
const QUARANTINED: u8 = 1 << 2;
const RELEASED: u8 = 1 << 3;

/// A row: flags, counts as varints, the time. Whose row it is tells the hash of the id alone.
pub fn put(rows: &mut Vec<u8>, tally: &Tally) {
    let ts = tally.counts.last_ts.as_deref();
    let seconds = ts.and_then(stored_seconds);
    let form = match (ts, seconds) {
        (None, _) => NO_TIME,
        (_, Some(_)) => SECONDS,
        (_, None) => OTHER_TIME,
    };
    let state = [
        (tally.counts.quarantined, QUARANTINED),
        (tally.counts.released, RELEASED),
    ];
    let flags = state
        .iter()
        .filter(|(on, _)| *on)
        .fold(form, |flags, (_, flag)| flags | flag);
    rows.push(flags);
    for count in tally.counts.by_kind {
        put_varint(rows, count as u64);
    }
    put_varint(rows, tally.touches as u64);
    put_varint(rows, tally.recaptures as u64);
    match (ts, seconds) {
        (_, Some(seconds)) => put_varint(rows, seconds),
        (Some(ts), None) => {
            put_varint(rows, ts.len() as u64);
            rows.extend_from_slice(ts.as_bytes());
        }
        (None, None) => {}
    }
}

/// Seconds since 1970 of a time that is written just as we would write it.
fn stored_seconds(ts: &str) -> Option<u64> {
    let time = Timestamp::parse(ts)?;
    let seconds = u64::try_from(time.moment().timestamp()).ok()?;
    (time.to_text() == ts).then_some(seconds)
}

fn time_text(seconds: u64) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?;
    Some(Timestamp::new(moment).to_text())
}

/// Takes a row off the front. Its time costs most to read: only where it is wanted.
pub fn take(rows: &mut &[u8], with_time: bool) -> Tally {
    let mut tally = Tally::default();
    let flags = take_bytes(rows, 1).first().copied().unwrap_or_default();
    tally.counts.quarantined = flags & QUARANTINED != 0;
    tally.counts.released = flags & RELEASED != 0;
    for count in &mut tally.counts.by_kind {
        *count = take_varint(rows) as i64;
    }
    tally.touches = take_varint(rows) as i64;
    tally.recaptures = take_varint(rows) as i64;
    match flags & 0b11 {
        SECONDS => {
            let seconds = take_varint(rows);
            if with_time {
                tally.counts.last_ts = time_text(seconds);
            }
        }
        OTHER_TIME => {
            let length = take_varint(rows) as usize;
            let text = std::str::from_utf8(take_bytes(rows, length)).unwrap_or_default();
            tally.counts.last_ts = Some(text.to_owned());
        }
        _ => {}
    }
    tally
}
