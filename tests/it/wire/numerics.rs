//! Arrays of numerics as parameters: each number keeps its digits.

use rust_decimal::Decimal;
use tokio_postgres::types::Type;

use crate::server::Server;

#[tokio::test]
async fn a_list_of_prices_finds_those_with_more_digits_than_its_first() {
    let server = Server::shared();
    let client = server.connect().await;
    let sql = "SELECT price::text FROM (SELECT x::numeric(10, 2) AS price FROM (VALUES ('1'), ('2.55'), ('3'), ('4.5')) AS v (x)) AS prices WHERE price = ANY ($1) ORDER BY 1";
    for statement in [client.prepare(sql).await, client.prepare_typed(sql, &[Type::NUMERIC_ARRAY]).await] {
        let statement = statement.expect("the statement is right");
        assert_eq!(statement.params(), [Type::NUMERIC_ARRAY]);
        let wanted = vec![None, Some(Decimal::new(1, 0)), Some(Decimal::new(255, 2)), Some(Decimal::new(45, 1))];
        let rows = client.query(&statement, &[&wanted]).await.expect("rows");
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(found, ["1.00", "2.55", "4.50"]);
    }
}
