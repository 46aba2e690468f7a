//! The transaction block: open or not, failed or not, and what ROLLBACK puts back.

use super::settings::Settings;

/// What `ReadyForQuery` tells the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Open,
    /// A statement failed: only the end of the block is accepted.
    Failed,
}

/// The open block, if there is one.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    block: Option<Block>,
}

#[derive(Debug)]
struct Block {
    failed: bool,
    /// Settings as they were at BEGIN.
    before: Settings,
    /// Settings as they would be without SET LOCAL.
    without_local: Option<Settings>,
}

impl Transaction {
    pub(super) fn status(&self) -> TransactionStatus {
        match &self.block {
            None => TransactionStatus::Idle,
            Some(block) if block.failed => TransactionStatus::Failed,
            Some(_) => TransactionStatus::Open,
        }
    }

    pub(super) fn begin(&mut self, settings: &Settings) {
        self.block = Some(Block { failed: false, before: settings.clone(), without_local: None });
    }

    pub(super) fn fail(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed = true;
        }
    }

    /// SET LOCAL: remembers the settings that COMMIT goes back to. Without a block nothing is local.
    pub(super) fn keep_for_commit(&mut self, settings: &Settings) -> bool {
        match &mut self.block {
            Some(block) => {
                block.without_local.get_or_insert_with(|| settings.clone());
                true
            }
            None => false,
        }
    }

    /// Ends the block; the settings that hold from now on, where they differ.
    pub(super) fn end(&mut self, committed: bool) -> Option<Settings> {
        let block = self.block.take()?;
        if committed && !block.failed { block.without_local } else { Some(block.before) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollback_puts_back_what_set_changed_and_commit_what_set_local_changed() {
        let before = Settings::new("u", "public");
        let mut transaction = Transaction::default();
        transaction.begin(&before);
        assert_eq!(transaction.status(), TransactionStatus::Open);
        assert!(transaction.end(false).is_some());

        transaction.begin(&before);
        assert!(transaction.end(true).is_none());

        transaction.begin(&before);
        assert!(transaction.keep_for_commit(&before));
        assert!(transaction.end(true).is_some());
        assert_eq!(transaction.status(), TransactionStatus::Idle);
    }

    #[test]
    fn a_failed_block_stays_failed_until_it_ends() {
        let mut transaction = Transaction::default();
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Idle);
        transaction.begin(&Settings::new("u", "public"));
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Failed);
    }
}
