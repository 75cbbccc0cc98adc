//! People who use the console, and the token by which the first of them is made.

use loa_protocol::{AreaId, UnixMicros};
use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;

use super::error::{Invalid, Refusal};
use super::links::{self, LinkKind};
use super::pool::Transaction;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, Store, UserId, devices, ids, sessions};
use crate::authority::{Grant, Reach, Role};

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their identifier.
    pub id: UserId,
    /// What they sign in as.
    pub username: String,
    /// Their name.
    pub display_name: String,
    /// Since when they may not sign in any more.
    pub disabled: Option<UnixMicros>,
    /// Whether they have a password: not yet, as long as the invitation waits.
    pub has_password: bool,
    /// What they are, where, in order.
    pub grants: Vec<Grant>,
}

/// Somebody to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What they will sign in as: lower-case letters, digits, `.`, `-`, `_`.
    pub username: String,
    /// Their name.
    pub display_name: String,
    /// What they are, where.
    pub grants: Vec<Grant>,
    /// Their password's hash (a PHC string); empty: none yet.
    pub password: String,
}

/// What is to change about a user; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// Their name.
    pub display_name: Option<String>,
    /// Whether they are kept from signing in.
    pub disabled: Option<bool>,
    /// What they are, where.
    pub grants: Option<Vec<Grant>>,
}

impl Store {
    /// All users.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let rows = sqlx::query("SELECT * FROM users ORDER BY username")
            .fetch_all(&self.pool)
            .await?;
        let mut users = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for user in &mut users {
            user.grants = self.grants(user.id).await?;
        }
        Ok(users)
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        let row = sqlx::query("SELECT * FROM users WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let mut user = row.as_ref().map(read).transpose()?.ok_or(Error::Missing("user"))?;
        user.grants = self.grants(id).await?;
        Ok(user)
    }

    pub(super) async fn grants(&self, id: UserId) -> Result<Vec<Grant>, Error> {
        let rows = sqlx::query("SELECT role, area_id FROM grants WHERE user_id = $1")
            .bind(id.to_string())
            .fetch_all(&self.pool)
            .await?;
        let mut grants = rows.iter().map(read_grant).collect::<Result<Vec<_>, _>>()?;
        grants.sort();
        Ok(grants)
    }

    /// The user of that name and their password's hash; it is empty if they have none yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn user_and_password(&self, username: &str) -> Result<Option<(User, String)>, Error> {
        let row = sqlx::query("SELECT * FROM users WHERE username = $1")
            .bind(username.to_owned())
            .fetch_optional(&self.pool);
        let Some(row) = row.await? else { return Ok(None) };
        let mut user = read(&row)?;
        user.grants = self.grants(user.id).await?;
        Ok(Some((user, row.text("password")?)))
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn add_user(&self, actor: &Actor, now: UnixMicros, new: NewUser) -> Result<User, Error> {
        let user = checked(now, &new)?;
        let mut work = self.begin(added(actor, now, &user)).await?;
        let tx = &mut work.tx;
        insert(tx, now, &user, &new.password).await?;
        work.commit().await?;
        Ok(user)
    }

    /// Adds a user without a password, and the link by which they choose one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a field that is wrong; when the database cannot.
    pub async fn invite(
        &self,
        actor: &Actor,
        now: UnixMicros,
        new: NewUser,
        token_hash: &str,
        expires: UnixMicros,
    ) -> Result<User, Error> {
        let user = checked(now, &new)?;
        let mut work = self.begin(added(actor, now, &user)).await?;
        work.more.after = Some(json!({ "display_name": user.display_name, "grants": listed(&user.grants) }));
        insert(&mut work.tx, now, &user, "").await?;
        links::insert(
            &mut work.tx,
            now,
            user.id,
            LinkKind::Invitation,
            false,
            token_hash,
            expires,
        )
        .await?;
        work.commit().await?;
        Ok(user)
    }

    /// Gives a user other grants in place of those that they have, and lets nobody do what is not theirs any more.
    ///
    /// # Errors
    /// As [`Store::change_user`].
    pub async fn set_grants(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: UserId,
        grants: Vec<Grant>,
    ) -> Result<User, Error> {
        let change = UserChange {
            grants: Some(grants),
            ..UserChange::default()
        };
        self.change_user(actor, now, id, None, change).await
    }

    /// Changes a user. Whoever is disabled is signed out at once, in every browser, and their link is void. If `judged` is
    /// given, they must still have these grants: those by which was judged whether the change is allowed.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Invalid`] for a name that is wrong or an area that does not exist; [`Error::State`] when
    /// their grants have changed meanwhile, or nobody would be left who may manage people everywhere; when the database
    /// cannot.
    pub async fn change_user(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: UserId,
        judged: Option<&[Grant]>,
        change: UserChange,
    ) -> Result<User, Error> {
        let display_name = match &change.display_name {
            Some(name) => Some(written("display_name", name, 120)?),
            None => None,
        };
        let entry = Entry {
            at: now,
            actor,
            what: match (change.disabled, &change.grants) {
                (Some(true), _) => "user.disable",
                (Some(false), _) => "user.enable",
                (None, Some(_)) => "user.grants",
                (None, None) => "user.change",
            },
            subject: id.to_string(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let before = in_work(tx, id, judged).await?;
        let mut user = before.clone();
        user.display_name = display_name.unwrap_or(user.display_name);
        user.grants = change.grants.map_or(user.grants, distinct);
        user.disabled = match change.disabled {
            Some(true) => user.disabled.or(Some(now)),
            Some(false) => None,
            None => user.disabled,
        };
        if leads(&before) && !leads(&user) {
            another_leads(tx, id).await?;
        }
        sqlx::query("UPDATE users SET display_name = $1, disabled = $2 WHERE id = $3")
            .bind(user.display_name.clone())
            .bind(user.disabled.map(micros))
            .bind(id.to_string())
            .execute(&mut **tx)
            .await?;
        if user.grants != before.grants {
            sqlx::query("DELETE FROM grants WHERE user_id = $1")
                .bind(id.to_string())
                .execute(&mut **tx)
                .await?;
            insert_grants(tx, &user).await?;
        }
        if user.disabled.is_some() {
            sessions::end_all(tx, id, "").await?;
            links::void(tx, id).await?;
            devices::forget(tx, id, "").await?;
        }
        let (was, became) = difference(&before, &user);
        (work.more.before, work.more.after) = (Some(was), Some(became));
        work.entry.detail = user.username.clone();
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(user)
    }

    /// Gives a user another password, chosen by themselves, and ends their sessions but for the one with the token's hash
    /// `here`; of the browsers that they are known by only `device` stays known.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn change_password(
        &self,
        actor: &Actor,
        now: UnixMicros,
        id: UserId,
        password: &str,
        here: &str,
        device: &str,
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "user.passwd",
            subject: id.to_string(),
            detail: "by themselves".into(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        keep_password(tx, id, password).await?;
        sessions::end_all(tx, id, here).await?;
        links::void(tx, id).await?;
        devices::forget(tx, id, device).await?;
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }

    /// Gives a user another password and ends their sessions.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn set_password(
        &self,
        actor: &Actor,
        now: UnixMicros,
        username: &str,
        password: &str,
    ) -> Result<(), Error> {
        let entry = Entry {
            at: now,
            actor,
            what: "user.passwd",
            subject: String::new(),
            detail: username.into(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        let row = sqlx::query("SELECT id FROM users WHERE username = $1")
            .bind(username.to_owned())
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(Error::Missing("user"))?;
        let id = row.id("id", UserId::parse)?;
        keep_password(tx, id, password).await?;
        sessions::end_all(tx, id, "").await?;
        links::void(tx, id).await?;
        devices::forget(tx, id, "").await?;
        work.entry.subject = id.to_string();
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }

    /// Keeps the hash of a token that makes the first administrator, in place of those before it, if there is no user.
    ///
    /// # Errors
    /// [`Error::State`] if there is one; when the database cannot.
    pub async fn offer_setup(&self, now: UnixMicros, token_hash: &str, expires: UnixMicros) -> Result<(), Error> {
        let actor = Actor {
            who: "-".into(),
            origin: "server".into(),
        };
        let entry = Entry {
            at: now,
            actor: &actor,
            what: "setup.offer",
            subject: String::new(),
            detail: String::new(),
        };
        let mut work = self.begin(entry).await?;
        let tx = &mut work.tx;
        none_yet(tx).await?;
        sqlx::query("DELETE FROM setup_tokens").execute(&mut **tx).await?;
        sqlx::query("INSERT INTO setup_tokens (token_hash, created, expires) VALUES ($1, $2, $3)")
            .bind(token_hash.to_owned())
            .bind(micros(now))
            .bind(micros(expires))
            .execute(&mut **tx)
            .await?;
        work.commit().await
    }

    /// Whether a setup token with this hash is waiting and has not expired.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn setup_is_open(&self, now: UnixMicros, token_hash: &str) -> Result<bool, Error> {
        let row = sqlx::query("SELECT 1 AS one FROM setup_tokens WHERE token_hash = $1 AND expires > $2")
            .bind(token_hash.to_owned())
            .bind(micros(now))
            .fetch_optional(&self.pool);
        Ok(row.await?.is_some())
    }

    /// Spends a setup token on the first administrator.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such token (any more), [`Error::Invalid`] for a field that is wrong (the token
    /// is not spent then); when the database cannot.
    pub async fn set_up(&self, actor: &Actor, now: UnixMicros, token_hash: &str, new: NewUser) -> Result<User, Error> {
        let user = checked(now, &new)?;
        let mut work = self.begin(added(actor, now, &user)).await?;
        let tx = &mut work.tx;
        let spent = sqlx::query("DELETE FROM setup_tokens WHERE token_hash = $1 AND expires > $2")
            .bind(token_hash.to_owned())
            .bind(micros(now))
            .execute(&mut **tx)
            .await?;
        if spent.rows_affected() != 1 {
            return Err(Error::Missing("setup token"));
        }
        none_yet(tx).await?;
        insert(tx, now, &user, &new.password).await?;
        work.commit().await?;
        Ok(user)
    }
}

pub(super) async fn keep_password(tx: &mut Transaction, id: UserId, password: &str) -> Result<(), Error> {
    sqlx::query("UPDATE users SET password = $1 WHERE id = $2")
        .bind(password.to_owned())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The user as a change under way sees them; with `judged` these must be their grants.
pub(super) async fn in_work(tx: &mut Transaction, id: UserId, judged: Option<&[Grant]>) -> Result<User, Error> {
    let row = sqlx::query("SELECT * FROM users WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    let mut user = row.as_ref().map(read).transpose()?.ok_or(Error::Missing("user"))?;
    let rows = sqlx::query("SELECT role, area_id FROM grants WHERE user_id = $1")
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await?;
    user.grants = distinct(rows.iter().map(read_grant).collect::<Result<_, _>>()?);
    match judged {
        Some(judged) if judged != user.grants => Err(Error::State(Refusal::Changed)),
        _ => Ok(user),
    }
}

/// Whether they can manage people everywhere, now.
fn leads(user: &User) -> bool {
    user.disabled.is_none() && user.has_password && user.grants.contains(&Grant::everywhere(Role::Administrator))
}

/// That somebody else can.
async fn another_leads(tx: &mut Transaction, id: UserId) -> Result<(), Error> {
    let another = sqlx::query(
        "SELECT 1 AS one FROM grants g JOIN users u ON u.id = g.user_id WHERE g.role = 'administrator' \
         AND g.area_id = '' AND u.disabled IS NULL AND u.password <> '' AND u.id <> $1 LIMIT 1",
    )
    .bind(id.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    another.map(|_| ()).ok_or(Error::State(Refusal::LastAdministrator))
}

/// What two states of a user differ in, for the record.
fn difference(before: &User, after: &User) -> (Value, Value) {
    let (mut was, mut became) = (Map::new(), Map::new());
    let mut differ = |name: &str, a: Value, b: Value| {
        if a != b {
            was.insert(name.into(), a);
            became.insert(name.into(), b);
        }
    };
    differ("display_name", json!(before.display_name), json!(after.display_name));
    differ(
        "disabled",
        json!(before.disabled.is_some()),
        json!(after.disabled.is_some()),
    );
    differ("grants", listed(&before.grants), listed(&after.grants));
    (was.into(), became.into())
}

fn listed(grants: &[Grant]) -> Value {
    grants.iter().map(|grant| told(&[*grant])).collect()
}

async fn none_yet(tx: &mut Transaction) -> Result<(), Error> {
    match sqlx::query("SELECT 1 AS one FROM users LIMIT 1")
        .fetch_optional(&mut **tx)
        .await?
    {
        Some(_) => Err(Error::State(Refusal::UserExists)),
        None => Ok(()),
    }
}

fn added<'a>(actor: &'a Actor, now: UnixMicros, user: &User) -> Entry<'a> {
    let detail = format!("{}: {}", user.username, told(&user.grants));
    Entry {
        at: now,
        actor,
        what: "user.add",
        subject: user.id.to_string(),
        detail,
    }
}

fn checked(now: UnixMicros, new: &NewUser) -> Result<User, Error> {
    let username = new.username.clone();
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-' | b'_');
    if username.is_empty() || username.len() > 64 || !username.bytes().all(fits) {
        let form = "1 to 64 lower-case letters without marks, digits, dots, hyphens or underscores";
        let vi = "1 đến 64 chữ thường không dấu, chữ số, dấu chấm, gạch nối hoặc gạch dưới";
        return Err(Error::invalid("username", Invalid::Form(form, vi)));
    }
    let display_name = written("display_name", &new.display_name, 120)?;
    Ok(User {
        id: UserId(ids::fresh(now)),
        username,
        display_name,
        disabled: None,
        has_password: !new.password.is_empty(),
        grants: distinct(new.grants.clone()),
    })
}

async fn insert(tx: &mut Transaction, now: UnixMicros, user: &User, password: &str) -> Result<(), Error> {
    sqlx::query("INSERT INTO users (id, username, display_name, password, created) VALUES ($1, $2, $3, $4, $5)")
        .bind(user.id.to_string())
        .bind(user.username.clone())
        .bind(user.display_name.clone())
        .bind(password.to_owned())
        .bind(micros(now))
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("username"))?;
    insert_grants(tx, user).await
}

async fn insert_grants(tx: &mut Transaction, user: &User) -> Result<(), Error> {
    for grant in &user.grants {
        let area = match grant.reach {
            Reach::Everywhere => String::new(),
            Reach::Area(area) => area.to_string(),
        };
        if !area.is_empty() {
            let known = sqlx::query("SELECT 1 AS one FROM areas WHERE id = $1").bind(area.clone());
            if known.fetch_optional(&mut **tx).await?.is_none() {
                return Err(Error::invalid("grants", Invalid::Unknown));
            }
        }
        sqlx::query("INSERT INTO grants (user_id, role, area_id) VALUES ($1, $2, $3)")
            .bind(user.id.to_string())
            .bind(grant.role.name())
            .bind(area)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

fn distinct(grants: Vec<Grant>) -> Vec<Grant> {
    let grants: std::collections::BTreeSet<_> = grants.into_iter().collect();
    grants.into_iter().collect()
}

/// Grants in words, for the record.
fn told(grants: &[Grant]) -> String {
    let one = |grant: &Grant| match grant.reach {
        Reach::Everywhere => format!("{} everywhere", grant.role.name()),
        Reach::Area(area) => format!("{} in {area}", grant.role.name()),
    };
    match grants {
        [] => "nothing".into(),
        grants => grants.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

/// The row alone: what its user may do lies in another table.
pub(super) fn read(row: &AnyRow) -> Result<User, Error> {
    Ok(User {
        id: row.id("id", UserId::parse)?,
        username: row.text("username")?,
        display_name: row.text("display_name")?,
        disabled: row.maybe_number("disabled")?.map(UnixMicros),
        has_password: !row.text("password")?.is_empty(),
        grants: Vec::new(),
    })
}

fn read_grant(row: &AnyRow) -> Result<Grant, Error> {
    let reach = match row.text("area_id")?.as_str() {
        "" => Reach::Everywhere,
        area => Reach::Area(AreaId::parse(area).ok_or(Error::Corrupt("area_id"))?),
    };
    Ok(Grant {
        role: row.id("role", Role::named)?,
        reach,
    })
}
