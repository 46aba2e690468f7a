//! Which marketing channel brought a visit, from its source, medium, campaign and referrer.
//!
//! The groups are the default channel groups of Google Analytics 4, spelled as it spells them
//! ([`Group::name`]), so that reports of both can be laid side by side. Its published rules are the
//! base; ours add the referrer, Chinese media and a few words it leaves unassigned.
//!
//! # What is read
//!
//! - **CHANNELS-1, text.** Every text is read without spaces around it, in any ASCII case, and with
//!   full-width letters, digits and signs as their ASCII twins. An empty text is a missing one. A
//!   medium or campaign of `(none)` or `(not set)` is missing too, and so is a campaign that
//!   collectors invent: `(direct)`, `(organic)`, `(referral)`.
//! - **CHANNELS-2, source.** The source is a name (`google`), a host or a URL. Only where it is
//!   missing, the host of the referrer takes its place; a referrer without a host is missing. A tag
//!   that says `partner-a` is believed, wherever the click came from.
//! - **CHANNELS-3, sites.** A name is looked up whole. A host is looked up with its leading labels
//!   taken off one by one, so `l.facebook.com` is `facebook.com` and the longest entry decides:
//!   `tieba.baidu.com` is social, `www.baidu.com` search. Companies that trade under many
//!   country domains are known by name under all of them: `google.de`, `amazon.co.jp`.
//!
//! # Rules
//!
//! The first that holds decides. A medium is *paid* if it contains `cp` (cpc, cpm, cpa, ocpc), is
//! `ppc` or `retargeting`, or begins with `paid`, as in GA4; or if it is one of our words for paid
//! media, Chinese ones or the click ids of ads (`gclid`, `bd_vid`).
//!
//! - **CHANNELS-4, Direct.** Nothing is given at all, or the source is `(direct)` or a word for it
//!   and the medium is missing.
//! - **CHANNELS-5, Cross-network.** The campaign contains `cross-network`.
//! - **CHANNELS-6, Paid Shopping.** Paid, and the source is a shopping site or the campaign names a
//!   shop: it contains `shopping`, or `shop` at its start, after an `e`, or after what is no letter
//!   from a to z (`eshop`, `summer_shop`, not `workshop`).
//! - **CHANNELS-7, Paid Search.** Paid, and the source is a search site, unless the medium is a word
//!   for ads in a feed; or the medium is a word for search ads.
//! - **CHANNELS-8, Paid Social.** Paid, and the source is a social site.
//! - **CHANNELS-9, Paid Video.** Paid, and the source is a video site or the medium is a word for
//!   video ads.
//! - **CHANNELS-10, Display.** The medium is `display`, `banner`, `expandable`, `interstitial`,
//!   `cpm`, a word for them, or a word for ads in a feed.
//! - **CHANNELS-11, Paid Other.** Paid. So paid beats organic, whatever the source.
//! - **CHANNELS-12, Organic Shopping.** As rule 6, not paid.
//! - **CHANNELS-13, Organic Social.** The source is a social site or the medium a word for it.
//! - **CHANNELS-14, Organic Video.** The source is a video site, or the medium contains `video` or
//!   is a word for video or live streams.
//! - **CHANNELS-15, Organic Search.** The source is a search site or the medium `organic` or `seo`.
//! - **CHANNELS-16, Referral.** The medium is `referral`, `app`, `link` or a word for them.
//! - **CHANNELS-17, Email.** Source or medium is `email`, `e-mail`, `e_mail`, `e mail` or a word for
//!   it, or the source is a web mail site.
//! - **CHANNELS-18, Affiliates.** The medium is `affiliate` or a word for it.
//! - **CHANNELS-19, Audio.** The medium is `audio` or a word for it.
//! - **CHANNELS-20, SMS.** Source or medium is `sms` or a word for it.
//! - **CHANNELS-21, Mobile Push Notifications.** The medium ends in `push`, contains `mobile`,
//!   `notification` or a Chinese word for them, or the source is `firebase`.
//! - **CHANNELS-22, Referral again.** Neither source nor medium is given, but a referrer.
//! - **CHANNELS-23, Unassigned.** Everything else, such as an unknown source without a medium.
//!
//! # Where GA4 differs
//!
//! It ignores the referrer here, as it turns referrers into source and medium before. It matches
//! sources against its list as a whole, without rule 3. Our words for mediums (`sem`, `seo`, `edm`,
//! `gclid`, Chinese ones), Chinese sites beyond its list and web mail are ours; what its list names
//! is never changed. Offline tags such as `call_in` or `store_qr` are Unassigned in both.
//!
//! A site's own pages are a referrer like any other: pass none for them.
//!
//! # Cost
//!
//! Linear in the texts, a handful of hash look-ups, no allocation unless a text has capital or
//! full-width letters. The list of sites is read once, at the first call.

mod medium;
mod sites;
#[cfg(test)]
mod tests;
mod text;

use crate::url;
use medium::Medium;
use sites::Site;
use std::fmt;

/// What is known of where a visit came from; an empty text is a missing one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visit<'a> {
    /// The name, host or URL of the site that sent the visit: `utm_source` or its twin.
    pub source: &'a str,
    /// The kind of traffic: `utm_medium` or its twin.
    pub medium: &'a str,
    /// The name of the campaign: `utm_campaign` or its twin.
    pub campaign: &'a str,
    /// The URL or host of the page before; not one of the visited site's own.
    pub referrer: &'a str,
}

/// A channel group, in the order of the rules that give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Came without a trace: typed, bookmarked, or from an app that says nothing.
    Direct,
    /// An ad campaign that runs over several networks at once.
    CrossNetwork,
    /// An ad on a shopping site, or for a shop.
    PaidShopping,
    /// An ad beside search results.
    PaidSearch,
    /// An ad on a social site.
    PaidSocial,
    /// An ad in or beside a video.
    PaidVideo,
    /// A banner, or an ad in a feed.
    Display,
    /// Any other ad.
    PaidOther,
    /// A link on a shopping site.
    OrganicShopping,
    /// A link on a social site.
    OrganicSocial,
    /// A link on a video site.
    OrganicVideo,
    /// A search result.
    OrganicSearch,
    /// A link on any other site.
    Referral,
    /// A link in an email.
    Email,
    /// A partner who is paid by the sale.
    Affiliates,
    /// An ad or link in a podcast or other audio.
    Audio,
    /// A link in a text message.
    Sms,
    /// A message that an app pushed to the device.
    MobilePush,
    /// None of the rules knows it.
    Unassigned,
}

impl Group {
    /// Every group, in the order of the rules.
    pub const ALL: [Self; 19] = [
        Self::Direct,
        Self::CrossNetwork,
        Self::PaidShopping,
        Self::PaidSearch,
        Self::PaidSocial,
        Self::PaidVideo,
        Self::Display,
        Self::PaidOther,
        Self::OrganicShopping,
        Self::OrganicSocial,
        Self::OrganicVideo,
        Self::OrganicSearch,
        Self::Referral,
        Self::Email,
        Self::Affiliates,
        Self::Audio,
        Self::Sms,
        Self::MobilePush,
        Self::Unassigned,
    ];

    /// The group as reports spell it, which is GA4's spelling.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "Direct",
            Self::CrossNetwork => "Cross-network",
            Self::PaidShopping => "Paid Shopping",
            Self::PaidSearch => "Paid Search",
            Self::PaidSocial => "Paid Social",
            Self::PaidVideo => "Paid Video",
            Self::Display => "Display",
            Self::PaidOther => "Paid Other",
            Self::OrganicShopping => "Organic Shopping",
            Self::OrganicSocial => "Organic Social",
            Self::OrganicVideo => "Organic Video",
            Self::OrganicSearch => "Organic Search",
            Self::Referral => "Referral",
            Self::Email => "Email",
            Self::Affiliates => "Affiliates",
            Self::Audio => "Audio",
            Self::Sms => "SMS",
            Self::MobilePush => "Mobile Push Notifications",
            Self::Unassigned => "Unassigned",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The channel group of one visit, by the rules of this module.
///
/// Every text is good input; whatever no rule knows is [`Group::Unassigned`].
pub fn group(visit: &Visit<'_>) -> Group {
    let source = text::fold(visit.source);
    let medium = Medium::of(&text::fold(visit.medium));
    let campaign = text::fold(visit.campaign);
    let campaign = if text::is_no_campaign(&campaign) { "" } else { &*campaign };

    let says_direct = text::is_direct(&source);
    let has_source = !source.is_empty() && !says_direct;
    // CHANNELS-2: a source that is given is believed, and the referrer not even read.
    let referrer = if has_source { None } else { url::host(visit.referrer).map(text::fold) };
    let has_medium = medium != Medium::Missing;
    let has_nothing = !has_source && referrer.is_none() && campaign.is_empty();
    if !has_medium && (says_direct || has_nothing) {
        return Group::Direct;
    }
    if campaign.contains("cross-network") {
        return Group::CrossNetwork;
    }
    let site = if has_source { sites::of_source(&source) } else { referrer.as_deref().and_then(sites::of_host) };
    let sells = site == Some(Site::Shopping) || text::names_a_shop(campaign);
    if medium.is_paid() { paid(site, medium, sells) } else { unpaid(site, medium, sells) }.unwrap_or(
        // CHANNELS-22: an unknown page that links here is still a referral.
        if !has_medium && referrer.is_some() { Group::Referral } else { Group::Unassigned },
    )
}

/// CHANNELS-6 to CHANNELS-11, for a paid medium.
fn paid(site: Option<Site>, medium: Medium, sells: bool) -> Option<Group> {
    Some(if sells {
        Group::PaidShopping
    } else if medium == Medium::PaidSearch || (site == Some(Site::Search) && medium != Medium::PaidFeed) {
        Group::PaidSearch
    } else if site == Some(Site::Social) {
        Group::PaidSocial
    } else if medium == Medium::PaidVideo || site == Some(Site::Video) {
        Group::PaidVideo
    } else if matches!(medium, Medium::PaidImpressions | Medium::PaidFeed) {
        Group::Display
    } else {
        Group::PaidOther
    })
}

/// CHANNELS-10 and CHANNELS-12 to CHANNELS-21, for any other medium; `None` if none of them holds.
fn unpaid(site: Option<Site>, medium: Medium, sells: bool) -> Option<Group> {
    Some(match (site, medium) {
        (_, Medium::Display) => Group::Display,
        _ if sells => Group::OrganicShopping,
        (Some(Site::Social), _) | (_, Medium::Social) => Group::OrganicSocial,
        (Some(Site::Video), _) | (_, Medium::Video) => Group::OrganicVideo,
        (Some(Site::Search), _) | (_, Medium::Organic) => Group::OrganicSearch,
        (_, Medium::Referral) => Group::Referral,
        (Some(Site::Email), _) | (_, Medium::Email) => Group::Email,
        (_, Medium::Affiliate) => Group::Affiliates,
        (_, Medium::Audio) => Group::Audio,
        (Some(Site::Sms), _) | (_, Medium::Sms) => Group::Sms,
        (Some(Site::Push), _) | (_, Medium::Push) => Group::MobilePush,
        _ => return None,
    })
}
