//! The columns of the tables beside the events.

use std::collections::{BTreeMap, HashSet};

use super::columns::Columns;
use super::{DemoTable, user_id};
use crate::demo::lake::Story;
use crate::demo::lake::clock::{FIRST_DAY_EPOCH, starts_us};
use crate::demo::lake::identity::{anonymous_id, phone, phone_hash};
use crate::demo::lake::random::mix;
use crate::demo::lake::tags::TAG_RULES;
use crate::demo::lake::vocabulary::{CHANNELS, FAMILY_NAMES, GIVEN_NAMES};

/// The text of an order's id, by its rank in time.
pub fn order_id(order: usize) -> String {
    format!("o{:05}", order + 1)
}

/// The text of a call's id.
pub fn call_id(call: usize) -> String {
    format!("c{:05}", call + 1)
}

/// The text of a lead's id.
pub fn lead_id(lead: usize) -> String {
    format!("l{:05}", lead + 1)
}

/// All tables but the events.
pub fn tables(story: &Story) -> Vec<DemoTable> {
    vec![
        users(story),
        user_tags(story),
        tag_rules(),
        calls(story),
        tracking_codes(story),
        number_pool(story),
        ad_spend(story),
        identity_edges(story),
        consents(story),
        leads(story),
        channels(),
        channel_rules(),
    ]
}

fn users(story: &Story) -> DemoTable {
    let people = &story.cast.people;
    let count = people.len();
    let mut tags: BTreeMap<usize, Vec<&'static str>> = BTreeMap::new();
    for tag in story.tags.iter().filter(|tag| tag.unset_us.is_none()) {
        tags.entry(tag.person).or_default().push(tag.tag);
    }
    let mut order_count = vec![0; count];
    for order in &story.orders {
        order_count[order.person] += 1;
    }
    let asked: HashSet<usize> = story.asked.iter().copied().collect();
    // A person's traits come from their number, each from bits of its own.
    let trait_of = |person: usize, salt: u64, bound: u64| mix(salt << 32 | person as u64) % bound;
    let name = |person: usize| {
        let family = FAMILY_NAMES[trait_of(person, 1, FAMILY_NAMES.len() as u64) as usize];
        let given = GIVEN_NAMES[trait_of(person, 2, GIVEN_NAMES.len() as u64) as usize];
        format!("{family}{given}")
    };
    let tier = |person: usize| match order_count[person] {
        0 => "none",
        1 => "silver",
        2 => "gold",
        _ => "black",
    };
    let columns = Columns::new()
        .key("user_id", (0..count).map(user_id))
        .maybe_at("created_at", people.iter().map(|person| Some(person.first_contact_us())))
        .text("name", (0..count).map(|person| Some(name(person))))
        .text("phone", (0..count).map(|person| Some(phone(person))))
        .text(
            "email",
            (0..count).map(|person| (trait_of(person, 3, 5) > 0).then(|| format!("{}@example.com", user_id(person)))),
        )
        .text(
            "gender",
            (0..count).map(|person| {
                [Some("female"), Some("male"), None][[0, 0, 0, 1, 1, 2][trait_of(person, 4, 6) as usize]]
            }),
        )
        .int("birth_year", (0..count).map(|person| Some(1_960 + trait_of(person, 5, 46) as i32)))
        .text("province", people.iter().map(|person| Some(person.province.name)))
        .text("city", people.iter().map(|person| Some(person.city)))
        .text("member_tier", (0..count).map(|person| Some(tier(person))))
        .text("first_channel", people.iter().map(|person| person.journey.channels.first().copied()))
        .texts("tags", (0..count).map(|person| tags.get(&person).map_or(&[][..], Vec::as_slice)))
        .text("attributes", (0..count).map(|person| asked.contains(&person).then_some(r#"{"survey": "asked"}"#)));
    DemoTable::single("users", columns)
}

fn user_tags(story: &Story) -> DemoTable {
    let tags = &story.tags;
    let rule = |tag: &str| TAG_RULES.iter().find(|rule| rule.tag == tag).map(|rule| rule.rule_id);
    let columns = Columns::new()
        .key("user_id", tags.iter().map(|tag| user_id(tag.person)))
        .key("tag", tags.iter().map(|tag| tag.tag))
        .no_text("value", tags.len())
        .text("source", tags.iter().map(|_| Some("rule")))
        .text("rule_id", tags.iter().map(|tag| rule(tag.tag)))
        .at("set_at", tags.iter().map(|tag| tag.set_us))
        .maybe_at("unset_at", tags.iter().map(|tag| tag.unset_us));
    DemoTable::single("user_tags", columns)
}

fn tag_rules() -> DemoTable {
    let rules = || TAG_RULES.iter();
    let columns = Columns::new()
        .text("rule_id", rules().map(|rule| Some(rule.rule_id)))
        .text("tag", rules().map(|rule| Some(rule.tag)))
        .text("description", rules().map(|rule| Some(rule.description)))
        .text("definition", rules().map(|rule| Some(rule.definition)))
        .text("owner", rules().map(|_| Some("marketing")))
        .int("version", rules().map(|_| Some(1)))
        .maybe_at("valid_from", rules().map(|_| Some(starts_us(0))))
        .maybe_at("valid_until", rules().map(|_| None));
    DemoTable::single("tag_rules", columns)
}

fn calls(story: &Story) -> DemoTable {
    let calls = &story.calls;
    let first_order: BTreeMap<usize, usize> = story
        .orders
        .iter()
        .enumerate()
        .filter(|(_, order)| order.order_index == 1)
        .map(|(number, order)| (order.person, number))
        .collect();
    let sold: Vec<Option<usize>> = calls
        .iter()
        .map(|call| first_order.get(&call.person).copied().filter(|_| call.outcome == Some("sold")))
        .collect();
    let last_stage = |reached: usize| reached.checked_sub(1).map(|last| crate::demo::lake::call_desk::STAGES[last].0);
    let columns = Columns::new()
        .key("call_id", (0..calls.len()).map(call_id))
        .maybe_at("started_at", calls.iter().map(|call| Some(call.started_us)))
        .maybe_at("answered_at", calls.iter().map(|call| call.answered_us()))
        .maybe_at("ended_at", calls.iter().map(|call| Some(call.ended_us())))
        .text("user_id", calls.iter().map(|call| Some(user_id(call.person))))
        .text("phone_hash", calls.iter().map(|call| Some(phone_hash(call.person))))
        .text("call_direction", calls.iter().map(|call| Some(call.direction)))
        .text("call_status", calls.iter().map(|call| Some(call.status)))
        .int("call_attempt", calls.iter().map(|call| call.attempt))
        .int("ring_seconds", calls.iter().map(|call| Some(call.ring_seconds)))
        .int("call_seconds", calls.iter().map(|call| Some(call.talk_seconds)))
        .int("hold_seconds", calls.iter().map(|call| Some(call.hold_seconds)))
        .text("tracking_code", calls.iter().map(|call| call.tracking_code))
        .text("lead_channel", calls.iter().map(|call| call.lead_channel))
        .text("campaign", calls.iter().map(|call| call.campaign))
        .text("agent_id", calls.iter().map(|call| call.agent_id()))
        .text("team", calls.iter().map(|call| Some(call.team)))
        .text("script_id", calls.iter().map(|call| call.script))
        .text("last_stage", calls.iter().map(|call| last_stage(call.stages)))
        .text("call_outcome", calls.iter().map(|call| call.outcome))
        .text("order_id", sold.iter().map(|order| order.map(order_id)))
        .money("order_value", sold.iter().map(|order| order.map(|order| story.orders[order].revenue_cents)))
        .number("sentiment", calls.iter().map(|call| call.sentiment))
        .texts("agent_tags", calls.iter().map(|call| call.agent_tags))
        .no_text("transcript", calls.len())
        .no_text("recording_url", calls.len());
    DemoTable::single("calls", columns)
}

fn tracking_codes(story: &Story) -> DemoTable {
    let codes = &story.codes;
    let of = |name: &str| CHANNELS.iter().find(|channel| channel.name == name);
    let columns = Columns::new()
        .key("code", codes.iter().map(|code| code.code))
        .text("kind", codes.iter().map(|code| Some(code.kind)))
        .text("channel", codes.iter().map(|code| Some(code.channel)))
        .text("source", codes.iter().map(|code| of(code.channel).and_then(|known| known.source)))
        .text("medium", codes.iter().map(|code| of(code.channel).and_then(|known| known.medium)))
        .text("campaign", codes.iter().map(|code| of(code.channel).and_then(|known| known.campaign)))
        .no_text("content", codes.len())
        .at("valid_from", codes.iter().map(|code| code.valid_from_us))
        .maybe_at("valid_until", codes.iter().map(|code| code.valid_until_us));
    DemoTable::single("tracking_codes", columns)
}

fn number_pool(story: &Story) -> DemoTable {
    let shown = &story.shown_numbers;
    let columns = Columns::new()
        .key("tracking_code", shown.iter().map(|number| number.code))
        .key("anonymous_id", shown.iter().map(|number| anonymous_id(number.person, false)))
        .at("shown_from", shown.iter().map(|number| number.from_us))
        .at("shown_until", shown.iter().map(|number| number.until_us));
    DemoTable::single("number_pool", columns)
}

fn ad_spend(story: &Story) -> DemoTable {
    let spend = &story.spend;
    let columns = Columns::new()
        .date("spend_date", spend.iter().map(|row| (FIRST_DAY_EPOCH + row.day) as i32))
        .key("channel", spend.iter().map(|row| row.channel))
        .text("campaign", spend.iter().map(|row| row.campaign))
        .text("region", spend.iter().map(|row| Some(row.province)))
        .text("currency", spend.iter().map(|_| Some("CNY")))
        .money("cost", spend.iter().map(|row| Some(row.cost_cents)))
        .bigint("impressions", spend.iter().map(|row| row.impressions))
        .bigint("clicks", spend.iter().map(|row| row.clicks));
    DemoTable::single("ad_spend", columns)
}

fn identity_edges(story: &Story) -> DemoTable {
    let edges = &story.edges;
    let columns = Columns::new()
        .key("id_type_a", edges.iter().map(|edge| edge.id_type))
        .key("id_a", edges.iter().map(|edge| edge.id.as_str()))
        .key("id_type_b", edges.iter().map(|_| "user_id"))
        .key("id_b", edges.iter().map(|edge| user_id(edge.person)))
        .at("seen_at", edges.iter().map(|edge| edge.seen_us))
        .text("source", edges.iter().map(|edge| Some(edge.source)));
    DemoTable::single("identity_edges", columns)
}

fn consents(story: &Story) -> DemoTable {
    let consents = &story.consents;
    let columns = Columns::new()
        .key("user_id", consents.iter().map(|consent| user_id(consent.person)))
        .key("purpose", consents.iter().map(|consent| consent.purpose))
        .key("status", consents.iter().map(|consent| consent.status))
        .at("changed_at", consents.iter().map(|consent| consent.changed_us))
        .text("source", consents.iter().map(|consent| Some(consent.source)))
        .text("policy_version", consents.iter().map(|_| Some("2026-01")));
    DemoTable::single("consents", columns)
}

fn leads(story: &Story) -> DemoTable {
    let leads = &story.leads;
    let owner = |owner: Option<u8>| owner.map(|agent| format!("agent_{agent:02}"));
    let columns = Columns::new()
        .key("lead_id", (0..leads.len()).map(lead_id))
        .text("user_id", leads.iter().map(|lead| Some(user_id(lead.person))))
        .text("account_id", leads.iter().map(|lead| story.account_id(lead.person)))
        .maybe_at("created_at", leads.iter().map(|lead| Some(lead.created_us)))
        .text("lead_channel", leads.iter().map(|lead| Some(lead.channel)))
        .text("owner", leads.iter().map(|lead| owner(lead.owner)))
        .text("stage", leads.iter().map(|lead| Some(lead.stage)))
        .flag("sold", leads.iter().map(|lead| lead.sold))
        .money("order_value", leads.iter().map(|lead| lead.order_cents))
        .maybe_at("closed_at", leads.iter().map(|lead| lead.closed_us));
    DemoTable::single("leads", columns)
}

fn channels() -> DemoTable {
    let channels = || CHANNELS.iter();
    let columns = Columns::new()
        .key("channel", channels().map(|channel| channel.name))
        .text("label_zh", channels().map(|channel| Some(channel.label_zh)))
        .text("label_en", channels().map(|channel| Some(channel.label_en)))
        .flag("is_paid", channels().map(|channel| channel.is_paid))
        .text("kind", channels().map(|channel| Some(channel.kind)));
    DemoTable::single("channels", columns)
}

/// One rule for each channel that marks its links, in the order of their names.
fn channel_rules() -> DemoTable {
    let rules: Vec<_> = CHANNELS.iter().filter(|channel| channel.source.is_some()).collect();
    let columns = Columns::new()
        .int("priority", (1..).take(rules.len()).map(|rank| Some(rank * 10)))
        .text("source_pattern", rules.iter().map(|channel| channel.source))
        .text("medium_pattern", rules.iter().map(|channel| channel.medium))
        .no_text("campaign_pattern", rules.len())
        .no_text("referrer_pattern", rules.len())
        .text("click_id_kind", rules.iter().map(|channel| channel.click_prefix))
        .key("channel", rules.iter().map(|channel| channel.name));
    DemoTable::single("channel_rules", columns)
}
