//! Why a request was not done, as the API says it: `{code, message, fields?}` and a status. Here: what every error of
//! the layers below means to who asked, in Vietnamese and, for who prefers it, in English. Those layers know no status.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub(super) use super::answers::Guarded;
use super::shelf::InUse;
use crate::authority::Right;
use crate::enrol::EnrolError;
use crate::media::IngestError;
use crate::speech::SpeechError;
use crate::store::{self, Invalid, Refusal};

/// Why a request was not done. Nothing was changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Error {
    /// Which error it is, for programs: does not change.
    pub(super) code: String,
    /// The same for people; Vietnamese unless the request prefers English.
    pub(super) message: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(super) fields: BTreeMap<String, String>,
    /// What still needs what was to be deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub(super) uses: Vec<InUse>,
}

/// A sentence in both languages.
#[derive(Debug, Clone)]
struct Words {
    vi: String,
    en: String,
}

/// An error on its way out.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    words: Words,
    fields: Vec<(String, Words)>,
    uses: Box<[InUse]>,
    /// When it is worth trying again, in seconds.
    retry_after: Option<u32>,
}

/// What handlers give.
pub(super) type Answer<T> = Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, vi: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            status,
            code,
            words: Words {
                vi: vi.into(),
                en: en.into(),
            },
            fields: Vec::new(),
            uses: Box::default(),
            retry_after: None,
        }
    }

    /// It cannot be deleted while something needs it.
    pub(super) fn in_use(uses: Vec<store::Use>) -> Self {
        let vi = "Chưa xóa được: bản tin còn dùng trong buổi phát, lịch phát, danh sách phát hoặc câu thu sẵn.";
        let en = "Not deleted: broadcasts, schedules, playlists or recorded phrases still need the bulletin.";
        Self {
            uses: uses.into_iter().map(InUse::from).collect(),
            ..Self::new(StatusCode::CONFLICT, "in_use", vi, en)
        }
    }

    /// Too much was asked for: again after `wait`.
    pub(super) fn wait(wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let vi = format!("Quá nhiều yêu cầu. Thử lại sau {seconds} giây.");
        let en = format!("Too many requests. Try again in {seconds} seconds.");
        Self {
            retry_after: u32::try_from(seconds).ok(),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "wait", vi, en)
        }
    }

    /// A field is wrong.
    pub(super) fn field(name: &str, vi: impl Into<String>, en: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let mut problem = Self::new(
            status,
            "invalid",
            "Có chỗ điền chưa đúng.",
            "Something is not filled in right.",
        );
        problem.fields.push((
            name.into(),
            Words {
                vi: vi.into(),
                en: en.into(),
            },
        ));
        problem
    }

    pub(super) fn unauthenticated() -> Self {
        let (vi, en) = (
            "Chưa đăng nhập, hoặc phiên làm việc đã hết.",
            "Not signed in, or the session has ended.",
        );
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", vi, en)
    }

    /// What was shown as an API token is none, or none any more.
    pub(super) fn token() -> Self {
        let vi = "Mã truy cập API không đúng, đã hết hạn hoặc đã bị thu hồi.";
        let en = "The API token is wrong, has expired or was taken back.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", vi, en)
    }

    /// It is for people who are signed in.
    pub(super) fn session_only() -> Self {
        let vi = "Việc này cần đăng nhập: không làm được bằng mã truy cập API.";
        let en = "That is for who is signed in: no API token is good for it.";
        Self::new(StatusCode::FORBIDDEN, "session_only", vi, en)
    }

    pub(super) fn csrf() -> Self {
        let vi = "Yêu cầu thiếu mã chống giả mạo (X-Loa-Csrf). Hãy tải lại trang.";
        let en = "The request lacks the session's X-Loa-Csrf. Reload the page.";
        Self::new(StatusCode::FORBIDDEN, "csrf", vi, en)
    }

    /// It takes a right that who asks does not have there.
    pub(super) fn forbidden(right: Right) -> Self {
        let (vi, en) = match right {
            Right::See => ("xem", "see that"),
            Right::Compose => ("soạn bản tin cho địa bàn này", "make bulletins for that area"),
            Right::Broadcast => ("phát tại địa bàn này", "broadcast there"),
            Right::Approve => ("duyệt bản tin của địa bàn này", "approve bulletins of that area"),
            Right::Emergency => ("phát khẩn cấp tại địa bàn này", "broadcast an emergency there"),
            Right::Receivers => ("quản lý cụm thu phát thanh tại địa bàn này", "manage receivers there"),
            Right::Areas => ("quản lý địa bàn này", "manage that area"),
            Right::People => ("quản lý người dùng tại địa bàn này", "manage people there"),
            Right::Record => ("xem nhật ký của địa bàn này", "read the record of that area"),
        };
        let (vi, en) = (format!("Bạn không có quyền {vi}."), format!("You may not {en}."));
        Self::new(StatusCode::FORBIDDEN, "forbidden", vi, en)
    }

    /// It takes a second factor in this session.
    pub(super) fn second_factor() -> Self {
        let vi = "Việc khẩn cấp cần xác thực bước hai (mã TOTP hoặc khóa truy cập) trong phiên này.";
        let en = "Emergencies take a second factor (TOTP code or passkey) in this session.";
        Self::new(StatusCode::FORBIDDEN, "second_factor", vi, en)
    }

    /// Too many attempts failed: again after `wait`.
    pub(super) fn failures(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        let vi = format!("Sai quá nhiều lần. Hãy thử lại sau {seconds} giây.");
        let en = format!("Too many failed attempts. Try again in {seconds} seconds.");
        Self {
            retry_after: Some(u32::try_from(seconds).unwrap_or(u32::MAX)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "wait", vi, en)
        }
    }

    /// The browser says that another site asks.
    pub(super) fn foreign() -> Self {
        let vi = "Yêu cầu đến từ một trang web khác.";
        let en = "The request comes from another web site.";
        Self::new(StatusCode::FORBIDDEN, "csrf", vi, en)
    }

    /// Nobody does that to themselves.
    pub(super) fn yourself() -> Self {
        let vi = "Không thể tự thay đổi quyền, tự khóa hay tự đặt lại tài khoản của mình: hãy nhờ người quản trị khác.";
        let en = "Nobody changes their own roles, disables or resets themselves: ask another administrator.";
        Self::new(StatusCode::FORBIDDEN, "yourself", vi, en)
    }

    /// A link that cannot be used (any more).
    fn link_closed() -> Self {
        let vi = "Đường dẫn này đã dùng rồi, đã hết hạn hoặc đã được thay bằng đường dẫn mới.";
        let en = "This link has been used, has expired, or was replaced by a newer one.";
        Self::new(StatusCode::GONE, "link_closed", vi, en)
    }

    /// Signing in is not finished.
    pub(super) fn second_factor_first() -> Self {
        let vi = "Chưa đăng nhập xong: còn xác thực bước hai (mã TOTP hoặc khóa truy cập).";
        let en = "Signing in is not finished: a second factor (TOTP code or passkey) is to follow.";
        Self::new(StatusCode::UNAUTHORIZED, "second_factor", vi, en)
    }

    /// Whoever has a second factor shows it before changing their second factors.
    pub(super) fn second_factor_again() -> Self {
        let vi = "Hãy xác thực bước hai trong phiên này trước khi thay đổi các cách xác thực.";
        let en = "Show a second factor in this session before changing your second factors.";
        Self::new(StatusCode::FORBIDDEN, "second_factor", vi, en)
    }

    pub(super) fn missing(what: &str) -> Self {
        let vi = match what {
            "area" => "địa bàn",
            "broadcast" => "buổi phát",
            "bulletin" => "bản tin",
            "claim" => "thiết bị đang xin ghi danh",
            "delivery" => "bản tin trong hộp thư",
            "override" => "cho phép ngoại lệ",
            "playlist" => "danh sách phát",
            "schedule" => "lịch phát",
            "receiver" => "cụm thu phát thanh",
            "token" => "mã truy cập",
            "upload" => "tệp đang tải lên",
            "user" => "người dùng",
            "session" => "phiên làm việc",
            "factor" => "cách xác thực",
            "phrase" => "câu thu sẵn",
            "reading" => "cách đọc",
            "text" => "văn bản",
            "identity" => "tài khoản đã gắn",
            _ => "địa chỉ",
        };
        let (vi, en) = (format!("Không có {vi} này."), format!("There is no such {what}."));
        Self::new(StatusCode::NOT_FOUND, "not_found", vi, en)
    }

    /// Whether it says that a field is wrong.
    pub(super) fn is_invalid(&self) -> bool {
        self.status == StatusCode::UNPROCESSABLE_ENTITY
    }

    /// Whether it says that something is not there.
    pub(super) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(super) fn bad_request(en: impl Into<String>) -> Self {
        let en = en.into();
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad_request",
            format!("Yêu cầu không đúng dạng: {en}"),
            en,
        )
    }

    pub(super) fn too_large(limit: u64) -> Self {
        let vi = format!("Tệp lớn quá mức máy chủ cho phép ({limit} byte).");
        let en = format!("The file is larger than the server allows ({limit} bytes).");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", vi, en)
    }

    pub(super) fn busy() -> Self {
        let (vi, en) = (
            "Máy chủ đang bận. Thử lại sau ít giây.",
            "The server is busy. Try again in a few seconds.",
        );
        Self {
            retry_after: Some(3),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", vi, en)
        }
    }

    /// A fault of the server: told in full to its log only.
    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request could not be done");
        let (vi, en) = (
            "Máy chủ gặp lỗi. Xem nhật ký máy chủ.",
            "The server met an error. See its log.",
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", vi, en)
    }

    fn body(&self, english: bool) -> Error {
        let say = |words: &Words| if english { words.en.clone() } else { words.vi.clone() };
        let fields = self
            .fields
            .iter()
            .map(|(name, words)| (name.clone(), say(words)))
            .collect();
        Error {
            code: self.code.into(),
            message: say(&self.words),
            fields,
            uses: self.uses.to_vec(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body(false))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Says errors in English to who prefers it.
pub(super) async fn speak(request: Request, next: Next) -> Response {
    let english = prefers_english(request.headers());
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| english) else {
        return response;
    };
    let body = serde_json::to_string(&problem.body(true)).expect("an error is JSON");
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, body.into())
}

/// Whether the first language of the list is English; weights are not weighed, since people put first what they read.
fn prefers_english(headers: &HeaderMap) -> bool {
    let list = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    list.trim_start()
        .get(..2)
        .is_some_and(|first| first.eq_ignore_ascii_case("en"))
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Missing("setup token") => setup_closed(),
            store::Error::Missing("link") => Self::link_closed(),
            // It ended between being read and being changed.
            store::Error::Missing("session") => Self::unauthenticated(),
            store::Error::Missing(what) => Self::missing(what),
            store::Error::Invalid { field, why } => {
                let vi = match why {
                    Invalid::Empty => "Không được để trống.".into(),
                    Invalid::Long(most) => format!("Nhiều nhất {most} ký tự."),
                    Invalid::Taken => "Đã có rồi.".into(),
                    Invalid::Unknown => "Không tồn tại.".into(),
                    Invalid::Form(_, vi) => format!("Phải là {vi}."),
                };
                Self::field(field, vi, why.to_string())
            }
            store::Error::Part { title, why } => {
                let Self { status, words, .. } = Self::from(store::Error::State(why));
                Self::new(
                    status,
                    "part",
                    format!("“{title}”: {}", words.vi),
                    format!("“{title}”: {}", words.en),
                )
            }
            store::Error::Taken { by, since } => {
                let since = super::shapes::written(since);
                let vi = format!("{by} đang phát trực tiếp tại đây từ {since}. Hãy đợi, hoặc gọi cho người đó.");
                let en = format!("{by} is speaking there since {since}. Wait, or call them.");
                Self::new(StatusCode::CONFLICT, "studio_taken", vi, en)
            }
            store::Error::State(refusal) => match refusal {
                Refusal::NotApproved => {
                    let (vi, en) = ("Bản tin chưa được duyệt.", "The bulletin is not approved.");
                    Self::new(StatusCode::CONFLICT, "not_approved", vi, en)
                }
                Refusal::Expired => {
                    let vi = "Bản tin đã hết hạn vào lúc đó.";
                    let en = "The bulletin has expired by then.";
                    Self::new(StatusCode::CONFLICT, "expired", vi, en)
                }
                Refusal::Emergency => {
                    let vi = "Bản tin khẩn cấp được phát ngay, không gửi vào hộp thư: hãy phát tới các địa bàn đó.";
                    let en = "An emergency is broadcast at once, not sent: broadcast it to those areas.";
                    Self::new(StatusCode::CONFLICT, "emergency", vi, en)
                }
                Refusal::Scheduled => {
                    let vi = "Bản tin đang có lịch phát tại đây: hãy bỏ lịch trước khi từ chối.";
                    let en = "It is scheduled there: remove that first.";
                    Self::new(StatusCode::CONFLICT, "scheduled", vi, en)
                }
                Refusal::Composing => {
                    let vi = "Danh sách phát này còn đang được ghép âm thanh. Thử lại sau ít phút.";
                    let en = "The playlist is still being composed. Try again in some minutes.";
                    Self::new(StatusCode::CONFLICT, "composing", vi, en)
                }
                Refusal::Over => {
                    let (vi, en) = ("Buổi phát đã kết thúc.", "The broadcast is over.");
                    Self::new(StatusCode::CONFLICT, "over", vi, en)
                }
                Refusal::Revoked => {
                    let vi = "Cụm thu phát thanh này đã bị thu hồi: chỉ có thể ghi danh lại.";
                    let en = "The receiver is revoked: it can only be enrolled again.";
                    Self::new(StatusCode::CONFLICT, "revoked", vi, en)
                }
                Refusal::UserExists => setup_closed(),
                Refusal::SamePerson => {
                    let vi = "Phải do một người khác duyệt, không phải người đã đề nghị.";
                    let en = "Another person has to approve it than the one who asked.";
                    Self::new(StatusCode::CONFLICT, "same_person", vi, en)
                }
                Refusal::Changed => {
                    let vi = "Người khác vừa thay đổi. Hãy tải lại trang.";
                    let en = "Somebody else has changed that meanwhile. Reload the page.";
                    Self::new(StatusCode::CONFLICT, "changed", vi, en)
                }
                Refusal::LastAdministrator => {
                    let vi = "Đây là người quản trị toàn hệ thống cuối cùng: hãy thêm người quản trị khác trước.";
                    let en = "This is the last administrator of everything: make another one first.";
                    Self::new(StatusCode::CONFLICT, "last_administrator", vi, en)
                }
                Refusal::Disabled => {
                    let (vi, en) = ("Tài khoản này đang bị khóa.", "This user is disabled.");
                    Self::new(StatusCode::CONFLICT, "disabled", vi, en)
                }
                Refusal::LastFactor => {
                    let vi = "Hệ thống yêu cầu xác thực bước hai: hãy thêm cách khác trước khi bỏ cách cuối cùng.";
                    let en = "The settings require a second factor: add another one before removing the last.";
                    Self::new(StatusCode::CONFLICT, "last_factor", vi, en)
                }
                Refusal::Linked => {
                    let vi =
                        "Tài khoản đó đã gắn với một người dùng, hoặc bạn đã gắn một tài khoản khác: hãy bỏ gắn trước.";
                    let en = "That account is linked to somebody already, or you have linked another one: take that link away first.";
                    Self::new(StatusCode::CONFLICT, "linked", vi, en)
                }
                Refusal::LastWay => {
                    let vi = "Bạn chưa có mật khẩu, nên đây là cách đăng nhập duy nhất: hãy xin người quản trị đường dẫn đặt mật khẩu trước.";
                    let en = "You have no password, so this is your only way in: ask an administrator for a link to set one first.";
                    Self::new(StatusCode::CONFLICT, "last_way", vi, en)
                }
                Refusal::Closed => Self::busy(),
            },
            other => Self::internal(other),
        }
    }
}

fn setup_closed() -> Problem {
    let vi = "Đường dẫn này đã dùng rồi hoặc đã hết hạn.";
    Problem::new(
        StatusCode::GONE,
        "setup_closed",
        vi,
        "This link has been used, or has expired.",
    )
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::Nowhere => {
                let vi = "Máy chủ chưa biết địa chỉ của mình để cho cụm loa biết: hãy đặt public.host trong cấu hình.";
                let en = "The server does not know its own address to tell receivers: set public.host.";
                Self::new(StatusCode::CONFLICT, "no_public_host", vi, en)
            }
            other => Self::internal(other),
        }
    }
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let en = error.to_string();
        let (code, vi) = match error {
            IngestError::Empty => ("empty_file", "Tệp rỗng.".into()),
            IngestError::NotAudio => (
                "not_audio",
                "Tệp không phải âm thanh thuộc loại đã biết (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus).".into(),
            ),
            IngestError::IsSomethingElse(what) => (
                "not_audio",
                format!(
                    "Tệp là {}, không phải âm thanh (MP3, AAC/M4A, FLAC, WAV, Ogg Vorbis, Opus).",
                    match what {
                        "text" => "văn bản",
                        what => what,
                    }
                ),
            ),
            IngestError::NoAudioTrack => ("no_audio_track", "Trong tệp không có âm thanh.".into()),
            IngestError::Unsupported(what) => ("unsupported_audio", format!("Loại âm thanh chưa hỗ trợ: {what}.")),
            IngestError::UnsupportedRate(rate) => (
                "unsupported_audio",
                format!("Tần số lấy mẫu {rate} Hz chưa hỗ trợ (8000 đến 96000)."),
            ),
            IngestError::UnsupportedChannels(n) => ("unsupported_audio", format!("{n} kênh chưa hỗ trợ (1 đến 8).")),
            IngestError::Truncated { found, promised } => {
                let (found, promised) = (found.as_secs_f64(), promised.as_secs_f64());
                (
                    "truncated",
                    format!("Tệp bị cắt cụt: chỉ có {found:.1} trong {promised:.1} giây. Hãy chép lại tệp."),
                )
            }
            IngestError::Damaged(what) => ("damaged", format!("Âm thanh bị hỏng: {what}.")),
            IngestError::TooLong { limit } => ("too_long", format!("Dài quá mức cho phép ({} giây).", limit.as_secs())),
            IngestError::TooLarge { limit } => return Self::too_large(limit),
            IngestError::Io(error) => return Self::internal(error),
            IngestError::Encoder(error) => return Self::internal(error),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, vi, en)
    }
}

impl From<SpeechError> for Problem {
    fn from(error: SpeechError) -> Self {
        let en = error.to_string();
        let refused = |vi: String| Self::new(StatusCode::UNPROCESSABLE_ENTITY, "speech_failed", vi, en.clone());
        let unavailable = |vi: String| {
            tracing::warn!(%error, "speech");
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "speech_unavailable", vi, en.clone())
        };
        match &error {
            SpeechError::NotConfigured(name) => {
                let vi = format!("Bộ đọc {name} chưa được cài đặt trên máy chủ này.");
                Self::field("engine", vi, en)
            }
            SpeechError::Nothing => Self::field(
                "parts",
                "Có phần không có chữ nào để đọc.",
                "A part has nothing to say in it.",
            ),
            SpeechError::Missing { program, .. } => {
                unavailable(format!("Máy chủ không chạy được chương trình {}.", program.display()))
            }
            SpeechError::Slow { engine, limit } => {
                unavailable(format!("{engine} đọc quá {} giây nên đã bị dừng.", limit.as_secs()))
            }
            SpeechError::Failed { engine, why } => refused(format!("{engine} không đọc được: {why}")),
            SpeechError::NotSound { engine, why } => refused(format!("{engine} không trả về âm thanh: {why}")),
            SpeechError::Phrase(why) => refused(format!("Không đọc được câu thu sẵn: {why}")),
            SpeechError::TooLong(limit) => IngestError::TooLong { limit: *limit }.into(),
            SpeechError::Io(_) => Self::internal(error),
        }
    }
}
