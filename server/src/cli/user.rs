//! `loa user`.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use loa_protocol::AreaId;

use super::{Place, actor, say};
use crate::authority::{Grant, Reach, Role};
use crate::clock;
use crate::http::{fresh_token, hash, links, password};
use crate::store::{NewUser, Store, User, UserChange};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Thêm người dùng; mật khẩu được hỏi, hoặc đọc từ dòng đầu của đầu vào.
    /// Adds a user; the password is asked for, or read from the first line of the input.
    #[command(verbatim_doc_comment)]
    Add {
        /// Chữ thường không dấu, chữ số, `.`, `-`, `_`. What they sign in as.
        username: String,
        /// Họ và tên. Their name.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Vai trò (có thể nhiều): officer, approver, administrator, technician, auditor. Mặc định: ba vai trò đầu.
        /// What they are; may be given more than once. Default: officer, approver and administrator.
        #[arg(long, verbatim_doc_comment, value_parser = Role::ALL.map(Role::name))]
        role: Vec<String>,
        /// Địa bàn (mã UUID) nơi các vai trò có hiệu lực. Không có: mọi nơi.
        /// Area (UUID) in which the roles hold, and below. Absent: everywhere.
        #[arg(long, verbatim_doc_comment, value_name = "AREA")]
        area: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Liệt kê người dùng.
    /// Lists users.
    #[command(verbatim_doc_comment)]
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Đổi mật khẩu và kết thúc các phiên làm việc của người đó.
    /// Changes a password and ends that user's sessions.
    #[command(verbatim_doc_comment)]
    Passwd {
        /// Tên đăng nhập. What they sign in as.
        username: String,
        #[command(flatten)]
        place: Place,
    },
    /// In đường dẫn để người đó tự chọn mật khẩu (72 giờ nếu mới được mời, nếu không 24 giờ); bỏ cả xác thực bước hai.
    /// Prints a link by which they choose a password (72 hours if new, else 24); it removes their second factors, too.
    #[command(verbatim_doc_comment)]
    Link {
        /// Tên đăng nhập. What they sign in as.
        username: String,
        /// Giữ xác thực bước hai. Keep their second factors.
        #[arg(long)]
        keep_factors: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Khóa tài khoản: các phiên làm việc kết thúc ngay.
    /// Keeps somebody from signing in; their sessions end at once.
    #[command(verbatim_doc_comment)]
    Disable {
        /// Tên đăng nhập. What they sign in as.
        username: String,
        #[command(flatten)]
        place: Place,
    },
    /// Mở lại tài khoản.
    /// Lets somebody sign in again.
    #[command(verbatim_doc_comment)]
    Enable {
        /// Tên đăng nhập. What they sign in as.
        username: String,
        #[command(flatten)]
        place: Place,
    },
    /// Thêm vai trò, ở một địa bàn hoặc mọi nơi.
    /// Adds a role, in an area or everywhere.
    #[command(verbatim_doc_comment)]
    Grant(Granted),
    /// Bỏ vai trò.
    /// Takes a role away.
    #[command(verbatim_doc_comment)]
    Revoke(Granted),
}

/// A role of somebody.
#[derive(Debug, Args)]
pub(super) struct Granted {
    /// Tên đăng nhập. What they sign in as.
    username: String,
    /// Vai trò. The role.
    #[arg(value_parser = Role::ALL.map(Role::name))]
    role: String,
    /// Địa bàn (mã UUID). Không có: mọi nơi. Area (UUID). Absent: everywhere.
    #[arg(long, value_name = "AREA")]
    area: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add {
                username,
                name,
                role,
                area,
                place,
            } => {
                let reach = reach(area)?;
                let roles = match role.is_empty() {
                    true => Grant::FIRST.iter().map(|grant| grant.role).collect(),
                    false => role.iter().filter_map(|role| Role::named(role)).collect::<Vec<_>>(),
                };
                let grants = roles.into_iter().map(|role| Grant { role, reach }).collect();
                let (_, _, store) = place.open().await?;
                if store.user_and_password(&username).await?.is_some() {
                    bail!("there is a user {username} already; `loa user passwd {username}` changes the password");
                }
                let password = ask()?;
                password::judge(&password, &[&username, &name])?;
                let password = password::hash(password).await?;
                let new = NewUser {
                    username,
                    display_name: name,
                    grants,
                    password,
                };
                let user = store.add_user(&actor(), clock::now(), new).await?;
                say(&format!("{}\n", user.id))?;
                store.close().await;
            }
            Self::List { place } => {
                let (_, _, store) = place.open().await?;
                for user in store.users().await? {
                    let roles = user.grants.iter().map(|grant| match grant.reach {
                        Reach::Everywhere => grant.role.name().to_owned(),
                        Reach::Area(area) => format!("{}@{area}", grant.role.name()),
                    });
                    let roles = roles.collect::<Vec<_>>().join(",");
                    let comes_in = user.has_password || store.is_linked(user.id).await?;
                    let state = match (user.disabled, comes_in) {
                        (Some(_), _) => "\tdisabled",
                        (None, false) => "\tinvited",
                        (None, true) => "",
                    };
                    let (id, name) = (user.id, user.display_name);
                    let line = format!("{id}\t{}\t{roles}\t{name}{state}\n", user.username);
                    say(&line)?;
                }
                store.close().await;
            }
            Self::Passwd { username, place } => {
                let (_, _, store) = place.open().await?;
                let user = find(&store, &username).await?;
                let password = ask()?;
                password::judge(&password, &[&username, &user.display_name])?;
                let password = password::hash(password).await?;
                store.set_password(&actor(), clock::now(), &username, &password).await?;
                store.close().await;
            }
            Self::Link {
                username,
                keep_factors,
                place,
            } => {
                let (config, _, store) = place.open().await?;
                let user = find(&store, &username).await?;
                let token = fresh_token();
                store
                    .offer_link(&actor(), clock::now(), user.id, None, &hash(&token), !keep_factors)
                    .await?;
                let url = crate::serve::console(&config, config.http_listen, config.https_listen);
                say(&format!("{}\n", links::address(&url, &token)))?;
                store.close().await;
            }
            Self::Disable { username, place } => disable(&username, true, &place).await?,
            Self::Enable { username, place } => disable(&username, false, &place).await?,
            Self::Grant(it) => it.change(|grants, grant| grants.push(grant)).await?,
            Self::Revoke(it) => it.change(|grants, grant| grants.retain(|it| *it != grant)).await?,
        }
        Ok(())
    }
}

async fn disable(username: &str, disabled: bool, place: &Place) -> anyhow::Result<()> {
    let (_, _, store) = place.open().await?;
    let user = find(&store, username).await?;
    let change = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    store.change_user(&actor(), clock::now(), user.id, None, change).await?;
    store.close().await;
    Ok(())
}

impl Granted {
    async fn change(self, how: impl FnOnce(&mut Vec<Grant>, Grant)) -> anyhow::Result<()> {
        let reach = reach(self.area)?;
        let role = Role::named(&self.role).context("no such role")?;
        let (_, _, store) = self.place.open().await?;
        let user = find(&store, &self.username).await?;
        let mut grants = user.grants.clone();
        how(&mut grants, Grant { role, reach });
        let change = UserChange {
            grants: Some(grants),
            ..UserChange::default()
        };
        store
            .change_user(&actor(), clock::now(), user.id, Some(&user.grants), change)
            .await?;
        store.close().await;
        Ok(())
    }
}

async fn find(store: &Store, username: &str) -> anyhow::Result<User> {
    match store.user_and_password(username).await? {
        Some((user, _)) => Ok(user),
        None => bail!("there is no user {username}; `loa user list` shows them"),
    }
}

fn reach(area: Option<String>) -> anyhow::Result<Reach> {
    match area {
        None => Ok(Reach::Everywhere),
        Some(text) => match AreaId::parse(&text) {
            Some(area) => Ok(Reach::Area(area)),
            None => bail!("{text} is not the identifier of an area; `loa area list` shows them"),
        },
    }
}

/// A password: never an argument, since arguments can be read by every user of the machine.
fn ask() -> anyhow::Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .context("no password on the input")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let first = rpassword::prompt_password("Mật khẩu / Password: ")?;
    let second = rpassword::prompt_password("Nhập lại / Again: ")?;
    if first != second {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(first)
}
