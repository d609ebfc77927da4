//! tantivy as a program of its own, over the same cards.
//!
//! tantivy build DIR LOG | tantivy query DIR TEXT | tantivy record DIR JSONLINE | tantivy version
//!
//! One field for the text, which is not stored; the ids are.

mod card;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, Query, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions, Value as _,
};
use tantivy::{Index, IndexWriter, ReloadPolicy, TantivyDocument, Term};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["build", folder, log] => build(folder, log),
        ["query", folder, text] => query(folder, text),
        ["record", folder, line] => record(folder, line),
        ["version"] => {
            println!("{}", tantivy::version_string());
            Ok(())
        }
        _ => {
            eprintln!(
                "usage: tantivy build DIR LOG | query DIR TEXT | record DIR JSONLINE | version"
            );
            std::process::exit(2);
        }
    }
    .expect("tantivy");
}

fn build(folder: &str, log: &str) -> tantivy::Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    let words = TextFieldIndexing::default()
        .set_tokenizer("en_stem")
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let mut schema = Schema::builder();
    schema.add_text_field("id", STORED);
    schema.add_text_field("text", TextOptions::default().set_indexing_options(words));
    let index = Index::create_in_dir(folder, schema.build())?;
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 64_000_000)?;
    for line in BufReader::new(File::open(log)?).lines() {
        add(&index, &writer, &line?)?;
    }
    writer.commit()?;
    writer.wait_merging_threads()
}

fn fields(index: &Index) -> tantivy::Result<(Field, Field)> {
    let schema = index.schema();
    Ok((schema.get_field("id")?, schema.get_field("text")?))
}

fn add(index: &Index, writer: &IndexWriter, line: &str) -> tantivy::Result<()> {
    let (id_field, text_field) = fields(index)?;
    let (id, text) = card::parse(line);
    let mut document = TantivyDocument::default();
    document.add_text(id_field, id);
    document.add_text(text_field, text);
    writer.add_document(document)?;
    Ok(())
}

fn record(folder: &str, line: &str) -> tantivy::Result<()> {
    let index = Index::open_in_dir(folder)?;
    // The least memory it takes.
    let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000)?;
    add(&index, &writer, line)?;
    writer.commit()?;
    // Else every record would leave a segment behind for good.
    writer.wait_merging_threads()
}

fn query(folder: &str, text: &str) -> tantivy::Result<()> {
    let index = Index::open_in_dir(folder)?;
    let (id_field, text_field) = fields(&index)?;
    let mut terms: Vec<Box<dyn Query>> = Vec::new();
    let mut analyzer = index.tokenizer_for_field(text_field)?;
    analyzer.token_stream(text).process(&mut |token| {
        let term = Term::from_field_text(text_field, &token.text);
        terms.push(Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)));
    });
    let reader = index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .try_into()?;
    let searcher = reader.searcher();
    let best = TopDocs::with_limit(10).order_by_score();
    let mut out = std::io::stdout().lock();
    for (_, address) in searcher.search(&BooleanQuery::union(terms), &best)? {
        let document: TantivyDocument = searcher.doc(address)?;
        let id = document.get_first(id_field).and_then(|id| id.as_str());
        writeln!(out, "{}", id.expect("an id"))?;
    }
    Ok(())
}
