//! Why the store did not do something. Here: reasons. Not here: words for people and status codes (`http`).

/// Why nothing was changed, or nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database's address is of no known kind.
    #[error("the database URL must begin with sqlite: or postgres:")]
    Address,
    /// There is no such thing; the text names the kind.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// It is there already; the texts name the field and what is right.
    #[error("{field}: {why}")]
    Invalid {
        /// Name of the field, as in the API.
        field: &'static str,
        /// What is wrong with it.
        why: Invalid,
    },
    /// The state it is in does not allow that.
    #[error("{0}")]
    State(Refusal),
    /// The state that a part of it is in does not allow that.
    #[error("“{title}”: {why}")]
    Part {
        /// What it is called.
        title: String,
        /// Why.
        why: Refusal,
    },
    /// Somebody speaks there.
    #[error("{by} has the studio")]
    Taken {
        /// Their name.
        by: String,
        /// Since when.
        since: loa_protocol::UnixMicros,
    },
    /// The database could not do it.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Its tables could not be brought up to date.
    #[error("database tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// What is in the database was not written by this program.
    #[error("the database holds a {0} that cannot be read")]
    Corrupt(&'static str),
    /// What is sealed in it does not open, or nothing can be sealed.
    #[error("{0}")]
    Vault(#[from] crate::data::VaultError),
    /// Its secrets are sealed under keys that are not in this data folder.
    #[error("this database belongs to another data folder: its secrets are sealed under keys that are not here ({0})")]
    Foreign(crate::data::VaultError),
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing is there.
    #[error("must not be empty")]
    Empty,
    /// Too many characters.
    #[error("must have at most {0} characters")]
    Long(usize),
    /// Another one has it.
    #[error("is taken already")]
    Taken,
    /// No such thing exists.
    #[error("does not exist")]
    Unknown,
    /// Not of the right form; the texts say what is, in English and in Vietnamese.
    #[error("must be {0}")]
    Form(&'static str, &'static str),
}

/// What the state of things does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only what somebody approved is broadcast.
    #[error("the bulletin is not approved")]
    NotApproved,
    /// An emergency is broadcast, and waits in nobody's inbox.
    #[error("an emergency is broadcast at once, not sent to be answered")]
    Emergency,
    /// It is to sound there.
    #[error("it is scheduled there: that has to be removed first")]
    Scheduled,
    /// What has expired by then is not broadcast.
    #[error("the bulletin has expired by then")]
    Expired,
    /// What it sounds like is not made yet.
    #[error("the playlist is still being composed")]
    Composing,
    /// It cannot be stopped any more.
    #[error("the broadcast is over")]
    Over,
    /// The first administrator is there.
    #[error("there is a user already")]
    UserExists,
    /// What was judged is not what is there any more.
    #[error("somebody else has changed that meanwhile")]
    Changed,
    /// Nobody would be left who may manage people everywhere.
    #[error("this is the last administrator of everything: make another one first")]
    LastAdministrator,
    /// They may not sign in.
    #[error("this user is disabled")]
    Disabled,
    /// The settings want everybody to have one.
    #[error("the last second factor cannot be removed, since the settings require one")]
    LastFactor,
    /// The account at the provider is somebody's already, or they have one there.
    #[error("that account is linked already, or another one of that provider is")]
    Linked,
    /// Without a password they could not come in any more.
    #[error("it is their only way to come in: a password must be there first")]
    LastWay,
    /// A receiver that was revoked has no secret to be changed: it can only be enrolled again.
    #[error("the receiver is revoked")]
    Revoked,
    /// It takes two people, and this is the one who asked.
    #[error("another person has to approve it than the one who asked")]
    SamePerson,
    /// The server is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    pub(super) fn invalid(field: &'static str, why: Invalid) -> Self {
        Self::Invalid { field, why }
    }

    /// What a violated unique constraint means for `field`; other errors as they are.
    pub(super) fn taken(field: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| match error.as_database_error().is_some_and(|it| it.is_unique_violation()) {
            true => Self::invalid(field, Invalid::Taken),
            false => error.into(),
        }
    }
}
