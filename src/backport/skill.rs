//! The block in `SKILL.md`: the pointer to the cards, or one line per card under the gotchas heading.

use super::document::{self, LineEnd};
use super::markers::{self, Block, Family, Scan};
use super::splice::{self, Spot};
use super::{SKILL_PATH, render};

/// Where the knowledge lands in `SKILL.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// A block that points to the reference file.
    #[default]
    Reference,
    /// One line per card under the gotchas heading; the full cards in the reference file.
    Gotchas,
}

impl Placement {
    pub const NAMES: [&'static str; 2] = ["reference", "gotchas"];

    pub fn parse(text: &str) -> Option<Placement> {
        match text {
            "reference" => Some(Placement::Reference),
            "gotchas" => Some(Placement::Gotchas),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Placement::Reference => "reference",
            Placement::Gotchas => "gotchas",
        }
    }
}

/// What happens to the block, in the words of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkillChange {
    AppendedBlock,
    UpdatedMarkerId,
    Unchanged,
}

impl SkillChange {
    pub fn as_str(self) -> &'static str {
        match self {
            SkillChange::AppendedBlock => "appended_block",
            SkillChange::UpdatedMarkerId => "updated_marker_id",
            SkillChange::Unchanged => "unchanged",
        }
    }
}

/// A place in a file where going on would overwrite somebody's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub file: &'static str,
    pub line: usize,
    /// The card or backport the block belongs to.
    pub id: String,
    /// Stable: `edited`, `tampered`, `damaged`.
    pub code: &'static str,
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// `SKILL.md` after the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillEdit {
    pub bytes: Vec<u8>,
    pub change: SkillChange,
    /// The text of the block before, when it was replaced.
    pub was: Option<String>,
    pub notes: Vec<String>,
}

/// Refuse what cannot be changed safely: a block without an end, an end whose start was deleted.
///
/// # Errors
/// A `damaged` conflict naming the line.
pub fn check(scan: &Scan, file: &'static str) -> Result<(), Conflict> {
    let damaged = |line: usize, id: &str, message: String| Conflict {
        file,
        line,
        id: id.to_owned(),
        code: "damaged",
        message,
        fix: format!("repair or delete the marker at {file}:{line}, then run this again"),
    };
    for block in &scan.blocks {
        if block.end_line.is_none() {
            let message = format!(
                "{file}:{}: the block that starts here has no end marker",
                block.line
            );
            return Err(damaged(block.line, &block.id, message));
        }
    }
    match scan.stray_ends.first() {
        Some(line) => Err(damaged(
            *line,
            "",
            format!("{file}:{line}: this end marker has no start marker"),
        )),
        None => Ok(()),
    }
}

/// Put the pointer block in place, or give the existing block the id of this backport.
///
/// `changed`: whether the reference file changes; when it does not and a block is there, nothing is
/// to be done. `upgrade` renews the text of a pointer that carries no digest.
pub fn place_pointer(bytes: &[u8], backport_id: &str, changed: bool, upgrade: bool) -> SkillEdit {
    let ends = LineEnd::of(bytes);
    let scan = markers::scan(bytes, Family::Skill);
    let mut notes = duplicates(&scan);
    let pointer = scan.blocks.iter().find(|block| !block.into_gotchas());
    if let Some(block) =
        pointer.filter(|block| upgrade && block.seal.is_none() && is_known_pointer(block))
    {
        let text = markers::compose(
            Family::Skill,
            &markers::skill_start(backport_id),
            &render::pointer(),
            1,
            0,
            None,
        );
        return SkillEdit {
            was: Some(String::from_utf8_lossy(&bytes[block.span.clone()]).into_owned()),
            bytes: splice::replace_block(bytes, block, &text, ends),
            change: SkillChange::UpdatedMarkerId,
            notes,
        };
    }
    if let Some(block) = pointer.or(scan.blocks.first()) {
        let start = markers::skill_start(backport_id);
        let (bytes, change) = if changed && block.id != backport_id {
            (
                splice::replace(bytes, block.start_line_span.clone(), start.as_bytes()),
                SkillChange::UpdatedMarkerId,
            )
        } else {
            (bytes.to_vec(), SkillChange::Unchanged)
        };
        return SkillEdit {
            bytes,
            change,
            was: None,
            notes,
        };
    }
    let spot = splice::end_spot(bytes, &scan, SKILL_PATH);
    notes.extend(spot.note.clone());
    SkillEdit {
        bytes: splice::insert(
            bytes,
            &spot,
            &pointer_block(backport_id, spot.glue, spot.after),
            ends,
        ),
        change: SkillChange::AppendedBlock,
        was: None,
        notes,
    }
}

/// The pointer block as it is written.
pub fn pointer_block(backport_id: &str, glue: usize, after: usize) -> String {
    markers::compose(
        Family::Skill,
        &markers::skill_start(backport_id),
        &render::pointer(),
        glue,
        after,
        None,
    )
}

/// A block without digest that says nothing but where the cards are.
fn is_known_pointer(block: &Block) -> bool {
    let text = block.body_text();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.len() == 2
        && lines[0].starts_with("## Learnings")
        && lines[1].contains(super::REFERENCE_PATH)
}

fn duplicates(scan: &Scan) -> Vec<String> {
    let pointers = scan
        .blocks
        .iter()
        .filter(|block| !block.into_gotchas())
        .skip(1);
    pointers
        .map(|block| {
            format!(
                "{SKILL_PATH}:{}: a second block (`{}`); only the first is kept up to date",
                block.line, block.id
            )
        })
        .collect()
}

/// Put one line per card under the gotchas heading, or into the block that is there already.
///
/// `lessons` are pairs of id and line.
///
/// # Errors
/// A conflict when a person has changed the block, unless `overwrite`.
pub fn place_gotchas(
    bytes: &[u8],
    backport_id: &str,
    lessons: &[(String, String)],
    overwrite: bool,
) -> Result<SkillEdit, Conflict> {
    let ends = LineEnd::of(bytes);
    let scan = markers::scan(bytes, Family::Skill);
    let start = markers::skill_start(backport_id);
    if let Some(block) = scan.blocks.iter().find(|block| block.into_gotchas()) {
        let old = block.body_text();
        let body = merge_lessons(&old, lessons);
        if body == old {
            return Ok(unchanged(bytes));
        }
        if block.is_sealed() == Some(false) && !overwrite {
            return Err(edited(block, SKILL_PATH));
        }
        let seal = block.seal.clone().unwrap_or_default();
        let text = markers::compose(
            Family::Skill,
            &start,
            &body,
            seal.glue,
            seal.after,
            Some("gotchas"),
        );
        return Ok(SkillEdit {
            was: Some(String::from_utf8_lossy(&bytes[block.span.clone()]).into_owned()),
            bytes: splice::replace_block(bytes, block, &text, ends),
            change: SkillChange::UpdatedMarkerId,
            notes: Vec::new(),
        });
    }
    let (spot, heading) = match gotchas_spot(bytes, &scan) {
        Some(spot) => (spot, false),
        None => (splice::end_spot(bytes, &scan, SKILL_PATH), true),
    };
    let mut body = String::new();
    if heading {
        body.push_str("## Gotchas\n\n");
    }
    let body = merge_lessons(&(body + &render::gotchas_pointer()), lessons);
    let text = markers::compose(
        Family::Skill,
        &start,
        &body,
        spot.glue,
        spot.after,
        Some("gotchas"),
    );
    Ok(SkillEdit {
        bytes: splice::insert(bytes, &spot, &text, ends),
        change: SkillChange::AppendedBlock,
        was: None,
        notes: spot.note.into_iter().collect(),
    })
}

fn unchanged(bytes: &[u8]) -> SkillEdit {
    SkillEdit {
        bytes: bytes.to_vec(),
        change: SkillChange::Unchanged,
        was: None,
        notes: Vec::new(),
    }
}

/// The conflict of a block that somebody has changed.
pub fn edited(block: &Block, file: &'static str) -> Conflict {
    Conflict {
        file,
        line: block.line,
        id: block.id.clone(),
        code: "edited",
        message: format!("{file}:{}: somebody has changed the block `{}` by hand", block.line, block.id),
        fix: "keep the edit with `self-learning backport-inspect --adopt`, or replace it with `--overwrite`".to_owned(),
    }
}

/// Whether a line of the block is the lesson of a card.
pub fn is_lesson_of(line: &str, id: &str) -> bool {
    line.starts_with("- ") && line.trim_end().ends_with(&format!("(`{id}`)"))
}

/// The body with each lesson in it once: replaced where it stands, else put before the last line.
fn merge_lessons(body: &str, lessons: &[(String, String)]) -> String {
    let mut lines: Vec<String> = body.lines().map(str::to_owned).collect();
    for (id, lesson) in lessons {
        let lesson = lesson.trim_end().to_owned();
        if let Some(line) = lines.iter_mut().find(|line| is_lesson_of(line, id)) {
            *line = lesson;
            continue;
        }
        let pointer = lines
            .iter()
            .position(|line| line.as_str() == render::gotchas_pointer().trim_end());
        lines.insert(pointer.unwrap_or(lines.len()), lesson);
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// The body without the lessons of some cards; `None` when no lesson is left.
pub fn without_lessons(body: &str, ids: &[String]) -> Option<String> {
    let kept: Vec<&str> = body
        .lines()
        .filter(|line| !ids.iter().any(|id| is_lesson_of(line, id)))
        .collect();
    let lesson = |line: &&str| line.starts_with("- ") && line.ends_with("`)");
    kept.iter()
        .any(lesson)
        .then(|| kept.iter().map(|line| format!("{line}\n")).collect())
}

/// Behind the text that stands directly under the gotchas heading; `None` without such a heading.
fn gotchas_spot(bytes: &[u8], scan: &Scan) -> Option<Spot> {
    let headings: Vec<_> = document::headings(bytes, &scan.lines)
        .into_iter()
        .filter(|heading| !scan.covers(scan.lines[heading.line].start))
        .collect();
    let named = |exact: bool| {
        headings.iter().position(|heading| {
            let text = heading.text.to_lowercase();
            if exact {
                return matches!(
                    text.trim_matches(|character: char| !character.is_alphanumeric()),
                    "gotchas" | "gotcha"
                );
            }
            text.split(|character: char| !character.is_alphanumeric())
                .any(|word| matches!(word, "gotchas" | "gotcha"))
        })
    };
    let index = named(true).or_else(|| named(false))?;
    let first = headings[index].next;
    let next_heading = headings.get(index + 1).map(|heading| heading.line);
    let next_block = scan
        .blocks
        .iter()
        .map(|block| block.line - 1)
        .find(|line| *line >= first);
    let limit = next_heading
        .into_iter()
        .chain(next_block)
        .chain(scan.open_since)
        .min()
        .unwrap_or(scan.lines.len())
        .max(first);
    let filled = (first..limit)
        .rev()
        .find(|line| !scan.lines[*line].is_blank(bytes));
    let line = filled.map_or(first, |line| line + 1);
    let mut spot = splice::spot_before(bytes, scan, line);
    if scan
        .open_since
        .is_some_and(|open| open >= first && open <= limit)
    {
        spot.note = Some(format!(
            "{SKILL_PATH} leaves code open under this heading; the block goes before it"
        ));
    }
    Some(spot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(edit: &SkillEdit) -> String {
        String::from_utf8(edit.bytes.clone()).expect("text")
    }

    fn lesson(id: &str, text: &str) -> (String, String) {
        (id.to_owned(), format!("- {text} (`{id}`)\n"))
    }

    #[test]
    fn gotchas_go_under_their_heading() {
        for (file, before) in [
            (
                "# x\n\n## Gotchas\n\n- one\n\n## Next\n\ny\n",
                "- one\n\n<!--",
            ),
            ("# x\n\n## Gotchas\n## Next\n", "## Gotchas\n\n<!--"),
            ("Common gotchas\n---\ntext\n### Sub\nz\n", "text\n\n<!--"),
            ("## Gotchas", "## Gotchas\n\n<!--"),
            ("## gotchas:\n- a\n```\nopen\n", "- a\n\n<!--"),
            ("```\n## Gotchas\n```\nend", "end\n\n<!--"),
        ] {
            let edit = place_gotchas(file.as_bytes(), "slbp_1", &[lesson("aha_1", "l")], false)
                .expect("no conflict");
            assert_eq!(edit.change, SkillChange::AppendedBlock);
            let new = text(&edit);
            assert!(new.contains(before), "{file:?}\n{new}");
            assert_eq!(
                splice::without_blocks(&edit.bytes, Family::Skill),
                file.as_bytes(),
                "{file:?}"
            );
            let again = place_gotchas(&edit.bytes, "slbp_2", &[lesson("aha_1", "l")], false)
                .expect("no conflict");
            assert_eq!(again.change, SkillChange::Unchanged);
            let more = place_gotchas(
                &edit.bytes,
                "slbp_2",
                &[lesson("aha_2", "m"), lesson("aha_1", "L")],
                false,
            );
            let more = text(&more.expect("no conflict"));
            assert!(
                more.contains("- L (`aha_1`)\n- m (`aha_2`)\n- More on each"),
                "{more}"
            );
            let touched = new.replace("- l (", "- l! (");
            let conflict =
                place_gotchas(touched.as_bytes(), "slbp_2", &[lesson("aha_2", "m")], false);
            assert_eq!(conflict.expect_err("an edit").code, "edited");
            assert!(
                place_gotchas(touched.as_bytes(), "slbp_2", &[lesson("aha_2", "m")], true).is_ok()
            );
        }
    }

    #[test]
    fn the_pointer_is_added_once_and_renamed() {
        let first = place_pointer(b"# x\n", "slbp_1", true, false);
        assert_eq!(first.change, SkillChange::AppendedBlock);
        let second = place_pointer(&first.bytes, "slbp_2", true, false);
        assert_eq!(second.change, SkillChange::UpdatedMarkerId);
        assert_eq!(text(&second), text(&first).replace("slbp_1", "slbp_2"));
        assert_eq!(
            markers::scan(&second.bytes, Family::Skill).blocks[0].is_sealed(),
            Some(true)
        );
        assert_eq!(
            place_pointer(&second.bytes, "slbp_3", false, false).change,
            SkillChange::Unchanged
        );
    }

    #[test]
    fn damage_is_not_written_over() {
        for (file, line) in [
            ("<!-- self-learning:backport:start id=a -->\nx\n", 1),
            ("x\n<!-- self-learning:backport:end -->\n", 2),
        ] {
            let conflict = check(&markers::scan(file.as_bytes(), Family::Skill), SKILL_PATH)
                .expect_err("damage");
            assert_eq!((conflict.code, conflict.line), ("damaged", line));
        }
    }
}
