//! Who may connect, and which places outside of the lakes a statement may name.
//!
//! Passwords are never here: a user has a verifier, from which no password can be had.

mod locations;
mod scram;
mod verifier;

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};

use crate::error::{Error, Result, SqlState};

pub use locations::Locations;
pub use scram::{Exchange, PLAIN, PLUS, ServerFirst};
pub use verifier::Verifier;

/// How a client shows that it is who it says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nobody is asked: whoever reaches the port is believed.
    #[default]
    Trust,
    /// A password, by SCRAM-SHA-256.
    ScramSha256,
}

/// One line of the list of users.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// Absent where nobody is asked; such a user cannot log in by password.
    pub verifier: Option<Verifier>,
    /// May see and end what others do, and name any place outside of the lakes.
    pub is_superuser: bool,
}

/// The rules of one server. Built once, at its start.
#[derive(Debug, Default)]
pub struct Access {
    authentication: Authentication,
    users: BTreeMap<String, User>,
    locations: Locations,
    /// What the verifiers of unknown users are made of.
    mock_seed: [u8; 32],
}

impl Access {
    /// Rules from what the operator wrote.
    ///
    /// Fails with 22023 if passwords are asked for and nobody has one.
    pub fn new(authentication: Authentication, users: BTreeMap<String, User>, locations: Locations) -> Result<Self> {
        let nobody_can_log_in = users.values().all(|user| user.verifier.is_none());
        if authentication == Authentication::ScramSha256 && nobody_can_log_in {
            return Err(Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "passwords are asked for and no user has one: nobody could connect",
            )
            .with_hint(
                "Make a user with `tributary user NAME`, and put the lines that it prints into the config file.",
            ));
        }
        // Of the stored keys, so that an unknown user's salt survives a restart as a known one's does.
        let mut seed = Context::new(&SHA256);
        for verifier in users.values().filter_map(|user| user.verifier.as_ref()) {
            seed.update(verifier.stored_key());
            seed.update(verifier.server_key());
        }
        let mut mock_seed = [0; 32];
        mock_seed.copy_from_slice(seed.finish().as_ref());
        Ok(Self { authentication, users, locations, mock_seed })
    }

    /// Whether passwords are asked for.
    pub fn asks_for_passwords(&self) -> bool {
        self.authentication == Authentication::ScramSha256
    }

    /// Lets a user in whom nobody asks for a password: anyone, or where there is a list those on it.
    pub fn admit_trusted(&self, user: &str) -> Result<()> {
        if self.users.is_empty() || self.users.contains_key(user) {
            return Ok(());
        }
        Err(Error::new(SqlState::INVALID_AUTHORIZATION, format!("role \"{user}\" does not exist")))
    }

    /// Starts the exchange of a password with a client that says it is `user`.
    ///
    /// `certificate_hash` is the channel's, where it has one. Somebody who is not known gets an
    /// exchange that looks like any other, takes as long, and fails at its end.
    pub fn challenge(&self, user: &str, certificate_hash: Option<&[u8]>) -> Exchange {
        let known = self.users.get(user).and_then(|user| user.verifier.clone());
        let is_known = known.is_some();
        let verifier = known.unwrap_or_else(|| {
            let examples: Vec<_> = self.users.values().filter_map(|user| user.verifier.as_ref()).collect();
            Verifier::mock(&self.mock_seed, user, &examples)
        });
        Exchange::new(verifier, is_known, certificate_hash.map(<[u8]>::to_vec))
    }

    /// Whether a user may do everything. Where there is no list of users everybody may.
    pub fn is_superuser(&self, user: &str) -> bool {
        self.users.is_empty() || self.users.get(user).is_some_and(|user| user.is_superuser)
    }

    /// Whether a statement of `user` may read files at a place outside of the lakes; else 42501.
    pub fn check_location(&self, user: &str, location: &str) -> Result<()> {
        self.locations.check(location, self.is_superuser(user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(authentication: Authentication, names: &[(&str, bool)]) -> Result<Access> {
        let user = |is_superuser| User { verifier: Some(Verifier::of_password("tea")), is_superuser };
        let users = names.iter().map(|(name, is_superuser)| ((*name).to_owned(), user(*is_superuser))).collect();
        Access::new(authentication, users, Locations::default())
    }

    #[test]
    fn without_a_list_everybody_is_let_in_and_may_do_everything() {
        let access = access(Authentication::Trust, &[]).unwrap();
        assert!(access.admit_trusted("anyone").is_ok());
        assert!(access.is_superuser("anyone"));
    }

    #[test]
    fn a_list_of_users_is_the_whole_list() {
        let access = access(Authentication::Trust, &[("ana", true), ("bi", false)]).unwrap();
        assert!(access.admit_trusted("bi").is_ok());
        assert_eq!(access.admit_trusted("eve").unwrap_err().state, SqlState::INVALID_AUTHORIZATION);
        assert!(access.is_superuser("ana") && !access.is_superuser("bi") && !access.is_superuser("eve"));
    }

    #[test]
    fn passwords_without_users_would_lock_everybody_out() {
        let error = access(Authentication::ScramSha256, &[]).unwrap_err();
        assert!(error.hint.unwrap().contains("tributary user"));
    }
}
