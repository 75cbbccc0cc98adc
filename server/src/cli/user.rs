//! `loa user`.

use std::io::IsTerminal as _;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::{Place, actor, say};
use crate::clock;
use crate::http::password;
use crate::store::{NewUser, Role};

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
        /// Vai trò: quản trị (admin) hoặc cán bộ (officer). What they may do.
        #[arg(long, default_value = "admin", value_parser = ["admin", "officer"])]
        role: String,
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
                place,
            } => {
                let (_, _, store) = place.open().await?;
                let role = Role::named(&role).expect("only these are let through");
                if store.user_and_password(&username).await?.is_some() {
                    bail!("there is a user {username} already; `loa user passwd {username}` changes the password");
                }
                let password = password::hash(ask()?).await?;
                let new = NewUser {
                    username,
                    display_name: name,
                    role,
                    password,
                };
                let user = store.add_user(&actor(), clock::now(), new).await?;
                say(&format!("{}\n", user.id))?;
                store.close().await;
            }
            Self::List { place } => {
                let (_, _, store) = place.open().await?;
                for user in store.users().await? {
                    say(&format!(
                        "{}\t{}\t{}\t{}\n",
                        user.id,
                        user.username,
                        user.role.name(),
                        user.display_name
                    ))?;
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
