//! The keys about how people come in: second factors, and a provider of single sign-on. Not here: all others (`keys`).

use super::keys::Key;
use super::values::{issuer, some, switch, words};

/// How people come in.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "auth.emergency_second_factor",
        value: "on|off",
        default: Some("on"),
        vi: "Phát khẩn cấp cần xác thực bước hai (mã TOTP hoặc khóa truy cập): on hoặc off.",
        en: "Broadcasting an emergency takes a second factor (TOTP code or passkey): on or off.",
        set: |c, v| {
            c.auth_emergency_second_factor = switch(v)?;
            Ok(())
        },
    },
    Key {
        name: "auth.second_factor",
        value: "optional|required",
        default: Some("optional"),
        vi: "Xác thực bước hai khi đăng nhập: optional (tùy mỗi người) hoặc required (ai chưa có phải cài đặt ngay khi đăng nhập).",
        en: "Second factor at sign-in: optional (as each person likes) or required (who has none must set one up at once).",
        set: |c, v| {
            c.auth_second_factor = match v {
                "optional" => false,
                "required" => true,
                _ => return Err("optional or required".into()),
            };
            Ok(())
        },
    },
    Key {
        name: "oidc.issuer",
        value: "URL",
        default: None,
        vi: "Hệ thống đăng nhập một lần của tỉnh (OpenID Connect), đúng như nó tự gọi mình, ví dụ https://sso.tinh.example. Không có: chỉ có mật khẩu.",
        en: "The province's single sign-on (OpenID Connect), exactly as it names itself, such as https://sso.province.example. Absent: passwords alone.",
        set: |c, v| {
            c.oidc_issuer = Some(issuer(v)?);
            Ok(())
        },
    },
    Key {
        name: "oidc.client_id",
        value: "ID",
        default: None,
        vi: "Loa là ai đối với hệ thống đó.",
        en: "Who Loa is to it.",
        set: |c, v| {
            c.oidc_client_id = Some(some(v, "what the provider calls this server")?.into());
            Ok(())
        },
    },
    Key {
        name: "oidc.client_secret_file",
        value: "FILE",
        default: None,
        vi: "Tệp có bí mật của Loa đối với hệ thống đó ở dòng đầu; chỉ chủ tệp được đọc. Không có: chỉ PKCE.",
        en: "File with Loa's secret to it in its first line, readable by its owner alone. Absent: PKCE alone.",
        set: |c, v| {
            c.oidc_client_secret_file = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "oidc.name",
        value: "NAME",
        default: None,
        vi: "Tên của hệ thống đó trên nút đăng nhập. Không có: tên máy trong oidc.issuer.",
        en: "What the button to sign in calls it. Absent: the host in oidc.issuer.",
        set: |c, v| {
            c.oidc_name = Some(some(v, "a name")?.into());
            Ok(())
        },
    },
    Key {
        name: "oidc.ca",
        value: "FILE",
        default: None,
        vi: "Chứng thư gốc (PEM) của hệ thống đó. Không có: các gốc của hệ điều hành.",
        en: "Root certificate (PEM) of it. Absent: the system's roots.",
        set: |c, v| {
            c.oidc_ca = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "oidc.second_factor_acr",
        value: "VALUE,…",
        default: None,
        vi: "Các giá trị acr, cách nhau bằng dấu phẩy, mà hệ thống đó dùng để nói đã xác thực bước hai; được hỏi khi đăng nhập. Không có: bước hai luôn là của Loa.",
        en: "Values of acr, separated by commas, by which it says that a second factor was shown to it; asked for at sign-in. Absent: second factors are always Loa's.",
        set: |c, v| {
            c.oidc_second_factor_acr = words(v)?;
            Ok(())
        },
    },
    Key {
        name: "oidc.second_factor_amr",
        value: "VALUE,…",
        default: None,
        vi: "Như trên, với các giá trị amr (RFC 8176), ví dụ mfa.",
        en: "The same with values of amr (RFC 8176), such as mfa.",
        set: |c, v| {
            c.oidc_second_factor_amr = words(v)?;
            Ok(())
        },
    },
    Key {
        name: "oidc.plain_loopback",
        value: "on|off",
        default: Some("off"),
        vi: "Cho phép hệ thống đó ở http:// trên chính máy này, để thử: on hoặc off.",
        en: "Allows it to be at http:// on this machine itself, for trials: on or off.",
        set: |c, v| {
            c.oidc_plain_loopback = switch(v)?;
            Ok(())
        },
    },
];
