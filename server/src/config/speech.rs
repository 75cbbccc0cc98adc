//! The keys of speech from text, as the others are in `keys`.

use std::time::Duration;

use super::keys::Key;
use super::values::{http_url, languages, some, template, within};
use crate::speech::EngineKind;
use crate::speech::reading::Dialect;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "speech.engine",
        value: "espeak|piper|http",
        default: Some("espeak"),
        vi: "Bộ đọc văn bản thành tiếng: espeak-ng và Piper chạy trên máy này, http là dịch vụ ở speech.url.",
        en: "What reads text aloud: espeak-ng and Piper on this machine, http is the service at speech.url.",
        set: |c, v| {
            c.speech.engine = EngineKind::named(v).ok_or("espeak, piper or http")?;
            Ok(())
        },
    },
    Key {
        name: "speech.languages",
        value: "LANGUAGE,…",
        default: Some("vi"),
        vi: "Các ngôn ngữ mà bộ đọc đó đọc; ngôn ngữ khác do espeak-ng đọc.",
        en: "The languages that it reads; espeak-ng reads all others.",
        set: |c, v| {
            c.speech.languages = languages(v)?;
            Ok(())
        },
    },
    Key {
        name: "speech.dialect",
        value: "north|south",
        default: Some("north"),
        vi: "Cách đọc số: north (linh, nghìn) hoặc south (lẻ, ngàn).",
        en: "How numbers are said: north (linh, nghìn) or south (lẻ, ngàn).",
        set: |c, v| {
            c.speech.dialect = match v {
                "north" => Dialect::North,
                "south" => Dialect::South,
                _ => return Err("north or south".into()),
            };
            Ok(())
        },
    },
    Key {
        name: "speech.rate",
        value: "WORDS",
        default: Some("150"),
        vi: "Tốc độ đọc của espeak-ng, từ mỗi phút (80 đến 300).",
        en: "How fast espeak-ng reads, in words a minute (80 to 300).",
        set: |c, v| {
            c.speech.rate = within(v, 80, 300, "words a minute")? as u32;
            Ok(())
        },
    },
    Key {
        name: "speech.timeout",
        value: "SECONDS",
        default: Some("120"),
        vi: "Một phần của bản tin được đọc trong thời gian này, giây, nếu không thì thôi.",
        en: "A part of a bulletin is read within this time, in seconds, or not at all.",
        set: |c, v| {
            c.speech.timeout = Duration::from_secs(within(v, 1, 3600, "seconds")?);
            Ok(())
        },
    },
    Key {
        name: "speech.max_characters",
        value: "NUMBER",
        default: Some("10000"),
        vi: "Bản tin gõ bằng chữ dài nhất, ký tự (đến 20000).",
        en: "Longest typed bulletin, in characters (up to 20000).",
        set: |c, v| {
            c.speech.max_characters = within(v, 1, 20_000, "characters")? as usize;
            Ok(())
        },
    },
    Key {
        name: "speech.espeak",
        value: "PROGRAM",
        default: Some("espeak-ng"),
        vi: "Chương trình espeak-ng.",
        en: "The espeak-ng program.",
        set: |c, v| {
            c.speech.espeak = some(v, "a program")?.into();
            Ok(())
        },
    },
    Key {
        name: "speech.piper",
        value: "PROGRAM",
        default: Some("piper"),
        vi: "Chương trình Piper.",
        en: "The Piper program.",
        set: |c, v| {
            c.speech.piper = some(v, "a program")?.into();
            Ok(())
        },
    },
    Key {
        name: "speech.piper_model",
        value: "FILE",
        default: None,
        vi: "Giọng của Piper (.onnx, bên cạnh là .onnx.json).",
        en: "Piper's voice (.onnx, with its .onnx.json beside it).",
        set: |c, v| {
            c.speech.piper_model = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "speech.url",
        value: "URL",
        default: None,
        vi: "Dịch vụ đọc văn bản (POST, trả về âm thanh).",
        en: "A speech service (POST, answers with sound).",
        set: |c, v| {
            c.speech.url = Some(http_url(v)?);
            Ok(())
        },
    },
    Key {
        name: "speech.headers",
        value: "FILE",
        default: None,
        vi: "Tệp chứa tiêu đề gửi cho dịch vụ đó, mỗi dòng một tiêu đề: Tên: giá trị. Đọc lại mỗi lần dùng.",
        en: "File of headers for that service, one a line: Name: value. Read at each use.",
        set: |c, v| {
            c.speech.headers = Some(some(v, "a file")?.into());
            Ok(())
        },
    },
    Key {
        name: "speech.body",
        value: "JSON",
        default: None,
        vi: "JSON gửi cho dịch vụ đó, trong đó {text} là văn bản và {language} là ngôn ngữ. Không có: gửi văn bản trơn.",
        en: "JSON sent to that service, in which {text} is the text and {language} its language. Absent: the plain text.",
        set: |c, v| {
            c.speech.body = Some(template(v)?);
            Ok(())
        },
    },
];
