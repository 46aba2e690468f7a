//! Visits as sites see them: source | medium | campaign | referrer | group.
//!
//! Expected groups are worked out from the rules, not from what the code says.

use super::{Group, group_of};

const VISITS: &str = "
CHANNELS-4: nothing, or a source that says so
                 |                  |                  |                                      | Direct
 (direct)        | (none)           |                  |                                      | Direct
 (direct)        | (not set)        | (not set)        |                                      | Direct
 (direct)        | (none)           | spring_sale      | https://www.google.com/              | Direct
 direct          |                  |                  |                                      | Direct
 直接访问        |                  |                  |                                      | Direct
                 | (none)           | (direct)         |                                      | Direct
                 |                  |                  | about:blank                          | Direct
                 |                  |                  | -                                    | Direct
 (direct)        | email            |                  |                                      | Email

CHANNELS-5: cross-network, before paid
 google          | cpc              | Cross-network    |                                      | Cross-network
 google          | cpc              | pmax cross-network de |                                 | Cross-network
 (direct)        | (none)           | cross-network    |                                      | Direct

CHANNELS-6: paid shopping, by source or campaign, before search
 amazon          | cpc              |                  |                                      | Paid Shopping
 Google Shopping | ppc              |                  |                                      | Paid Shopping
 google          | cpc              | DE_Shopping_Core |                                      | Paid Shopping
 google          | cpc              | shop-brand       |                                      | Paid Shopping
 google          | cpc              | eshop            |                                      | Paid Shopping
 google          | cpc              | workshop berlin  |                                      | Paid Search
 facebook        | cpm              | summer_shop      |                                      | Paid Shopping
 taobao          | cps              | 双11             |                                      | Paid Shopping
 京东            | 搜索广告         |                  |                                      | Paid Shopping
                 | cpc              |                  | https://detail.tmall.com/item.htm    | Paid Shopping

CHANNELS-7: paid search
 google          | cpc              | brand            |                                      | Paid Search
 GOOGLE          | CPC              |                  |                                      | Paid Search
 bing            | ppc              |                  |                                      | Paid Search
 baidu           | cpc              | 品牌词           |                                      | Paid Search
 baidu           | sem              |                  |                                      | Paid Search
 百度            | 竞价             |                  |                                      | Paid Search
 360             | 搜索推广         |                  |                                      | Paid Search
 partner-a       | 搜索广告         |                  |                                      | Paid Search
 小红书          | 搜索广告         |                  |                                      | Paid Search
 google          | paid_search      |                  | https://www.facebook.com/            | Paid Search
 baidu           | bd_vid           |                  |                                      | Paid Search
                 | cpc              |                  | https://m.sm.cn/s?q=x                | Paid Search
 ｂａｉｄｕ      | ＣＰＣ           |                  |                                      | Paid Search

CHANNELS-8: paid social
 facebook        | paid_social      |                  |                                      | Paid Social
 fb              | cpm              |                  |                                      | Paid Social
 instagram       | retargeting      |                  |                                      | Paid Social
 douyin          | 信息流           |                  |                                      | Paid Social
 抖音            | 竞价             |                  |                                      | Paid Social
 xiaohongshu     | ocpc             |                  |                                      | Paid Social
 朋友圈          | 广告             |                  |                                      | Paid Social

CHANNELS-9: paid video
 youtube         | cpv              |                  |                                      | Paid Video
 youtube         | cpm              |                  |                                      | Paid Video
 bilibili        | 信息流           |                  |                                      | Paid Video
 partner-a       | 贴片广告         |                  |                                      | Paid Video
 iqiyi           | paid             |                  |                                      | Paid Video

CHANNELS-10: display, where the source says no more
 google-ad       | display          |                  |                                      | Display
 google          | banner           | shop             |                                      | Display
 partner-a       | cpm              |                  |                                      | Display
 baidu           | 信息流           |                  |                                      | Display
 partner-a       | 开屏广告         |                  |                                      | Display

CHANNELS-11: paid, nobody knows by whom
 google-ad       | ppc              | data-utilization | www.google.co.uk                     | Paid Other
 partner-a       | cpa              |                  |                                      | Paid Other
 newsletter      | paid             |                  |                                      | Paid Other
 partner-a       | paid_video       |                  |                                      | Paid Other

CHANNELS-12: organic shopping
 ebay.de         | referral         |                  |                                      | Organic Shopping
 newsletter      | email            | spring-shop      |                                      | Organic Shopping
                 |                  |                  | https://item.jd.com/1.html           | Organic Shopping
                 |                  |                  | https://www.amazon.co.jp/dp/B0       | Organic Shopping
 1688            |                  |                  |                                      | Organic Shopping

CHANNELS-13: organic social
 t.co            | referral         |                  |                                      | Organic Social
 partner-a       | social           |                  |                                      | Organic Social
 partner-a       | sm               |                  |                                      | Organic Social
 partner-a       | 私域             |                  |                                      | Organic Social
 微信            | 公众号           |                  |                                      | Organic Social
 douyin          | 直播             |                  |                                      | Organic Social
                 |                  |                  | https://l.facebook.com/l.php?u=x     | Organic Social
                 |                  |                  | https://mp.weixin.qq.com/s/abc       | Organic Social
                 |                  |                  | https://www.xiaohongshu.com/explore  | Organic Social
                 |                  |                  | https://zhuanlan.zhihu.com/p/1       | Organic Social
                 |                  |                  | https://tieba.baidu.com/p/1          | Organic Social
                 |                  |                  | android-app://com.tencent.mm/        | Organic Social
                 |                  |                  | https://www.toutiao.com/a1           | Organic Social
 https://x.com/a | referral         |                  |                                      | Organic Social

CHANNELS-14: organic video
 partner-a       | video            |                  |                                      | Organic Video
 partner-a       | short_video      |                  |                                      | Organic Video
 partner-a       | 直播             |                  |                                      | Organic Video
                 |                  |                  | https://m.youtube.com/watch?v=1      | Organic Video
                 |                  |                  | https://b23.tv/abc                   | Organic Video
                 |                  |                  | https://v.qq.com/x                   | Organic Video
                 |                  |                  | https://v.youku.com/v_show           | Organic Video

CHANNELS-15: organic search
 google          | organic          |                  |                                      | Organic Search
 baidu           |                  |                  |                                      | Organic Search
 partner-a       | organic          |                  |                                      | Organic Search
 partner-a       | SEO              |                  |                                      | Organic Search
 google          | email            |                  |                                      | Organic Search
                 |                  | (not set)        | https://www.google.de/               | Organic Search
                 |                  |                  | https://www.google.com.hk/search?q=x | Organic Search
                 |                  |                  | https://www.baidu.com/link?url=x     | Organic Search
                 |                  |                  | https://cn.bing.com/search?q=x       | Organic Search
                 |                  |                  | https://www.so.com/s?q=x             | Organic Search
                 |                  |                  | https://www.sogou.com/web?query=x    | Organic Search
                 |                  |                  | https://so.toutiao.com/search?q=x    | Organic Search
                 |                  |                  | WWW.BAIDU.COM                        | Organic Search

CHANNELS-16 and 22: referral
 partner.example | referral         |                  |                                      | Referral
 partner-a       | link             |                  |                                      | Referral
 partner-a       | 友情链接         |                  |                                      | Referral
                 |                  |                  | https://news.example/story           | Referral
                 |                  |                  | https://docs.google.com/document     | Referral
                 |                  | launch           | https://news.example/story           | Referral
                 |                  |                  | https://notgoogle.example/google.com | Referral
                 |                  |                  | https://google.com@evil.example/     | Referral

CHANNELS-17: email
 newsletter      | email            |                  |                                      | Email
 newsletter      | E-Mail           |                  |                                      | Email
 e mail          |                  |                  |                                      | Email
 crm             | 邮件             |                  |                                      | Email
 crm             | edm              |                  |                                      | Email
                 |                  |                  | https://mail.google.com/             | Email
                 |                  |                  | https://mail.qq.com/cgi-bin          | Email
 mail.google.com | referral         |                  |                                      | Referral

CHANNELS-18 to 21
 partner-a       | affiliate        |                  |                                      | Affiliates
 partner-a       | 淘宝客           |                  |                                      | Affiliates
 partner-a       | audio            |                  |                                      | Audio
 小宇宙          | 播客             |                  |                                      | Audio
 sms             |                  |                  |                                      | SMS
 crm             | sms              |                  |                                      | SMS
 crm             | 短信             |                  |                                      | SMS
 firebase        |                  |                  |                                      | Mobile Push Notifications
 crm             | web_push         |                  |                                      | Mobile Push Notifications
 crm             | mobile           |                  |                                      | Mobile Push Notifications
 crm             | app推送          |                  |                                      | Mobile Push Notifications

CHANNELS-23: unassigned
 partner-a       |                  |                  |                                      | Unassigned
 partner-a       |                  |                  | https://www.google.com/              | Unassigned
 (not set)       | (not set)        |                  |                                      | Unassigned
 store_qr        | offline          |                  |                                      | Unassigned
                 |                  | launch           |                                      | Unassigned
                 | offline          |                  | https://news.example/story           | Unassigned
";

#[test]
fn visits_as_sites_see_them() {
    let mut wrong = vec![];
    let mut seen = vec![];
    for line in VISITS.lines().filter(|line| line.contains('|')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [source, medium, campaign, referrer, expected] = columns[..] else { panic!("not five columns: {line}") };
        let given = group_of(source, medium, campaign, referrer);
        if given.name() != expected {
            wrong.push(format!("{line}\n    is {given}"));
        }
        seen.push(given);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for group in Group::ALL {
        assert!(seen.contains(&group), "no visit is {group}");
    }
}

#[test]
fn names_are_distinct_and_in_order() {
    assert!(Group::ALL.is_sorted());
    for (at, group) in Group::ALL.iter().enumerate() {
        assert!(Group::ALL[at + 1..].iter().all(|other| other.name() != group.name()), "{group} stands twice");
    }
}
