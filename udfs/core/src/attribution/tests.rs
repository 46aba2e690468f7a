//! The rules by example, published answers, and the fast code against slow obvious code.

mod cost;
mod goldens;
mod models;
mod oracle;
mod properties;
mod rules;

use std::collections::BTreeMap;

use super::*;

/// Units of the rules.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A row: time, channel, kind, value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    at_us: i64,
    channel: u32,
    kind: u8,
    value: i128,
}

fn spec_of(models: &str, options: Options) -> Spec {
    Spec::try_new(Models::parse(models).expect("models"), options).expect("valid spec")
}

/// A plan where the label `c7` has code 7, and `direct` code 1.
fn plan(models: &str, options: Options) -> Plan {
    spec_of(models, options).resolve(|label| match label {
        "direct" => Some(1),
        label => label.strip_prefix('c').and_then(|code| code.parse().ok()),
    })
}

/// Columns of rows, sorted by time; equal times stay in the order given.
struct Columns {
    at_us: Vec<i64>,
    kinds: Vec<u8>,
    channels: Vec<u32>,
    values: Vec<i128>,
    floats: Vec<f64>,
}

impl Columns {
    fn new(rows: &[Row]) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_by_key(|row| row.at_us);
        Self {
            at_us: rows.iter().map(|row| row.at_us).collect(),
            kinds: rows.iter().map(|row| row.kind).collect(),
            channels: rows.iter().map(|row| row.channel).collect(),
            values: rows.iter().map(|row| row.value).collect(),
            floats: rows.iter().map(|row| row.value as f64).collect(),
        }
    }

    fn user(&self) -> User<'_, u8, i128> {
        let Self { at_us, kinds, channels, values, .. } = self;
        User { at_us, kinds, channels, ties: None, values }
    }

    fn floats(&self) -> User<'_, u8, f64> {
        let Self { at_us, kinds, channels, floats, .. } = self;
        User { at_us, kinds, channels, ties: None, values: floats }
    }
}

fn list_of(plan: &Plan, rows: &[Row]) -> Vec<Element<i128>> {
    let mut elements = Vec::new();
    list(plan, &Columns::new(rows).user(), &mut Scratch::default(), |element| elements.push(element)).expect("fits");
    elements
}

fn totals_of(plan: &Plan, rows: &[Row]) -> Vec<Total<i128>> {
    let mut answers = Vec::new();
    totals(plan, &Columns::new(rows).user(), &mut Scratch::default(), |total| answers.push(total)).expect("fits");
    answers
}

fn rows_of(plan: &Plan, rows: &[Row]) -> Vec<Total<i128>> {
    let mut answers = Vec::new();
    per_row(plan, &Columns::new(rows).user(), &mut Scratch::default(), |total| answers.push(total)).expect("fits");
    answers
}

/// Credit and value for each model and channel.
fn by_channel(totals: &[Total<i128>]) -> BTreeMap<(usize, u32), (i128, i128)> {
    let mut sums = BTreeMap::new();
    for total in totals {
        let sum: &mut (i128, i128) = sums.entry((total.model, total.channel)).or_default();
        sum.0 += total.credit;
        sum.1 += total.value;
    }
    sums
}

/// The same of a list.
fn list_by_channel(list: &[Element<i128>]) -> BTreeMap<(usize, u32), (i128, i128)> {
    let mut sums = BTreeMap::new();
    for element in list {
        let sum: &mut (i128, i128) = sums.entry((element.model, element.channel)).or_default();
        sum.0 += i128::from(element.credit);
        sum.1 += element.value;
    }
    sums
}

/// A touch of a channel.
fn touch(at_us: i64, channel: u32) -> Row {
    Row { at_us, channel, kind: TOUCH as u8, value: 0 }
}

/// A conversion without a channel.
fn conversion(at_us: i64, value: i128) -> Row {
    Row { at_us, channel: 0, kind: CONVERSION as u8, value }
}

/// A milestone without a channel.
fn reached(at_us: i64, index: usize) -> Row {
    Row { at_us, channel: 0, kind: milestone(index) as u8, value: 0 }
}

/// The value that each channel of `channels` gets from the only model, in units of the value.
fn shares(models: &str, options: Options, rows: &[Row], channels: &[u32]) -> Vec<f64> {
    let sums = by_channel(&totals_of(&plan(models, options), rows));
    channels.iter().map(|&channel| sums.get(&(0, channel)).map_or(0.0, |sum| sum.1 as f64 / 1e6)).collect()
}

fn assert_near(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got_one, expected_one) in got.iter().zip(expected) {
        assert!((got_one - expected_one).abs() <= tolerance, "{what}: got {got:?}, expected {expected:?}");
    }
}
