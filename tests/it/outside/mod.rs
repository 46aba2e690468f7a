//! Figures that other people computed or published, asked of our server.
//!
//! The core crate holds its rules to some of the same files; here the whole way is held: CSV and Parquet, SQL, plan, wire.
//!
//! - [`funnels`]: ClickHouse's levels.
//! - [`shop`]: sessions and attribution of a shop, by pandas.
//! - [`channel_paths`]: the heuristic models of ChannelAttribution.
//! - [`fractribution`]: sessions, paths and last touch of Snowplow's package of that name.
//! - [`web_sessions`]: the sessions of Snowplow's web package, and where ours are others.

mod channel_paths;
mod fractribution;
mod funnels;
mod shop;
mod web_sessions;

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::fixtures;
use crate::server::Server;

/// A server whose lake is a folder of `testdata`, and a client of it.
async fn serve(folder: &str) -> (Server, Client) {
    let server = Server::start(&[format!("outside={}", fixtures::testdata(folder).display())]);
    let client = server.connect().await;
    (server, client)
}

/// The rows of a statement as text; NULL is empty, as in the CSV files.
async fn rows(client: &Client, sql: &str) -> Vec<Vec<String>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .map(|row| (0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
        .collect()
}

/// Figures by what they are about: the first `key_count` columns name it, the others are numbers.
type Figures = BTreeMap<Vec<String>, Vec<f64>>;

fn figures(rows: Vec<Vec<String>>, key_count: usize) -> Figures {
    let number = |text: &String| text.parse().unwrap_or_else(|error| panic!("{text:?} is no number: {error}"));
    let row_count = rows.len();
    let figures: Figures = rows
        .into_iter()
        .map(|row| (row[..key_count].to_vec(), row[key_count..].iter().map(number).collect()))
        .collect();
    assert_eq!(figures.len(), row_count, "nothing is told twice");
    figures
}

/// Asserts that figures are the same up to `tolerance`. A row of zeros may be left out on either side.
fn assert_same(ours: &Figures, theirs: &Figures, tolerance: f64) {
    let column_count = theirs.values().map(Vec::len).max().expect("there is something to compare");
    let zeros = vec![0.0; column_count];
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let (our, their) = (ours.get(name).unwrap_or(&zeros), theirs.get(name).unwrap_or(&zeros));
        assert_eq!(our.len(), their.len(), "{name:?}");
        let is_same = our.iter().zip(their).all(|(our, their)| (our - their).abs() <= tolerance);
        assert!(is_same, "{name:?}: ours {our:?}, theirs {their:?}");
    }
}

#[test]
fn a_figure_that_differs_or_is_missing_is_noticed() {
    let row = |name: &str, number: &str| vec![name.to_owned(), number.to_owned()];
    let theirs = figures(vec![row("email", "2.5"), row("search", "0")], 1);
    assert_same(&figures(vec![row("email", "2.5000001")], 1), &theirs, 1e-6);
    for wrong in [vec![], vec![row("email", "2.6")], vec![row("email", "2.5"), row("direct", "1")]] {
        let ours = figures(wrong, 1);
        assert!(std::panic::catch_unwind(|| assert_same(&ours, &theirs, 1e-6)).is_err(), "{ours:?}");
    }
}
