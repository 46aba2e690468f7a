//! The transaction block: open or not, failed or not, and what ROLLBACK puts back.

use datafusion::config::ConfigOptions;

use super::settings::Settings;
use crate::catalog;
use crate::error::{Error, Result, SqlState};
use crate::limits;

/// What `ReadyForQuery` tells the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    Open,
    /// A statement failed: only the end of the block is accepted.
    Failed,
}

/// What the end of a block puts back.
#[derive(Default)]
pub(super) struct Before {
    pub(super) settings: Option<Settings>,
    pub(super) options: Option<ConfigOptions>,
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
    /// DataFusion's options as they were at BEGIN.
    options_before: ConfigOptions,
    /// Settings as they would be without SET LOCAL.
    without_local: Option<Settings>,
    /// Oldest first; a name may stand twice, and the later one is meant.
    savepoints: Vec<Savepoint>,
}

/// Everything that ROLLBACK TO puts back.
#[derive(Clone, Debug)]
pub(super) struct Savepoint {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) options: ConfigOptions,
    pub(super) catalog: catalog::Savepoint,
    /// Cursors that were open: later ones are closed.
    pub(super) cursors: Vec<String>,
    without_local: Option<Settings>,
}

impl Savepoint {
    pub(super) fn new(
        name: String,
        settings: Settings,
        options: ConfigOptions,
        catalog: catalog::Savepoint,
        cursors: Vec<String>,
    ) -> Self {
        Self { name, settings, options, catalog, cursors, without_local: None }
    }
}

impl Transaction {
    pub(super) fn status(&self) -> TransactionStatus {
        match &self.block {
            None => TransactionStatus::Idle,
            Some(block) if block.failed => TransactionStatus::Failed,
            Some(_) => TransactionStatus::Open,
        }
    }

    pub(super) fn begin(&mut self, settings: &Settings, options_before: ConfigOptions) {
        self.block = Some(Block {
            failed: false,
            before: settings.clone(),
            options_before,
            without_local: None,
            savepoints: vec![],
        });
    }

    /// Marks the block as failed; the cursors that its savepoints keep, if there is a block.
    pub(super) fn fail(&mut self) -> Option<Vec<String>> {
        let block = self.block.as_mut()?;
        block.failed = true;
        Some(block.savepoints.iter().flat_map(|savepoint| savepoint.cursors.clone()).collect())
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

    /// The settings that COMMIT goes back to, where SET LOCAL has made them others: SET and RESET change these too.
    pub(super) fn for_commit(&mut self) -> Option<&mut Settings> {
        self.block.as_mut()?.without_local.as_mut()
    }

    /// SAVEPOINT: remembers where the block stands. Without a block there is nothing to go back to (25P01).
    pub(super) fn save(&mut self, mut savepoint: Savepoint) -> Result<()> {
        let block = self.block_of("SAVEPOINT")?;
        if block.savepoints.len() >= limits::SAVEPOINTS {
            return Err(Error::too_many("savepoints", limits::SAVEPOINTS)
                .with_hint("RELEASE savepoints that nothing will go back to."));
        }
        savepoint.without_local = block.without_local.clone();
        block.savepoints.push(savepoint);
        Ok(())
    }

    /// RELEASE: forgets a savepoint and those after it.
    pub(super) fn release(&mut self, name: &str) -> Result<()> {
        let block = self.block_of("RELEASE SAVEPOINT")?;
        let at = position(&block.savepoints, name)?;
        block.savepoints.truncate(at);
        Ok(())
    }

    /// ROLLBACK TO: what to put back. The savepoint stays, those after it are gone, and the block has not failed.
    pub(super) fn return_to(&mut self, name: &str) -> Result<Savepoint> {
        let block = self.block_of("ROLLBACK TO SAVEPOINT")?;
        let at = position(&block.savepoints, name)?;
        block.savepoints.truncate(at + 1);
        let savepoint = block.savepoints[at].clone();
        block.without_local = savepoint.without_local.clone();
        block.failed = false;
        Ok(savepoint)
    }

    fn block_of(&mut self, statement: &str) -> Result<&mut Block> {
        self.block.as_mut().ok_or_else(|| {
            let message = format!("{statement} can only be used in transaction blocks");
            Error::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message)
        })
    }

    /// Ends the block; what holds from now on, where it differs.
    pub(super) fn end(&mut self, committed: bool) -> Before {
        match self.block.take() {
            None => Before::default(),
            Some(block) if committed && !block.failed => Before { settings: block.without_local, options: None },
            Some(block) => Before { settings: Some(block.before), options: Some(block.options_before) },
        }
    }
}

fn position(savepoints: &[Savepoint], name: &str) -> Result<usize> {
    savepoints
        .iter()
        .rposition(|savepoint| savepoint.name == name)
        .ok_or_else(|| Error::new(SqlState::INVALID_SAVEPOINT, format!("savepoint \"{name}\" does not exist")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollback_puts_back_what_set_changed_and_commit_what_set_local_changed() {
        let before = Settings::new("u", false, "public");
        let mut transaction = Transaction::default();
        transaction.begin(&before, ConfigOptions::new());
        assert_eq!(transaction.status(), TransactionStatus::Open);
        assert!(transaction.end(false).settings.is_some());

        transaction.begin(&before, ConfigOptions::new());
        assert!(transaction.end(true).settings.is_none());

        transaction.begin(&before, ConfigOptions::new());
        assert!(transaction.keep_for_commit(&before));
        transaction.for_commit().unwrap().set("statement_timeout", "3min").unwrap();
        let after = transaction.end(true).settings.unwrap();
        assert_eq!(after.get("statement_timeout").unwrap().1, "3min");
        assert_eq!(transaction.status(), TransactionStatus::Idle);
    }

    #[test]
    fn a_failed_block_stays_failed_until_it_ends() {
        let mut transaction = Transaction::default();
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Idle);
        transaction.begin(&Settings::new("u", false, "public"), ConfigOptions::new());
        transaction.fail();
        assert_eq!(transaction.status(), TransactionStatus::Failed);
    }
}
