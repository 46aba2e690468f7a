//! What kind of site a source or host is (CHANNELS-3).
//!
//! The list is two files of `source,category` lines beside this one. `ga4_source_categories.csv` is
//! Google's published list for its default channel groups, as `dbt-snowplow-web` carries it under
//! Apache-2.0, unchanged. `more_source_categories.csv` is ours: Chinese media, domains of sites that
//! Google lists by name only, web mail, names of apps, and services that are not what their domain
//! is.

use crate::url;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

/// The kind of a known site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Site {
    /// Search engines and portals.
    Search,
    /// Shops and marketplaces.
    Shopping,
    /// Networks, forums, chats, blogs.
    Social,
    /// Video platforms.
    Video,
    /// Web mail, and the names of the medium given as a source.
    Email,
    /// The names of the medium given as a source.
    Sms,
    /// Services that push messages to apps.
    Push,
    /// A service that is none of these, though its domain is: documents, maps, log-in pages.
    Other,
}

/// The kind of a folded source, which is a name, a host or a URL.
pub(super) fn of_source(source: &str) -> Option<Site> {
    match SITES.get(source) {
        Some(site) => Some(*site),
        // Names of campaigns and partners rarely have a dot, hosts always do.
        None if source.contains('.') => of_host(url::host(source)?),
        None => None,
    }
}

/// The kind of a folded host: that of the longest part at its end that the list has.
pub(super) fn of_host(host: &str) -> Option<Site> {
    // Nothing longer than the longest entry can be one; this also bounds the work on huge text.
    let mut rest = host;
    loop {
        let site = if rest.len() <= LONGEST_ENTRY_BYTES { SITES.get(rest) } else { None };
        match (site, rest.split_once('.')) {
            (Some(site), _) => return Some(*site),
            // A last label alone is a top-level domain, not a site.
            (None, Some((_, parent))) if parent.contains('.') => rest = parent,
            _ => return of_country_domain(host),
        }
    }
}

/// The kind of a company's domain in any country, by the company's name.
fn of_country_domain(host: &str) -> Option<Site> {
    let (rest, top) = host.rsplit_once('.')?;
    let is_country = top.len() == 2;
    let last = rest.rsplit('.').next()?;
    // In 'amazon.co.jp' the name stands before a second level that all companies share.
    let name = if is_country && matches!(last, "co" | "com" | "ne") { rest.rsplit('.').nth(1)? } else { last };
    let trades_there = (is_country || top == "com") && WORLDWIDE.contains(&name);
    if trades_there { SITES.get(name).copied() } else { None }
}

/// Companies whose name under any country's domain, or `.com`, is their site. Each is an entry.
pub(super) const WORLDWIDE: [&str; 16] = [
    "aliexpress",
    "amazon",
    "bing",
    "blogspot",
    "duckduckgo",
    "ebay",
    "google",
    "lazada",
    "mercadolibre",
    "pinterest",
    "rakuten",
    "shein",
    "shopee",
    "tripadvisor",
    "yahoo",
    "yandex",
];

/// The length of the longest entry; a test holds it to the list.
pub(super) const LONGEST_ENTRY_BYTES: usize = 39;

/// Google's list, then ours, which never contradict each other.
pub(super) const LISTS: [&str; 2] =
    [include_str!("ga4_source_categories.csv"), include_str!("more_source_categories.csv")];

static SITES: LazyLock<HashMap<String, Site, BuildHasherDefault<NameHasher>>> =
    LazyLock::new(|| LISTS.iter().flat_map(|list| entries(list)).collect());

/// The entries of a list: small letters, with the kind. A test holds that no line is dropped here.
pub(super) fn entries(list: &str) -> impl Iterator<Item = (String, Site)> {
    list.lines().filter_map(|line| {
        let (source, category) = line.split_once(',')?;
        Some((source.to_ascii_lowercase(), category_of(category)?))
    })
}

fn category_of(category: &str) -> Option<Site> {
    Some(match category.strip_prefix("SOURCE_CATEGORY_")? {
        "SEARCH" => Site::Search,
        "SHOPPING" => Site::Shopping,
        "SOCIAL" => Site::Social,
        "VIDEO" => Site::Video,
        "EMAIL" => Site::Email,
        "SMS" => Site::Sms,
        "PUSH" => Site::Push,
        "OTHER" => Site::Other,
        _ => return None,
    })
}

/// Eight bytes a step: quick on short names. The map holds our own entries only, so nobody can
/// crowd it.
#[derive(Default)]
struct NameHasher(u64);

impl NameHasher {
    fn mix(&mut self, word: u64) {
        // The multiplier is 2^64 divided by the golden ratio, which spreads neighbours far apart.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        self.mix(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        // Only the high half depends on every byte; the table also picks its slot by the low one.
        self.0 ^ (self.0 >> 32)
    }
}
