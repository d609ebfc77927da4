//! The one entry point: every string of a record, judged and put in order.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::directive::{self, Assessment};
use super::invisible;
use super::limits::{self, Excess};
use super::secrets::{self, SecretSpan};

/// What is being written; decides which fields are structure and which are text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One task an agent worked on.
    Event,
    /// An aha card.
    Card,
    /// A recommendation.
    Recommendation,
    /// A signal about a card or a recommendation.
    Signal,
    /// A line about an export.
    Backport,
    /// Anything else, for example a whole payload before it is taken apart.
    Other,
}

/// How [`admit`] deals with what it finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Remove hidden characters instead of refusing them.
    pub strip_invisible: bool,
}

/// A secret that was masked: where, and of which class. Never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redaction {
    /// Kebab-case class of the secret, as in the mark `[REDACTED:<class>]`.
    pub class: &'static str,
    /// Where it stood: `solution_steps[2]`, `headers.Authorization`; empty for the root of a lone text.
    pub path: String,
    /// Bytes before the secret in the text as stored in normal form, before masking.
    pub offset: usize,
}

/// A reason not to write at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `invisible_text`, `too_long` or `too_deep`.
    pub code: &'static str,
    /// The field, as in [`Redaction::path`].
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// The judgement over one record or text. Holds no part of the text judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Secrets masked (by [`admit`]) or found (by [`audit`]).
    pub redactions: Vec<Redaction>,
    /// Reasons to refuse. When there is one, nothing of the record may be written.
    pub refusals: Vec<Refusal>,
    /// What was changed besides secrets, in words, for the person who wrote it.
    pub notes: Vec<String>,
    /// How much the text commands the agent that reads it.
    pub directive: Assessment,
}

impl Verdict {
    /// Whether the record may be written.
    pub fn is_admitted(&self) -> bool {
        self.refusals.is_empty()
    }

    /// Whether the record is to be kept out of recall until a person clears it.
    pub fn is_quarantined(&self) -> bool {
        self.directive.is_quarantined()
    }

    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.refusals.is_empty()
            && self.redactions.is_empty()
            && self.notes.is_empty()
            && !self.is_quarantined()
    }
}

/// Judges `map` and puts it in order in place: line ends and NFC, hidden characters (refused, or stripped on request), secrets masked.
///
/// Key order, numbers and clean strings stay as they are. Admitting an admitted map changes nothing. When the verdict holds
/// refusals the map is still normalised and masked, but must not be written.
pub fn admit(map: &mut Map<String, Value>, kind: Kind, options: Options) -> Verdict {
    let mut walk = Walk {
        kind,
        options,
        verdict: Verdict::default(),
        texts: Vec::new(),
    };
    walk.object(map, &Path::ROOT, 1);
    // Counted only when some part is large enough to matter: serialising every record twice would cost more than the scan.
    let size = json_size(map);
    if kind != Kind::Other
        && let Some(excess) = limits::check("record", "bytes", size, limits::RECORD_BYTES)
    {
        walk.refuse("too_long", String::new(), &excess);
    }
    walk.finish()
}

/// Judges a lone string such as a note or the context of a signal; `path` names it in the verdict.
pub fn admit_text(text: &mut String, path: &str, options: Options) -> Verdict {
    let mut walk = Walk {
        kind: Kind::Other,
        options,
        verdict: Verdict::default(),
        texts: Vec::new(),
    };
    walk.text(
        text,
        &Path::Root(path),
        limits::TEXT_BYTES,
        "text",
        Treatment::Prose,
    );
    walk.finish()
}

/// The same judgement over a stored record, changing nothing: what today's rules would mask, refuse or quarantine.
pub fn audit(map: &Map<String, Value>, kind: Kind) -> Verdict {
    admit(&mut map.clone(), kind, Options::default())
}

/// How the strings under a key are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// Ordinary text: every rule applies to spans inside it.
    Prose,
    /// An identifier or another word machines compare: only tokens with a vendor's prefix are masked.
    Structure,
    /// The value of a key that names a secret: masked whole, as this class.
    Secret(&'static str),
}

/// Where a value stands. A chain on the stack; text is built only when there is something to say.
enum Path<'a> {
    Root(&'a str),
    Field(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    const ROOT: Path<'static> = Path::Root("");

    fn render(&self) -> String {
        match self {
            Self::Root(name) => (*name).to_owned(),
            Self::Field(parent, key) => {
                let parent = parent.render();
                let key = printable_key(key);
                if parent.is_empty() {
                    key
                } else {
                    format!("{parent}.{key}")
                }
            }
            Self::Item(parent, index) => format!("{}[{index}]", parent.render()),
        }
    }

    fn depth_zero_field(&self) -> Option<&str> {
        match self {
            Self::Field(Self::Root(_), key) => Some(key),
            Self::Item(parent, _) => parent.depth_zero_field(),
            _ => None,
        }
    }
}

/// A key fit for a message: masked, visible, short.
fn printable_key(key: &str) -> String {
    const SHOWN: usize = 60;
    let masked = secrets::redact(key).0;
    let visible = super::markdown::terminal(&masked);
    match visible.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &visible[..at]),
        None => visible.into_owned(),
    }
}

/// Fields at the top of a record that machines compare.
const STRUCTURE_FIELDS: &[&str] = &[
    "id",
    "ts",
    "status",
    "kind",
    "scope",
    "primary_skill",
    "created_ts",
    "last_touched_ts",
    "source",
    "aha_id",
    "rec_id",
    "event_id",
    "backport_id",
    "key",
    "supersedes",
    "superseded_by",
    "schema_version",
    "user",
    "plan",
    "digest",
    "related_aha_ids",
    "aha_ids",
    "rec_ids",
    "card_ids",
    "requested_card_ids",
    "added_card_ids",
    "result_card_ids",
    "existing_card_ids",
];

/// Fields whose name may sound secret but whose value is prose or a label.
const NEVER_WHOLE_FIELDS: &[&str] = &["title", "tags", "id", "key", "primary_skill"];

struct Walk {
    kind: Kind,
    options: Options,
    verdict: Verdict,
    /// Texts that a reading agent would take as words, for the directive score.
    texts: Vec<(String, String)>,
}

impl Walk {
    fn finish(mut self) -> Verdict {
        let texts: Vec<&str> = self.texts.iter().map(|(_, text)| text.as_str()).collect();
        let mut assessment = directive::assess(&texts);
        for reason in &mut assessment.reasons {
            if let Some((path, _)) = self.texts.get(reason.text) {
                reason.path.clone_from(path);
            }
        }
        self.verdict.directive = assessment;
        self.verdict
    }

    fn object(&mut self, map: &mut Map<String, Value>, path: &Path<'_>, depth: usize) {
        if !self.may_descend(path, depth) {
            return;
        }
        if let Some(excess) = limits::check("object", "fields", map.len(), limits::OBJECT_FIELDS) {
            self.refuse("too_long", path.render(), &excess);
        }
        self.keys(map, path);
        for (key, value) in map.iter_mut() {
            let treatment = self.treatment(path, key, value);
            let inner = Path::Field(path, key);
            self.value(value, &inner, depth, treatment);
        }
    }

    fn may_descend(&mut self, path: &Path<'_>, depth: usize) -> bool {
        let Some(excess) = limits::check("nesting", "levels", depth, limits::NESTING_DEPTH) else {
            return true;
        };
        self.refuse(
            "too_deep",
            path.depth_zero_field().unwrap_or_default().to_owned(),
            &excess,
        );
        false
    }

    /// Puts the keys in order; rebuilds the map only when one of them changes.
    fn keys(&mut self, map: &mut Map<String, Value>, path: &Path<'_>) {
        let needs_work = |key: &String| {
            key.len() > limits::KEY_BYTES
                || !key.is_ascii()
                || key.bytes().any(|byte| !is_plain_key_byte(byte))
                || key.len() >= 16
        };
        if !map.keys().any(needs_work) {
            return;
        }
        let mut changed = Vec::new();
        for key in map.keys() {
            let mut admitted = key.clone();
            let place = Path::Field(path, key);
            // A key is no sentence: only its characters, its length and the secrets in it are judged.
            self.text(
                &mut admitted,
                &place,
                limits::KEY_BYTES,
                "field name",
                Treatment::Prose,
            );
            self.texts
                .retain(|(_, text)| *text != admitted || text.contains(' '));
            if admitted != *key {
                changed.push((key.clone(), admitted));
            }
        }
        if changed.is_empty() {
            return;
        }
        let mut rest = changed.into_iter().peekable();
        for (key, value) in std::mem::take(map) {
            let name = match rest.next_if(|(old, _)| *old == key) {
                Some((_, admitted)) => admitted,
                None => key,
            };
            let mut unique = name.clone();
            let mut count = 1;
            while map.contains_key(&unique) {
                count += 1;
                unique = format!("{name} ({count})");
            }
            map.insert(unique, value);
        }
    }

    fn treatment(&self, path: &Path<'_>, key: &str, value: &Value) -> Treatment {
        let at_top = matches!(path, Path::Root(_));
        if at_top && self.kind != Kind::Other && STRUCTURE_FIELDS.contains(&key) {
            return Treatment::Structure;
        }
        if NEVER_WHOLE_FIELDS.contains(&key) || !may_be_masked_whole(key, value) {
            return Treatment::Prose;
        }
        secrets::class_of_field(key).map_or(Treatment::Prose, Treatment::Secret)
    }

    fn value(&mut self, value: &mut Value, path: &Path<'_>, depth: usize, treatment: Treatment) {
        match value {
            Value::String(text) => {
                let (what, allowed) = match path {
                    Path::Item(..) => ("list item", limits::LIST_ITEM_BYTES),
                    _ => ("text", limits::TEXT_BYTES),
                };
                if let Path::Field(Path::Root(_), "title") = path
                    && let Some(excess) = limits::check(
                        "title",
                        "characters",
                        text.chars().count(),
                        limits::TITLE_CHARS,
                    )
                {
                    self.refuse("too_long", path.render(), &excess);
                }
                self.text(text, path, allowed, what, treatment);
            }
            Value::Array(items) => {
                if !self.may_descend(path, depth + 1) {
                    return;
                }
                if let Some(excess) =
                    limits::check("list", "items", items.len(), limits::LIST_LENGTH)
                {
                    self.refuse("too_long", path.render(), &excess);
                }
                for (index, item) in items.iter_mut().enumerate() {
                    self.value(item, &Path::Item(path, index), depth + 1, treatment);
                }
            }
            Value::Object(map) => self.object(map, path, depth + 1),
            // A password may be all digits; no other number is a secret.
            Value::Number(_) => {
                if let Treatment::Secret("field-password") = treatment {
                    self.verdict.redactions.push(Redaction {
                        class: "field-password",
                        path: path.render(),
                        offset: 0,
                    });
                    *value = Value::String(secrets::mark("field-password"));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(
        &mut self,
        text: &mut String,
        path: &Path<'_>,
        allowed: usize,
        what: &'static str,
        treatment: Treatment,
    ) {
        self.normalise(text, path);
        let spans = match treatment {
            Treatment::Prose => secrets::scan(text),
            Treatment::Structure => secrets::scan_tokens(text),
            Treatment::Secret(class) if secrets::is_field_secret(class, text) => {
                vec![SecretSpan {
                    class,
                    start: 0,
                    end: text.len(),
                }]
            }
            Treatment::Secret(_) => secrets::scan(text),
        };
        if !spans.is_empty() {
            let rendered = path.render();
            self.verdict
                .redactions
                .extend(spans.iter().map(|span| Redaction {
                    class: span.class,
                    path: rendered.clone(),
                    offset: span.start,
                }));
            *text = secrets::mask(text, &spans);
            // A selector or joiner that clung to the secret has lost its base.
            if let Cow::Owned(stripped) = invisible::strip(text) {
                let was_clean = self
                    .verdict
                    .refusals
                    .iter()
                    .all(|refusal| refusal.path != rendered);
                if was_clean || self.options.strip_invisible {
                    *text = stripped;
                }
            }
        }
        if let Some(excess) = limits::check(what, "bytes", text.len(), allowed) {
            self.refuse("too_long", path.render(), &excess);
        }
        if treatment != Treatment::Structure && directive::may_command(text) {
            self.texts.push((path.render(), text.clone()));
        }
    }

    /// Line ends, hidden characters, NFC — in this order, because a removed character may let its neighbours compose.
    fn normalise(&mut self, text: &mut String, path: &Path<'_>) {
        if text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t'))
        {
            return;
        }
        let mut current = invisible::normalise_newlines(text).into_owned();
        if let Some(hidden) = invisible::find(&current) {
            if self.options.strip_invisible {
                let before = current.chars().count();
                current = invisible::strip(&current).into_owned();
                let removed = before - current.chars().count();
                self.verdict.notes.push(format!(
                    "`{}`: removed {removed} hidden character{}",
                    path.render(),
                    if removed == 1 { "" } else { "s" }
                ));
            } else {
                self.verdict.refusals.push(Refusal {
                    code: "invisible_text",
                    path: path.render(),
                    message: format!(
                        "`{}` holds {} at character {}",
                        path.render(),
                        hidden.describe(),
                        hidden.offset
                    ),
                    hint:
                        "remove the character, or pass --strip-invisible to drop hidden characters"
                            .to_owned(),
                });
            }
        }
        if let Cow::Owned(composed) = invisible::storage_form(&current) {
            current = composed;
        }
        if self.options.strip_invisible && invisible::find(&current).is_some() {
            current = invisible::strip(&current).into_owned();
        }
        *text = current;
    }

    fn refuse(&mut self, code: &'static str, path: String, excess: &Excess) {
        self.verdict.refusals.push(Refusal {
            code,
            message: excess.message(&path),
            path,
            hint: excess.hint().to_owned(),
        });
    }
}

fn is_plain_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' ' | b'.')
}

/// Only strings, lists and the digits of a password are masked as a whole; an object under a secret-sounding key is looked into.
fn may_be_masked_whole(key: &str, value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Array(_) => true,
        Value::Number(_) => matches!(
            key.to_ascii_lowercase().as_str(),
            "password" | "passwd" | "pwd" | "passcode" | "passphrase"
        ),
        Value::Null | Value::Bool(_) | Value::Object(_) => false,
    }
}

/// The length of `map` as compact JSON, counted without building it.
fn json_size(map: &Map<String, Value>) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting cannot fail, and a JSON value always serialises.
    let _ = serde_json::to_writer(&mut counter, map);
    counter.0
}
