//! On what people shop, and how far into the web shop they come.
//!
//! Platforms of buyers are fixed numbers, and in every week and on every platform one person gives
//! up at the checkout for four who pay; after the new Android app came, three for two on Android.

use std::collections::BTreeMap;

use super::clock::{day, starts_us, week_of};
use super::journeys::JOURNEYS;
use super::people::{CHECKOUT_AFTER_US, LATE_US, Person, SHOPPING_US};
use super::random::Random;

/// The moment at which the Android app 3.2 came, and payments began to fail.
pub const LEAK_US: i64 = starts_us(day(5, 11));

/// Buyers by platform: Android before and after the leak, and the others over all the time.
const ANDROID_BEFORE: usize = 720;
const ANDROID_AFTER: usize = 180;
const IOS: usize = 720;
const MINIPROGRAM: usize = 480;

/// Reached at least `add_to_cart`, at least `product_view`, and came to the web shop at all.
const CART_ONLY: usize = 4_550;
const PRODUCT_ONLY: usize = 16_000;

/// Chooses platforms, who pays late, and the furthest step of everybody.
pub fn assign(people: &mut [Person], seed: u64) {
    let mut random = Random::new(seed, "shopping");
    buyers_platforms(people, &mut random);
    others_platforms(people, &mut random);
    late_payers(people, &mut random);
    levels(people, &mut random);
}

fn is_web_buyer(person: &Person) -> bool {
    person.buys && person.journey.shops_on_the_web()
}

/// Buys on the web with a device that is free to choose: the second device of J01 is a computer.
fn buyers_platforms(people: &mut [Person], random: &mut Random) {
    let (mut after, mut before): (Vec<usize>, Vec<usize>) = (0..people.len())
        .filter(|index| is_web_buyer(&people[*index]) && !people[*index].journey.has_two_devices())
        .partition(|index| people[*index].moment_us >= LEAK_US);
    let mut android = random.take(&mut after, ANDROID_AFTER);
    android.extend(random.take(&mut before, ANDROID_BEFORE));
    set_platform(people, &android, "android");

    // A code in the shop is scanned with a telephone, so those people choose before the others.
    let (mut scanners, mut rest): (Vec<usize>, Vec<usize>) =
        after.into_iter().chain(before).partition(|index| people[*index].journey.id == "J13");
    let scanners_on_ios = scanners.len() / 2;
    let ios = random.take(&mut scanners, scanners_on_ios);
    set_platform(people, &ios, "ios");
    let more_ios = random.take(&mut rest, IOS - ios.len());
    set_platform(people, &more_ios, "ios");
    let more_miniprogram = random.take(&mut rest, MINIPROGRAM - scanners.len());
    set_platform(people, &scanners, "miniprogram");
    set_platform(people, &more_miniprogram, "miniprogram");
}

fn set_platform(people: &mut [Person], who: &[usize], platform: &'static str) {
    for index in who {
        people[*index].platform = platform;
    }
}

fn others_platforms(people: &mut [Person], random: &mut Random) {
    for person in people.iter_mut().filter(|person| !is_web_buyer(person)) {
        let web = if person.journey.id == "J13" { 0 } else { 18 };
        person.platform = if person.journey.has_two_devices() {
            "web"
        } else {
            ["android", "ios", "miniprogram", "web"][random.weighted(&[35, 28, 19, web])]
        };
    }
}

/// One web buyer in ten of every journey pays late, but nobody across the leak.
fn late_payers(people: &mut [Person], random: &mut Random) {
    for journey in JOURNEYS.iter().filter(|journey| journey.shops_on_the_web()) {
        // J19 and J20 have 35 and 5 buyers: 4 and 0 keep the sum at one in ten.
        let count = if journey.id == "J20" { 0 } else { journey.buyers.div_ceil(10) };
        let mut pool: Vec<usize> = (0..people.len())
            .filter(|index| {
                let person = &people[*index];
                let first_us = person.moment_us - LATE_US - SHOPPING_US;
                person.buys && person.journey.id == journey.id && (first_us >= LEAK_US || person.moment_us < LEAK_US)
            })
            .collect();
        for index in random.take(&mut pool, count) {
            people[index].pays_late = true;
        }
    }
}

/// The furthest step of everybody: buyers, then those who give up at the checkout, then the rest.
fn levels(people: &mut [Person], random: &mut Random) {
    let mut buyers_per_cell: BTreeMap<(&'static str, i64), usize> = BTreeMap::new();
    for person in people.iter_mut().filter(|person| is_web_buyer(person)) {
        person.level = 5;
        *buyers_per_cell.entry((person.platform, week_of(person.checkout_us()))).or_default() += 1;
    }
    let mut others: BTreeMap<(&'static str, i64), Vec<usize>> = BTreeMap::new();
    for (index, person) in people.iter().enumerate() {
        if person.journey.shops_on_the_web() && !person.buys {
            let week = week_of(person.moment_us - SHOPPING_US + CHECKOUT_AFTER_US);
            others.entry((person.platform, week)).or_default().push(index);
        }
    }
    for (cell, count) in abandoners_per_cell(&buyers_per_cell) {
        for index in random.take(others.entry(cell).or_default(), count) {
            people[index].level = 4;
        }
    }
    let mut rest: Vec<usize> = others.into_values().flatten().collect();
    for index in random.take(&mut rest, CART_ONLY) {
        people[index].level = 3;
    }
    for index in random.take(&mut rest, PRODUCT_ONLY) {
        people[index].level = 2;
    }
    for index in rest {
        people[index].level = 1;
    }
}

/// How many give up at the checkout per platform and week.
///
/// Each platform's weeks share its quota in proportion to their buyers; a running sum keeps the
/// rounding errors of a platform from adding up.
fn abandoners_per_cell(buyers_per_cell: &BTreeMap<(&'static str, i64), usize>) -> Vec<((&'static str, i64), usize)> {
    let leak_week = week_of(LEAK_US);
    let mut sums: BTreeMap<(&'static str, bool), (usize, usize)> = BTreeMap::new();
    let mut cells = Vec::new();
    for (&(platform, week), &buyers) in buyers_per_cell {
        let leaks = platform == "android" && week >= leak_week;
        let (buyers_so_far, given) = sums.entry((platform, leaks)).or_default();
        *buyers_so_far += buyers;
        let due = if leaks { *buyers_so_far * 3 / 2 } else { (*buyers_so_far + 2) / 4 };
        cells.push(((platform, week), due - *given));
        *given = due;
    }
    cells
}
