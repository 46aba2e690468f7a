//! A funnel in a DataFusion program: `cargo run -p tributary-udfs --example funnel`.

use datafusion::error::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let builder = SessionStateBuilder::new_with_default_features();
    let context = SessionContext::new_with_state(tributary_udfs::install(builder).build());
    let question = "
        SELECT who, FUNNEL(t, event = 'view', event = 'cart', event = 'buy', within => '7 days') AS level
        FROM (VALUES ('Ana', timestamp '2026-03-01 09:00:00', 'view'), ('Ana', timestamp '2026-03-02 09:00:00', 'cart'),
                     ('Bo', timestamp '2026-03-01 09:00:00', 'view'), ('Ana', timestamp '2026-03-08 09:00:00', 'buy')
             ) AS events(who, t, event)
        GROUP BY who ORDER BY who";
    tributary_udfs::sql(&context, question).await?.show().await
}
