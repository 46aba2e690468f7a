//! Size, span, shape and stability of the lake.

use std::collections::HashSet;

use super::read::{column, dates, instants, texts};
use super::{local, sample};
use crate::demo::lake::random::mix;
use crate::demo::lake::{DemoLake, SEED, VERSION, generate};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

#[test]
fn the_lake_has_the_people_and_events_of_the_story() {
    let users: HashSet<&str> = sample().events.iter().map(|event| event.user.as_str()).collect();
    assert_eq!(users.len(), 46_400);
    assert_eq!(sample().lake.table("users").expect("users").rows(), 46_400);
    assert!((270_000..300_000).contains(&sample().events.len()), "{}", sample().events.len());
}

#[test]
fn event_ids_are_unique_and_events_are_in_time_order() {
    let ids: HashSet<&str> = sample().events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids.len(), sample().events.len());
    assert!(sample().events.is_sorted_by_key(|event| event.at_us));
}

#[test]
fn everything_happens_from_march_to_may_in_shanghai() {
    let span = local("2026-03-01T00:00:00")..local("2026-06-01T00:00:00");
    for table in &sample().lake.tables {
        for (file, batch) in &table.files {
            for field in batch.schema().fields() {
                if !matches!(field.data_type(), DataType::Timestamp(..)) {
                    continue;
                }
                // Collectors may deliver the last event, and codes may end, after the last moment.
                if field.name() == "received_at" {
                    continue;
                }
                for at_us in instants(batch, field.name()).into_iter().flatten() {
                    assert!(span.contains(&at_us) || at_us == span.end, "{file}.{}", field.name());
                }
            }
        }
    }
    assert!(sample().events.iter().all(|event| span.contains(&event.at_us)));
    let spend = super::read::only(&sample().lake, "ad_spend");
    let days: HashSet<i32> = dates(spend, "spend_date").into_iter().flatten().collect();
    assert_eq!(days.len(), 92);
}

#[test]
fn each_file_of_events_holds_one_local_month() {
    let table = sample().lake.table("events").expect("events");
    let names: Vec<&str> = table.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["events/2026-03", "events/2026-04", "events/2026-05"]);
    for (name, batch) in &table.files {
        let month = name.trim_start_matches("events/");
        let start = local(&format!("{month}-01T00:00:00"));
        assert!(instants(batch, "event_time").into_iter().flatten().all(|at_us| at_us >= start));
    }
}

#[test]
fn personal_columns_are_made_up() {
    let users = super::read::only(&sample().lake, "users");
    assert!(texts(users, "phone").iter().flatten().all(|phone| phone.starts_with("+86100")));
    assert!(texts(users, "email").iter().flatten().all(|mail| mail.ends_with("@example.com")));
    assert_eq!(column(users, "name").null_count(), 0);
}

/// One number for all rows of all tables.
fn fingerprint(lake: &DemoLake) -> u64 {
    let options = FormatOptions::default();
    let mut print = 0_u64;
    let mut add = |bytes: &[u8]| {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            print = mix(print ^ u64::from_le_bytes(word));
        }
        print = mix(print ^ bytes.len() as u64);
    };
    for table in &lake.tables {
        for (file, batch) in &table.files {
            add(file.as_bytes());
            for (array, field) in batch.columns().iter().zip(batch.schema().fields()) {
                add(field.name().as_bytes());
                if matches!(field.data_type(), DataType::Timestamp(..)) {
                    instants(batch, field.name())
                        .iter()
                        .for_each(|at_us| add(&at_us.unwrap_or(i64::MIN).to_le_bytes()));
                } else if let Some(texts) = array.as_string_opt::<i32>() {
                    texts.iter().for_each(|text| add(text.unwrap_or("∅").as_bytes()));
                } else {
                    let values = ArrayFormatter::try_new(array, &options).expect("a plain column");
                    (0..batch.num_rows()).for_each(|row| add(values.value(row).to_string().as_bytes()));
                }
            }
        }
    }
    add(lake.landing.1.as_bytes());
    print
}

/// A changed fingerprint means a changed lake: raise [`VERSION`] and write the new one here.
#[test]
fn the_lake_is_the_same_on_every_machine() {
    assert_eq!((VERSION, fingerprint(&sample().lake)), ("2", FINGERPRINT));
}

const FINGERPRINT: u64 = 1_750_475_873_772_758_003;

#[test]
fn another_seed_casts_other_people_in_the_same_parts() {
    let other = generate(SEED + 1);
    let rows = |lake: &DemoLake| -> Vec<(&str, usize)> {
        lake.tables.iter().map(|table| (table.name, table.rows())).collect()
    };
    // How many agree to be texted, beyond those whom the story counts, is left to chance.
    let counted = |lake| -> Vec<_> { rows(lake).into_iter().filter(|(table, _)| *table != "consents").collect() };
    assert_eq!(counted(&other), counted(&sample().lake));
    let events = super::read::event_rows(&other);
    assert_ne!(events[0].user, sample().events[0].user);
    super::attribution::check_first_and_last(&events);
    super::shop::check_shop(&events);
}
