//! The columns of `events`.

use std::ops::Range;

use super::columns::Columns;
use super::user_id;
use crate::demo::lake::Story;
use crate::demo::lake::call_desk::Call;
use crate::demo::lake::clock::SECOND_US;
use crate::demo::lake::events::{Event, Page, SERVER};
use crate::demo::lake::identity::anonymous_id;
use crate::demo::lake::random::mix;
use crate::demo::lake::shopping::LEAK_US;
use crate::demo::lake::vocabulary::{Channel, PRODUCTS, channel};

const SITE: &str = "https://cranehill.example";

/// All columns of a run of events, in the order of the canonical schema.
pub fn columns(story: &Story, range: Range<usize>) -> Columns {
    let first = range.start;
    let events = &story.events[range];
    let rows = events.len();
    let columns = Columns::new()
        .key("event_id", (0..rows).map(|row| format!("e{:06}", first + row + 1)))
        .at("event_time", events.iter().map(|event| event.at_us))
        .maybe_at("received_at", events.iter().map(|event| Some(received_us(event))))
        .key("user_id", events.iter().map(|event| user_id(event.person)))
        .text("anonymous_id", events.iter().map(|e| Some(anonymous_id(e.person, e.on_telephone))))
        .text("account_id", events.iter().map(|event| story.account_id(event.person)))
        .key("event", events.iter().map(|event| event.event))
        .text("platform", events.iter().map(|event| Some(event.platform)))
        .text("app_version", events.iter().map(app_version))
        .no_text("session_id", rows);
    let columns = where_from(columns, events);
    let columns = what(columns, story, events);
    let columns = call(columns, story, events);
    the_rest(columns, story, events)
}

/// Collectors deliver within half a minute.
fn received_us(event: &Event) -> i64 {
    let delay_ms = mix(event.at_us as u64 ^ event.person as u64) % 30_000;
    event.at_us + SECOND_US + delay_ms as i64 * 1_000
}

/// Versions of the apps: the Android app 3.2 is the one that loses payments.
fn app_version(event: &Event) -> Option<&'static str> {
    match event.platform {
        "android" if event.at_us >= LEAK_US => Some("3.2"),
        "android" | "ios" => Some("3.1"),
        "miniprogram" => Some("2.8"),
        _ => None,
    }
}

fn where_from(columns: Columns, events: &[Event]) -> Columns {
    let marked = |part: fn(&'static Channel) -> Option<&'static str>| {
        events.iter().map(move |event| event.channel.and_then(channel).and_then(part))
    };
    columns
        .text("channel", events.iter().map(|event| event.channel))
        .flag("is_touch", events.iter().map(|event| event.is_touch))
        .text("source", marked(|channel| channel.source))
        .text("medium", marked(|channel| channel.medium))
        .text(
            "campaign",
            marked(|channel| channel.campaign).zip(events).map(|(of_channel, event)| event.campaign.or(of_channel)),
        )
        .no_text("content", events.len())
        .text("term", marked(|channel| channel.term))
        .text("click_id", events.iter().map(click_id))
        .text("tracking_code", events.iter().map(|event| event.tracking_code))
        .text("referrer", events.iter().map(referrer))
        .text("page_url", events.iter().map(page_url))
        .text("page_title", events.iter().map(page_title))
        .text("referrer_user_id", events.iter().map(|event| event.referrer.map(user_id)))
}

/// The advertiser's id of the click that led to a touch.
fn click_id(event: &Event) -> Option<String> {
    let prefix = event.channel.filter(|_| event.is_touch).and_then(channel)?.click_prefix?;
    Some(format!("{prefix}-{:012x}", mix(event.at_us as u64 + event.person as u64) >> 16))
}

/// A visit's first page knows where the browser came from.
fn referrer(event: &Event) -> Option<&'static str> {
    if event.page != Some(Page::Landing) {
        return None;
    }
    event.channel.and_then(channel)?.referrer
}

fn page_url(event: &Event) -> Option<String> {
    let product = || event.product.map_or("", |product| PRODUCTS[product].0);
    Some(match event.page? {
        Page::Landing => format!("{SITE}/spring"),
        Page::Home => format!("{SITE}/"),
        Page::Product => format!("{SITE}/tea/{}", product()),
        Page::Cart => format!("{SITE}/cart"),
        Page::Checkout => format!("{SITE}/checkout"),
        Page::Thanks => format!("{SITE}/thanks"),
    })
}

fn page_title(event: &Event) -> Option<&'static str> {
    Some(match event.page? {
        Page::Landing => "春茶上新",
        Page::Home => "鹤山茶",
        Page::Product => event.product.map_or("商品", |product| PRODUCTS[product].2),
        Page::Cart => "购物车",
        Page::Checkout => "结算",
        Page::Thanks => "下单成功",
    })
}

fn what(columns: Columns, story: &Story, events: &[Event]) -> Columns {
    let order = |event: &Event| event.order.map(|order| &story.orders[order]);
    columns
        .text("product_id", events.iter().map(|e| e.product.map(|product| PRODUCTS[product].0)))
        .text("category", events.iter().map(|e| e.product.map(|product| PRODUCTS[product].1)))
        .int("quantity", events.iter().map(quantity))
        .text("order_id", events.iter().map(|event| event.order.map(super::beside::order_id)))
        .int("order_index", events.iter().map(|event| order(event).map(|order| order.order_index)))
        .money("revenue", events.iter().map(|event| event.revenue_cents))
        .text("currency", events.iter().map(|event| event.revenue_cents.map(|_| "CNY")))
        .text("plan", events.iter().map(|event| event.plan))
        .text("lead_id", events.iter().map(|event| event.lead.map(super::beside::lead_id)))
        .no_text("search_term", events.len())
        .number("score", events.iter().map(|event| event.score))
        .text("experiment", events.iter().map(|event| event.exposure.map(|seen| seen.0)))
        .text("variant", events.iter().map(|event| event.exposure.map(|seen| seen.1)))
}

/// Pieces put into the cart or ordered.
fn quantity(event: &Event) -> Option<i32> {
    matches!(event.event, "add_to_cart" | "purchase").then(|| 1 + (mix(event.person as u64) % 3) as i32)
}

fn call(columns: Columns, story: &Story, events: &[Event]) -> Columns {
    let call = |event: &Event| event.call.map(|call| &story.calls[call]);
    // What is known of the whole call stands on its first row only.
    let whole = |event: &Event| call(event).filter(|_| event.event == "call");
    let outcome = |event: &Event| call(event).filter(|_| event.event != "call_stage").and_then(|call| call.outcome);
    let agent = |event: &Event| call(event).and_then(Call::agent_id);
    columns
        .text("call_id", events.iter().map(|event| event.call.map(super::beside::call_id)))
        .text("call_direction", events.iter().map(|event| call(event).map(|call| call.direction)))
        .text("call_status", events.iter().map(|event| whole(event).map(|call| call.status)))
        .int("call_attempt", events.iter().map(|event| whole(event).and_then(|call| call.attempt)))
        .int("call_seconds", events.iter().map(|event| whole(event).map(|call| call.talk_seconds)))
        .text("call_stage", events.iter().map(|event| event.call_stage))
        .text("call_outcome", events.iter().map(outcome))
        .text("agent_id", events.iter().map(agent))
        .text("script_id", events.iter().map(|event| call(event).and_then(|call| call.script)))
        .number("sentiment", events.iter().map(|event| whole(event).and_then(|call| call.sentiment)))
}

fn the_rest(columns: Columns, story: &Story, events: &[Event]) -> Columns {
    let device = |event: &Event| device(event.platform, event.person);
    let on_a_device = |event: &Event| device(event).is_some();
    columns
        .text("country", events.iter().map(|_| Some("CN")))
        .text("province", events.iter().map(|e| Some(story.cast[e.person].province.name)))
        .text("city", events.iter().map(|event| Some(story.cast[event.person].city)))
        .text("device_type", events.iter().map(|event| device(event).map(|device| device.0)))
        .text("os", events.iter().map(|event| device(event).map(|device| device.1)))
        .text("browser", events.iter().map(|event| device(event).map(|device| device.2)))
        .text("language", events.iter().map(|event| on_a_device(event).then_some("zh-CN")))
        .text("ip_hash", events.iter().map(|event| on_a_device(event).then(|| ip_hash(event))))
        .flag("is_bot", events.iter().map(|_| false))
        .flag("is_internal", events.iter().map(|_| false))
        .text("properties", events.iter().map(properties))
}

/// Type of device, operating system, browser; none where a system or a till wrote the row.
fn device(platform: &str, person: usize) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match (platform, mix(person as u64) % 10) {
        ("android", 0..4) => ("mobile", "Android", "Chrome"),
        ("android", _) => ("mobile", "Android", "WebView"),
        ("ios", _) => ("mobile", "iOS", "Safari"),
        ("miniprogram", 0..6) => ("mobile", "Android", "WeChat"),
        ("miniprogram", _) => ("mobile", "iOS", "WeChat"),
        ("web", 0..6) => ("desktop", "Windows", "Edge"),
        ("web", 6..8) => ("desktop", "Windows", "Chrome"),
        ("web", _) => ("desktop", "macOS", "Safari"),
        _ => return None,
    })
}

fn ip_hash(event: &Event) -> String {
    format!("{:016x}", mix(0x1b00_0000_0000 + event.person as u64 / 2))
}

/// What has no column of its own.
fn properties(event: &Event) -> Option<&'static str> {
    match (event.event, event.platform) {
        ("coupon_claimed", SERVER) => Some(r#"{"coupon": "SPRING20"}"#),
        ("subscribe" | "renew" | "payment_failed", SERVER) => Some(r#"{"amount": "99.00"}"#),
        _ => None,
    }
}
