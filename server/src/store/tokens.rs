//! API tokens: what programs show in place of a session, for a part of what their owner may do. Of a token only the hash
//! is kept. Not here: how a token looks, and when it counts (`http::bearer`).

use loa_protocol::{AreaId, UnixMicros};
use serde_json::json;
use sqlx::any::AnyRow;

use super::error::Invalid;
use super::row::{Columns as _, micros, written};
use super::{Actor, Change, Entry, Error, Store, TokenId, User, UserId, ids};
use crate::authority::{Limit, Reach, Right};

/// A token that was made and not taken back; it may have expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its identifier: not what it is shown by.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: String,
    /// What it is good for, at most, in order.
    pub rights: Vec<Right>,
    /// Where; none: wherever its owner may.
    pub area: Option<AreaId>,
    /// When a second factor was shown in the session that it was made in.
    pub second_factor: Option<UnixMicros>,
    /// When it was made.
    pub created: UnixMicros,
    /// When it ends.
    pub expires: UnixMicros,
    /// When it was last used, to some minutes.
    pub used: Option<UnixMicros>,
    /// From where that was.
    pub used_from: Option<String>,
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What its owner calls it: no two of theirs alike.
    pub name: String,
    /// What it is to be good for.
    pub rights: Vec<Right>,
    /// Where; none: wherever its owner may.
    pub area: Option<AreaId>,
    /// When a second factor was shown in the session that it is made in, if that is to count for it.
    pub second_factor: Option<UnixMicros>,
    /// When it is to end.
    pub expires: UnixMicros,
}

impl Token {
    /// The part of its owner's authority that it has.
    pub fn limit(&self) -> Limit {
        Limit {
            rights: self.rights.clone(),
            reach: self.area.map_or(Reach::Everywhere, Reach::Area),
        }
    }
}

impl Store {
    /// Makes a token for `owner` that is shown by what has that hash.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is wrong or taken, an area that does not exist; when the database cannot.
    pub async fn add_token(
        &self,
        actor: &Actor,
        now: UnixMicros,
        owner: &User,
        token_hash: &str,
        new: NewToken,
    ) -> Result<Token, Error> {
        let rights: std::collections::BTreeSet<_> = new.rights.into_iter().collect();
        let token = Token {
            id: TokenId(ids::fresh(now)),
            name: written("name", &new.name, 80)?,
            rights: rights.into_iter().collect(),
            area: new.area,
            second_factor: new.second_factor,
            created: now,
            expires: new.expires,
            used: None,
            used_from: None,
        };
        let names = token.rights.iter().map(|right| right.name()).collect::<Vec<_>>();
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "token.add",
                subject: token.id.to_string(),
                detail: format!("{}: {}", owner.username, token.name),
            })
            .await?;
        work.more.area = token.area;
        work.more.after = Some(json!({ "name": token.name, "rights": names, "expires": micros(token.expires) }));
        let tx = &mut work.tx;
        if let Some(area) = token.area {
            let known = sqlx::query("SELECT 1 AS one FROM areas WHERE id = $1").bind(area.to_string());
            if known.fetch_optional(&mut **tx).await?.is_none() {
                return Err(Error::invalid("area_id", Invalid::Unknown));
            }
        }
        sqlx::query(
            "INSERT INTO tokens (id, token_hash, user_id, name, rights, area_id, second_factor, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(token.id.to_string())
        .bind(token_hash.to_owned())
        .bind(owner.id.to_string())
        .bind(token.name.clone())
        .bind(names.join(" "))
        .bind(token.area.map(|id| id.to_string()))
        .bind(token.second_factor.map(micros))
        .bind(micros(token.created))
        .bind(micros(token.expires))
        .execute(&mut **tx)
        .await
        .map_err(Error::taken("name"))?;
        work.commit().await?;
        Ok(token)
    }

    /// The tokens of `owner`, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self, owner: UserId) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query("SELECT * FROM tokens WHERE user_id = $1 ORDER BY created, id")
            .bind(owner.to_string())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// The token that is shown by what has that hash, and its owner. It may have expired, and its owner be disabled.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn token(&self, token_hash: &str) -> Result<Option<(Token, User)>, Error> {
        let row = sqlx::query("SELECT * FROM tokens WHERE token_hash = $1")
            .bind(token_hash.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let owner = self.user(row.id("user_id", UserId::parse)?).await?;
        Ok(Some((read(&row)?, owner)))
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot be read.
    pub async fn token_owner(&self, id: TokenId) -> Result<User, Error> {
        let row = sqlx::query("SELECT user_id FROM tokens WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await?;
        let row = row.ok_or(Error::Missing("token"))?;
        self.user(row.id("user_id", UserId::parse)?).await
    }

    /// Takes a token back: from now on it is nothing.
    ///
    /// # Errors
    /// [`Error::Missing`]; when the database cannot.
    pub async fn remove_token(&self, actor: &Actor, now: UnixMicros, id: TokenId) -> Result<(), Error> {
        let owner = self.token_owner(id).await?;
        let tokens = self.tokens(owner.id).await?;
        let token = tokens
            .into_iter()
            .find(|it| it.id == id)
            .ok_or(Error::Missing("token"))?;
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "token.remove",
                subject: id.to_string(),
                detail: format!("{}: {}", owner.username, token.name),
            })
            .await?;
        work.more.area = token.area;
        let done = sqlx::query("DELETE FROM tokens WHERE id = $1")
            .bind(id.to_string())
            .execute(&mut *work.tx)
            .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Missing("token"));
        }
        work.commit().await?;
        self.tell(Change::Sessions);
        Ok(())
    }

    /// Notes that a token was used, unless that was noted since `since`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_token_use(
        &self,
        id: TokenId,
        now: UnixMicros,
        origin: &str,
        since: UnixMicros,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE tokens SET used = $1, used_from = $2 WHERE id = $3 AND (used IS NULL OR used < $4 OR used > $1)",
        )
        .bind(micros(now))
        .bind(origin.to_owned())
        .bind(id.to_string())
        .bind(micros(since))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes in the record that a token was shown which has ended, unless that was noted since `since`.
    ///
    /// # Errors
    /// When the database cannot.
    pub async fn note_token_refused(
        &self,
        actor: &Actor,
        now: UnixMicros,
        token: &Token,
        why: &str,
        since: UnixMicros,
    ) -> Result<(), Error> {
        let mut work = self
            .begin(Entry {
                at: now,
                actor,
                what: "token.refuse",
                subject: token.id.to_string(),
                detail: format!("{}: {why}", token.name),
            })
            .await?;
        work.more.area = token.area;
        let noted = sqlx::query(
            "UPDATE tokens SET refused = $1 WHERE id = $2 AND (refused IS NULL OR refused < $3 OR refused > $1)",
        )
        .bind(micros(now))
        .bind(token.id.to_string())
        .bind(micros(since))
        .execute(&mut *work.tx)
        .await?;
        match noted.rows_affected() {
            0 => Ok(()),
            _ => work.commit().await,
        }
    }
}

fn read(row: &AnyRow) -> Result<Token, Error> {
    let rights = row.text("rights")?;
    let rights = rights
        .split_whitespace()
        .map(|name| Right::named(name).ok_or(Error::Corrupt("rights")));
    Ok(Token {
        id: row.id("id", TokenId::parse)?,
        name: row.text("name")?,
        rights: rights.collect::<Result<_, _>>()?,
        area: row.maybe_id("area_id", AreaId::parse)?,
        second_factor: row.maybe_number("second_factor")?.map(UnixMicros),
        created: row.instant("created")?,
        expires: row.instant("expires")?,
        used: row.maybe_number("used")?.map(UnixMicros),
        used_from: row.maybe_text("used_from")?,
    })
}
