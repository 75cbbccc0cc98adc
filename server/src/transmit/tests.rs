//! The sender over a real socket, read by somebody else's SRTP (GStreamer's srtpdec, which is libsrtp).

use std::io::Read as _;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::Duration;

use loa_protocol::key::Secret;

use super::*;
use crate::media::{self, Encoding, Limits, Programme};

const SSRC: u32 = 0x10A0_0001;
const STREAM: StreamId = StreamId([0x5A; 16]);

fn clock() -> UnixMicros {
    crate::clock::now()
}

/// A second and a half of a tone, as it would be stored.
fn programme() -> Arc<Programme> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (wav, stored) = (folder.path().join("in.wav"), folder.path().join("out.opus"));
    let made = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            "sine=duration=1.5:sample_rate=48000",
        ])
        .arg(&wav)
        .status();
    assert!(made.expect("ffmpeg is installed").success());
    let limits = Limits {
        bytes: 1 << 20,
        duration: Duration::from_secs(10),
    };
    media::ingest(
        &wav,
        &stored,
        Encoding {
            packet_ms: 20,
            ..Encoding::default()
        },
        limits,
    )
    .expect("a tone");
    Arc::new(Programme::open(&stored).expect("just stored"))
}

fn timing(programme: &Programme) -> Timing {
    Timing {
        play_at: clock().offset(600_000),
        latency: 100_000,
        packet_samples: programme.packet_samples(),
        packets: programme.packets(),
    }
}

fn transmitter() -> Transmitter {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let bindings = std::env::temp_dir().join("loa-transmit-tests-have-no-bindings");
    Transmitter::start(
        listen,
        bindings,
        Box::new(|_, _| {}),
        crate::fleet::clones::Watch::new().0,
        clock,
    )
    .expect("a socket on loopback")
}

#[test]
fn libsrtp_reads_what_we_seal() {
    let programme = programme();
    let secret = Secret([0x42; 32]);
    let receiver = ReceiverId([9; 16]);
    let master = secret.srtp(STREAM);
    let key: String = master
        .key
        .iter()
        .chain(&master.salt)
        .map(|byte| format!("{byte:02x}"))
        .collect();

    // A port that is free now: GStreamer binds it by number.
    let port = UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
        .port();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let reports = folder.path().join("rtcp");
    let caps = format!(
        "caps=application/x-srtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=111,ssrc=(uint){SSRC},\
         srtp-key=(buffer){key},srtp-cipher=aes-128-gcm,srtp-auth=null,srtcp-cipher=aes-128-gcm,srtcp-auth=null"
    );
    let mut reader = Command::new("gst-launch-1.0")
        .args([
            "-q",
            "-e",
            "udpsrc",
            "address=127.0.0.1",
            &format!("port={port}"),
            &caps,
        ])
        .args([
            "!",
            "srtpdec",
            "name=srtp",
            "srtp.rtp_src",
            "!",
            "rtpstreampay",
            "!",
            "fdsink",
            "fd=1",
        ])
        .args([
            "srtp.rtcp_src",
            "!",
            "filesink",
            "async=false",
            "buffer-mode=unbuffered",
        ])
        .arg(format!("location={}", reports.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("gst-launch-1.0 is installed");

    let transmitter = transmitter();
    transmitter.peers().replace([(receiver, secret)]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let peer = transmitter.peers().get(receiver).expect("just put there");
    assert!(
        transmitter
            .peers()
            .bind(&peer, clock(), Path::Udp(address), clock())
            .is_some()
    );
    // GStreamer has no way to say that it listens: ask the system.
    let listens = || {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        table.contains(&format!(":{port:04X} 00000000"))
    };
    while !listens() {
        std::thread::yield_now();
    }
    let timing = timing(&programme);
    transmitter.stream(STREAM, SSRC, timing, programme.clone(), [receiver]);

    let whole: u64 = programme.bytes_before(programme.packets()) + 14 * programme.packets();
    let mut pipe = reader.stdout.take().expect("piped");
    let (sender, received) = mpsc::channel();
    // Ends with the pipe, which ends with GStreamer.
    std::thread::spawn(move || {
        let mut read = vec![0; whole as usize];
        if pipe.read_exact(&mut read).is_ok() {
            // Nobody listens if the test has failed by then.
            let _ = sender.send(read);
        }
    });
    let read = received.recv_timeout(Duration::from_secs(10));
    reader.kill().expect("still running");
    reader.wait().expect("just killed");
    let read = read.expect("every packet is read within seconds");

    // RFC 4571 framing: a length, then the packet.
    let mut rest = &read[..];
    for index in 0..programme.packets() {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let packet = rtp_rs::RtpReader::new(&rest[2..2 + length]).expect("RTP");
        assert_eq!(packet.payload_type(), 111);
        assert_eq!(u16::from(packet.sequence_number()), index as u16);
        assert_eq!(
            u64::from(packet.timestamp()),
            index * u64::from(programme.packet_samples())
        );
        assert_eq!(packet.ssrc(), SSRC);
        assert_eq!(Some(packet.payload()), programme.packet(index));
        rest = &rest[2 + length..];
    }
    assert!(rest.is_empty());
    let report = std::fs::read(&reports).expect("a sender report");
    assert_eq!((report.len(), report[1]), (28, 200));
    let ntp = u64::from_be_bytes(report[8..16].try_into().expect("eight bytes"));
    assert_eq!(ntp, UnixMicros(timing.sent_at(0).0 + timing.slot(receiver)).to_ntp());
    assert_eq!(transmitter.counters().nowhere.get(), 0);
}

#[test]
fn packets_leave_in_their_slots_and_reports_once() {
    let programme = programme();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .set_read_timeout(Some(Duration::from_secs(3)))
        .expect("a time-out above zero");
    let transmitter = transmitter();
    let receivers: Vec<_> = (1..=5).map(|n| ReceiverId([n; 16])).collect();
    transmitter
        .peers()
        .replace(receivers.iter().map(|id| (*id, Secret([id.0[0]; 32]))));
    for id in &receivers {
        let peer = transmitter.peers().get(*id).expect("just put there");
        assert!(
            transmitter
                .peers()
                .bind(&peer, clock(), Path::Udp(socket.local_addr().expect("bound")), clock())
                .is_some()
        );
    }
    let timing = timing(&programme);
    transmitter.stream(STREAM, SSRC, timing, programme.clone(), receivers.iter().copied());
    let (mut reports, mut packets, mut worst) = (0, 0, 0);
    let mut buffer = [0; 1500];
    for _ in 0..receivers.len() as u64 * (programme.packets() + 1) {
        let (length, _) = socket.recv_from(&mut buffer).expect("every packet arrives on loopback");
        let now = clock();
        if buffer[1] == 200 {
            assert_eq!(length, 28 + 20);
            reports += 1;
            continue;
        }
        packets += 1;
        let index = u64::from(u16::from_be_bytes([buffer[2], buffer[3]]));
        let late = now.since(timing.sent_at(index));
        assert!(late >= 0, "packet {index} left early");
        worst = worst.max(late);
    }
    assert_eq!((reports, packets), (5, 5 * programme.packets()));
    // Within its packet's duration plus what a busy test machine costs.
    assert!(worst < 20_000 + 200_000, "{worst} us late");
}
