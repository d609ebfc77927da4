//! Whatever happens to the cache or to the logs behind its back: the same answers, no error, and a whole index again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self_learning::domain::fold::LogKind;
use serde_json::{Value, json};

use crate::crash::full_sweep;
use crate::index::{
    Answer, CARDS, Dice, Pair, Place, SIGNALS, append, ask, borrowed, lay_out, messy, same,
    segments, trouble,
};
use crate::support::write;

/// A messy store with an index of several segments, and a short tail.
fn indexed(folder: &Path, seed: u64) -> Place {
    let place = Place::new(&folder.join("place"));
    lay_out(&place, &messy(seed, 40), Some(3_000), 0.05, true);
    for store in [place.store(), place.global()] {
        assert_eq!(trouble(&store), None);
    }
    place
}

/// Questions to a store, with what they are answered without an index.
struct Questions(Vec<(Vec<String>, Answer)>);

impl Questions {
    fn of(place: &Place, seed: u64) -> Questions {
        let mut dice = Dice::new(seed);
        let mut lines: Vec<Vec<String>> = (0..2).map(|_| ask(&mut dice)).collect();
        for line in [
            "list --query retry --query timeout --min-confidence 0 --limit 0",
            "list --query uniqe --min-confidence 0",
            "review",
            "review --stale-days 1 --top-aha-limit 30 --recs-limit 30",
        ] {
            lines.push(line.split(' ').map(str::to_owned).collect());
        }
        let answered = lines.into_iter().map(|line| {
            let answer = place.streamed(&borrowed(&line));
            (line, answer)
        });
        Questions(answered.collect())
    }

    #[track_caller]
    fn check(&self, place: &Place, what: &dyn std::fmt::Debug) {
        for number in 0..self.0.len() {
            self.check_one(place, number, what);
        }
    }

    #[track_caller]
    fn check_one(&self, place: &Place, number: usize, what: &dyn std::fmt::Debug) {
        let (line, answer) = &self.0[number % self.0.len()];
        same(&place.indexed(&borrowed(line)), answer, &(what, line));
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(folder: &Path) -> Files {
    fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.file_name() != "lock")
        .map(|entry| (entry.path(), fs::read(entry.path()).expect("a file")))
        .collect()
}

/// The cache as it was.
fn restore(folder: &Path, files: &Files) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if !files.contains_key(&path) && entry.file_name() != "lock" {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
    for (path, bytes) in files {
        let _ = fs::remove_dir_all(path);
        let _ = fs::remove_file(path);
        write(path, bytes);
    }
}

fn record(place: &Place, title: &str) {
    let (code, _, stderr) = place.run(
        &["record", "--title", title, "--when", "it was damaged"],
        b"",
        Some(Some(1)),
    );
    assert_eq!(code, 0, "{stderr}");
}

/// A write or two later the index is whole and in use.
#[track_caller]
fn heals(place: &Place, what: &dyn std::fmt::Debug) {
    for number in 0..2 {
        record(
            place,
            &format!("healed {number} {what:?}").replace(['/', '"'], " "),
        );
    }
    assert_eq!(trouble(&place.store()), None, "{what:?}");
    Questions::of(place, 3).check(place, what);
}

#[test]
fn a_flipped_byte_anywhere_changes_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 11);
    let step = if full_sweep() { 13 } else { 401 };
    let mut dice = Dice::new(1);
    let (mut number, mut rounds) = (0, 0);
    for cache in [
        place.cache(),
        self_learning::store::index::folder(&place.global()),
    ] {
        let whole = files(&cache);
        let questions = Questions::of(&place, 2);
        questions.check(&place, &"whole");
        for (path, bytes) in &whole {
            let mut at = dice.below(step.min(bytes.len()));
            while at < bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << dice.below(8);
                write(path, &damaged);
                let what = (path.file_name(), at);
                for _ in 0..2 {
                    questions.check_one(&place, number, &what);
                    number += 1;
                }
                // Whoever finds damage may throw the index away.
                restore(&cache, &whole);
                at += 1 + dice.below(2 * step);
                rounds += 1;
            }
        }
    }
    assert!(rounds > 50, "{rounds}");
}

/// What becomes of a file of the cache.
fn damages(dice: &mut Dice, bytes: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let at = dice.below(bytes.len());
    let mut flipped = bytes.to_vec();
    if let Some(byte) = flipped.get_mut(at) {
        *byte ^= 0x40;
    }
    let mut magic = bytes.to_vec();
    if let Some(last) = magic.last_mut() {
        *last = last.wrapping_add(1);
    }
    vec![
        ("flipped", Some(flipped)),
        ("cut off", Some(bytes[..at].to_vec())),
        (
            "short of a byte",
            Some(bytes[..bytes.len().saturating_sub(1)].to_vec()),
        ),
        ("longer", Some([bytes, b"more"].concat())),
        ("empty", Some(Vec::new())),
        ("of another version", Some(magic)),
        ("zeros", Some(vec![0; bytes.len()])),
        ("gone", None),
    ]
}

#[test]
fn a_damaged_file_changes_no_answer_and_heals() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 12);
    // A board is kept from the second write on.
    heals(&place, &"the beginning");
    let mut dice = Dice::new(5);
    let names: Vec<&str> = vec![
        "manifest.json",
        "board.json",
        "aha_cards-*.seg",
        "aha_cards-*.dead",
        "signals-*.seg",
        "recommendations-*.seg",
        "recommendations-*.dead",
        "events-*.seg",
    ];
    for name in names {
        for kind in 0..8 {
            let cache = place.cache();
            let all = files(&cache);
            let fits = |path: &&PathBuf| {
                let own = path.file_name().expect("a name").to_string_lossy();
                match name.split_once('*') {
                    Some((start, end)) => own.starts_with(start) && own.ends_with(end),
                    None => own == name,
                }
            };
            let found: Vec<&PathBuf> = all.keys().filter(fits).collect();
            assert!(!found.is_empty(), "{name} in {:?}", all.keys());
            let path = found[dice.below(found.len())].clone();
            let (what, bytes) = damages(&mut dice, &all[&path]).swap_remove(kind);
            match bytes {
                Some(bytes) => write(&path, bytes),
                None => fs::remove_file(&path).expect("removed"),
            }
            let what = (name, what);
            Questions::of(&place, kind as u64).check(&place, &what);
            heals(&place, &what);
        }
    }
}

#[test]
fn swapped_files_and_strangers_in_the_cache_change_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 13);
    heals(&place, &"the beginning");
    let cache = place.cache();
    let whole = files(&cache);
    let paths: Vec<&PathBuf> = whole.keys().collect();
    let mut dice = Dice::new(8);
    let questions = Questions::of(&place, 4);
    for _ in 0..if full_sweep() { 200 } else { 12 } {
        let (one, other) = (dice.of(&paths), dice.of(&paths));
        write(one, &whole[other]);
        write(other, &whole[one]);
        questions.check(&place, &("swapped", one, other));
        restore(&cache, &whole);
    }
    // An older state of the whole cache, and the cache of another store.
    record(&place, "the cache falls behind");
    restore(&cache, &whole);
    Questions::of(&place, 5).check(&place, &"an older cache");
    heals(&place, &"an older cache");
    let other = indexed(&folder.path().join("other"), 14);
    restore(&cache, &Files::new());
    for (path, bytes) in files(&other.cache()) {
        write(&cache.join(path.file_name().expect("a name")), bytes);
    }
    Questions::of(&place, 6).check(&place, &"the cache of another store");
    heals(&place, &"the cache of another store");
    // Folders where files are expected.
    for name in ["manifest.json", "board.json", "x", "y.seg", "z.tmp"] {
        let whole = files(&cache);
        let _ = fs::remove_file(cache.join(name));
        fs::create_dir_all(cache.join(name).join("deep")).expect("a folder");
        Questions::of(&place, 7).check(&place, &name);
        record(&place, &format!("beside the folder {name}"));
        Questions::of(&place, 8).check(&place, &name);
        restore(&cache, &whole);
        heals(&place, &name);
    }
}

#[test]
fn damage_to_any_page_of_a_large_segment_changes_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(&folder.path().join("place"));
    let mut log = String::new();
    for number in 0..1_500 {
        let title = if number % 37 == 0 { "rare" } else { "plain" };
        log.push_str(&format!("{{\"id\": \"aha_{number:x}\", \"title\": \"{title} {}\", \"ts\": \"2026-01-01T00:00:00Z\"}}\n", number % 11));
    }
    place.append(CARDS, log.as_bytes());
    let global = log.lines().step_by(37).map(|line| format!("{line}\n"));
    append(
        &place.global().dir.join(CARDS),
        global.collect::<String>().as_bytes(),
    );
    place.catch_up(1);
    assert_eq!(segments(&place.store(), LogKind::Cards), 1);
    let question = [
        "list",
        "--query",
        "rare",
        "--min-confidence",
        "0",
        "--limit",
        "0",
    ];
    let expected = place.streamed(&question);
    assert!(
        expected.1.contains("\"total\": 41"),
        "each once: {}",
        &expected.1[..300]
    );
    same(&place.indexed(&question), &expected, &"whole");
    let cache = place.cache();
    let whole = files(&cache);
    for (path, bytes) in whole.iter().filter(|(_, bytes)| bytes.len() > 4096) {
        for page in 0..bytes.len() / 4096 {
            let mut damaged = bytes.clone();
            damaged[page * 4096 + 17] ^= 1;
            write(path, damaged);
            same(&place.indexed(&question), &expected, &page);
            restore(&cache, &whole);
        }
    }
}

/// Puts other bytes in the place of a log: the same file, another one of the name, or nothing.
fn replace(path: &Path, bytes: &[u8]) {
    let other = path.with_extension("other");
    write(&other, bytes);
    fs::rename(other, path).expect("renamed");
}

/// Overwrites bytes in place and puts the time of the last change back.
fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    // The system's clock for files ticks only every few milliseconds.
    std::thread::sleep(Duration::from_millis(30));
    let before = fs::metadata(path)
        .expect("a log")
        .modified()
        .expect("a time");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("a log");
    file.seek(SeekFrom::Start(at as u64)).expect("a place");
    file.write_all(bytes).expect("written");
    file.set_modified(before).expect("a time");
}

/// A change to a log that nobody told the index of.
type Change = (&'static str, fn(&Path, &[u8], &[u8]));

/// Each gets the log's path, its bytes, and other bytes.
const CHANGES: [Change; 15] = [
    ("appended", |path, _, other| {
        append(path, &[other, b"\n"].concat())
    }),
    ("appended without an end", |path, _, other| {
        append(path, other)
    }),
    ("replaced by a copy", |path, bytes, _| replace(path, bytes)),
    ("replaced by a longer one", |path, bytes, other| {
        replace(path, &[other, b"\n", bytes].concat())
    }),
    ("replaced by another one", |path, bytes, _| {
        replace(path, &reversed(bytes))
    }),
    ("taken away and written again", |path, bytes, _| {
        fs::remove_file(path).expect("removed");
        write(path, reversed(bytes));
    }),
    ("emptied", |path, _, _| write(path, b"")),
    ("cut in half", |path, bytes, _| {
        write(path, &bytes[..bytes.len() / 2])
    }),
    ("cut short by a byte", |path, bytes, _| {
        write(path, &bytes[..bytes.len() - 1])
    }),
    ("cut and grown again", |path, bytes, other| {
        write(path, &bytes[..bytes.len() / 3]);
        append(path, b"\n");
        while fs::metadata(path).expect("a log").len() < bytes.len() as u64 {
            append(path, &[other, b"\n"].concat());
        }
    }),
    ("written in place in another order", |path, bytes, _| {
        write(path, reversed(bytes))
    }),
    ("a letter changed in place", |path, bytes, _| {
        let at = memchr::memmem::find(bytes, b"title").or(memchr::memmem::find(bytes, b"aha_used"));
        overwrite(path, at.unwrap_or(bytes.len() / 4) + 1, b"x");
    }),
    ("a line end taken away in place", |path, bytes, _| {
        let at =
            memchr::memchr(b'\n', &bytes[bytes.len() / 2..]).expect("a line") + bytes.len() / 2;
        overwrite(path, at, b" ");
    }),
    ("removed", |path, _, _| {
        fs::remove_file(path).expect("removed")
    }),
    ("a folder in its place", |path, _, _| {
        fs::remove_file(path).expect("removed");
        fs::create_dir(path).expect("a folder");
    }),
];

/// The same lines the other way round.
fn reversed(bytes: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    lines.reverse();
    lines.concat()
}

#[test]
fn logs_that_others_change_are_read_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 21);
    let begun: Vec<(LogKind, Vec<u8>)> = LogKind::ALL
        .map(|kind| (kind, fs::read(place.store().log_path(kind)).expect("a log")))
        .into();
    for (name, change) in CHANGES {
        for (number, kind) in LogKind::ALL.into_iter().take(4).enumerate() {
            // All logs as in the beginning, and an index of them.
            for (kind, bytes) in &begun {
                let path = place.store().log_path(*kind);
                let _ = fs::remove_dir(&path);
                write(&path, bytes);
                append(&path, b"\n");
            }
            place.catch_up(1);
            assert_eq!(trouble(&place.store()), None);
            let path = place.store().log_path(kind);
            let bytes = fs::read(&path).expect("a log");
            let other = format!(
                "{{\"id\": \"other_{number}\", \"title\": \"retry the other\", \"kind\": \"aha_used\", \"aha_id\": \"aha_0000000000000007\", \"ts\": \"2026-02-02T00:00:00Z\"}}"
            );
            change(&path, &bytes, other.as_bytes());
            let what = (name, kind);
            let questions = Questions::of(&place, number as u64);
            questions.check(&place, &what);
            for (line, answer) in &questions.0 {
                same(
                    &place.run(&borrowed(line), b"", Some(Some(1))),
                    answer,
                    &what,
                );
            }
            if path.is_file() {
                heals(&place, &what);
            }
        }
    }
}

#[test]
fn logs_changed_between_writes_leave_the_same_store() {
    for (name, change) in CHANGES {
        let mut pair = Pair::new(Some(1));
        pair.lay_out(&messy(31, 30));
        for (number, file) in [CARDS, SIGNALS, "recommendations.jsonl"]
            .into_iter()
            .enumerate()
        {
            pair.at(&format!("2026-03-0{}T00:00:00Z", number + 3));
            pair.run(
                &[
                    "record",
                    "--title",
                    &format!("before {number}"),
                    "--when",
                    "now",
                ],
                b"",
            );
            pair.run(&["use", "--aha", "aha_0000000000000007"], b"");
            let folder_in_place = name == "a folder in its place";
            for place in [&pair.off, &pair.on] {
                let path = place.log(file);
                let bytes = fs::read(&path).expect("a log");
                change(&path, &bytes, b"{\"id\": \"aha_other\", \"title\": \"the other\", \"ts\": \"2026-02-02T00:00:00Z\"}");
            }
            let what = [
                "record",
                "--title",
                &format!("after {number}"),
                "--when",
                "now",
            ];
            pair.run(&what, b"");
            pair.run(
                &["edit", "--id", "aha_0000000000000007", "--add-tag", name],
                b"",
            );
            pair.run(&["rec-status", "--id", "rec_1", "--status", "done"], b"");
            pair.run(
                &["use", "--aha", "aha_0000000000000007", "--context", "again"],
                b"",
            );
            pair.run(&["review"], b"");
            if folder_in_place {
                break;
            }
        }
    }
}

#[cfg(unix)]
fn pipe(path: &Path) {
    let path = std::ffi::CString::new(path.to_str().expect("text")).expect("no zero");
    // SAFETY: a valid string; the call touches nothing else.
    #[expect(unsafe_code, reason = "the standard library makes no pipes")]
    let made = unsafe { libc::mkfifo(path.as_ptr(), 0o600) };
    assert_eq!(made, 0);
}

/// Runs something that must come back soon.
#[track_caller]
fn soon<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(run()));
    receiver
        .recv_timeout(Duration::from_secs(10))
        .unwrap_or_else(|_| panic!("{what}: no answer"))
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = std::sync::Arc::new(indexed(folder.path(), 41));
    heals(&place, &"the beginning");
    let cache = place.cache();
    let whole = files(&cache);
    let questions = std::sync::Arc::new(Questions::of(&place, 1));
    for path in whole.keys() {
        fs::remove_file(path).expect("removed");
        pipe(path);
        let (own, asked) = (place.clone(), questions.clone());
        soon(&path.display().to_string(), move || {
            asked.check(&own, &"a pipe")
        });
        restore(&cache, &whole);
    }
    for name in ["manifest.json", "board.json", "new.seg", "new.tmp"] {
        let _ = fs::remove_file(cache.join(name));
        pipe(&cache.join(name));
        let own = place.clone();
        soon(name, move || {
            record(&own, &format!("beside the pipe {name}"))
        });
        restore(&cache, &whole);
    }
    for kind in [LogKind::Cards, LogKind::Signals, LogKind::Events] {
        let path = place.store().log_path(kind);
        let bytes = fs::read(&path).expect("a log");
        fs::remove_file(&path).expect("removed");
        pipe(&path);
        for arguments in [
            &["list", "--query", "retry"][..],
            &["record", "--title", "t", "--when", "w"],
            &["use", "--aha", "aha_0000000000000007"],
            &["review"],
        ] {
            for index_from in [None, Some(Some(1)), Some(None)] {
                let own = place.clone();
                let reads_it = !(kind == LogKind::Events && arguments[0] == "list");
                let (code, _, stderr) = soon(&format!("{kind:?} {arguments:?}"), move || {
                    own.run(arguments, b"", index_from)
                });
                assert_eq!(
                    (code, stderr.contains("it is no regular file")),
                    (u8::from(reads_it), reads_it),
                    "{kind:?} {arguments:?} {index_from:?}: {stderr}"
                );
            }
        }
        fs::remove_file(&path).expect("removed");
        write(&path, bytes);
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    for (name, obstruct) in [
        (
            "a file",
            (|cache: &Path| write(cache, b"stranger")) as fn(&Path),
        ),
        ("a file in the folder", |cache| {
            write(&cache.join("index"), b"stranger")
        }),
        ("a folder for the lock", |cache| {
            fs::create_dir_all(cache.join("index/lock")).expect("a folder")
        }),
        ("a folder for the manifest", |cache| {
            fs::create_dir_all(cache.join("index/manifest.json/x")).expect("a folder")
        }),
    ] {
        let pair = Pair::new(Some(1));
        pair.lay_out(&messy(51, 20));
        obstruct(&pair.on.store().dir.join(".cache"));
        obstruct(&pair.on.global().dir.join(".cache"));
        for number in 0..3 {
            let title = format!("{name} {number}");
            pair.run(&["record", "--title", &title, "--when", "now"], b"");
            pair.run(&["list", "--query", &title, "--min-confidence", "0"], b"");
            pair.run(&["review"], b"");
            pair.run(&["promote", "--ids", "aha_0000000000000007"], b"");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_store_that_is_read_only_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 52);
    let set = |mode: u32| {
        let cache = place.cache();
        for path in [
            cache.clone(),
            cache.parent().expect("a folder").to_owned(),
            place.store().dir,
        ] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set");
        }
    };
    place.append(
        CARDS,
        b"\n{\"id\": \"aha_new\", \"title\": \"retry read only\"}\n",
    );
    let questions = Questions::of(&place, 1);
    set(0o500);
    // Root may write all the same; then this shows less.
    for (line, answer) in &questions.0 {
        same(
            &place.run(&borrowed(line), b"", Some(Some(1))),
            answer,
            &line,
        );
    }
    set(0o700);
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o000)).expect("set");
    for (line, answer) in &questions.0 {
        same(
            &place.run(&borrowed(line), b"", Some(Some(1))),
            answer,
            &line,
        );
    }
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o700)).expect("set");
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    for (deep, with_index) in [(false, false), (false, true), (true, false), (true, true)] {
        let pair = Pair::new(Some(1));
        pair.lay_out(&messy(53, 20));
        let cache = pair.on.store().dir.join(".cache");
        let elsewhere = pair.on.root.join("elsewhere");
        if with_index {
            pair.run(
                &["record", "--title", "an index is made", "--when", "now"],
                b"",
            );
            pair.run(
                &["record", "--title", "a board is made", "--when", "now"],
                b"",
            );
        }
        let link = if deep { cache.join("index") } else { cache };
        if with_index {
            fs::rename(&link, &elsewhere).expect("moved");
        } else {
            fs::create_dir_all(&elsewhere).expect("a folder");
            fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
        }
        std::os::unix::fs::symlink(&elsewhere, &link).expect("a link");
        let listing = |root: &Path| {
            let mut found = Files::new();
            let mut folders = vec![root.to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).expect("a folder").flatten() {
                    match entry.file_type().expect("a type").is_dir() {
                        true => folders.push(entry.path()),
                        false => {
                            found.insert(entry.path(), fs::read(entry.path()).expect("a file"));
                        }
                    }
                }
            }
            found
        };
        let before = listing(&elsewhere);
        for number in 0..3 {
            let title = format!("linked {number}");
            pair.run(&["record", "--title", &title, "--when", "now"], b"");
            pair.run(&["list", "--query", &title], b"");
            pair.run(
                &["use", "--aha", "aha_0000000000000007", "--context", &title],
                b"",
            );
            pair.run(&["review"], b"");
        }
        assert!(
            listing(&elsewhere) == before,
            "written through a link (deep {deep}, index {with_index})"
        );
    }
}

#[test]
fn a_held_lock_is_not_waited_for() {
    let pair = Pair::new(Some(1));
    pair.lay_out(&messy(54, 30));
    pair.run(
        &["record", "--title", "an index is made", "--when", "now"],
        b"",
    );
    let holder = fs::File::open(pair.on.cache().join("lock")).expect("the lock");
    fs2::FileExt::lock_exclusive(&holder).expect("free");
    let before = segments(&pair.on.store(), LogKind::Cards);
    let start = Instant::now();
    for number in 0..5 {
        let title = format!("retry while it is held {number}");
        pair.run(&["record", "--title", &title, "--when", "now"], b"");
        pair.run(&["list", "--query", &title], b"");
        pair.run(&["review"], b"");
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        segments(&pair.on.store(), LogKind::Cards),
        before,
        "nobody else made any"
    );
    drop(holder);
    pair.run(
        &["record", "--title", "and now it is free", "--when", "now"],
        b"",
    );
    assert_eq!(trouble(&pair.on.store()), None);
}

/// Every file below a folder that holds a word, in any letters.
fn holding(folder: &Path, word: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = fs::read(entry.path())
                .unwrap_or_default()
                .to_ascii_lowercase();
            if memchr::memmem::find(&bytes, word).is_some() {
                found.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn a_purge_takes_the_index_away_for_good() {
    for index_from in [Some(1), Some(500), None] {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(&folder.path().join("place"));
        let lines = messy(61, if index_from.is_some() { 20 } else { 300 });
        lay_out(&place, &lines, index_from, 0.0, false);
        let run = |arguments: &[&str]| {
            let (code, stdout, stderr) = place.run(arguments, b"", Some(index_from));
            assert_eq!(code, 0, "{arguments:?}: {stderr}");
            serde_json::from_str::<Value>(&stdout).unwrap_or_default()
        };
        let secret = "xylofonik";
        let id = run(&[
            "record",
            "--title",
            &format!("The {secret}s plan"),
            "--when",
            secret,
        ])["results"][0]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        run(&["record", "--title", "something else", "--when", "later"]);
        run(&["list", "--query", secret]);
        if index_from.is_some() {
            assert!(
                !holding(&place.cache(), secret.as_bytes()).is_empty(),
                "it is in the index"
            );
        }
        // Strangers and leftovers must not keep the rest of it there.
        write(&place.cache().join("stranger/x"), secret.to_uppercase());
        write(&place.cache().join(".self-learning-left.tmp"), secret);
        let plan = run(&["purge", "--id", &id, "--reason", "must go"])["plan"]
            .as_str()
            .expect("a plan")
            .to_owned();
        run(&[
            "purge", "--id", &id, "--reason", "must go", "--yes", "--plan", &plan,
        ]);
        let cache = place.store().dir.join(".cache");
        assert_eq!(holding(&cache, secret.as_bytes()), Vec::<PathBuf>::new());
        for number in 0..4 {
            run(&[
                "record",
                "--title",
                &format!("after it {number}"),
                "--when",
                "now",
            ]);
            run(&["list", "--query", "after it"]);
            run(&["review", "--format", "json"]);
        }
        let left: Vec<PathBuf> = files(&place.cache()).into_keys().collect();
        assert_eq!(
            left,
            Vec::<PathBuf>::new(),
            "no index of a store that has a purge key"
        );
        let question = ["list", "--query", "after it", "--min-confidence", "0"];
        same(
            &place.indexed(&question),
            &place.streamed(&question),
            &"after a purge",
        );
    }
}

#[test]
fn what_was_wrong_with_lines_is_told_in_the_order_of_the_logs() {
    let pair = Pair::new(Some(1));
    for name in [
        "events.jsonl",
        CARDS,
        "recommendations.jsonl",
        SIGNALS,
        "backports.jsonl",
    ] {
        pair.append(
            name,
            b"{\"id\": \"x_1\", \"title\": \"t\", \"ts\": \"2026-01-01T00:00:00Z\"}\n{oops\n",
        );
    }
    for _ in 0..2 {
        let answer = pair.run(&["use", "--aha", "x_1", "--context", "c"], b"");
        let found: Value = serde_json::from_str(&answer.1).expect("JSON");
        let found = found["diagnostics"].as_array().expect("diagnostics").iter();
        let names: Vec<&str> = found.filter_map(|found| found["file"].as_str()).collect();
        assert_eq!(
            names,
            [
                "events.jsonl",
                CARDS,
                "recommendations.jsonl",
                SIGNALS,
                "backports.jsonl"
            ]
        );
    }
}

#[test]
fn a_recommendation_that_changes_does_not_stop_the_index() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(&folder.path().join("place"));
    let many: Vec<Value> = (0..20)
        .map(|number| json!({ "title": format!("do {number}"), "why": "w ".repeat(40) }))
        .collect();
    let payload =
        json!({ "aha_cards": [{ "title": "a card" }], "recommendations": many }).to_string();
    let (code, stdout, _) = place.run(&["record"], payload.as_bytes(), Some(Some(1)));
    assert_eq!(code, 0);
    let answer: Value = serde_json::from_str(&stdout).expect("JSON");
    let results = answer["results"].as_array().expect("results").iter();
    let id = results
        .filter_map(|item| item["id"].as_str())
        .find(|id| id.starts_with("rec_"))
        .expect("an id");
    let (code, _, _) = place.run(
        &["rec-status", "--id", id, "--status", "accepted"],
        b"",
        Some(Some(1)),
    );
    assert_eq!((code, trouble(&place.store())), (0, None));
    assert_eq!(segments(&place.store(), LogKind::Recommendations), 2);
}

#[test]
fn a_use_that_is_known_is_known_whatever_page_of_the_index_is_damaged() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::new(&folder.path().join("place"));
    place.append(
        CARDS,
        b"{\"id\": \"aha_1\", \"title\": \"t\", \"ts\": \"2026-01-01T00:00:00Z\"}\n",
    );
    let use_it = ["use", "--aha", "aha_1", "--context", "c"];
    assert_eq!(place.run(&use_it, b"", None).0, 0);
    let known = fs::read(place.log(SIGNALS)).expect("a log");
    let others = (0..1_500).map(|number| {
        format!("{{\"id\": \"sig_{number}\", \"kind\": \"aha_used\", \"aha_id\": \"aha_1\"}}\n")
    });
    place.append(SIGNALS, others.collect::<String>().as_bytes());
    place.catch_up(1);
    let expected = place.streamed(&use_it);
    assert!(
        expected
            .1
            .contains("\"already_recorded\": [\n    \"aha_1\""),
        "{}",
        expected.1
    );
    let whole = files(&place.cache());
    let log = fs::read(place.log(SIGNALS)).expect("a log");
    assert!(log.starts_with(&known));
    for (path, bytes) in whole.iter().filter(|(_, bytes)| bytes.len() > 4096) {
        for page in 0..bytes.len() / 4096 {
            let mut damaged = bytes.clone();
            damaged[page * 4096 + 17] ^= 1;
            write(path, damaged);
            same(&place.indexed(&use_it), &expected, &page);
            assert!(
                fs::read(place.log(SIGNALS)).expect("a log") == log,
                "page {page}"
            );
            restore(&place.cache(), &whole);
        }
    }
}

#[cfg(unix)]
#[test]
fn the_cache_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let place = indexed(folder.path(), 55);
    heals(&place, &"twice");
    let cache = place.store().dir.join(".cache");
    for (path, _) in files(&cache.join("index"))
        .iter()
        .chain(&files_above(&cache))
    {
        let mode = fs::metadata(path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    assert_eq!(fs::read(cache.join(".gitignore")).expect("a file"), b"*\n");
}

/// The folders of a cache.
#[cfg(unix)]
fn files_above(cache: &Path) -> Files {
    let folders = [cache.join("index")];
    folders.into_iter().map(|path| (path, Vec::new())).collect()
}
