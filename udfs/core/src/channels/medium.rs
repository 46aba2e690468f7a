//! What a medium says about the traffic: GA4's words, Chinese ones, and a few in common use.

use super::text;

/// The kind of traffic that a medium names. A medium that fits several rules is the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// No medium was given.
    Missing,
    /// `cpm`: paid by the view, so a banner unless the source says more.
    PaidImpressions,
    /// An ad in a feed: never a search ad, even on a search site.
    PaidFeed,
    /// A search ad, whatever the source.
    PaidSearch,
    /// A video ad, whatever the source but a search or social site.
    PaidVideo,
    /// Any other paid medium.
    Paid,
    /// A banner.
    Display,
    /// Posts, chats and groups.
    Social,
    /// Videos and live streams.
    Video,
    /// Search results.
    Organic,
    /// Links elsewhere.
    Referral,
    /// Email.
    Email,
    /// Partners paid by the sale.
    Affiliate,
    /// Podcasts and radio.
    Audio,
    /// Text messages.
    Sms,
    /// Messages pushed by apps.
    Push,
    /// A medium that no rule knows.
    Unknown,
}

impl Medium {
    /// The kind of a folded medium.
    pub(super) fn of(medium: &str) -> Self {
        if text::is_no_medium(medium) {
            return Self::Missing;
        }
        // Whole words come first, for 'cpm' is also one of the mediums that contain 'cp'.
        if let Some(kind) = word(medium) {
            return kind;
        }
        let has = |part: &str| medium.contains(part);
        if has("cp") || medium.starts_with("paid") {
            Self::Paid
        } else if has("video") {
            Self::Video
        } else if medium.ends_with("push") || ["mobile", "notification", "推送", "通知"].into_iter().any(has) {
            Self::Push
        } else {
            Self::Unknown
        }
    }

    /// Whether the click or view was paid for.
    pub(super) fn is_paid(self) -> bool {
        matches!(self, Self::PaidImpressions | Self::PaidFeed | Self::PaidSearch | Self::PaidVideo | Self::Paid)
    }
}

/// The kind of a medium that is one word we know.
fn word(medium: &str) -> Option<Medium> {
    Some(match medium {
        "cpm" => Medium::PaidImpressions,
        "信息流" | "信息流广告" | "信息流推广" => Medium::PaidFeed,
        "sem" | "搜索广告" | "搜索推广" | "付费搜索" | "竞价排名" | "关键词广告" => {
            Medium::PaidSearch
        }
        "视频广告" | "贴片" | "贴片广告" => Medium::PaidVideo,
        "ppc" | "retargeting" | "竞价" | "竞价广告" | "付费" | "付费推广" | "付费广告" | "广告" | "推广" | "投放"
        | "重定向" | "再营销" => Medium::Paid,
        // Some collectors put the parameter that marks an ad click where the medium belongs.
        "gclid" | "gbraid" | "wbraid" | "msclkid" | "bd_vid" | "qhclickid" => Medium::Paid,
        "display" | "banner" | "expandable" | "interstitial" | "dclid" => Medium::Display,
        "展示" | "展示广告" | "横幅" | "横幅广告" | "开屏" | "开屏广告" | "插屏" | "插屏广告" => {
            Medium::Display
        }
        "social" | "social-network" | "social-media" | "sm" | "social network" | "social media" => Medium::Social,
        "社交" | "社交媒体" | "社媒" | "自媒体" | "社群" | "私域" | "公众号" | "朋友圈" | "企业微信" => {
            Medium::Social
        }
        "视频" | "短视频" | "直播" | "直播间" => Medium::Video,
        "organic" | "seo" | "自然搜索" | "自然" | "搜索" => Medium::Organic,
        "referral" | "app" | "link" | "引荐" | "外链" | "友链" | "友情链接" => Medium::Referral,
        "email" | "e-mail" | "e_mail" | "e mail" | "edm" | "邮件" | "电子邮件" | "邮箱" => Medium::Email,
        "affiliate" | "affiliates" | "联盟" | "联盟营销" | "分销" | "返利" | "淘宝客" => Medium::Affiliate,
        "audio" | "podcast" | "音频" | "播客" | "电台" => Medium::Audio,
        "sms" | "短信" | "彩信" => Medium::Sms,
        _ => return None,
    })
}
