//! A store of any size: the same bytes for the same number of cards, and card n the same in every store.
//!
//! A card is about 1 KB of text whose words fall off as in real notes (Zipf, exponent 1.07, over 30,000 words),
//! with identifiers, paths and numbers between them, most of which occur once. There are two signals per card
//! and a recommendation for every fourth. Every thousandth card holds the needle.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

pub const NEEDLE: &str = "heliotrope quorum marmalade";

/// The words that occur most, in the order of how often they do.
const HEAD: &str = "the a to in for of on when is and from with not it that after before run file test error set \
    build config value path cache request response query default version returns fails token field name key list \
    only every without json yaml api command flag variable step job workflow branch commit table index column \
    server client timeout retry page limit header status code log message line output input user group role \
    policy region bucket queue topic consumer offset partition database transaction lock migration schema type \
    null number string date zone time clock format parse encode escape quote shell script pipe process signal \
    thread memory disk folder link mount image layer container registry tag digest pull push merge rebase diff \
    patch hook module package dependency feature target release debug profile trace metric alert dashboard probe \
    service port proxy route domain certificate chain cookie session origin cursor stream chunk batch window \
    buffer flush sync async await promise future channel worker pool leader replica shard snapshot backup restore \
    rollback deploy plan apply state drift provider resource template render component property event handler \
    callback listener plugin theme layout grid font colour canvas shader vertex tensor epoch gradient model prompt \
    embedding vector recall precision compiler linker symbol header macro trait generic lifetime borrow panic \
    option result iterator closure slice pointer struct enum match pattern regex glob wildcard anchor indent \
    newline locale unicode accent collation sort order filter search rank score weight threshold sample seed \
    fixture mock stub assertion coverage mutation benchmark flame kernel syscall driver device firmware socket \
    packet frame checksum hash cipher signature nonce salt audit redact mask quota budget invoice currency tax \
    order basket coupon shipment carrier label barcode scanner printer terminal keyboard cursor clipboard";

const SYLLABLES: [&str; 48] = [
    "ba", "ce", "di", "fo", "gu", "ha", "jo", "ki", "lu", "me", "no", "pi", "qua", "re", "si",
    "to", "ul", "va", "we", "xi", "yo", "za", "bra", "cle", "dro", "fli", "gra", "hin", "jas",
    "kor", "lam", "mon", "nev", "ost", "pul", "ran", "ser", "tam", "urb", "vel", "wex", "yar",
    "zin", "tor", "mis", "lek", "ond", "par",
];
const SKILLS: [&str; 8] = [
    "jira",
    "github-actions",
    "postgres",
    "terraform",
    "python",
    "rust",
    "frontend",
    "unknown",
];
const TAGS: [&str; 12] = [
    "ci", "api", "yaml", "cache", "auth", "time", "network", "git", "database", "build", "shell",
    "test",
];
const KINDS: [&str; 4] = ["aha_used", "aha_recalled", "aha_recalled", "aha_reinforced"];
const VOCABULARY: usize = 30_000;

/// A small generator of numbers (splitmix64), so that nothing depends on a package's version.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

pub struct Maker {
    words: Vec<String>,
    /// How many of 2^32 draws give a word up to this one.
    upto: Vec<u32>,
}

impl Maker {
    pub fn new() -> Maker {
        let mut words: Vec<String> = Vec::new();
        for word in HEAD.split_whitespace() {
            if !words.iter().any(|known| known == word) {
                words.push(word.to_owned());
            }
        }
        // The tail: the n-th word is n written in syllables, so that no two are equal by chance.
        let mut number = SYLLABLES.len();
        while words.len() < VOCABULARY {
            let (mut rest, mut word) = (number, String::new());
            while rest > 0 {
                word.push_str(SYLLABLES[rest % SYLLABLES.len()]);
                rest /= SYLLABLES.len();
            }
            words.push(word);
            number += 1;
        }
        let weight = |rank: usize| 1.0 / ((rank + 3) as f64).powf(1.07);
        let all: f64 = (0..words.len()).map(weight).sum();
        let mut sum = 0.0;
        let upto = (0..words.len())
            .map(|rank| {
                sum += weight(rank);
                (sum / all * f64::from(u32::MAX)) as u32
            })
            .collect();
        Maker { words, upto }
    }

    fn word(&self, numbers: &mut Numbers) -> &str {
        let draw = (numbers.next() >> 32) as u32;
        let at = self.upto.partition_point(|upto| *upto < draw);
        &self.words[at.min(self.words.len() - 1)]
    }

    /// A word of some length, for names that are made of words.
    fn long_word(&self, numbers: &mut Numbers) -> &str {
        loop {
            let word = self.word(numbers);
            if word.len() > 3 {
                return word;
            }
        }
    }

    fn identifier(&self, numbers: &mut Numbers) -> String {
        let (first, second) = (self.long_word(numbers), self.long_word(numbers));
        let number = numbers.below(9_000);
        match numbers.below(7) {
            0 => format!("{first}_{second}_{number}"),
            1 => format!("src/{first}/{second}.rs:{number}"),
            2 => format!("{first}{}{}()", second[..1].to_uppercase(), &second[1..]),
            3 => format!("E{number}_{}", first.to_uppercase()),
            4 => format!(
                "{first}-{second}@{}.{}.{}",
                number % 9,
                number % 31,
                number % 7
            ),
            5 => format!("#{}", number + 100),
            _ => format!("--{first}-{second}"),
        }
    }

    /// A sentence of so many words, every ninth of them an identifier.
    fn sentence(&self, numbers: &mut Numbers, words: usize) -> String {
        let mut text = String::new();
        for at in 0..words {
            if at > 0 {
                text.push(' ');
            }
            if numbers.below(9) == 0 {
                text.push_str(&self.identifier(numbers));
            } else {
                text.push_str(self.word(numbers));
            }
        }
        text
    }

    /// What an agent hands over: card n without id and time, as the inside of a JSON object.
    fn body(&self, number: usize) -> String {
        let numbers = &mut Numbers(number as u64);
        let title = self.sentence(numbers, 7);
        let when = self.sentence(numbers, 12);
        let mut problem = self.sentence(numbers, 26);
        if number % 1_000 == 500 {
            let _ = write!(problem, "; {NEEDLE}");
        }
        let steps: Vec<String> = (0..3).map(|_| self.sentence(numbers, 12)).collect();
        let evidence: Vec<String> = (0..2).map(|_| self.sentence(numbers, 10)).collect();
        format!(
            "\"title\": \"{title} ({})\", \"when_to_use\": \"{when}\", \"problem\": \"{problem}\", \
             \"solution_steps\": [\"{}\"], \"evidence\": [\"{}\"], \"tags\": [\"{}\", \"{}\"], \
             \"primary_skill\": \"{}\", \"scope\": \"{}\"",
            number,
            steps.join("\", \""),
            evidence.join("\", \""),
            numbers.one_of(&TAGS[..6]),
            numbers.one_of(&TAGS[6..]),
            numbers.one_of(&SKILLS),
            numbers.one_of(&["project", "project", "portable"]),
        )
    }

    /// Card n as it stands in the log.
    pub fn card(&self, number: usize) -> String {
        format!(
            "{{{}, \"ts\": \"{}\", \"id\": \"aha_{number:012x}\", \"status\": \"proposed\"}}",
            self.body(number),
            time(number)
        )
    }

    /// The input that records card n.
    pub fn payload(&self, number: usize) -> String {
        format!("{{\"aha_cards\": [{{{}}}]}}", self.body(number))
    }

    /// Words of one card, for a question that it answers.
    pub fn title(&self, number: usize) -> String {
        self.sentence(&mut Numbers(number as u64), 7)
    }

    pub fn write_store(&self, repository: &Path, cards: usize) -> io::Result<()> {
        let store = store_of(repository);
        fs::create_dir_all(repository.join(".git"))?;
        fs::create_dir_all(&store)?;
        let file = |name: &str| File::create(store.join(name)).map(BufWriter::new);
        let mut lines = file("aha_cards.jsonl")?;
        let mut signals = file("signals.jsonl")?;
        let mut recommendations = file("recommendations.jsonl")?;
        for number in 0..cards {
            let ts = time(number);
            writeln!(lines, "{}", self.card(number))?;
            // Numbers of their own, so that a card does not depend on its signals.
            let numbers = &mut Numbers(!(number as u64));
            for turn in 0..2 {
                writeln!(
                    signals,
                    "{{\"ts\": \"{ts}\", \"kind\": \"{}\", \"source\": \"agent\", \"aha_id\": \"aha_{:012x}\", \
                     \"context\": \"{}\", \"id\": \"sig_{:012x}\"}}",
                    numbers.one_of(&KINDS),
                    numbers.below(number + 1),
                    self.sentence(numbers, 4),
                    2 * number + turn
                )?;
            }
            if number % 4 == 0 {
                writeln!(
                    recommendations,
                    "{{\"title\": \"{} ({number})\", \"why\": \"{}\", \"expected_impact\": {{\"speed\": \"{}\", \
                     \"quality\": \"medium\"}}, \"implementation_hint\": \"{}\", \"primary_skill\": \"{}\", \
                     \"scope\": \"project\", \"ts\": \"{ts}\", \"id\": \"rec_{number:012x}\", \
                     \"status\": \"proposed\", \"last_touched_ts\": \"{ts}\"}}",
                    self.sentence(numbers, 6),
                    self.sentence(numbers, 12),
                    numbers.one_of(&["low", "medium", "high"]),
                    self.sentence(numbers, 8),
                    numbers.one_of(&SKILLS),
                )?;
            }
        }
        for mut log in [lines, signals, recommendations] {
            log.flush()?;
        }
        Ok(())
    }
}

pub fn store_of(repository: &Path) -> PathBuf {
    repository.join(".agent-skills/self-learning/v1/users/dev")
}

/// One card a minute from the beginning of 2023.
fn time(number: usize) -> String {
    let (minute, hour, day) = (number % 60, number / 60 % 24, number / 1_440 % 28 + 1);
    let (month, year) = (number / 40_320 % 12 + 1, 2023 + number / 483_840);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z")
}
