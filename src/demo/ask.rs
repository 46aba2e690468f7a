//! Asks the questions over the wire and tells how the answers compare with what was planted.

use std::io::Write;
use std::time::Instant;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::answer::Answer;
use super::progress::patiently;
use super::questions::{QUESTIONS, Question, Truth};
use crate::error::{Error, Result, SqlState};

/// How many planted numbers came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Questions asked.
    pub asked: usize,
    /// Planted numbers that were answered as planted.
    pub right: usize,
    /// Planted numbers that were answered otherwise or not at all.
    pub wrong: usize,
}

impl Report {
    /// Every planted number came back.
    pub fn is_right(&self) -> bool {
        self.wrong == 0 && self.right > 0
    }
}

/// Asks all questions and writes each with its SQL, its answer and its planted numbers to `out`.
///
/// The first lake of the server must be the demo lake. A statement that the server refuses counts
/// as wrong for all its numbers, and the next is asked. Fails with 08006 where the server is gone
/// and 58030 where `out` cannot be written.
pub async fn ask(client: &Client, out: &mut dyn Write) -> Result<Report> {
    let mut report = Report::default();
    for question in &QUESTIONS {
        let (chinese, english) = question.titles();
        let heading = format!("\n{}. {chinese}\n{english}\n\n{}\n\n", question.number, question.sql());
        print(out, &heading)?;
        let started = Instant::now();
        let waiting_for = format!("question {}", question.number);
        let text = match patiently(client.simple_query(question.sql()), &waiting_for).await {
            Ok(messages) => {
                let answer = rows(messages);
                let seconds = started.elapsed().as_secs_f64();
                let table = answer.table();
                let rows = answer.rows.len();
                let truths = judge(question, &answer, &mut report);
                format!("{table}\n({rows} rows, {seconds:.2} s)\n\n{truths}")
            }
            Err(error) => {
                let refused = refusal(&error)?;
                format!("{refused}\n\n{}", judge(question, &Answer::default(), &mut report))
            }
        };
        print(out, &text)?;
        report.asked += 1;
    }
    let Report { asked, right, wrong } = report;
    print(out, &format!("\n{asked} questions: {right} numbers as planted, {wrong} not.\n"))?;
    Ok(report)
}

fn print(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(SqlState::IO_ERROR, format!("could not write the answers: {error}")))
}

/// The rows of the one statement that was sent.
fn rows(messages: Vec<SimpleQueryMessage>) -> Answer {
    let mut answer = Answer::default();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                answer.columns = columns.iter().map(|column| column.name().to_owned()).collect();
            }
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|index| row.get(index).map(str::to_owned));
                answer.rows.push(values.collect());
            }
            _ => {}
        }
    }
    answer
}

/// What the server said where it refused a statement; an error where it did not say anything.
fn refusal(error: &tokio_postgres::Error) -> Result<String> {
    match error.as_db_error() {
        Some(refused) => Ok(format!("{}: {}", refused.code().code(), refused.message())),
        None => Err(Error::new(SqlState::CONNECTION_FAILURE, format!("the demo's own connection was lost: {error}"))),
    }
}

/// One line for each planted number, counted in `report`.
fn judge(question: &Question, answer: &Answer, report: &mut Report) -> String {
    let mut lines = String::new();
    for truth in question.truths(answer) {
        if truth.holds() {
            report.right += 1;
        } else {
            report.wrong += 1;
        }
        lines.push_str(&line(&truth));
    }
    lines
}

fn line(truth: &Truth) -> String {
    let mark = if truth.holds() { "✓" } else { "✗" };
    let answered = truth.answered.map_or_else(|| "nothing".to_owned(), readable);
    format!("  {mark} {}: planted {}, answered {answered}\n", truth.what, readable(truth.planted))
}

/// A number with its thousands apart and no more decimals than it has, four at most.
fn readable(number: f64) -> String {
    let text = format!("{number:.4}");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    match decimals.trim_end_matches('0') {
        "" => format!("{sign}{grouped}"),
        decimals => format!("{sign}{grouped}.{decimals}"),
    }
}

#[cfg(test)]
mod tests;
