//! The program beside SQLite FTS5 and tantivy: whole processes over the same cards, one after the other in one
//! run. Prints Markdown; `--write FILE` puts it between the marks of a document.

mod data;
mod process;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use process::{Call, Sample, bytes, chill, files, settle};

const USAGE: &str = "\
usage: engines [--binary PATH] [--sizes 1000,10000,100000] [--million] [--rounds 16] [--no-valgrind]
               [--folder DIR] [--write FILE]";
/// More than any run records.
const INPUTS: usize = 128;
const START: &str = "<!-- engines:start -->";
const END: &str = "<!-- engines:end -->";

const VERSION: &str = "process start (`self-learning --version`)";
const WC: &str = "`wc -l` of the card log";
const CAT: &str = "`cat` of the card log";
const COLD_CAT: &str = "`cat` of the card log, cold";
const LIST: &str = "`list --query`";
const COLD: &str = "`list --query`, cold";
const TEN: &str = "`list --query --min-confidence 0`";
const AFTER: &str = "`list --query` after a `record`";
const OFF: &str = "`list --query`, index off";
const REVIEW: &str = "`review`";
const RECORD: &str = "`record`";
const FTS5: &str = "FTS5 query";
const COLD_FTS5: &str = "FTS5 query, cold";
const FTS5_RECORD: &str = "FTS5 record";
const TANTIVY: &str = "tantivy query";
const COLD_TANTIVY: &str = "tantivy query, cold";
const TANTIVY_RECORD: &str = "tantivy record";

struct Options {
    binary: PathBuf,
    sizes: Vec<usize>,
    rounds: usize,
    valgrind: bool,
    folder: PathBuf,
    write: Option<PathBuf>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        binary: PathBuf::from("target/release/self-learning"),
        sizes: vec![1_000, 10_000, 100_000],
        rounds: 16,
        valgrind: true,
        folder: std::env::temp_dir(),
        write: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .unwrap_or_else(|| usage(&format!("{argument} needs a value")))
        };
        match argument.as_str() {
            // The driver calls itself, so that the tables of the generator do not count as memory of the children.
            "make" => {
                let (folder, cards) = (PathBuf::from(value()), value());
                return make(&folder, number(&cards));
            }
            "--binary" => options.binary = PathBuf::from(value()),
            "--sizes" => options.sizes = value().split(',').map(number).collect(),
            "--million" => options.sizes.push(1_000_000),
            "--rounds" => options.rounds = number(&value()).clamp(1, 100),
            "--no-valgrind" => options.valgrind = false,
            "--folder" => options.folder = PathBuf::from(value()),
            "--write" => options.write = Some(PathBuf::from(value())),
            "--help" | "-h" => {
                println!("{USAGE}");
                return;
            }
            other => usage(&format!("unknown argument `{other}`")),
        }
    }
    options.binary = fs::canonicalize(&options.binary)
        .unwrap_or_else(|error| usage(&format!("{}: {error}", options.binary.display())));
    options.valgrind &= Command::new("valgrind").arg("--version").output().is_ok();
    let work = options
        .folder
        .join(format!("engines-{}", std::process::id()));
    fs::create_dir_all(&work).expect("a temporary folder");
    let work = fs::canonicalize(&work).expect("a temporary folder");
    let before = load();
    let runs: Vec<Run> = options
        .sizes
        .iter()
        .map(|cards| run(&options, &work, *cards))
        .collect();
    let text = format!(
        "{}\n{}",
        surroundings(&options, &work, &before),
        tables(&runs)
    );
    fs::remove_dir_all(&work).expect("the temporary folder goes");
    println!("{text}");
    if let Some(document) = &options.write {
        let old = fs::read_to_string(document).expect("the document");
        let (head, rest) = old.split_once(START).expect("the first mark");
        let (_, tail) = rest.split_once(END).expect("the second mark");
        fs::write(document, format!("{head}{START}\n{text}{END}{tail}")).expect("the document");
    }
}

fn usage(problem: &str) -> ! {
    eprintln!("error: {problem}\n{USAGE}");
    std::process::exit(2);
}

fn number(text: &str) -> usize {
    text.parse()
        .unwrap_or_else(|_| usage(&format!("`{text}` is no number")))
}

/// The store, the questions and what will be recorded, in files.
fn make(folder: &Path, cards: usize) {
    let maker = data::Maker::new();
    maker
        .write_store(&folder.join("read"), cards)
        .expect("a store");
    for turn in 0..INPUTS {
        let write = |kind: &str, text: String| {
            fs::write(folder.join(format!("{kind}-{turn}")), text).expect("an input");
        };
        write("payload", maker.payload(cards + turn));
        write("card", maker.card(cards + turn));
    }
    let questions = [
        data::NEEDLE.to_owned(),
        maker.title(cards / 2),
        "cache timeout retry".to_owned(),
        "the server fails on the second request after the cache is set".to_owned(),
        mistyped(&maker.title(cards / 4)),
        "certficate signture chain".to_owned(),
        maker.title(cards / 3),
        "sourdough hydration".to_owned(),
    ];
    fs::write(folder.join("questions"), questions.join("\n")).expect("the questions");
}

/// The words from last to first, and two letters of the longest swapped.
fn mistyped(question: &str) -> String {
    let mut words: Vec<String> = question.split(' ').rev().map(str::to_owned).collect();
    let longest = words
        .iter_mut()
        .filter(|word| word.chars().all(char::is_alphabetic))
        .max_by_key(|word| word.len());
    if let Some(word) = longest {
        let mut letters: Vec<char> = word.chars().collect();
        let half = letters.len() / 2;
        letters.swap(half - 1, half);
        *word = letters.into_iter().collect();
    }
    words.join(" ")
}

/// What an index cost to make, and how large it is.
struct Built {
    name: &'static str,
    cpu: f64,
    bytes: u64,
}

struct Run {
    cards: usize,
    log: u64,
    all: u64,
    samples: Vec<(&'static str, Sample)>,
    built: Vec<Built>,
    instructions: Vec<(&'static str, f64)>,
    /// The largest share of a file's pages that stayed in memory in spite of all.
    stayed: f64,
    /// Questions that the program answered instead of saying that nothing is recorded.
    answered: usize,
}

fn run(options: &Options, work: &Path, cards: usize) -> Run {
    let beside = |name: &str| {
        std::env::current_exe()
            .expect("this program")
            .with_file_name(name)
    };
    let (product, fts5, tantivy) = (
        options.binary.as_path(),
        &beside("fts5"),
        &beside("tantivy"),
    );
    let folder = &work.join(cards.to_string());
    fs::create_dir_all(folder).expect("a folder");
    let place = |name: &str| folder.join(name);
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    eprintln!("{cards} cards: the data");
    let me = std::env::current_exe().expect("this program");
    Call::new(&me, folder, &["make", &text(folder), &cards.to_string()]).output();
    let copy = |from: &str, to: &str| {
        Call::new(Path::new("cp"), folder, &["-R", from, to]).output();
    };
    copy("read", "write");
    let read = &place("read");
    let write = &place("write");
    let store = &data::store_of(read);
    let log = &store.join("aha_cards.jsonl");
    let (log_text, log_bytes, all_bytes) = (text(log), bytes(log), bytes(store));
    let questions = fs::read_to_string(place("questions")).expect("the questions");
    let questions: Vec<&str> = questions.lines().collect();

    let list = |repository: &Path, question: &str| {
        Call::new(
            product,
            repository,
            &["list", "--query", question, "--limit", "10"],
        )
    };
    // What shares a word with the question, whether or not it is enough for an answer: ten cards, as the engines.
    let ten = |question: &str| {
        let mut call = list(read, question);
        call.arguments
            .extend(["--min-confidence", "0"].map(str::to_owned));
        call
    };
    let fts5_query = |question: &str| Call::new(fts5, folder, &["query", "read.db", question]);
    let tantivy_query =
        |question: &str| Call::new(tantivy, folder, &["query", "read.tantivy", question]);

    eprintln!("{cards} cards: the indexes");
    let repeats = if cards < 50_000 { 3 } else { 1 };
    let mut first = Vec::new();
    let mut built: Vec<Built> = Vec::new();
    let mut builds: Vec<(Vec<Sample>, Vec<Sample>)> = vec![(Vec::new(), Vec::new())];
    for _ in 0..repeats {
        for cache in caches(store) {
            fs::remove_dir_all(cache).expect("the cache goes");
        }
        first.push(list(read, questions[0]).measure());
        builds[0]
            .0
            .push(Call::new(fts5, folder, &["build", "read.db", &log_text]).measure());
        builds[0]
            .1
            .push(Call::new(tantivy, folder, &["build", "read.tantivy", &log_text]).measure());
    }
    let answered = questions
        .iter()
        .filter(|question| list(read, question).output().contains("\"id\": \"aha_"))
        .count();
    for (name, answer) in [
        ("self-learning", ten(questions[0]).output()),
        ("fts5", fts5_query(questions[0]).output()),
        ("tantivy", tantivy_query(questions[0]).output()),
    ] {
        // Every thousandth card from 500 on holds the needle, so that all of the best ten end alike.
        let found = (0..cards)
            .skip(500)
            .step_by(1_000)
            .filter(|card| answer.contains(&format!("aha_{card:012x}")));
        let expected = 10.min((cards + 499) / 1_000);
        assert!(
            found.count() >= expected,
            "{name} does not find the needle: {answer}"
        );
    }
    copy("read.db", "write.db");
    copy("read.tantivy", "write.tantivy");
    settle(folder);

    let mut samples: Vec<(&'static str, Sample)> = Vec::new();
    let mut stayed: f64 = 0.0;
    eprintln!("{cards} cards: {} rounds", options.rounds);
    for round in 0..options.rounds {
        let question = questions[round % questions.len()];
        let line = fs::read_to_string(place(&format!("card-{round}"))).expect("a card");
        let payload = place(&format!("payload-{round}"));
        let cat = Call::new(Path::new("cat"), folder, &[&log_text]);
        let mut take = |name, call: Call| samples.push((name, call.measure()));
        take(VERSION, Call::new(product, read, &["--version"]));
        take(CAT, cat.clone());
        take(WC, Call::new(Path::new("wc"), folder, &["-l", &log_text]));
        take(LIST, list(read, question));
        take(TEN, ten(question));
        take(FTS5, fts5_query(question));
        take(TANTIVY, tantivy_query(question));
        take(OFF, list(read, question).without_index());
        take(REVIEW, Call::new(product, read, &["review"]));
        take(
            RECORD,
            Call::new(product, write, &["record"]).with_input(&payload),
        );
        take(AFTER, list(write, question));
        take(
            FTS5_RECORD,
            Call::new(fts5, folder, &["record", "write.db", &line]),
        );
        take(
            TANTIVY_RECORD,
            Call::new(tantivy, folder, &["record", "write.tantivy", &line]),
        );
        for (name, files, call) in [
            (COLD_CAT, log.clone(), cat),
            (COLD, store.clone(), list(read, question)),
            (COLD_FTS5, place("read.db"), fts5_query(question)),
            (COLD_TANTIVY, place("read.tantivy"), tantivy_query(question)),
        ] {
            stayed = stayed.max(chill(&files));
            take(name, call);
        }
    }
    // Counted by another process: what this one has in memory counts as memory of its children.
    let recorded = text(&data::store_of(write).join("aha_cards.jsonl"));
    let lines = Call::new(Path::new("wc"), folder, &["-l", &recorded]).output();
    let lines = lines.split_whitespace().next().map(number);
    assert_eq!(
        lines,
        Some(cards + options.rounds),
        "every record is a new card"
    );

    let warm = median(&samples, LIST, |sample| sample.cpu);
    let cache: u64 = caches(store).iter().map(|cache| bytes(cache)).sum();
    if cache > 0 {
        let cpu = middle(first.iter().map(|sample| sample.cpu).collect()) - warm;
        built.push(Built {
            name: "`.cache`",
            cpu,
            bytes: cache,
        });
    }
    for (name, samples, place) in [
        ("FTS5", &builds[0].0, place("read.db")),
        ("tantivy", &builds[0].1, place("read.tantivy")),
    ] {
        let cpu = middle(samples.iter().map(|sample| sample.cpu).collect());
        built.push(Built {
            name,
            cpu,
            bytes: bytes(&place),
        });
    }

    let mut instructions = Vec::new();
    if options.valgrind && cards <= 100_000 {
        eprintln!("{cards} cards: instructions");
        let line = fs::read_to_string(place(&format!("card-{}", options.rounds))).expect("a card");
        let payload = place(&format!("payload-{}", options.rounds));
        let question = questions[4];
        for (name, call) in [
            (VERSION, Call::new(product, read, &["--version"])),
            (LIST, list(read, question)),
            (
                RECORD,
                Call::new(product, write, &["record"]).with_input(&payload),
            ),
            (FTS5, fts5_query(question)),
            (
                FTS5_RECORD,
                Call::new(fts5, folder, &["record", "write.db", &line]),
            ),
            (TANTIVY, tantivy_query(question)),
            (
                TANTIVY_RECORD,
                Call::new(tantivy, folder, &["record", "write.tantivy", &line]),
            ),
        ] {
            instructions.extend(call.instructions().map(|count| (name, count)));
        }
    }
    fs::remove_dir_all(folder).expect("the data goes");
    Run {
        cards,
        log: log_bytes,
        all: all_bytes,
        samples,
        built,
        instructions,
        stayed,
        answered,
    }
}

/// The folders `.cache` of a store.
fn caches(store: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = files(store)
        .iter()
        .flat_map(|file| file.ancestors().map(Path::to_owned).collect::<Vec<_>>())
        .filter(|path| path.ends_with(".cache") && path.starts_with(store))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        (values[half - 1] + values[half]) / 2.0
    }
}

fn values(samples: &[(&str, Sample)], name: &str, of: impl Fn(&Sample) -> f64) -> Vec<f64> {
    let named = samples.iter().filter(|(known, _)| *known == name);
    named.map(|(_, sample)| of(sample)).collect()
}

fn median(samples: &[(&str, Sample)], name: &str, of: impl Fn(&Sample) -> f64) -> f64 {
    middle(values(samples, name, of))
}

fn most(samples: &[(&str, Sample)], name: &str, of: impl Fn(&Sample) -> f64) -> f64 {
    values(samples, name, of).into_iter().fold(0.0, f64::max)
}

/// Three digits, no more.
fn short(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn tables(runs: &[Run]) -> String {
    let mut out = String::new();
    let rows = [
        CAT,
        WC,
        VERSION,
        LIST,
        TEN,
        AFTER,
        OFF,
        FTS5,
        TANTIVY,
        RECORD,
        FTS5_RECORD,
        TANTIVY_RECORD,
        REVIEW,
        COLD_CAT,
        COLD,
        COLD_FTS5,
        COLD_TANTIVY,
    ];
    let head = |out: &mut String, first: &str| {
        let sizes = runs
            .iter()
            .map(|run| format!(" {} cards, {:.1} MB |", run.cards, run.log as f64 / 1e6));
        let _ = writeln!(out, "| {first} |{}", sizes.collect::<String>());
        let _ = writeln!(out, "|---|{}", "---|".repeat(runs.len()));
    };
    let mut table =
        |title: &str, first: &str, rows: &[&str], cell: &dyn Fn(&Run, &str) -> String| {
            let _ = writeln!(out, "### {title}\n");
            head(&mut out, first);
            for row in rows {
                let cells: String = runs
                    .iter()
                    .map(|run| format!(" {} |", cell(run, row)))
                    .collect();
                let _ = writeln!(out, "| {row} |{cells}");
            }
            out.push('\n');
        };
    let cpu = |sample: &Sample| sample.cpu;
    let wall = |sample: &Sample| sample.wall;
    table("CPU time", "median, ms (× `cat`)", &rows, &|run, row| {
        let value = median(&run.samples, row, cpu);
        format!(
            "{} ({} ×)",
            short(value),
            short(value / median(&run.samples, CAT, cpu))
        )
    });
    table("Wall time", "median, ms (largest)", &rows, &|run, row| {
        format!(
            "{} ({})",
            short(median(&run.samples, row, wall)),
            short(most(&run.samples, row, wall))
        )
    });
    let ratios = [
        "query: CPU, of FTS5",
        "query: CPU, of tantivy",
        "cold query: wall, of FTS5",
        "cold query: wall, of tantivy",
        "record: CPU, of FTS5",
        "record: CPU, of tantivy",
        "record: wall, of FTS5",
        "record: wall, of tantivy",
    ];
    table(
        "The program against the engines",
        "share (below 1 the program is the cheaper)",
        &ratios,
        &|run, row| {
            let (ours, fts5, tantivy) = if row.starts_with("query") {
                (LIST, FTS5, TANTIVY)
            } else if row.starts_with("cold") {
                (COLD, COLD_FTS5, COLD_TANTIVY)
            } else {
                (RECORD, FTS5_RECORD, TANTIVY_RECORD)
            };
            let theirs = if row.ends_with("FTS5") { fts5 } else { tantivy };
            let of = |name| {
                median(&run.samples, name, |sample| {
                    if row.contains("CPU") {
                        sample.cpu
                    } else {
                        sample.wall
                    }
                })
            };
            short(of(ours) / of(theirs))
        },
    );
    table(
        "Memory",
        "most resident, MB",
        &[
            VERSION,
            LIST,
            OFF,
            REVIEW,
            RECORD,
            FTS5,
            FTS5_RECORD,
            TANTIVY,
            TANTIVY_RECORD,
        ],
        &|run, row| short(most(&run.samples, row, |sample| sample.memory)),
    );
    table(
        "Index",
        "CPU per card to build; size (share of the card log)",
        &["`.cache`", "FTS5", "tantivy"],
        &|run, row| match run.built.iter().find(|built| built.name == row) {
            None => "none".to_owned(),
            Some(built) => format!(
                "{} µs; {} MB ({:.0} %)",
                short(built.cpu * 1e3 / run.cards as f64),
                short(built.bytes as f64 / 1e6),
                built.bytes as f64 / run.log as f64 * 100.0
            ),
        },
    );
    if runs.iter().any(|run| !run.instructions.is_empty()) {
        table(
            "Instructions",
            "millions, whole process",
            &[
                VERSION,
                LIST,
                FTS5,
                TANTIVY,
                RECORD,
                FTS5_RECORD,
                TANTIVY_RECORD,
            ],
            &|run, row| {
                let found = run.instructions.iter().find(|(name, _)| *name == row);
                found.map_or_else(|| "not counted".to_owned(), |(_, count)| short(*count))
            },
        );
    }
    let stayed = runs.iter().map(|run| run.stayed).fold(0.0, f64::max);
    let all: Vec<String> = runs.iter().map(|run| short(run.all as f64 / 1e6)).collect();
    let answered: Vec<String> = runs.iter().map(|run| run.answered.to_string()).collect();
    let _ = writeln!(
        out,
        "All logs of the stores: {} MB. Of the eight questions the program answers {}; to the others it says that \
         nothing is recorded. Pages that were still in memory before a cold run: at most {:.1} %.\n",
        all.join(", "),
        answered.join(", "),
        stayed * 100.0
    );
    out
}

fn surroundings(options: &Options, work: &Path, before: &str) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown");
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: u64 = memory
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let system = mounts
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(' ').skip(1);
            Some((parts.next()?, parts.next()?))
        })
        .filter(|(place, _)| work.starts_with(place))
        .max_by_key(|(place, _)| place.len())
        .map_or("unknown", |(_, system)| system);
    let says = |program: &Path, argument: &str| {
        Call::new(program, work, &[argument])
            .output()
            .trim()
            .to_owned()
    };
    let beside = |name: &str| {
        std::env::current_exe()
            .expect("this program")
            .with_file_name(name)
    };
    let program = fs::read(&options.binary).unwrap_or_default();
    let has = |text: &[u8]| program.windows(text.len()).any(|part| part == text);
    let linked = if has(b"/ld-linux") || has(b"/ld-musl") {
        "dynamically"
    } else {
        "statically"
    };
    format!(
        "{} ({linked} linked, {:.1} MB), {}, {}. {cores} cores of {}, {:.0} GB of memory, Linux {}, files on {system}. \
         {} rounds. Load average before and after: {before}, {}.\n",
        says(&options.binary, "--version"),
        program.len() as f64 / 1e6,
        says(&beside("fts5"), "version"),
        says(&beside("tantivy"), "version")
            .split(',')
            .next()
            .unwrap_or_default(),
        model.trim_start_matches([' ', '\t', ':']),
        memory as f64 / 1e6,
        kernel.trim(),
        options.rounds,
        load(),
    )
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
