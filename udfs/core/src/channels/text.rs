//! How a text is read before it is compared (CHANNELS-1), and the words for nothing.

use std::borrow::Cow;

/// `text` without spaces around it, ASCII letters small, full-width ASCII as ASCII.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == FULL_WIDTH_LEAD) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    Cow::Owned(text.chars().map(|letter| to_half_width(letter).to_ascii_lowercase()).collect())
}

/// The first byte of U+F000 to U+FFFF, where the full-width forms lie.
const FULL_WIDTH_LEAD: u8 = 0xEF;

fn to_half_width(letter: char) -> char {
    match letter {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(letter) - 0xFEE0).unwrap_or(letter),
        _ => letter,
    }
}

/// The source says that there was none.
pub(super) fn is_direct(source: &str) -> bool {
    matches!(source, "(direct)" | "direct" | "直接" | "直接访问" | "直接流量")
}

/// The medium says that there was none.
pub(super) fn is_no_medium(medium: &str) -> bool {
    matches!(medium, "" | "(none)" | "(not set)")
}

/// The campaign says that there was none.
pub(super) fn is_no_campaign(campaign: &str) -> bool {
    matches!(campaign, "" | "(none)" | "(not set)" | "(direct)" | "(organic)" | "(referral)")
}

/// CHANNELS-6: `shopping` anywhere, or `shop` unless a letter other than `e` stands before it.
pub(super) fn names_a_shop(campaign: &str) -> bool {
    // Most campaigns name none, and asking whether is quicker than asking where.
    campaign.contains("shop")
        && campaign.match_indices("shop").any(|(at, _)| {
            let (before, after) = campaign.split_at(at);
            let letter = before.bytes().next_back();
            after.starts_with("shopping") || !letter.is_some_and(|letter| letter.is_ascii_lowercase() && letter != b'e')
        })
}
