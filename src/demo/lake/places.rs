//! Where the shop's customers live.

/// A province in which Crane Hill Tea sells, with its larger cities.
#[derive(Debug)]
pub struct Province {
    pub name: &'static str,
    pub cities: &'static [&'static str],
    /// One of the provinces in which Douyin was switched off from 4 to 17 May.
    pub is_west: bool,
}

const fn west(name: &'static str, cities: &'static [&'static str]) -> Province {
    Province { name, cities, is_west: true }
}

const fn east(name: &'static str, cities: &'static [&'static str]) -> Province {
    Province { name, cities, is_west: false }
}

/// How many of [`PROVINCES`] are in the west; they come first.
pub const WEST_COUNT: usize = 7;

/// All provinces, the west first.
pub const PROVINCES: [Province; 25] = [
    west("四川", &["成都", "绵阳", "德阳"]),
    west("重庆", &["重庆"]),
    west("陕西", &["西安", "宝鸡", "咸阳"]),
    west("云南", &["昆明", "大理", "曲靖"]),
    west("贵州", &["贵阳", "遵义"]),
    west("广西", &["南宁", "桂林", "柳州"]),
    west("甘肃", &["兰州", "天水"]),
    east("广东", &["广州", "深圳", "佛山", "江门", "东莞"]),
    east("浙江", &["杭州", "宁波", "温州"]),
    east("江苏", &["南京", "苏州", "无锡"]),
    east("上海", &["上海"]),
    east("北京", &["北京"]),
    east("山东", &["济南", "青岛", "烟台"]),
    east("福建", &["福州", "厦门", "泉州"]),
    east("湖北", &["武汉", "宜昌"]),
    east("湖南", &["长沙", "岳阳"]),
    east("河南", &["郑州", "洛阳"]),
    east("安徽", &["合肥", "黄山"]),
    east("河北", &["石家庄", "唐山"]),
    east("天津", &["天津"]),
    east("江西", &["南昌", "九江"]),
    east("辽宁", &["沈阳", "大连"]),
    east("吉林", &["长春"]),
    east("黑龙江", &["哈尔滨"]),
    east("山西", &["太原"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_west_comes_first() {
        assert!(PROVINCES[..WEST_COUNT].iter().all(|province| province.is_west));
        assert!(PROVINCES[WEST_COUNT..].iter().all(|province| !province.is_west));
    }
}
