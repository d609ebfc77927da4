//! SQLite FTS5 as a program of its own, over the same cards.
//!
//! fts5 build DB LOG | fts5 query DB TEXT | fts5 record DB JSONLINE | fts5 version
//!
//! As lean as FTS5 is without giving up ranking or word positions: the texts stay in the log, the database holds
//! the index and the ids. The write-ahead log stays in place between processes, so that a record costs one sync.

mod card;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["build", database, log] => build(database, log),
        ["query", database, text] => query(database, text),
        ["record", database, line] => record(database, line),
        ["version"] => {
            println!("SQLite {}", rusqlite::version());
            Ok(())
        }
        _ => {
            eprintln!("usage: fts5 build DB LOG | query DB TEXT | record DB JSONLINE | version");
            std::process::exit(2);
        }
    }
    .expect("SQLite");
}

fn build(database: &str, log: &str) -> rusqlite::Result<()> {
    let _ = std::fs::remove_file(database);
    let mut connection = Connection::open(database)?;
    // What is derived from the log need not survive a crash while it is built.
    connection.execute_batch(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;
         CREATE TABLE cards (number INTEGER PRIMARY KEY, id TEXT NOT NULL);
         CREATE VIRTUAL TABLE texts USING fts5 (text, content = '', tokenize = 'porter unicode61');",
    )?;
    let transaction = connection.transaction()?;
    for line in BufReader::new(File::open(log).expect("the log")).lines() {
        insert(&transaction, &line.expect("a line"))?;
    }
    transaction.commit()?;
    connection.execute_batch("PRAGMA journal_mode = WAL;")
}

fn insert(transaction: &Transaction<'_>, line: &str) -> rusqlite::Result<()> {
    let (id, text) = card::parse(line);
    transaction
        .prepare_cached("INSERT INTO cards (id) VALUES (?1)")?
        .execute([id])?;
    let number = transaction.last_insert_rowid();
    transaction
        .prepare_cached("INSERT INTO texts (rowid, text) VALUES (?1, ?2)")?
        .execute(params![number, text])?;
    Ok(())
}

fn open(database: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn record(database: &str, line: &str) -> rusqlite::Result<()> {
    let mut connection = open(database)?;
    connection.execute_batch("PRAGMA synchronous = FULL;")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    insert(&transaction, line)?;
    transaction.commit()
}

fn query(database: &str, text: &str) -> rusqlite::Result<()> {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
        .collect();
    let connection = open(database)?;
    // `rank` is bm25(); by its name FTS5 sorts without asking twice.
    let mut statement = connection.prepare(
        "SELECT (SELECT id FROM cards WHERE number = hit.rowid)
         FROM (SELECT rowid FROM texts WHERE texts MATCH ?1 ORDER BY rank LIMIT 10) AS hit",
    )?;
    let mut rows = statement.query([words.join(" OR ")])?;
    let mut out = std::io::stdout().lock();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        writeln!(out, "{id}").expect("output");
    }
    Ok(())
}
