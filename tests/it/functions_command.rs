//! `tributary functions [NAME] [--json]`.

use serde_json::Value;

use crate::server::{run, tributary};

fn functions(arguments: &[&str]) -> (bool, String, String) {
    let output = run(tributary().arg("functions").args(arguments));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// The catalogue of the built server, as its JSON says it.
pub fn catalogue() -> Vec<Value> {
    let (ok, printed, told) = functions(&["--json"]);
    assert!(ok, "{told}");
    let Value::Array(functions) = serde_json::from_str(&printed).expect("it is JSON") else {
        panic!("a list of functions");
    };
    functions
}

#[test]
fn all_functions_are_listed_with_a_sentence_each() {
    let (ok, printed, _) = functions(&[]);
    assert!(ok);
    for name in ["funnel ", "funnel_durations ", "funnel_times "] {
        let line = printed.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {printed}"));
        assert!(line.ends_with('.'), "{line}");
    }
    assert_eq!(printed.lines().count(), catalogue().len());
}

#[test]
fn one_function_is_explained_whatever_the_case_of_its_name() {
    let (ok, printed, _) = functions(&["FUNNEL"]);
    assert!(ok);
    for part in ["## funnel\n", "`within`", "`mode`", "'strict_order'", "22023", "```sql"] {
        assert!(printed.contains(part), "{part} is missing:\n{printed}");
    }
}

#[test]
fn one_function_as_json_is_one_object() {
    let (ok, printed, _) = functions(&["funnel", "--json"]);
    assert!(ok);
    let function: Value = serde_json::from_str(&printed).expect("it is JSON");
    assert_eq!(function["name"], "funnel");
    assert_eq!(function["kind"], "aggregate");
    assert_eq!(function["returns"], "integer");
    let options: Vec<&str> = names(&function["options"]);
    assert_eq!(options, ["mode", "compat", "report"]);
    assert_eq!(names(&function["arguments"]), ["event_time", "within", "step"]);
}

fn names(items: &Value) -> Vec<&str> {
    items.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str()).collect()
}

#[test]
fn an_unknown_function_is_an_error_that_lists_the_known_ones() {
    let (ok, printed, told) = functions(&["funel"]);
    assert!(!ok);
    assert!(printed.is_empty(), "{printed}");
    assert!(told.contains("there is no function 'funel'"), "{told}");
    assert!(told.contains("funnel_times"), "{told}");
}

/// The examples of the documentation run as they are and answer what is printed with them.
#[tokio::test]
async fn documented_examples_run_on_the_server() {
    use crate::server::Server;
    let server = Server::shared();
    let client = server.connect().await;
    for function in catalogue() {
        let name = function["name"].as_str().unwrap_or_default();
        let examples = function["examples"].as_array().expect("a list of examples");
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let sql = example["sql"].as_str().expect("SQL");
            let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{name}: {error:?}\n{sql}"));
            let answer = example["answer"].as_array().expect("a list of rows");
            assert_eq!(rows.len(), answer.len(), "{name}: {sql}");
        }
    }
}
