//! The keys about sound that is live: somebody who speaks, another station, an encoder.

use std::time::Duration;

use super::keys::Key;
use super::values::{host, listen_or_off, within};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "live.longest_minutes",
        value: "MINUTES",
        default: Some("60"),
        vi: "Một lần phát trực tiếp dài nhất bao nhiêu phút (1 đến 720).",
        en: "How long a live broadcast may go on, in minutes (1 to 720).",
        set: |c, v| {
            c.live_longest = Duration::from_secs(60 * within(v, 1, 720, "minutes")?);
            Ok(())
        },
    },
    Key {
        name: "live.silence_seconds",
        value: "SECONDS",
        default: Some("60"),
        vi: "Phát trực tiếp tự kết thúc sau bao nhiêu giây im lặng (5 đến 3600).",
        en: "A live broadcast ends by itself after so many seconds of silence (5 to 3600).",
        set: |c, v| {
            c.live_silence = Duration::from_secs(within(v, 5, 3600, "seconds")?);
            Ok(())
        },
    },
    Key {
        name: "relay.silence_seconds",
        value: "SECONDS",
        default: Some("2"),
        vi: "Tiếp âm im lặng bao nhiêu giây thì phát nội dung dự phòng (1 đến 600).",
        en: "A relay that is silent for so many seconds gives way to its fallback (1 to 600).",
        set: |c, v| {
            c.relay_silence = Duration::from_secs(within(v, 1, 600, "seconds")?);
            Ok(())
        },
    },
    Key {
        name: "relay.allow",
        value: "HOST,…",
        default: None,
        vi: "Các máy trong mạng nội bộ được tiếp âm, cách nhau bằng dấu phẩy; cũng là các máy duy nhất được tiếp âm bằng HLS, RTSP, SRT. Ngoài ra chỉ tiếp âm http và https từ địa chỉ công cộng.",
        en: "Hosts of the own network that may be relayed, separated by commas; and the only ones by HLS, RTSP or SRT. Otherwise only http and https from public addresses are relayed.",
        set: |c, v| {
            let hosts = v.split(',').map(|it| host(it.trim()));
            c.relay_allow = hosts.collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Key {
        name: "encoder.listen",
        value: "ADDRESS:PORT|off",
        default: Some("off"),
        vi: "Nơi nhận âm thanh trực tiếp từ bộ mã hóa theo giao thức nguồn Icecast: BUTT, OBS, ffmpeg (TCP, không mã hóa); off: không mở.",
        en: "Where encoders bring live sound by the Icecast source protocol: BUTT, OBS, ffmpeg (TCP, not encrypted); off: nowhere.",
        set: |c, v| {
            c.encoder_listen = listen_or_off(v, "127.0.0.1:8000")?;
            Ok(())
        },
    },
];
