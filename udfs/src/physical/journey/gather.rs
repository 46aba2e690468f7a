//! Every input is read to its end, in tasks of their own, before the first user is answered.

use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::Time;
use futures::future::{BoxFuture, FutureExt, Shared, try_join_all};
use futures::stream::StreamExt;

use super::blocks::Builder;
use super::buckets::Buckets;
use super::memory::Part;
use super::store::Store;

/// The store when all is in it; each output awaits the same one.
pub(super) type Gathered = Shared<BoxFuture<'static, Result<Arc<Store>, Arc<DataFusionError>>>>;

/// What the tasks share.
#[derive(Clone)]
pub(super) struct Gathering {
    pub keys: Arc<[Arc<dyn PhysicalExpr>]>,
    pub buckets: Buckets,
    pub store: Arc<Store>,
    pub elapsed: Time,
}

impl Gathering {
    /// Reads the inputs once the first output asks. The tasks end with the last handle to what they gather.
    ///
    /// A task that panics is an error of every output, not a panic of the one that awaits it.
    pub fn start(self, inputs: Vec<SendableRecordBatchStream>) -> Gathered {
        let gathered = async move {
            let tasks = inputs.into_iter().enumerate().map(|(index, input)| {
                let task = SpawnedTask::spawn(self.clone().read(index, input));
                async move { task.join().await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))? }
            });
            try_join_all(tasks).await.map_err(Arc::new)?;
            self.store.all_is_in();
            Ok(self.store)
        };
        gathered.boxed().shared()
    }

    async fn read(self, index: usize, mut input: SendableRecordBatchStream) -> Result<()> {
        let mut rows = Builder::new(input.schema(), Arc::clone(&self.keys), self.buckets);
        let mut room = self.store.part();
        while let Some(batch) = input.next().await {
            let timer = self.elapsed.timer();
            rows.add(batch?)?;
            timer.done();
            // Without room for more the block is a small one.
            if self.store.make_room(&mut room, rows.bytes()).await?.is_err() || rows.is_full() {
                self.hand_over(index, &mut rows, &mut room).await?;
            }
            // An input that is always ready would keep this thread.
            tokio::task::consume_budget().await;
        }
        self.hand_over(index, &mut rows, &mut room).await
    }

    async fn hand_over(&self, index: usize, rows: &mut Builder, room: &mut Part) -> Result<()> {
        let timer = self.elapsed.timer();
        let block = rows.finish()?;
        room.shrink(rows.bytes());
        timer.done();
        match block {
            Some(block) => self.store.add(index, block).await,
            None => Ok(()),
        }
    }
}
