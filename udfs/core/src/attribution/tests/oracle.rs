//! Attribution by looking at every pair of touch and conversion, in the words of the rules.

use super::*;

/// What one conversion sees: indexes of rows, sorted; and each one's share under the model.
pub struct Seen {
    pub conversion: usize,
    pub touches: Vec<usize>,
    pub shares: Vec<f64>,
}

/// The rows in the order of ATTRIBUTION-3.
pub fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| {
        let channel = if row.channel == 0 { u64::MAX } else { u64::from(row.channel) };
        (row.at_us, channel, u64::from(row.kind) & CONVERSION, row.value, u64::from(row.kind) & TOUCH, row.kind)
    });
    rows
}

/// Every conversion of `rows`, which must be [`sorted`], under one model.
pub fn divide(spec: &Spec, model: usize, rows: &[Row]) -> Vec<Seen> {
    let is = |row: &Row, bit: u64| u64::from(row.kind) & bit > 0;
    let conversions: Vec<usize> = (0..rows.len()).filter(|&row| is(&rows[row], CONVERSION)).collect();
    conversions.iter().map(|&conversion| seen(spec, model, rows, &conversions, conversion)).collect()
}

fn seen(spec: &Spec, model: usize, rows: &[Row], conversions: &[usize], conversion: usize) -> Seen {
    let options = spec.options();
    let at_us = rows[conversion].at_us;
    let since_us = conversions.iter().map(|&other| rows[other].at_us).filter(|&other_us| other_us < at_us).max();
    let in_time = |row: &Row| {
        row.at_us <= at_us
            && options.lookback_us.is_none_or(|lookback_us| at_us - row.at_us <= lookback_us)
            && (options.consume == Consume::None || since_us.is_none_or(|since_us| row.at_us > since_us))
    };
    let mut all: Vec<usize> = (0..rows.len())
        .filter(|&row| rows[row].channel != 0 && u64::from(rows[row].kind) & TOUCH > 0 && in_time(&rows[row]))
        .filter(|&row| row != conversion || options.include_self)
        .collect();
    let count = options.lookback_touches.map_or(all.len(), |count| all.len().min(count as usize));
    all.drain(..all.len() - count);
    let is_last_of_channel =
        |index: usize| all[index + 1..].iter().all(|&row| rows[row].channel != rows[all[index]].channel);
    let last_of_channel: Vec<usize> =
        (0..all.len()).filter(|&index| is_last_of_channel(index)).map(|index| all[index]).collect();
    let touches = if options.per_channel_once { last_of_channel.clone() } else { all.clone() };
    let stands_for = |row: usize| {
        let same =
            |&touch: &usize| touch == row || options.per_channel_once && rows[touch].channel == rows[row].channel;
        touches.iter().position(same).expect("a touch of the journey")
    };
    let mut weights = vec![0.0; touches.len()];
    let n = touches.len();
    if n > 0 {
        match spec.models()[model].rule() {
            Rule::First => weights[stands_for(all[0])] = 1.0,
            Rule::Last => weights[n - 1] = 1.0,
            Rule::LastNon { labels } => {
                let codes: Vec<u32> = labels.iter().filter_map(|label| label.strip_prefix('c')?.parse().ok()).collect();
                let outside = all.iter().rev().find(|&&row| !codes.contains(&rows[row].channel));
                weights[outside.map_or(n - 1, |&row| stands_for(row))] = 1.0;
            }
            Rule::Linear => weights.fill(1.0),
            Rule::Position { first, middle, last } => {
                let start = stands_for(all[0]);
                if n == 1 {
                    weights[0] = 1.0;
                } else if n == 2 && start != 1 {
                    weights = if first + last > 0.0 { vec![*first, *last] } else { vec![1.0, 1.0] };
                } else {
                    let ends = if start == n - 1 { 1 } else { 2 };
                    weights.fill(middle / (n - ends) as f64);
                    weights[start] = 0.0;
                    weights[n - 1] = *last;
                    weights[start] += first;
                }
            }
            Rule::TimeDecay { half_life_us } => {
                for (weight, &row) in weights.iter_mut().zip(&touches) {
                    let age_us = rows[*touches.last().expect("some")].at_us - rows[row].at_us;
                    *weight = (-(age_us as f64) / *half_life_us as f64).exp2();
                }
            }
            Rule::Weights { weights: given } => {
                let used = n.min(given.len());
                weights[..used].copy_from_slice(&given[..used]);
                if weights.iter().all(|&weight| weight == 0.0) {
                    weights[..used].fill(1.0);
                }
            }
            Rule::Participation => {
                for row in last_of_channel {
                    weights[touches.iter().position(|&touch| touch == row).expect("kept")] = 1.0;
                }
                return Seen { conversion, touches, shares: weights };
            }
            Rule::LinearPosition => weights.iter_mut().zip(1..).for_each(|(weight, place)| *weight = f64::from(place)),
            Rule::Geometric { ratio } => {
                (0..n).for_each(|index| weights[index] = ratio.powi((n - 1 - index) as i32));
            }
            Rule::Milestones { weights: given } => {
                let mut marked = vec![false; n];
                let mut mark = |row: usize, weight: f64| {
                    weights[stands_for(row)] += weight;
                    marked[stands_for(row)] = true;
                };
                mark(all[0], given[0]);
                for (index, &weight) in given[1..].iter().enumerate() {
                    let is_reached = |row: &&Row| u64::from(row.kind) & milestone(index) > 0 && in_time(row);
                    let Some(reached) = rows.iter().find(is_reached) else { continue };
                    if let Some(&row) = all.iter().rev().find(|&&row| rows[row].at_us <= reached.at_us) {
                        mark(row, weight);
                    }
                }
                let others = marked.iter().filter(|&&is_marked| !is_marked).count();
                let left = 1.0 - given.iter().sum::<f64>();
                for index in (0..n).filter(|&index| !marked[index]) {
                    weights[index] = left.max(0.0) / others as f64;
                }
                if weights.iter().sum::<f64>() == 0.0 {
                    weights.fill(1.0);
                }
            }
        }
    }
    let sum: f64 = weights.iter().sum();
    Seen { conversion, touches, shares: weights.iter().map(|weight| weight / sum).collect() }
}
