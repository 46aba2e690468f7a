//! The words of the story: channels, products, names.

/// A marketing channel and how its visits are marked.
#[derive(Debug)]
pub struct Channel {
    pub name: &'static str,
    pub label_zh: &'static str,
    pub label_en: &'static str,
    /// `paid`, `owned`, `earned`, `offline` or `call`.
    pub kind: &'static str,
    pub is_paid: bool,
    pub source: Option<&'static str>,
    pub medium: Option<&'static str>,
    pub campaign: Option<&'static str>,
    pub term: Option<&'static str>,
    pub referrer: Option<&'static str>,
    /// Starts the ids that the advertiser adds to a click.
    pub click_prefix: Option<&'static str>,
    /// Spent from March to May, in whole yuan.
    pub spend_yuan: i64,
    /// What a click costs, in cents, where clicks are counted.
    pub click_cents: Option<i64>,
}

const QUIET: Channel = Channel {
    name: "",
    label_zh: "",
    label_en: "",
    kind: "owned",
    is_paid: false,
    source: None,
    medium: None,
    campaign: None,
    term: None,
    referrer: None,
    click_prefix: None,
    spend_yuan: 0,
    click_cents: None,
};

/// All channels, by name.
pub const CHANNELS: [Channel; 13] = [
    Channel {
        name: "baidu",
        label_zh: "百度推广",
        label_en: "Baidu ads",
        kind: "paid",
        is_paid: true,
        source: Some("baidu"),
        medium: Some("cpc"),
        campaign: Some("spring_tea_2026"),
        term: Some("明前茶"),
        referrer: Some("https://www.baidu.com/"),
        click_prefix: Some("bd_vid"),
        spend_yuan: 45_000,
        click_cents: Some(180),
    },
    Channel {
        name: "call_in",
        label_zh: "客户来电",
        label_en: "Inbound calls",
        kind: "call",
        spend_yuan: 21_000,
        ..QUIET
    },
    Channel {
        name: "call_out",
        label_zh: "外呼",
        label_en: "Outbound calls",
        kind: "call",
        campaign: Some("cold_2026q2"),
        spend_yuan: 30_000,
        ..QUIET
    },
    Channel { name: "direct", label_zh: "直接访问", label_en: "Direct", ..QUIET },
    Channel {
        name: "douyin",
        label_zh: "抖音",
        label_en: "Douyin",
        kind: "paid",
        is_paid: true,
        source: Some("douyin"),
        medium: Some("paid_social"),
        campaign: Some("spring_tea_2026"),
        referrer: Some("https://www.douyin.com/"),
        click_prefix: Some("clickid"),
        spend_yuan: 60_000,
        click_cents: Some(120),
        ..QUIET
    },
    Channel {
        name: "email",
        label_zh: "邮件",
        label_en: "Email",
        source: Some("newsletter"),
        medium: Some("email"),
        campaign: Some("weekly_leaf"),
        spend_yuan: 1_500,
        ..QUIET
    },
    Channel {
        name: "industry_site",
        label_zh: "行业网站",
        label_en: "Industry site",
        kind: "paid",
        is_paid: true,
        source: Some("tea-trade.example"),
        medium: Some("listing"),
        campaign: Some("corporate_gifts"),
        referrer: Some("https://tea-trade.example/"),
        spend_yuan: 12_000,
        click_cents: Some(900),
        ..QUIET
    },
    Channel {
        name: "referral",
        label_zh: "老客推荐",
        label_en: "Referral",
        kind: "earned",
        source: Some("friend"),
        medium: Some("referral"),
        campaign: Some("bring_a_friend"),
        spend_yuan: 4_000,
        ..QUIET
    },
    Channel {
        name: "seo",
        label_zh: "自然搜索",
        label_en: "Organic search",
        kind: "earned",
        source: Some("baidu"),
        medium: Some("organic"),
        referrer: Some("https://www.baidu.com/"),
        spend_yuan: 8_000,
        ..QUIET
    },
    Channel {
        name: "sms",
        label_zh: "短信",
        label_en: "Text message",
        source: Some("sms"),
        medium: Some("sms"),
        campaign: Some("spring_tea_2026"),
        spend_yuan: 600,
        ..QUIET
    },
    Channel {
        name: "store_qr",
        label_zh: "门店扫码",
        label_en: "QR code in the shop",
        kind: "offline",
        source: Some("store"),
        medium: Some("qr"),
        campaign: Some("counter_poster"),
        spend_yuan: 2_000,
        ..QUIET
    },
    Channel {
        name: "wechat",
        label_zh: "微信公众号",
        label_en: "WeChat account",
        source: Some("wechat"),
        medium: Some("social"),
        campaign: Some("tea_diary"),
        referrer: Some("https://mp.weixin.qq.com/"),
        spend_yuan: 3_000,
        ..QUIET
    },
    Channel {
        name: "xiaohongshu",
        label_zh: "小红书",
        label_en: "Xiaohongshu",
        kind: "paid",
        is_paid: true,
        source: Some("xiaohongshu"),
        medium: Some("paid_social"),
        campaign: Some("tea_notes"),
        referrer: Some("https://www.xiaohongshu.com/"),
        click_prefix: Some("xhs"),
        spend_yuan: 9_000,
        click_cents: Some(150),
        ..QUIET
    },
];

/// The channel of this name; none for a payment provider, which is no channel of ours.
pub fn channel(name: &str) -> Option<&'static Channel> {
    CHANNELS.iter().find(|channel| channel.name == name)
}

/// Payment providers. The shop's collector takes them for the channel of the order's row, as many
/// collectors do: such a row is never a touch.
pub const PAYMENT_PROVIDERS: [&str; 2] = ["wechat_pay", "alipay"];

/// Products: id, category, title of the page.
pub const PRODUCTS: [(&str, &str, &str); 10] = [
    ("tea-001", "红茶", "滇红金针"),
    ("tea-002", "红茶", "正山小种"),
    ("tea-003", "红茶", "祁门工夫"),
    ("tea-004", "白茶", "白毫银针"),
    ("tea-005", "白茶", "寿眉饼"),
    ("tea-006", "绿茶", "明前龙井"),
    ("tea-007", "绿茶", "碧螺春"),
    ("tea-008", "乌龙", "凤凰单丛"),
    ("tea-009", "普洱", "古树熟普"),
    ("gift-010", "礼盒", "鹤山四季礼盒"),
];

pub const FAMILY_NAMES: [&str; 24] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "马", "朱", "胡", "郭", "何", "林", "高",
    "罗", "郑", "梁", "谢", "宋",
];

pub const GIVEN_NAMES: [&str; 24] = [
    "子涵", "雨桐", "浩然", "思远", "静怡", "建国", "秀英", "晓明", "佳宁", "文博", "婉清", "志强", "海燕", "一鸣",
    "若兰", "天宇", "春梅", "嘉禾", "明哲", "雪莹", "立新", "书瑶", "俊杰", "茗",
];
