//! Streams that only ffmpeg reads: HLS, RTSP, SRT, a sound card. Here: ffmpeg as a process of its own, held to the protocols that the
//! kind of address needs, that gives 48 kHz mono. Not here: which hosts it may be sent to (`address`).

use std::process::Stdio;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::fetch::Ended;
use super::{Address, Outlet};

/// For more of a stream; HLS comes in segments of several seconds.
const STALL: Duration = Duration::from_secs(15);

/// Brings what ffmpeg makes of `address` to `outlet`: 48 kHz, mono, 16 bit, little-endian.
pub(super) async fn run(address: &Address, outlet: Outlet) -> Result<(), Ended> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    command.args(input(address));
    command.args(["-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "pipe:1"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let (Some(mut out), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Ended::Unread);
    };
    let mut lines = BufReader::new(errors).lines();
    let mut last = String::new();
    let mut bytes = BytesMut::with_capacity(8192);
    loop {
        tokio::select! {
            Ok(Some(line)) = lines.next_line() => last = line.chars().take(200).collect(),
            read = timeout(STALL, out.read_buf(&mut bytes)) => match read {
                Err(_) => return Err(Ended::Because("stalled".into())),
                Ok(Ok(0)) | Ok(Err(_)) if last.is_empty() => return Ok(()),
                Ok(Ok(0)) | Ok(Err(_)) => return Err(Ended::Because(last)),
                Ok(Ok(_)) => {
                    if !outlet.send(bytes.split().freeze()).await {
                        return Err(Ended::Unread);
                    }
                    bytes.reserve(8192);
                }
            },
        }
    }
}

fn input(address: &Address) -> Vec<String> {
    let url = address.url();
    let (protocols, more): (_, &[&str]) = match url.scheme() {
        "alsa" => return ["-f", "alsa", "-i", url.path()].map(str::to_owned).to_vec(),
        "rtsp" | "rtsps" => ("rtsp,rtp,tcp,udp,tls", &["-rtsp_transport", "tcp"]),
        "srt" => ("srt", &[]),
        _ => ("http,https,tcp,tls,crypto", &["-rw_timeout", "5000000"]),
    };
    let mut arguments = vec!["-protocol_whitelist".to_owned(), protocols.to_owned()];
    arguments.extend(more.iter().map(|one| (*one).to_owned()));
    arguments.extend(["-i".to_owned(), url.to_string()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_to_the_protocols_of_the_address() {
        let of = |text: &str| {
            let hosts = ["radio.example".to_owned(), "alsa".to_owned()];
            input(&Address::parse(text, &hosts).unwrap()).join(" ")
        };
        assert_eq!(
            of("https://radio.example/a.m3u8"),
            "-protocol_whitelist http,https,tcp,tls,crypto -rw_timeout 5000000 -i https://radio.example/a.m3u8"
        );
        assert_eq!(
            of("srt://radio.example:9000"),
            "-protocol_whitelist srt -i srt://radio.example:9000"
        );
        assert_eq!(of("alsa:hw:1,0"), "-f alsa -i hw:1,0");
    }
}
