//! `loa user`.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use loa_protocol::AreaId;

use super::{Place, actor, say};
use crate::authority::{Grant, Reach, Role};
use crate::clock;
use crate::http::password;
use crate::store::NewUser;

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
                let reach = match area {
                    None => Reach::Everywhere,
                    Some(text) => match AreaId::parse(&text) {
                        Some(area) => Reach::Area(area),
                        None => bail!("{text} is not the identifier of an area; `loa area list` shows them"),
                    },
                };
                let roles = match role.is_empty() {
                    true => Grant::FIRST.iter().map(|grant| grant.role).collect(),
                    false => role.iter().filter_map(|role| Role::named(role)).collect::<Vec<_>>(),
                };
                let grants = roles.into_iter().map(|role| Grant { role, reach }).collect();
                let (_, _, store) = place.open().await?;
                if store.user_and_password(&username).await?.is_some() {
                    bail!("there is a user {username} already; `loa user passwd {username}` changes the password");
                }
                let password = password::hash(ask()?).await?;
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
                    let line = format!("{}\t{}\t{roles}\t{}\n", user.id, user.username, user.display_name);
                    say(&line)?;
                }
                store.close().await;
            }
            Self::Passwd { username, place } => {
                let (_, _, store) = place.open().await?;
                if store.user_and_password(&username).await?.is_none() {
                    bail!("there is no user {username}");
                }
                let password = password::hash(ask()?).await?;
                store.set_password(&actor(), clock::now(), &username, &password).await?;
                store.close().await;
            }
        }
        Ok(())
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
