//! The rules of the house that a compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use.
const ARROWS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("guard", &["domain"]),
    ("rank", &["domain"]),
    ("backport", &["domain", "guard"]),
    ("store", &["domain", "error"]),
    ("report", &["domain"]),
    ("render", &["report", "domain", "guard", "error"]),
    (
        "commands",
        &[
            "domain", "guard", "store", "rank", "backport", "report", "render", "cli", "ctx",
            "error",
        ],
    ),
    ("ctx", &["domain", "error"]),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn room_of(path: &Path) -> String {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .expect("in src");
    let first = below
        .components()
        .next()
        .expect("a part")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let mut wrong = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let room = room_of(&path);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            continue;
        };
        let text = fs::read_to_string(&path).expect("source");
        for (number, line) in text.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let used: String = used
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if used != room && !allowed.contains(&used.as_str()) && !used.is_empty() {
                    wrong.push(format!(
                        "{}:{}: {room} uses {used}",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_rooms_touch_nothing_outside() {
    let outside = [
        "std::fs",
        "std::env",
        "std::process",
        "std::time::",
        "std::net",
        "println!",
        "eprintln!",
        "rand::",
    ];
    let mut wrong = Vec::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        if !matches!(
            room_of(&path).as_str(),
            "domain" | "guard" | "rank" | "backport" | "render" | "report"
        ) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("source");
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in body.lines().enumerate() {
            // What stands in quotes is data of the rules, not use.
            let code = line.split("//").next().unwrap_or_default();
            let code: String = code.split('"').step_by(2).collect();
            if let Some(found) = outside.iter().find(|word| code.contains(**word)) {
                wrong.push(format!("{}:{}: {found}", path.display(), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn locking_stands_in_one_place() {
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).expect("source");
        let locks = text.contains("fs2::") || text.contains("FileExt::lock");
        assert!(
            !locks || path.ends_with("store/lock.rs"),
            "{} locks files itself",
            path.display()
        );
    }
}

/// Nothing reaches a log but through `commands::commit`, and `commit` sends it through the last gate.
///
/// So a new verb cannot bypass the guard, not even by forgetting it: there is no other way to append or to rewrite.
#[test]
fn every_way_into_a_log_leads_through_the_gate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: [(&str, &[&str]); 7] = [
        (".append(&", &["commands/mod.rs"]),
        (".append(batch", &[]),
        (".rewrite(", &["commands/purge.rs"]),
        ("append(true)", &["store/mod.rs", "store/gitignore.rs"]),
        (
            "OpenOptions::new",
            &[
                "store/mod.rs",
                "store/gitignore.rs",
                "store/lock.rs",
                "store/folder.rs",
                "store/index/build.rs",
            ],
        ),
        ("File::create", &[]),
        (
            "replace::file(",
            &[
                "store/mod.rs",
                "store/index/build.rs",
                "store/index/manifest.rs",
                "commands/export_backport.rs",
                "commands/tour.rs",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for path in sources(&root) {
        let name = path
            .strip_prefix(&root)
            .expect("in src")
            .to_string_lossy()
            .replace('\\', "/");
        let text = fs::read_to_string(&path).expect("source");
        let body = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in body.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (word, files) in allowed {
                if !code.contains(word) {
                    continue;
                }
                found.push(word);
                if !files.contains(&name.as_str()) {
                    wrong.push(format!("{name}:{}: {word}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(found.iter().filter(|word| **word == ".append(&").count(), 1);
    let commit = fs::read_to_string(root.join("commands/mod.rs")).expect("source");
    let (_, body) = commit.split_once("pub fn commit(").expect("commit");
    let gate = body.find("gate::pass(").expect("the gate");
    let append = body.find("locked.append(").expect("the append");
    assert!(gate < append, "first the gate, then the log");
}
