//! What advertising cost, by day and province.

use super::clock::DAY_COUNT;
use super::moments::PAUSE_DAYS;
use super::places::{PROVINCES, WEST_COUNT};
use super::vocabulary::CHANNELS;

/// Cost of one channel on one day in one province.
#[derive(Clone, Debug)]
pub struct Spend {
    pub day: i64,
    pub channel: &'static str,
    pub campaign: Option<&'static str>,
    pub province: &'static str,
    pub cost_cents: i64,
    pub impressions: Option<i64>,
    pub clicks: Option<i64>,
}

/// What the west costs Douyin in a fortnight, and so what the pause saved.
const WEST_FORTNIGHT_CENTS: i64 = 270_000;

/// Impressions for a click.
const IMPRESSIONS_PER_CLICK: i64 = 40;

/// All spending. Every channel's cents are spread as evenly as whole cents can be; Douyin spends a
/// round sum per fortnight in the west, nothing there in the pause, and the rest in the east.
pub fn spend() -> Vec<Spend> {
    let mut rows = Vec::new();
    for channel in &CHANNELS {
        let total_cents = channel.spend_yuan * 100;
        let (west, east) = PROVINCES.split_at(WEST_COUNT);
        let mut west_rows = Vec::new();
        let mut east_rows = Vec::new();
        for day in 0..DAY_COUNT {
            west_rows.extend(west.iter().map(|province| (day, province.name)));
            east_rows.extend(east.iter().map(|province| (day, province.name)));
        }
        let cells = if channel.name == "douyin" {
            let paused = |day: &i64| PAUSE_DAYS.contains(day);
            let (off, on): (Vec<_>, Vec<_>) = west_rows.into_iter().partition(|(day, _)| paused(day));
            let on_days = DAY_COUNT - PAUSE_DAYS.count() as i64;
            let mut cells = spread(&on, WEST_FORTNIGHT_CENTS * on_days / 14);
            cells.extend(spread(&off, 0));
            let rest_cents = total_cents - cells.iter().map(|cell| cell.2).sum::<i64>();
            cells.extend(spread(&east_rows, rest_cents));
            cells
        } else {
            west_rows.extend(east_rows);
            west_rows.sort_by_key(|(day, _)| *day);
            spread(&west_rows, total_cents)
        };
        for (day, province, cost_cents) in cells {
            let clicks = channel.click_cents.map(|click_cents| cost_cents / click_cents);
            rows.push(Spend {
                day,
                channel: channel.name,
                campaign: channel.campaign,
                province,
                cost_cents,
                impressions: clicks.map(|clicks| clicks * IMPRESSIONS_PER_CLICK),
                clicks,
            });
        }
    }
    rows.sort_by_key(|row| row.day);
    rows
}

/// Shares a sum among cells: each gets what is due so far less what was given so far, so that
/// rounding never adds up and the sum is exact.
fn spread<'a>(cells: &[(i64, &'a str)], total_cents: i64) -> Vec<(i64, &'a str, i64)> {
    let count = cells.len() as i64;
    let mut given = 0;
    (1..)
        .zip(cells)
        .map(|(rank, (day, province))| {
            let due = (2 * total_cents * rank + count) / (2 * count);
            let cents = due - given;
            given = due;
            (*day, *province, cents)
        })
        .collect()
}
