use crate::lake::LakeSpec;

fn parsed(text: &str) -> (String, String) {
    let spec = LakeSpec::parse(text).unwrap();
    (spec.name, spec.location)
}

#[test]
fn a_name_before_the_equals_sign_names_the_lake() {
    assert_eq!(parsed("shop=/data/x"), ("shop".into(), "/data/x".into()));
    assert_eq!(parsed("Shop=s3://bucket/x?a=b"), ("shop".into(), "s3://bucket/x?a=b".into()));
}

#[test]
fn without_a_name_the_last_component_gives_it() {
    assert_eq!(parsed("/data/Tea-Shop/").0, "tea_shop");
    assert_eq!(parsed("/data/2024").0, "_2024");
    assert_eq!(parsed("s3://bucket/raw/").0, "raw");
    assert_eq!(parsed("s3://my-bucket").0, "my_bucket");
    assert_eq!(parsed("/data/events.csv.gz").0, "events");
    assert_eq!(parsed("./dt=2024-01-01").0, "dt_2024_01_01");
}

#[test]
fn a_name_that_no_schema_may_have_is_refused() {
    for text in ["pg_x=/data", "information_schema=/data", "a-b=/data", "1a=/data", "=/data"] {
        assert_eq!(LakeSpec::parse(text).unwrap_err().state.0, "3F000", "{text}");
    }
    assert_eq!(LakeSpec::parse("shop=").unwrap_err().state.0, "22023");
    assert_eq!(LakeSpec::parse("").unwrap_err().state.0, "22023");
}
